//! What the tests hear: every stable code in an answer is noted with its place and the running
//! test, wherever in the test it was read. At the end of a test its promises (`tests/it/codes.rs`)
//! are held against that. No answer may be of the 500 family unless the test said so before.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use longshore_core::code::{Code, Part};
use serde_json::Value;

use super::Answer;
use crate::codes::{self, Place};

/// What was heard from one service under test.
pub(crate) struct Ear {
    test: String,
    codes: Mutex<BTreeSet<(Code, Place)>>,
    expects_outage: AtomicBool,
}

/// By the service's address, since requests are also sent from threads without the test's name.
static EARS: LazyLock<Mutex<HashMap<String, Arc<Ear>>>> = LazyLock::new(Mutex::default);

impl Ear {
    /// Of the test that runs on this thread, for the service at `url`.
    pub(super) fn open(url: &str) -> Arc<Ear> {
        let thread = std::thread::current();
        let ear = Arc::new(Ear {
            test: thread.name().unwrap_or_default().to_owned(),
            codes: Mutex::default(),
            expects_outage: AtomicBool::new(false),
        });
        let mut ears = EARS.lock().unwrap();
        ears.insert(authority(url).to_owned(), Arc::clone(&ear));
        ear
    }

    pub(super) fn expects_outage(&self) {
        self.expects_outage.store(true, Ordering::Relaxed);
    }

    /// Every code that is promised for this test was heard.
    pub(super) fn keeps_its_promises(&self) {
        let heard = self.codes.lock().unwrap();
        for (code, place) in codes::promised(&self.test) {
            assert!(
                heard.contains(&(code, place)),
                "{} should produce {code} as {place}; heard: {heard:?}",
                self.test
            );
        }
    }

    fn hear(&self, status: u16, text: &str) {
        let outage = self.expects_outage.load(Ordering::Relaxed);
        assert!(status < 500 || outage, "an answer {status}: {text}");
        match serde_json::from_str::<Value>(text) {
            Ok(answer) if status >= 400 => {
                is_whole(status, &answer);
                self.note(&answer["code"], Place::Request);
                for complaint in answer["errors"].as_array().into_iter().flatten() {
                    self.note(&complaint["code"], Place::Request);
                }
            }
            Ok(answer) => self.hear_object(&answer),
            Err(_) => {
                let lines = text
                    .lines()
                    .map_while(|line| serde_json::from_str(line).ok());
                lines.for_each(|line: Value| self.hear_object(&line));
            }
        }
    }

    /// An import, a list of such, or a reject.
    fn hear_object(&self, object: &Value) {
        for item in object["data"].as_array().into_iter().flatten() {
            self.hear_object(item);
        }
        self.note(&object["error"]["code"], Place::Import);
        for reason in object["removal"]["reasons"]
            .as_array()
            .into_iter()
            .flatten()
        {
            self.note(&reason["code"], Place::Removal);
        }
        for warning in object["warnings"].as_array().into_iter().flatten() {
            self.note(&code_of_an_attempt(warning).into(), Place::Warning);
        }
        if object["row"].is_number() {
            self.note(&object["code"], Place::Row);
        }
    }

    fn note(&self, code: &Value, place: Place) {
        if let Some(code) = code.as_str() {
            let Some(known) = Code::parse(code) else {
                panic!("{code} is not in the list of codes");
            };
            let is_new = self.codes.lock().unwrap().insert((known, place));
            let listed = !is_new || codes::is_listed(known, place);
            assert!(listed, "{code} as {place} is not in tests/it/codes.txt");
        }
    }
}

/// The code in the warning of an attempt to fetch that failed and is made again.
fn code_of_an_attempt(warning: &Value) -> Option<&str> {
    let text = warning.as_str()?.strip_prefix("Attempt ")?;
    text.rsplit_once(" (")?.1.strip_suffix(')')
}

/// A problem says what, why and what to do, and in which member where a body's meaning is wrong.
fn is_whole(status: u16, problem: &Value) {
    for member in ["type", "title", "code", "detail", "remedy", "docs"] {
        let said = problem[member]
            .as_str()
            .is_some_and(|text| !text.is_empty());
        assert!(said, "{member} is missing: {problem}");
    }
    assert_eq!(problem["status"], status, "{problem}");
    let about_a_member = code_names_a_member(problem["code"].as_str().and_then(Code::parse));
    assert!(
        status != 422 || !about_a_member || problem["pointer"].is_string(),
        "no member is named: {problem}"
    );
}

/// What is said about a body, but not about the body as a whole. An unknown field may also stand in
/// a filter, which is no body.
fn code_names_a_member(code: Option<Code>) -> bool {
    let whole = [
        Code::IdempotencyKeyReused,
        Code::DuplicateKey,
        Code::InvalidType,
        Code::LimitReached,
        Code::UnknownField,
    ];
    code.is_some_and(|code| code.part() == Part::Request && !whole.contains(&code))
}

/// Hears an answer of whichever service stands at this address; others are nobody's.
pub(super) fn hear(url: &str, answer: &Answer) {
    let ear = EARS.lock().unwrap().get(authority(url)).cloned();
    if let Some(ear) = ear {
        ear.hear(answer.status, &answer.text);
    }
}

/// The same for an answer that a test read from its own connection; one that is no answer passes.
pub(super) fn hear_raw(ear: &Ear, text: &str) {
    let status = text.get(9..12).and_then(|status| status.parse().ok());
    if let (Some(status), Some((_, body))) = (status, text.split_once("\r\n\r\n")) {
        ear.hear(status, body);
    }
}

pub(super) fn forget(url: &str) {
    EARS.lock().unwrap().remove(authority(url));
}

fn authority(url: &str) -> &str {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}
