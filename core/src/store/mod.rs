//! All SQL of the control tables, a file per noun and a function per question; and, in
//! [`typed`], the one room where SQL over typed tables is built.
//! Transactions are begun and ended by the callers, where they can be seen.

pub mod acceptance;
pub mod accounts;
pub mod binary;
pub mod causes;
pub mod changes;
pub mod chunks;
pub mod connect;
pub mod databases;
pub mod endings;
pub mod idempotency;
pub mod imports;
pub mod indexes;
pub mod leases;
pub mod links;
pub mod matches;
pub mod new_rows;
pub mod overview;
pub mod payloads;
pub mod profiles;
pub mod rejects;
pub mod removal;
pub mod requests;
pub mod schemas;
pub mod status;
pub mod together;
pub mod turns;
pub mod typed;
pub mod victims;
pub mod widening;
pub mod workers;
