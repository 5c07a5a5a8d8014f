//! What an import is and how it is kept: nouns, states, SQL, payload store, queue handle.
//! Knows no HTTP server and no retries.

pub mod address;
pub mod brake;
pub mod cell;
pub mod code;
pub mod database;
pub mod definition;
pub mod error;
pub mod field;
pub mod id;
pub mod import;
pub mod json;
pub mod limits;
pub mod payload;
pub mod plan;
pub mod policies;
pub mod queue;
pub mod reading;
pub mod store;
pub mod suggest;
pub mod token;
pub mod value;
