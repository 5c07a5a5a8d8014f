//! The client's command line: every subcommand here talks to a running service through its `/v1`
//! API, as any other client could. It has no way to the ledger and must not get one.

mod answers;
mod client;
mod connection;
mod databases;
mod definition;
mod exit;
mod failure;
mod follow;
mod format;
mod import;
mod overview;
mod progress;
mod rejects;
mod render;
mod status;
mod summary;
#[cfg(test)]
mod tests;
mod token;
mod upload;

use clap::Subcommand;

pub use connection::{Connection, Token};
pub use databases::DatabasesArgs;
pub use definition::ImportArgs;
pub use exit::Exit;
pub use overview::OverviewArgs;
pub use rejects::RejectsArgs;
pub use status::{ApproveArgs, IdArgs, StatusArgs};
pub use token::TokenArgs;

use client::Client;
use failure::Failure;

/// The subcommands of a client. To be flattened into the program's own.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Import a file, standard input or an address, and follow the import to its end
    #[command(after_help = exit::HELP)]
    Import(Box<ImportArgs>),
    /// Show how an import stands, or list the newest
    #[command(after_help = exit::HELP)]
    Status(StatusArgs),
    /// Start a draft whose payload is there
    #[command(after_help = exit::HELP)]
    Start(IdArgs),
    /// Cancel an import at its next chunk; rows already applied stay applied
    #[command(after_help = exit::HELP)]
    Cancel(IdArgs),
    /// Let an import rest at its next chunk; others of its database go on
    #[command(after_help = exit::HELP)]
    Pause(IdArgs),
    /// Let a paused import go on
    #[command(after_help = exit::HELP)]
    Resume(IdArgs),
    /// Let a removal go on that the brake holds
    #[command(after_help = exit::HELP)]
    Approve(ApproveArgs),
    /// Complete a held import without its removal
    #[command(after_help = exit::HELP)]
    Refuse(IdArgs),
    /// Fetch the rows that were not applied, each with its reason
    #[command(after_help = exit::HELP)]
    Rejects(RejectsArgs),
    /// List, show and create databases
    #[command(after_help = exit::HELP)]
    Databases(DatabasesArgs),
    /// Make, list and revoke tokens
    #[command(after_help = exit::HELP)]
    Token(TokenArgs),
    /// Show the service as a whole: queue, imports by state, speed, workers
    #[command(after_help = exit::HELP)]
    Overview(OverviewArgs),
}

impl Command {
    fn connection(&self) -> &Connection {
        match self {
            Command::Import(args) => &args.connection,
            Command::Status(args) => &args.connection,
            Command::Start(args)
            | Command::Cancel(args)
            | Command::Pause(args)
            | Command::Resume(args)
            | Command::Refuse(args) => &args.connection,
            Command::Approve(args) => &args.import.connection,
            Command::Rejects(args) => &args.connection,
            Command::Databases(args) => &args.connection,
            Command::Token(args) => &args.connection,
            Command::Overview(args) => &args.connection,
        }
    }
}

/// Runs a client command: results go to standard output, everything else to standard error.
pub async fn run(command: Command) -> Exit {
    match dispatch(command).await {
        Ok(exit) => exit,
        Err(failure) => {
            render::warn(&failure.report());
            failure.exit()
        }
    }
}

async fn dispatch(command: Command) -> Result<Exit, Failure> {
    let client = Client::new(command.connection())?;
    match command {
        Command::Import(args) => import::run(*args, &client).await,
        Command::Status(args) => status::run(args, &client).await,
        Command::Start(args) => status::request(args, "start", &client).await,
        Command::Cancel(args) => status::request(args, "cancel", &client).await,
        Command::Pause(args) => status::request(args, "pause", &client).await,
        Command::Resume(args) => status::request(args, "resume", &client).await,
        Command::Approve(args) => status::approve(args, &client).await,
        Command::Refuse(args) => status::request(args, "refuse", &client).await,
        Command::Rejects(args) => rejects::run(args, &client).await,
        Command::Databases(args) => databases::run(args, &client).await,
        Command::Token(args) => token::run(args, &client).await,
        Command::Overview(args) => overview::run(args, &client).await,
    }
}
