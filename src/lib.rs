//! The doors: settings, command line, `/v1` API, telemetry.

pub mod api;
pub mod cli;
pub mod embedded;
pub mod operator;
pub mod roles;
pub mod server;
pub mod settings;
pub mod telemetry;
