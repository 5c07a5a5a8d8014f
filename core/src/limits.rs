//! Every limit of the service, by name. Units and bounds stand last in the names.
//! A limit that a user can meet is in the documentation and in the text of its error.

use std::time::Duration;

/// Largest inline `source`, in bytes; above it, upload or give a location.
pub const INLINE_BYTES_MAX: usize = 10 << 20;
/// Inline sources up to this size rest in Postgres with the import.
pub const PAYLOAD_IN_LEDGER_BYTES_MAX: usize = 64 << 10;
/// Largest payload on the wire or uploaded, in bytes.
pub const PAYLOAD_BYTES_MAX: u64 = 4 << 30;
/// Largest payload after unpacking, in bytes.
pub const PAYLOAD_UNPACKED_BYTES_MAX: u64 = 16 << 30;
/// Unpacked over packed size, judged after the first [`RATIO_AFTER_BYTES`] of output.
pub const UNPACK_RATIO_MAX: u64 = 100;
/// Below this much unpacked output the ratio is not judged.
pub const RATIO_AFTER_BYTES: u64 = 10 << 20;
/// Most rows of one import.
pub const ROWS_MAX: u64 = 50_000_000;
/// Most rows of an import that is applied as a whole or not at all.
pub const ALL_OR_NOTHING_ROWS_MAX: i64 = 50_000;
/// Most columns of a payload.
pub const COLUMNS_MAX: usize = 500;
/// Largest cell, in bytes.
pub const CELL_BYTES_MAX: usize = 64 << 10;
/// Largest row, in bytes.
pub const ROW_BYTES_MAX: usize = 1 << 20;
/// Longest key, all its fields together, in bytes.
pub const KEY_BYTES_MAX: usize = 512;
/// Most line ends inside one quoted CSV cell.
pub const QUOTED_LINES_MAX: usize = 100;
/// Deepest nesting of JSON, in definitions and rows.
pub const JSON_DEPTH_MAX: usize = 32;
/// Longest URL, in characters.
pub const URL_CHARS_MAX: usize = 2_000;
/// Most redirects that a source may ask for.
pub const REDIRECTS_MAX: usize = 3;
/// Characters of a rejected value that are shown.
pub const REJECT_VALUE_CHARS_MAX: usize = 100;
/// Above this share of rows that cannot be decoded an import fails, in percent.
pub const UNDECODABLE_PERCENT_MAX: u64 = 5;
/// In a payload of fewer rows than this a single one is above that share: then it says nothing.
pub const UNDECODABLE_JUDGED_ROWS: u64 = 20;
/// Above this share of rejected rows an import is given up, in percent.
pub const REJECTS_PERCENT_MAX: i64 = 50;
/// Before this many rows no import is given up for its rejects.
pub const REJECTS_TOLERATED_ROWS: i64 = 1_000;
/// Rejects kept per import; the rest is counted only.
pub const REJECTS_KEPT_MAX: i64 = 1_000_000;

/// Name resolution of a source.
pub const DNS_TIMEOUT: Duration = Duration::from_secs(5);
/// Connecting to a source, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// First byte of a source's answer.
pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(30);
/// Silence inside a source's body.
pub const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// The slowest a source may send, judged over [`SPEED_WINDOW`].
pub const BYTES_PER_SECOND_MIN: u64 = 1_024;
/// The window of the speed limit.
pub const SPEED_WINDOW: Duration = Duration::from_secs(60);
/// One attempt to fetch a source.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// Waits before the second and later attempts to fetch; varied by a fifth either way.
pub const FETCH_RETRIES: [Duration; 5] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
];
/// The longest wait that a source's Retry-After may ask for.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// Most tickets that wait on one list of the queue; above it, ringing waits for the sweep.
pub const TICKETS_WAITING_MAX: usize = 200_000;

/// Most fields of a database or a collection.
pub const FIELDS_MAX: usize = 300;
/// Most collections of a database.
pub const COLLECTIONS_MAX: usize = 50;
/// Most links of a database, those that others made with it included.
pub const LINKS_MAX: usize = 20;
/// Most options of a select or multiselect.
pub const OPTIONS_MAX: usize = 1_000;
/// Most combinations of key fields that one database may be matched by.
pub const KEY_INDEXES_MAX: i64 = 8;
/// Largest import definition beside its inline source, in bytes.
pub const DEFINITION_BYTES_MAX: usize = 256 << 10;
/// Longest page of a list.
pub const PAGE_ROWS_MAX: i64 = 1_000;
/// Most open streams of events of one account, in one process.
pub const STREAMS_PER_ACCOUNT_MAX: usize = 50;
/// Longest long poll, in seconds.
pub const WAIT_SECS_MAX: u64 = 60;
/// Days that a payload is kept after the end of its import.
pub const PAYLOAD_KEPT_DAYS: i32 = 7;
/// Hours that a held import waits for somebody to decide.
pub const HELD_HOURS: i32 = 72;
/// Days that what was removed is kept.
pub const CHANGES_KEPT_DAYS: i32 = 30;
/// Most profiles or subprofiles that one transaction removes.
pub const REMOVAL_CHUNK_MAX: i64 = 2_000;
/// Days that the commit order of chunks is kept.
pub const CHUNK_LOG_KEPT_DAYS: i32 = 30;
/// Days that an idempotency key is remembered: longer than any client's retry window.
pub const IDEMPOTENCY_KEPT_DAYS: i32 = 7;
