//! `longshore rejects`: the rows that were not applied, as a file to repair and import again.
//! A download that breaks off must not leave a file that looks whole.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use futures::StreamExt;
use reqwest::header::ACCEPT;
use reqwest::{Method, Response};

use super::answers::Reject;
use super::client::Client;
use super::connection::Connection;
use super::exit::Exit;
use super::failure::Failure;
use super::render::{bytes, say, warn};

const SHOWN_MAX: usize = 5;
/// More than that many bytes are not read to find the first few rejects.
const HEAD_BYTES_MAX: usize = 256 << 10;

/// Arguments of `longshore rejects`.
#[derive(Debug, Args)]
pub struct RejectsArgs {
    /// Id of the import
    id: String,
    /// csv: the rows' own columns, then line, column, code and message; ndjson: one object a row
    #[arg(long, value_enum, default_value_t = RejectsFormat::Csv)]
    format: RejectsFormat,
    /// Print what is wrong, cause by cause, as one line of JSON each
    #[arg(long, conflicts_with_all = ["format", "output"])]
    summary: bool,
    /// File to write; without it, standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RejectsFormat {
    Csv,
    Ndjson,
}

impl RejectsFormat {
    fn content_type(self) -> &'static str {
        match self {
            RejectsFormat::Csv => "text/csv",
            RejectsFormat::Ndjson => "application/x-ndjson",
        }
    }
}

/// One line for every cause.
async fn causes(client: &Client, id: &str) -> Result<Exit, Failure> {
    let summary = client
        .get(&["v1", "imports", id, "rejects", "summary"])
        .await?;
    for cause in summary["causes"].as_array().into_iter().flatten() {
        say(&cause.to_string());
    }
    Ok(Exit::Done)
}

/// Writes all rejects of an import to a file or to standard output.
pub(super) async fn run(args: RejectsArgs, client: &Client) -> Result<Exit, Failure> {
    if args.summary {
        return causes(client, &args.id).await;
    }
    let answer = ask(client, &args.id, args.format).await?;
    match &args.output {
        Some(path) => {
            let written = download(client, answer, path).await?;
            warn(&format!("{} written to {}", bytes(written), path.display()));
        }
        None => match copy(client, answer, &mut std::io::stdout()).await? {
            Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => {
                return Err(Failure::File {
                    path: "standard output".into(),
                    source,
                });
            }
            _ => {}
        },
    }
    Ok(Exit::Done)
}

/// The first few rejects.
pub(super) async fn first(client: &Client, id: &str) -> Result<Vec<Reject>, Failure> {
    let mut answer = ask(client, id, RejectsFormat::Ndjson).await?.bytes_stream();
    let mut head = Vec::new();
    while let Some(piece) = answer.next().await {
        head.extend(piece.map_err(|source| client.unreachable(source))?);
        let lines = head.iter().filter(|byte| **byte == b'\n').count();
        if lines >= SHOWN_MAX || head.len() > HEAD_BYTES_MAX {
            break;
        }
    }
    let lines = head.split(|byte| *byte == b'\n').take(SHOWN_MAX);
    Ok(lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect())
}

async fn ask(client: &Client, id: &str, format: RejectsFormat) -> Result<Response, Failure> {
    let call = client.call(Method::GET, &["v1", "imports", id, "rejects"]);
    client
        .send(call.header(ACCEPT, format.content_type()))
        .await
}

/// Writes beside the file first and renames at the end.
async fn download(client: &Client, answer: Response, path: &Path) -> Result<u64, Failure> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".part");
    let unfinished = PathBuf::from(unfinished);
    let failed = |source| Failure::File {
        path: path.to_owned(),
        source,
    };
    let mut file = File::create(&unfinished).map_err(failed)?;
    let written = match copy(client, answer, &mut file).await {
        Ok(Ok(written)) => Ok(file
            .sync_all()
            .and_then(|()| std::fs::rename(&unfinished, path))
            .map(|()| written)),
        broken => broken,
    };
    if !matches!(written, Ok(Ok(_))) {
        let _ = std::fs::remove_file(&unfinished);
    }
    written?.map_err(failed)
}

/// Copies the body; the outer error is the service's, the inner one this side's.
async fn copy(
    client: &Client,
    answer: Response,
    to: &mut impl Write,
) -> Result<std::io::Result<u64>, Failure> {
    let mut body = answer.bytes_stream();
    let mut written = 0;
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|source| client.unreachable(source))?;
        if let Err(error) = to.write_all(&piece) {
            return Ok(Err(error));
        }
        written += piece.len() as u64;
    }
    Ok(to.flush().map(|()| written))
}
