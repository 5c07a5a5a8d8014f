//! `longshore status`, and the requests about one import: start, cancel, approve, refuse.

use clap::Args;
use serde_json::Value;

use super::answers::Import;
use super::client::{Client, List};
use super::connection::Connection;
use super::exit::Exit;
use super::failure::Failure;
use super::follow;
use super::render::{Table, count, plain, say};
use super::summary;

/// Arguments of `longshore status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Id of the import; without it, the newest imports are listed
    id: Option<String>,
    /// Follow the import until it is final, held or paused
    #[arg(long, short, requires = "id")]
    watch: bool,
    /// Print the status object as one line of JSON (the list: one line for each import)
    #[arg(long)]
    json: bool,
    /// List only imports in this state
    #[arg(long, conflicts_with = "id")]
    state: Option<String>,
    /// List only imports into this database
    #[arg(long, conflicts_with = "id", value_name = "NAME")]
    database: Option<String>,
    /// How many imports to list
    #[arg(long, conflicts_with = "id", value_name = "N", default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Arguments of `longshore cancel` and `longshore start`.
#[derive(Debug, Args)]
pub struct IdArgs {
    /// Id of the import
    id: String,
    /// Print the answer as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Arguments of `longshore approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    #[command(flatten)]
    pub(super) import: IdArgs,
    /// How many profiles and subprofiles may be removed, as the status says
    #[arg(long, value_name = "N")]
    removals: u64,
}

/// Lets a held removal go on.
pub(super) async fn approve(args: ApproveArgs, client: &Client) -> Result<Exit, Failure> {
    let body = serde_json::json!({ "removals": args.removals });
    send(args.import, ("approve", Some(body)), client).await
}

/// Shows one import, watches it, or lists the newest.
pub(super) async fn run(args: StatusArgs, client: &Client) -> Result<Exit, Failure> {
    match &args.id {
        Some(id) if args.watch => follow::watch(client, id, args.json).await,
        Some(id) => {
            let import = client.import(id, 0).await?;
            Ok(follow::conclude(client, &import, args.json).await)
        }
        None => list(args, client).await,
    }
}

/// Asks for `cancel` or `start` of an import and says how it stands.
pub(super) async fn request(
    args: IdArgs,
    verb: &'static str,
    client: &Client,
) -> Result<Exit, Failure> {
    send(args, (verb, None), client).await
}

async fn send(
    args: IdArgs,
    (verb, body): (&'static str, Option<Value>),
    client: &Client,
) -> Result<Exit, Failure> {
    let path = ["v1", "imports", &args.id, verb];
    let raw = client.post(&path, body.as_ref()).await?;
    if args.json {
        say(&raw.to_string());
        return Ok(Exit::Done);
    }
    let import = Import::read(raw)?;
    say(&summary::heading(&import));
    if let Some(step) = summary::next_step(&import) {
        say(&step);
    }
    Ok(Exit::Done)
}

async fn list(args: StatusArgs, client: &Client) -> Result<Exit, Failure> {
    // The service gives 1,000 a page at most; the rest comes by its cursor.
    let mut filters = vec![("limit", args.limit.clamp(1, 1000).to_string())];
    filters.extend(args.state.map(|state| ("state", state)));
    filters.extend(args.database.map(|database| ("database", database)));
    let found = client
        .list(
            List {
                path: &["v1", "imports"],
                filters,
            },
            args.limit,
        )
        .await?;
    if args.json {
        found.iter().for_each(|import| say(&import.to_string()));
        return Ok(Exit::Done);
    }
    let imports: Vec<Import> = found
        .into_iter()
        .map(Import::read)
        .collect::<Result<_, _>>()?;
    match imports.is_empty() {
        true => say("No imports."),
        false => say(&table(&imports).to_string()),
    }
    Ok(Exit::Done)
}

fn table(imports: &[Import]) -> Table {
    let head = [
        "ID", "STATE", "DATABASE", "ROWS", "OF", "REJECTED", "CREATED", "NAME",
    ];
    let mut table = Table::new(&head);
    for import in imports {
        table.row(vec![
            plain(&import.id),
            plain(import.state.as_str()),
            plain(&import.database_name),
            count(import.rows_done()),
            import.rows_total().map(count).unwrap_or_default(),
            count(import.totals.rejected),
            plain(
                import
                    .created_at
                    .as_deref()
                    .and_then(to_the_second)
                    .unwrap_or_default(),
            ),
            plain(import.name.as_deref().unwrap_or_default()),
        ]);
    }
    table
}

/// The first 19 characters of an RFC 3339 instant.
fn to_the_second(instant: &str) -> Option<&str> {
    instant.get(..19)
}
