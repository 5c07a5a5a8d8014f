//! The codes are accounted for: each is produced by a test, and `docs/errors.md` says what the code
//! says.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use longshore::api;
use longshore_core::code::{Code, Part};

use crate::codes::{AWAITED, Place, Promise, table};

const PAGE: &str = "docs/errors.md";

#[test]
fn every_code_is_promised_by_a_test_and_no_place_twice() {
    let table = table();
    let mut seen = BTreeSet::new();
    for promise in &table {
        let new = seen.insert((promise.code, promise.place));
        assert!(new, "{} {} stands twice", promise.code, promise.place);
    }
    let promised: BTreeSet<Code> = table.iter().map(|promise| promise.code).collect();
    for code in Code::ALL {
        let awaited = AWAITED.contains(code);
        assert_ne!(promised.contains(code), awaited, "{code}: see codes.txt");
    }
}

#[test]
fn every_promise_names_a_test_that_exists() {
    for promise in table() {
        match promise.test.split_once(".rs::") {
            Some((file, name)) => {
                let source = std::fs::read_to_string(format!("{file}.rs")).unwrap();
                let body = body_of(&source, name, promise.test);
                let named = format!("{:?}", promise.code);
                assert!(
                    body.contains(&named) || source.contains(&format!("Code::{named}")),
                    "{} does not speak of {named}",
                    promise.test
                );
            }
            // Without a service of its own nobody would hold the test to its promise.
            None => assert!(
                body_in_tests(promise.test).contains("app"),
                "{} starts no service",
                promise.test
            ),
        }
    }
}

#[test]
fn the_pages_of_bad_input_name_tests_that_exist() {
    for page in ["docs/bad-input-requests.md", "docs/bad-input-payloads.md"] {
        let page = std::fs::read_to_string(page).unwrap();
        let named: Vec<&str> = page.split('`').filter(|word| word.contains("::")).collect();
        assert!(named.len() > 30, "{named:?}");
        for test in named {
            match test.split_once(".rs::") {
                Some((file, name)) => {
                    let source = std::fs::read_to_string(format!("{file}.rs")).unwrap();
                    body_of(&source, name, test);
                }
                None => {
                    body_in_tests(test);
                }
            }
        }
    }
}

/// The text of a test of this binary, by its path.
fn body_in_tests(test: &str) -> String {
    let (module, name) = test.rsplit_once("::").unwrap();
    let folder = format!("tests/it/{}", module.replace("::", "/"));
    let source = std::fs::read_to_string(format!("{folder}.rs"))
        .or_else(|_| std::fs::read_to_string(format!("{folder}/mod.rs")));
    body_of(&source.unwrap_or_default(), name, test).to_owned()
}

fn body_of<'a>(source: &'a str, name: &str, test: &str) -> &'a str {
    let begins = ["async fn ", "fn ", "    fn "]
        .iter()
        .find_map(|word| source.find(&format!("\n{word}{name}()")));
    let Some(at) = begins else {
        panic!("there is no test {test}");
    };
    let before = source[..at].lines().last().unwrap_or_default();
    assert!(before.contains("test"), "{test} is no test: {before}");
    let rest = &source[at..];
    &rest[..rest.find("\n}\n").unwrap_or(rest.len())]
}

#[test]
fn the_page_of_errors_says_what_the_code_says() {
    let page = page();
    if std::env::var("LONGSHORE_WRITE_DOCS").as_deref() == Ok("1") {
        std::fs::write(PAGE, &page).unwrap();
    }
    let kept = std::fs::read_to_string(PAGE).unwrap();
    assert!(kept == page, "{PAGE} is outdated: run `make docs`");
}

const HEAD: &str = "# Errors

<!-- Written by `make docs` from core/src/code.rs and tests/it/codes.txt. Changes made here are lost. -->

Every refusal has a code that never changes its meaning. Switch on the code, not on the words. It appears in up to five
places, and the tests see to it that it does:

- **request**: in the answer to a call, as `application/problem+json`, with the status that stands beside it. `detail`
  says what was wrong in this one, `pointer` where, `remedy` what to do, and `docs` leads here.
- **import**: as `error.code` of an import that failed. Nothing more of it is applied.
- **row**: as the `code` of a reject. The other rows are applied.
- **removal**: in `removal.reasons` of an import that waits for an approval.
- **warning**: at the end of a warning of an import whose source failed and is tried again.

What has no code: a request that is no HTTP, or whose headers are above 32 KiB, is answered with a bare 400, 414 or 431,
or its connection is closed. `docs/bad-input-requests.md` goes through bad requests one by one,
`docs/bad-input-payloads.md` through bad payloads and rows.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    let table = table();
    let parts = [
        (Part::Request, "Requests"),
        (Part::Source, "Addresses, fetching and the payload's bytes"),
        (Part::Payload, "The payload's structure"),
        (Part::Row, "Rows"),
        (Part::Brake, "Brakes"),
    ];
    for (part, title) in parts {
        let _ = write!(page, "\n## {title}\n");
        let codes = Code::ALL.iter().filter(|code| code.part() == part);
        for code in codes.filter(|code| !AWAITED.contains(code)) {
            let _ = write!(
                page,
                "\n### {code}\n\n*{}*\n\n{}\n**Remedy:** {}\n",
                places(*code, &table),
                code.meaning(),
                code.remedy()
            );
        }
    }
    page
}

fn places(code: Code, table: &[Promise]) -> String {
    let mut places: Vec<Place> = table
        .iter()
        .filter(|promise| promise.code == code)
        .map(|promise| promise.place)
        .collect();
    places.sort();
    let shown = places.iter().map(|place| match place {
        Place::Request => format!("{place}: {}", api::status_of(code).as_u16()),
        _ => place.to_string(),
    });
    shown.collect::<Vec<_>>().join(" · ")
}
