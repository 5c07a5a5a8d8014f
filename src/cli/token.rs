//! `longshore token`: makes, lists and revokes tokens. A new token is shown once, alone on standard
//! output, so that a script can take it; nothing else here ever prints one.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::client::{Client, List};
use super::connection::Connection;
use super::exit::Exit;
use super::failure::Failure;
use super::render::{Table, plain, say, value, warn};

/// Arguments of `longshore token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make a token and print it; it cannot be shown again
    Create {
        /// Name, to know it by
        #[arg(long)]
        name: String,
        /// What it may do; may be repeated
        #[arg(long, value_enum, required = true)]
        scope: Vec<Scope>,
        /// When it ends to be valid, such as 2027-01-31T00:00:00Z
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
        /// Print the whole answer, with the token, as one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// List the account's tokens, without the tokens themselves
    List {
        /// Print JSON, one line for each token
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token at once and for good
    Revoke {
        /// Its id, as list shows it
        id: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scope {
    /// See databases, profiles and imports
    Read,
    /// Submit and steer imports, create databases
    Write,
    /// Make and revoke tokens
    Admin,
}

impl Scope {
    fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Admin => "admin",
        }
    }
}

/// Runs the subcommand.
pub(super) async fn run(args: TokenArgs, client: &Client) -> Result<Exit, Failure> {
    match args.command {
        TokenCommand::Create {
            name,
            scope,
            expires_at,
            json,
        } => {
            let made = client
                .post(&["v1", "tokens"], Some(&wish(&name, &scope, expires_at)))
                .await?;
            created(&made, json);
        }
        TokenCommand::List { json } => list(client, json).await?,
        TokenCommand::Revoke { id } => {
            client.delete(&["v1", "tokens", &id]).await?;
            say(&format!("revoked {}", plain(&id)));
        }
    }
    Ok(Exit::Done)
}

fn wish(name: &str, scopes: &[Scope], expires_at: Option<String>) -> Value {
    let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let mut wish = Map::from_iter([
        ("name".to_owned(), json!(name)),
        ("scopes".to_owned(), json!(scopes)),
    ]);
    wish.extend(expires_at.map(|time| ("expires_at".to_owned(), json!(time))));
    Value::Object(wish)
}

fn created(made: &Value, json: bool) {
    if json {
        return say(&made.to_string());
    }
    let (id, name) = (value(&made["id"]), value(&made["name"]));
    warn(&format!(
        "{id} {name} ({}); shown only now:",
        value(&made["scopes"])
    ));
    say(&value(&made["token"]));
}

async fn list(client: &Client, json: bool) -> Result<(), Failure> {
    let list = List {
        path: &["v1", "tokens"],
        filters: Vec::new(),
    };
    let found = client.list(list, usize::MAX).await?;
    if json {
        found.iter().for_each(|token| say(&token.to_string()));
        return Ok(());
    }
    let mut table = Table::new(&[
        "ID",
        "NAME",
        "SCOPES",
        "CREATED",
        "LAST USED",
        "EXPIRES",
        "REVOKED",
    ]);
    for token in &found {
        let time = |name: &str| value(&token[name]).chars().take(19).collect::<String>();
        table.row(vec![
            value(&token["id"]),
            value(&token["name"]),
            value(&token["scopes"]),
            time("created_at"),
            time("last_used_at"),
            time("expires_at"),
            time("revoked_at"),
        ]);
    }
    say(&table.to_string());
    Ok(())
}
