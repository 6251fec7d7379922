//! The ledger: every call that went upstream, once, whatever dies.
//!
//! A call is written to the journal before it goes upstream (its [`Opening`]) and again before its client sees the
//! answer's end (its [`Record`](crate::domain::Record)). The drainer moves records from the journal into the
//! [`store`], which reports are read from.

pub mod journal;
mod opening;
pub mod report;
pub mod store;

pub use opening::{Opening, OpeningRef};
