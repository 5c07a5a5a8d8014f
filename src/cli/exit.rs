//! What the command line ends with. Scripts switch on these numbers, so a number never changes its
//! meaning; [`HELP`] is the text that `--help` shows, and it must name every one of them.

use std::process::ExitCode;

/// The table at the end of `--help`.
pub(super) const HELP: &str = "\
Exit codes:
  0    done; for an import: completed, every row applied
       (with --no-wait, and for status without --watch: or still on its way)
  1    the import failed or was cancelled
  2    wrong usage, or a file on this side that cannot be read or written
  3    the import is completed with rejects
  4    the import is held or paused: a person has to decide
  5    the service cannot be reached, or it failed
  6    the service refused the call; its code, reason and place are printed
  130  interrupted by Ctrl-C; an accepted import runs on";

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; for an import: completed.
    Done,
    /// The import failed or was cancelled.
    ImportFailed,
    /// Wrong usage, or trouble with a file on this side.
    Usage,
    /// Completed with rejects.
    WithRejects,
    /// Held or paused.
    NeedsPerson,
    /// The service cannot be reached, or failed.
    Unreachable,
    /// The service refused the call.
    Refused,
    /// Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number for the shell.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::ImportFailed => 1,
            Exit::Usage => 2,
            Exit::WithRejects => 3,
            Exit::NeedsPerson => 4,
            Exit::Unreachable => 5,
            Exit::Refused => 6,
            Exit::Interrupted => 130,
        }
    }

    /// How a command ends that was asked about an import in this state.
    pub(super) fn of(state: &str) -> Exit {
        match state {
            "failed" | "cancelled" => Exit::ImportFailed,
            "completed_with_rejects" => Exit::WithRejects,
            "held" | "paused" => Exit::NeedsPerson,
            _ => Exit::Done,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Exit; 8] = [
        Exit::Done,
        Exit::ImportFailed,
        Exit::Usage,
        Exit::WithRejects,
        Exit::NeedsPerson,
        Exit::Unreachable,
        Exit::Refused,
        Exit::Interrupted,
    ];

    #[test]
    fn every_exit_code_is_in_the_help_and_no_two_are_the_same() {
        let mut seen = std::collections::BTreeSet::new();
        for exit in ALL {
            assert!(seen.insert(exit.code()), "{exit:?}");
            assert!(
                HELP.contains(&format!("\n  {:<4} ", exit.code())),
                "{exit:?}"
            );
        }
    }

    #[test]
    fn each_state_ends_a_command_in_its_own_way() {
        for (state, exit) in [
            ("completed", Exit::Done),
            ("applying", Exit::Done),
            ("a_state_of_tomorrow", Exit::Done),
            ("completed_with_rejects", Exit::WithRejects),
            ("failed", Exit::ImportFailed),
            ("cancelled", Exit::ImportFailed),
            ("held", Exit::NeedsPerson),
            ("paused", Exit::NeedsPerson),
        ] {
            assert_eq!(Exit::of(state), exit, "{state}");
        }
    }
}
