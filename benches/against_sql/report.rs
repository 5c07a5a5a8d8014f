//! What was measured, as a table.

/// A measurement: what it came to, and the bar it is to stay below.
struct Line {
    what: String,
    found: String,
    bar: String,
    reached: bool,
}

#[derive(Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
}

impl Report {
    /// Ours over theirs, in seconds.
    pub(crate) fn ratio(&mut self, what: &str, (ours, theirs): (f64, f64), bar: f64) {
        let ratio = ours / theirs;
        self.lines.push(Line {
            what: what.to_owned(),
            found: format!("{ratio:.2}  ({ours:.2} s / {theirs:.2} s)"),
            bar: format!("<= {bar:.2}"),
            reached: ratio <= bar,
        });
    }

    /// So many per second of ours over theirs.
    pub(crate) fn rate(&mut self, what: &str, (ours, theirs): (f64, f64), bar: f64) {
        let ratio = ours / theirs;
        self.lines.push(Line {
            what: what.to_owned(),
            found: format!("{ratio:.3}  ({ours:.0}/s / {theirs:.0}/s)"),
            bar: format!(">= {bar:.2}"),
            reached: ratio >= bar,
        });
    }

    pub(crate) fn millis(&mut self, what: &str, found: f64, bar: f64) {
        self.lines.push(Line {
            what: what.to_owned(),
            found: format!("{found:.1} ms"),
            bar: format!("<= {bar:.1} ms"),
            reached: found <= bar,
        });
    }

    /// A figure without a bar.
    pub(crate) fn note(&mut self, what: &str, found: &str) {
        self.lines.push(Line {
            what: what.to_owned(),
            found: found.to_owned(),
            bar: String::new(),
            reached: true,
        });
    }

    pub(crate) fn memory(&mut self, when: &str, kib: u64) {
        let mib = kib.div_ceil(1024);
        self.lines.push(Line {
            what: format!("{when}, API and worker in one process"),
            found: format!("{mib} MiB"),
            bar: "<= 96 MiB".to_owned(),
            reached: mib <= 96,
        });
    }

    pub(crate) fn print(&self, rows: u64, rounds: u64) {
        println!(
            "\n{rows} rows, medians of {rounds} rounds, {} cores",
            cores()
        );
        println!("\n| measure | found | bar | |\n|---|---|---|---|");
        for Line {
            what,
            found,
            bar,
            reached,
        } in &self.lines
        {
            let mark = match (bar.is_empty(), *reached) {
                (true, _) => "",
                (false, true) => "reached",
                (false, false) => "**missed**",
            };
            println!("| {what} | {found} | {bar} | {mark} |");
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
