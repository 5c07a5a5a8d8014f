//! What must hold for the whole process: one place that makes clients, and an environment that
//! cannot turn them around.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The operator's own command line talks to the operator's own server, so it is let through.
#[test]
fn no_other_file_makes_an_http_client() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for folder in ["core/src", "workers/src", "src"] {
        rust_files(&root.join(folder), &mut files);
    }
    let allowed = [root.join("workers/src/outbound"), root.join("src/cli")];
    let (ours, others): (Vec<_>, Vec<_>) = files
        .into_iter()
        .partition(|file| allowed.iter().any(|place| file.starts_with(place)));
    let names_it = |file: &PathBuf| fs::read_to_string(file).unwrap().contains("reqwest");
    assert!(
        ours.iter().any(names_it),
        "the scan finds what it looks for"
    );
    let others: Vec<_> = others.into_iter().filter(names_it).collect();
    assert!(
        others.is_empty(),
        "these reach out past the guard: {others:?}"
    );
}

/// Runs one test of this file in a process with another environment.
fn run_alone(test: &str, environment: &[(&str, &str)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &format!("outbound::tests::one_client::{test}"),
            "--include-ignored",
        ])
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

#[test]
fn a_proxy_in_the_environment_is_not_used() {
    let canary = Canary::new();
    let proxy = format!("http://127.0.0.1:{}", canary.port());
    let names = [
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ];
    run_alone("plain_fetch", &names.map(|name| (name, proxy.as_str())));
    assert_eq!(canary.connections(), 0);
}

#[test]
fn a_machine_without_certificate_authorities_still_starts() {
    let nothing = tempfile::NamedTempFile::new().unwrap();
    let path = nothing.path().to_str().unwrap();
    run_alone(
        "plain_fetch",
        &[("SSL_CERT_FILE", path), ("SSL_CERT_DIR", "")],
    );
}

#[tokio::test]
#[ignore = "run by the tests above, in an environment of their making"]
async fn plain_fetch() {
    let source = Source::saying(answer("200 OK", "", CSV)).await;
    let client = Outbound::new(rules(&source.address.to_string())).unwrap();
    assert_eq!(fetch(&client, &source.url()).await.unwrap().0, CSV);
}
