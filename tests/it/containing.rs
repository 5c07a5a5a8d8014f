//! `compose.yaml` and the Dockerfile describe the same system as the binary: every command and every
//! variable in them exists. Nothing is run in containers here.

use std::process::Command;

fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_longshore"))
        .args(arguments)
        .arg("--help")
        .output();
    let output = output.unwrap();
    assert!(
        output.status.success(),
        "longshore {arguments:?} is not a command"
    );
    String::from_utf8(output.stdout).unwrap()
}

fn container_files() -> String {
    let read = |name: &str| std::fs::read_to_string(name).unwrap();
    format!("{}\n{}", read("compose.yaml"), read("Dockerfile"))
}

#[test]
fn every_command_of_the_container_files_exists() {
    let files = container_files();
    let commands: Vec<&str> = files
        .split("[\"longshore\", \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    for needed in ["migrate", "serve", "work"] {
        assert!(commands.contains(&needed), "compose.yaml runs no {needed}");
    }
    for command in commands {
        help(&[command]);
    }
}

#[test]
fn every_variable_of_the_container_files_exists() {
    let settings = help(&["work"]);
    let files = container_files();
    let mut variables = 0;
    for (at, _) in files.match_indices("LONGSHORE_") {
        let rest = &files[at..];
        let end = rest
            .find(|c: char| !c.is_ascii_uppercase() && c != '_')
            .unwrap_or(rest.len());
        let variable = &rest[..end];
        assert!(
            settings.contains(&format!("env: {variable}")),
            "there is no setting {variable}"
        );
        variables += 1;
    }
    assert!(variables >= 4, "only {variables} variables were found");
}
