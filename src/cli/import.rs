//! `longshore import`: hands a file, standard input or an address to the service and follows the
//! import. The definition goes first, as a draft; the file follows it as an upload, so that a large
//! one is neither read into memory nor quoted into JSON. A draft whose upload is refused is
//! cancelled again.

use reqwest::Method;
use serde_json::Value;

use super::answers::Import;
use super::client::{CALL_TIMEOUT, Client};
use super::definition::{ImportArgs, definition, format};
use super::exit::Exit;
use super::failure::Failure;
use super::follow;
use super::format::{Format, location};
use super::progress::Progress;
use super::render::{plain, say, warn};
use super::summary;
use super::upload::{Payload, Upload, Uploaded};

/// Submits, uploads and follows.
pub(super) async fn run(args: ImportArgs, client: &Client) -> Result<Exit, Failure> {
    let definition = definition(&args)?;
    let payload = match location(&args.file) {
        Some(_) => None,
        None => Some(Payload::open(&args.file).await?),
    };
    let mut import = submit(&args, client, &definition).await?;
    // A repeat under the same idempotency key may find its import on its way already.
    if let Some(payload) = payload.filter(|_| import.state.as_str() == "draft") {
        if deliver(&args, client, &import.id, payload).await? == Uploaded::Interrupted {
            return Ok(Exit::Interrupted);
        }
        if args.no_wait {
            import = client.import(&import.id, 0).await?;
        }
    }
    match args.no_wait {
        true => Ok(accepted(&import, args.json)),
        false => follow::watch(client, &import.id, args.json).await,
    }
}

async fn submit(args: &ImportArgs, client: &Client, body: &Value) -> Result<Import, Failure> {
    let call = client
        .call(Method::POST, &["v1", "imports"])
        .json(body)
        .timeout(CALL_TIMEOUT);
    let call = match &args.idempotency_key {
        Some(key) => call.header("Idempotency-Key", key),
        None => call,
    };
    Import::read(client.ask(call).await?)
}

/// Uploads the payload, or takes the draft back.
async fn deliver(
    args: &ImportArgs,
    client: &Client,
    id: &str,
    payload: Payload,
) -> Result<Uploaded, Failure> {
    let format = format(args)?;
    let upload = Upload {
        client,
        id,
        content_type: format.map_or("text/csv", Format::content_type),
    };
    let mut progress = Progress::new(args.json);
    let delivered = upload.run(payload, &mut progress).await;
    progress.clear();
    match delivered {
        Ok(Uploaded::Whole) => return Ok(Uploaded::Whole),
        Ok(Uploaded::Interrupted) => {}
        // The answer may be lost although the service has every byte.
        Err(_) if has_payload(client, id).await => return Ok(Uploaded::Whole),
        Err(_) => {}
    }
    warn(&withdraw(args, client, id).await);
    delivered
}

async fn has_payload(client: &Client, id: &str) -> bool {
    client
        .import(id, 0)
        .await
        .is_ok_and(|import| import.state.as_str() != "draft")
}

/// Cancels a draft that got no payload. Under an idempotency key it stays, for the next try.
async fn withdraw(args: &ImportArgs, client: &Client, id: &str) -> String {
    if args.idempotency_key.is_some() {
        return format!(
            "The upload is broken off; the draft {} waits for another try.",
            plain(id)
        );
    }
    let cancelled = client.post(&["v1", "imports", id, "cancel"], None).await;
    match cancelled.and_then(Import::read) {
        Ok(import) => {
            format!(
                "The upload is broken off; {} is {}.",
                plain(id),
                import.standing()
            )
        }
        // It does no harm: a draft without its payload never starts.
        Err(_) => format!(
            "The upload is broken off; the draft {} is left behind.",
            plain(id)
        ),
    }
}

fn accepted(import: &Import, json: bool) -> Exit {
    if json {
        say(&import.raw.to_string());
    } else {
        say(&summary::heading(import));
        if let Some(step) = summary::next_step(import) {
            warn(&step);
        }
    }
    Exit::of(import.state.as_str())
}
