//! The composition root: reads the command line and runs a role or a client command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use longshore::cli;
use longshore::operator;
use longshore::roles::{self, RoleError};
use longshore::settings::Settings;
use longshore::telemetry;
use tokio_util::sync::CancellationToken;

/// An asynchronous import service that accounts for every row.
#[derive(Parser)]
#[command(name = "longshore", version, about, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything in one process, on private servers where none are configured
    Up(Settings),
    /// Run the API
    Serve(Settings),
    /// Run workers
    Work(WorkArguments),
    /// Bring the schema up to date
    Migrate(Settings),
    /// Make an account and print its admin token once
    Account(AccountArguments),
    #[command(flatten)]
    Client(cli::Command),
}

#[derive(clap::Args)]
struct WorkArguments {
    #[command(flatten)]
    settings: Settings,
    /// Do only these jobs
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Job>,
}

#[derive(clap::Args)]
struct AccountArguments {
    /// Name of the account; of one that exists, another admin token is made
    name: String,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Job {
    /// Fetch sources
    Fetch,
    /// Apply payloads
    Apply,
}

impl WorkArguments {
    /// Jobs that are left out have no slots.
    fn settings(self) -> Settings {
        let mut settings = self.settings;
        if !self.only.is_empty() && !self.only.contains(&Job::Fetch) {
            settings.fetch_slots = 0;
        }
        if !self.only.is_empty() && !self.only.contains(&Job::Apply) {
            settings.apply_slots = 0;
        }
        settings
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Up(settings) => run(settings, Role::Up).await,
        Command::Serve(settings) => run(settings, Role::Serve).await,
        Command::Work(arguments) => run(arguments.settings(), Role::Work).await,
        Command::Migrate(settings) => run(settings, Role::Migrate).await,
        Command::Account(arguments) => account(arguments).await,
        Command::Client(command) => cli::run(command).await.into(),
    }
}

/// The operator's command: the token goes to standard output, and nowhere else.
async fn account(arguments: AccountArguments) -> ExitCode {
    match operator::create_account(&arguments.settings, &arguments.name).await {
        Ok(token) => {
            println!("{token}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("longshore: {error}");
            ExitCode::FAILURE
        }
    }
}

enum Role {
    Up,
    Serve,
    Work,
    Migrate,
}

async fn run(settings: Settings, role: Role) -> ExitCode {
    telemetry::start(&settings.log, settings.log_format);
    let ran = async {
        settings.check()?;
        let stop = CancellationToken::new();
        let signals = on_signal(stop.clone())?;
        let ran = match role {
            Role::Up => roles::up(&settings, stop).await,
            Role::Serve => roles::serve(&settings, stop).await,
            Role::Work => roles::work(&settings, stop).await,
            Role::Migrate => roles::migrate(&settings).await,
        };
        signals.abort();
        ran
    };
    match ran.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("longshore: {error}");
            ExitCode::FAILURE
        }
    }
}

/// SIGTERM and SIGINT ask to stop.
fn on_signal(stop: CancellationToken) -> Result<tokio::task::JoinHandle<()>, RoleError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(RoleError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RoleError::Signals)?;
    Ok(tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        stop.cancel();
    }))
}
