//! The whole service on real servers, by activity. Each test has a database and a Redis namespace
//! of its own; nothing sleeps where a step of the worker's own can be taken.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands"
)]

mod accounting;
mod agreeing;
mod app;
mod codes;
mod matching;
mod model;

mod applying;
mod applying_in_order;
mod applying_keys;
mod applying_new;
mod applying_subprofiles;
mod asking;
mod bounding;
mod checking;
mod checking_unique;
mod commanding;
mod comparing;
mod containing;
mod damaging;
mod defining;
mod designing;
mod embedding;
mod fetching;
mod filling;
mod giving_up;
mod handing_out;
mod killing;
mod limiting;
mod linking;
mod naming;
mod pausing;
mod permitting;
mod racing;
mod reading_back;
mod reading_dates;
mod reading_formats;
mod real_data;
mod refusing;
mod removing;
mod repeating;
mod replaying;
mod ringing;
mod sharing;
mod stating;
mod submitting;
mod submitting_at_once;
mod summing_up;
mod surveying;
mod surviving;
mod taking_turns;
mod uploading;
mod watching;
mod widening;
