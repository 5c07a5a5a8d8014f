//! What a person sees while an import is on its way: a bar on a terminal, a plain line every few
//! seconds elsewhere, nothing at all for `--json`. It shows figures of the service, never guesses.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::answers::Import;
use super::render::{bytes, count, plain, span, warn};

const LINE_EVERY: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(120);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Show {
    Bar,
    Lines,
    Nothing,
}

/// Shows how far things are, on standard error.
#[derive(Debug)]
pub(super) struct Progress {
    show: Show,
    bar: ProgressBar,
    last_line: Option<Instant>,
    last_state: String,
}

impl Progress {
    /// For this process: `silent` asks for nothing, else the terminal decides.
    pub(super) fn new(silent: bool) -> Progress {
        let show = match (silent, std::io::stderr().is_terminal()) {
            (true, _) => Show::Nothing,
            (_, true) => Show::Bar,
            _ => Show::Lines,
        };
        Progress {
            show,
            bar: ProgressBar::hidden(),
            last_line: None,
            last_state: String::new(),
        }
    }

    /// Seconds that the service may hold an answer back: short where somebody watches.
    pub(super) fn wait_secs(&self) -> u64 {
        match self.show {
            Show::Bar => 1,
            Show::Lines => 2,
            Show::Nothing => 20,
        }
    }

    /// Begins the bar of an upload, of known size or not.
    pub(super) fn upload(&mut self, total: Option<u64>) {
        match (self.show, total) {
            (Show::Bar, Some(total)) => {
                let template =
                    "{spinner} uploading {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}";
                self.begin(template, total);
            }
            (Show::Bar, None) => self.begin("{spinner} uploading {bytes}, {bytes_per_sec}", 0),
            _ => {}
        }
    }

    /// So many bytes have been handed to the connection.
    pub(super) fn uploaded(&mut self, sent: u64, total: Option<u64>) {
        self.bar.set_position(sent);
        let of = total
            .map(|total| format!(" of {}", bytes(total)))
            .unwrap_or_default();
        if self.show == Show::Lines && self.line_is_due() {
            warn(&format!("uploading: {}{of}", bytes(sent)));
        }
    }

    /// Begins the bar of the import itself.
    pub(super) fn follow(&mut self) {
        if self.show == Show::Bar {
            self.begin("{spinner} {prefix} {msg}", 0);
        }
    }

    /// Shows the import as it is now.
    pub(super) fn observe(&mut self, import: &Import) {
        let words = import.standing();
        let news = self.last_state != words;
        match self.show {
            Show::Bar => {
                self.lengthen(import.rows_total());
                self.bar.set_position(import.rows_done());
                self.bar.set_prefix(words.clone());
                self.bar.set_message(figures(import));
            }
            Show::Lines => {
                if self.line_is_due() || news {
                    self.last_line = Some(Instant::now());
                    warn(&format!("{}: {words}, {}", plain(&import.id), rows(import)));
                }
            }
            Show::Nothing => {}
        }
        self.last_state = words;
    }

    /// A word beside the figures, such as that the service does not answer.
    pub(super) fn note(&self, text: &str) {
        match self.show {
            Show::Bar => self.bar.println(text),
            Show::Lines => warn(text),
            Show::Nothing => {}
        }
    }

    /// Takes the bar away, so that what is printed next stands on a clean line.
    pub(super) fn clear(&mut self) {
        self.bar.finish_and_clear();
        self.bar = ProgressBar::hidden();
    }

    fn begin(&mut self, template: &str, length: u64) {
        self.clear();
        let target = ProgressDrawTarget::stderr();
        self.bar = ProgressBar::with_draw_target((length > 0).then_some(length), target);
        self.restyle(template);
        self.bar.enable_steady_tick(TICK);
    }

    fn lengthen(&self, total: Option<u64>) {
        if let Some(total) = total.filter(|total| *total > 0 && self.bar.length() != Some(*total)) {
            self.bar.set_length(total);
            self.restyle("{spinner} {prefix} {bar:30} {percent}%  {msg}");
        }
    }

    fn restyle(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
    }

    fn line_is_due(&mut self) -> bool {
        let due = self
            .last_line
            .is_none_or(|last| last.elapsed() >= LINE_EVERY);
        if due {
            self.last_line = Some(Instant::now());
        }
        due
    }
}

/// Rows, speed and time left, for a line of its own.
fn rows(import: &Import) -> String {
    let bytes_read = import
        .progress
        .bytes
        .filter(|_| import.rows_total().is_none());
    match bytes_read.filter(|bytes| *bytes > 0) {
        Some(read) => match import.progress.bytes_total {
            Some(total) => format!("{} of {}", bytes(read), bytes(total)),
            None => bytes(read),
        },
        None => figures(import),
    }
}

fn figures(import: &Import) -> String {
    let of = import
        .rows_total()
        .map(|total| format!(" of {}", count(total)))
        .unwrap_or_default();
    let mut text = format!("{}{of} rows", count(import.rows_done()));
    if let Some(speed) = import
        .progress
        .rows_per_second
        .filter(|speed| *speed >= 1.0)
    {
        text.push_str(&format!(", {} rows/s", count(speed as u64)));
    }
    let left = import
        .progress
        .eta_seconds
        .and_then(|left| Duration::try_from_secs_f64(left).ok());
    if let Some(left) = left.filter(|_| !import.state.is_settled()) {
        text.push_str(&format!(", {} left", span(left)));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn import(progress: serde_json::Value) -> Import {
        Import::read(json!({"id": "imp_1", "state": "applying", "phase": "rows",
            "totals": {"created": 5, "rejected": 1}, "progress": progress}))
        .unwrap()
    }

    #[test]
    fn figures_show_rows_speed_and_time_left_as_far_as_known() {
        let full = import(
            json!({"rows": 4000, "rows_total": 7884, "rows_per_second": 5100.4,
            "eta_seconds": 1}),
        );
        assert_eq!(
            figures(&full),
            "4,000 of 7,884 rows, 5,100 rows/s, 1.0 s left"
        );
        assert_eq!(full.standing(), "applying (rows)");
        assert_eq!(figures(&import(json!({}))), "6 rows");
    }

    #[test]
    fn before_rows_are_counted_bytes_are_shown() {
        let fetching = import(json!({"bytes": 2048, "bytes_total": 4096, "rows_total": null}));
        assert_eq!(rows(&fetching), "2.0 KiB of 4.0 KiB");
    }

    #[test]
    fn every_template_of_a_bar_is_valid() {
        let mut progress = Progress::new(true);
        progress.show = Show::Bar;
        progress.upload(Some(10));
        progress.uploaded(5, Some(10));
        progress.follow();
        progress.observe(&import(json!({"rows": 1, "rows_total": 2})));
        assert_eq!(progress.bar.length(), Some(2));
        progress.clear();
    }
}
