//! Facts about payloads that are not JSON, or not an array of objects. The kinds of breakage follow
//! the list of JSONTestSuite.

use super::*;

fn json(payload: impl AsRef<[u8]>) -> Reading {
    read(Format::Json, payload)
}

fn code(payload: impl AsRef<[u8]>) -> Option<Code> {
    json(payload).code()
}

#[test]
fn anything_but_an_array_is_refused() {
    for payload in [
        "{}",
        "{\"rows\":[]}",
        "\"x\"",
        "1",
        "-0.1",
        "true",
        "null",
        " false ",
    ] {
        assert_eq!(code(payload), Some(Code::ExpectedArray), "{payload}");
    }
    for payload in [
        "]",
        "}",
        "'x'",
        "*",
        "\u{e9}",
        "/**/[]",
        "\u{a0}[]",
        "\u{c}[]",
        "\u{2060}[]",
    ] {
        assert_eq!(code(payload), Some(Code::InvalidJson), "{payload}");
    }
    assert_eq!(code(b"\xE5"), Some(Code::InvalidJson));
}

#[test]
fn broken_json_fails_the_payload() {
    for row in [
        r#"{"a":1,}"#,
        r#"{,"a":1}"#,
        r#"{"a":1,,"b":2}"#,
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a" 1}"#,
        r#"{"a"::1}"#,
        r#"{:1}"#,
        r#"{a:1}"#,
        r#"{1:1}"#,
        r#"{null:null}"#,
        r#"{'a':1}"#,
        r#"{"a":'x'}"#,
        r#"{"a":1 "b":2}"#,
        r#"{"a":"b"]"#,
        r#"["a"}"#,
        r#"{"a":b}"#,
        "{[}",
        r#"{"a":1/**/}"#,
        r#"{/*x*/"a":1}"#,
        "{\"a\":1 // x\n}",
        "{\"a\":1 # x\n}",
        r#"{"a":/"x"/}"#,
        r#"{"a":NaN}"#,
        r#"{"a":-NaN}"#,
        r#"{"a":Infinity}"#,
        r#"{"a":-Infinity}"#,
        r#"{"a":True}"#,
        r#"{"a":nul}"#,
        r#"{"a":truex}"#,
        r#"{"a":fals}"#,
        r#"{"a":undefined}"#,
        r#"{"a":01}"#,
        r#"{"a":-01}"#,
        r#"{"a":00}"#,
        r#"{"a":+1}"#,
        r#"{"a":++1}"#,
        r#"{"a":.5}"#,
        r#"{"a":1.}"#,
        r#"{"a":-.1}"#,
        r#"{"a":-}"#,
        r#"{"a":--1}"#,
        r#"{"a":1e}"#,
        r#"{"a":1e+}"#,
        r#"{"a":1.e1}"#,
        r#"{"a":0e}"#,
        r#"{"a":1eE2}"#,
        r#"{"a":1_000}"#,
        r#"{"a":0x1F}"#,
        r#"{"a":1 000}"#,
        r#"{"a":1.2.3}"#,
        r#"{"a":1+2}"#,
        r#"{"a":１}"#,
        r#"{"a":1a}"#,
        "{\"a\":\"\n\"}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\0\"}",
        "{\"a\":\"\u{1f}\"}",
        "{\"a\n\":1}",
        r#"{"a":"\x"}"#,
        r#"{"a":"\u"}"#,
        r#"{"a":"\u00g0"}"#,
        r#"{"a":"\u12"}"#,
        r#"{"a":"\U0041"}"#,
        r#"{"a":"\u+041"}"#,
        r#"{"a":"\a"}"#,
        r#"{"a":"\'"}"#,
        "{\"a\":\"\\\u{e9}\"}",
        "{\"a\":\"\\\n\"}",
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\udc00"}"#,
        r#"{"a":"\ud800\ud800"}"#,
        r#"{"a":"\ud800x"}"#,
        r#"{"a":"\ud800\n"}"#,
        r#"{"a":"\ud800\u0041"}"#,
        r#"{"\udfff":1}"#,
        r#"{"a":["\ud800"]}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[,1]}"#,
        r#"{"a":[1,,2]}"#,
        r#"{"a":[1 2]}"#,
        r#"{"a":[1}"#,
        r#"{"a":{"b":1,}}"#,
        r#"{"a":{"b"}}"#,
        r#"{"a":{"b":[}]}}"#,
        r#"{"a":[1:2]}"#,
        r#"{"a":[[]"x"]}"#,
        "{\"a\":\u{c}1}",
        "{\u{a0}}",
        "{\"a\":1;}",
        "{\"a\":<null>}",
        "{\"a\":[*]}",
        "1 2",
        "{}{}",
        "nan",
        ",{}",
        "[1,]",
        "[\"\u{1}\"]",
        "{\"a\":1\u{feff}}",
        "{\"\u{0}\":1}",
        "{\"a\":a\u{e9}}",
    ] {
        assert_eq!(
            code(format!("[{row},{{}}]")),
            Some(Code::InvalidJson),
            "{row}"
        );
        assert_eq!(
            code(format!("[{{}},{row}]")),
            Some(Code::InvalidJson),
            "{row}"
        );
    }
    for payload in [
        "[,]", "[{},]", "[{},,{}]", "[{}]]", "[{}],", "[{}] x", "[{}]{}", "[{} {}]", "[}",
    ] {
        assert_eq!(code(payload), Some(Code::InvalidJson), "{payload}");
    }
    assert_eq!(code(b"[{\"a\":\xFF}]"), Some(Code::InvalidJson));
    assert_eq!(code(b"[\xEF\xBB\xBF{}]"), Some(Code::InvalidJson));
}

#[test]
fn damage_tells_line_column_and_what_to_do() {
    for (payload, line, column, hint) in [
        (
            "[{\"a\":1},\n {\"a\":1,}]",
            2,
            9,
            "comma may not stand behind the last",
        ),
        (
            "[\r\n\r\n{},\r ]",
            4,
            2,
            "comma may not stand behind the last",
        ),
        ("[{\"a\":1,\n  // note\n\"b\":2}]", 2, 3, "no comments"),
        ("[{\"é\":'x'}]", 1, 8, "not single ones"),
        ("[{'a':1}]", 1, 3, "not single ones"),
        ("[{\"a\":NaN}]", 1, 7, "NaN and Infinity"),
        ("[{\"a\":1}]\n[]", 2, 1, "nothing may follow"),
        ("[{\"a\":1}{}]", 1, 9, "a comma is missing"),
    ] {
        let damage = json(payload).damage.unwrap();
        assert_eq!(
            (damage.line, damage.column),
            (Some(line), Some(column)),
            "{payload}"
        );
        assert!(
            damage
                .to_string()
                .starts_with(&format!("line {line}, column {column}: "))
        );
        assert!(damage.message.contains(hint), "{}", damage.message);
    }
}

#[test]
fn a_payload_cut_anywhere_is_truncated() {
    let payload = "[ {\"a\": [true, {\"é\\u00e9\": -1.5e+7}], \"b\\n\":null},\n 5 , {\"a\":\"\\ud83d\\ude00\"} ]";
    assert_eq!(json(payload).damage, None);
    for cut in 1..payload.len() {
        assert_eq!(
            code(&payload.as_bytes()[..cut]),
            Some(Code::PayloadTruncated),
            "at {cut}"
        );
    }
}
