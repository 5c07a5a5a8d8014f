use proptest::prelude::*;

use super::*;

fn code_of(text: &str) -> Option<Code> {
    AddressRules::none()
        .check_url(text)
        .err()
        .map(|refusal| refusal.code)
}

fn assert_all(texts: &[&str], code: Code) {
    for text in texts {
        assert_eq!(code_of(text), Some(code), "{text:?}");
    }
}

fn listed() -> AddressRules {
    AddressRules::parse("127.0.0.1:8000, [::1]:9000,localhost:7000").unwrap()
}

#[test]
fn public_https_addresses_pass() {
    for text in [
        "https://example.com/people.csv",
        "https://example.com:8443/a?b=c#d",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://bücher.example.com/x",
        "https://internal.example.com/",
        "https://mylocal.com/",
        "https://[64:ff9b::808:808]/",
    ] {
        assert_eq!(code_of(text), None, "{text:?}");
    }
}

#[test]
fn other_schemes_are_refused() {
    assert_all(
        &[
            "file:///etc/passwd",
            "ftp://example.com/a",
            "gopher://example.com/",
            "data:text/csv,a",
            "jar:https://example.com/a.jar",
            "unix:/run/x.sock",
            "http://example.com/",
            "http://example.com:443/",
            "http://127.0.0.1:8000/",
        ],
        Code::UrlSchemeNotAllowed,
    );
}

#[test]
fn what_is_no_url_is_refused() {
    assert_all(
        &[
            "not a url",
            "",
            "//host/x",
            "https://",
            "example.com/a.csv",
            "https://example.com:0/",
            "https://example.com:65536/",
            "https://[::1",
            "https://exa mple.com/",
            "https://1.2.3.4.5/",
        ],
        Code::UrlInvalid,
    );
}

#[test]
fn control_characters_are_judged_before_the_parser_drops_them() {
    for bad in ['\t', '\r', '\n', '\0', '\u{7f}', '\u{85}'] {
        let text = format!("https://exa{bad}mple.com/");
        assert_eq!(code_of(&text), Some(Code::UrlInvalid), "{text:?}");
        let text = format!("https://example.com/{bad}");
        assert_eq!(code_of(&text), Some(Code::UrlInvalid), "{text:?}");
    }
}

#[test]
fn a_url_is_too_long_above_the_limit_only() {
    let start = "https://example.com/";
    let longest = format!("{start}{}", "é".repeat(URL_CHARS_MAX - start.len()));
    assert_eq!(code_of(&longest), None);
    assert_eq!(code_of(&format!("{longest}a")), Some(Code::UrlTooLong));
    assert_eq!(code_of(&"a".repeat(10_000)), Some(Code::UrlTooLong));
}

#[test]
fn credentials_in_the_url_are_refused() {
    assert_all(
        &[
            "https://user:pw@example.com/",
            "https://user@example.com/",
            "https://:pw@example.com/",
        ],
        Code::UrlCredentialsNotAllowed,
    );
}

#[test]
fn every_spelling_of_loopback_is_refused() {
    assert_all(
        &[
            "https://127.0.0.1",
            "https://[::1]",
            "https://2130706433",
            "https://0x7f.1",
            "https://0177.0.0.1",
            "https://127.1",
            "https://0",
            "https://①②⑦.0.0.1",
            "https://１２７.０.０.１",
            "https:\\\\127.0.0.1",
            "https://%31%32%37.0.0.1",
            "https://[::ffff:127.0.0.1]",
            "https://[::ffff:7f00:1]",
            "https://[0:0:0:0:0:ffff:127.0.0.1]",
            "https://[::127.0.0.1]",
            "https://[64:ff9b::7f00:1]",
            "https://[64:ff9b:1::7f00:1]",
            "https://[2002:7f00:1::]",
            "https://[2002:7f00:1::1]:8443",
        ],
        Code::AddressNotAllowed,
    );
}

#[test]
fn private_and_special_ranges_are_refused() {
    for ip in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.255.255.254",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::2",
        "::8.8.8.8",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2001:1ff:ffff::1",
        "3fff:fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "64:ff9b::a00:1",
        "64:ff9b:1::808:808",
        "2002:a00:1::1",
        "2002:a9fe:a9fe::",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:8.8.8.8",
    ] {
        let ip: IpAddr = ip.parse().unwrap();
        let refusal = AddressRules::none().check_ip(ip, 443).unwrap_err();
        assert_eq!(refusal.code, Code::AddressNotAllowed, "{ip}");
        assert_eq!(refusal.message, "address not allowed", "{ip}");
        let literal = if ip.is_ipv6() {
            format!("https://[{ip}]/")
        } else {
            format!("https://{ip}/")
        };
        assert_eq!(
            code_of(&literal),
            Some(Code::AddressNotAllowed),
            "{literal}"
        );
    }
}

#[test]
fn neighbours_of_the_denied_ranges_pass() {
    for ip in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2000::1",
        "2001:200::1",
        "2001:db7::1",
        "2001:db9::1",
        "2606:4700::1",
        "3ffe::1",
        "2002:808:808::1",
        "64:ff9b::808:808",
        "::ffff:8.8.8.8",
    ] {
        let ip: IpAddr = ip.parse().unwrap();
        assert_eq!(AddressRules::none().check_ip(ip, 443), Ok(()), "{ip}");
    }
}

#[test]
fn names_of_machines_and_private_networks_are_refused() {
    assert_all(
        &[
            "https://localhost",
            "https://LOCALHOST/",
            "https://localhost.",
            "https://foo.localhost",
            "https://metadata.google.internal",
            "https://metadata.goog",
            "https://metadata.azure.com",
            "https://db.internal",
            "https://printer.local",
            "https://kubernetes.default.svc",
            "https://router.home.arpa",
            "https://intranet",
            "https://example.com.",
            "https://redis:8443",
        ],
        Code::AddressNotAllowed,
    );
}

#[test]
fn ports_of_other_services_are_refused() {
    for port in [1, 22, 25, 80, 444, 3306, 5432, 6379, 8080, 65535] {
        let text = format!("https://example.com:{port}/");
        assert_eq!(code_of(&text), Some(Code::PortNotAllowed), "{text}");
    }
}

#[test]
fn a_listed_loopback_address_passes_with_http_and_its_own_port() {
    for text in [
        "http://127.0.0.1:8000/a.csv",
        "https://127.0.0.1:8000/a.csv",
        "http://localhost:8000/a.csv",
        "http://[::ffff:127.0.0.1]:8000/",
        "http://[::1]:9000/",
        "http://localhost:9000/",
        "http://127.0.0.1:7000/",
        "http://[::1]:7000/",
    ] {
        assert!(listed().check_url(text).is_ok(), "{text}");
    }
}

#[test]
fn a_listed_loopback_address_opens_nothing_beside_it() {
    for (text, code) in [
        ("http://127.0.0.1:8001/", Code::UrlSchemeNotAllowed),
        ("https://127.0.0.1:8001/", Code::AddressNotAllowed),
        ("https://127.0.0.2:8000/", Code::AddressNotAllowed),
        ("https://[::1]:8000/", Code::AddressNotAllowed),
        ("https://[64:ff9b::7f00:1]:8000/", Code::AddressNotAllowed),
        ("https://foo.localhost:8000/", Code::AddressNotAllowed),
        ("https://localhost.:8000/", Code::AddressNotAllowed),
        ("http://example.com:8000/", Code::UrlSchemeNotAllowed),
        (
            "http://user:pw@127.0.0.1:8000/",
            Code::UrlCredentialsNotAllowed,
        ),
        ("ftp://127.0.0.1:8000/", Code::UrlSchemeNotAllowed),
    ] {
        assert_eq!(listed().check_url(text).unwrap_err().code, code, "{text}");
    }
}

#[test]
fn localhost_is_answered_from_the_list() {
    assert_eq!(listed().localhost(8000), [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    assert_eq!(listed().localhost(9000), [IpAddr::V6(Ipv6Addr::LOCALHOST)]);
    assert_eq!(listed().localhost(7000).len(), 2);
    assert!(listed().localhost(443).is_empty());
}

#[test]
fn a_list_with_anything_but_loopback_fails() {
    for entry in [
        "10.0.0.1:80",
        "0.0.0.0:80",
        "example.com:80",
        "foo.localhost:80",
        "127.0.0.1",
        "[::1]",
        "localhost",
        "localhost:0",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.1:80",
        "::1:80",
        "[::]:80",
        "*:80",
        "127.0.0.1:80 127.0.0.1:81",
        "http://127.0.0.1:80",
        ":80",
    ] {
        let list = format!("127.0.0.1:1,{entry}");
        let error = AddressRules::parse(&list).unwrap_err();
        assert!(
            error.to_string().starts_with(&format!("`{entry}`")),
            "{error}"
        );
    }
}

#[test]
fn an_empty_list_allows_nothing() {
    for list in ["", " ", ",", " , "] {
        assert!(AddressRules::parse(list).unwrap().loopback().is_empty());
    }
}

proptest! {
    #[test]
    fn an_accepted_text_parses_to_the_same_url_again(text in "https://\\PC{1,40}") {
        if let Ok(url) = AddressRules::none().check_url(&text) {
            prop_assert_eq!(url.scheme(), "https");
            prop_assert_eq!(AddressRules::none().check_url(url.as_str()), Ok(url));
        }
    }

    #[test]
    fn an_ipv4_address_is_judged_alike_in_every_coat(bits: u32) {
        let rules = AddressRules::none();
        let plain = Ipv4Addr::from(bits);
        let verdict = rules.check_ip(IpAddr::V4(plain), 443);
        let nat64 = Ipv6Addr::from((0x64_ff9b_u128 << 96) | u128::from(bits));
        let six_to_four = Ipv6Addr::from((0x2002_u128 << 112) | (u128::from(bits) << 80));
        for coat in [plain.to_ipv6_mapped(), nat64, six_to_four] {
            prop_assert_eq!(&rules.check_ip(IpAddr::V6(coat), 443), &verdict);
        }
    }
}
