//! tollgate stands between a company's applications and the Amazon Bedrock runtime, and makes every token
//! belong to the service that spent it.
//!
//! The life of a request, in the order of the modules that it meets:
//!
//! 1. [`server`] takes the connection and hands each request to [`gateway::Gateway::handle`].
//! 2. [`operation`] tells from the path what is asked for, and refuses what is unknown.
//! 3. [`identify`] tells which service asks.
//! 4. [`resolve`] finds the service's profile in the [`catalog`].
//! 5. [`intake`] takes the body in.
//! 6. [`request_metadata`] says in it whose call it is, where the service is to be stamped.
//! 7. [`forward`] filters the headers, signs, and sends.
//! 8. [`tap`] reads from the answer, as it passes, what was used.
//! 9. [`price`] tells what that costs.
//! 10. [`record`] takes what is settled to the [`metrics`] and the access log.
//!
//! Around them: [`config`] is read once and swapped whole; [`error`] renders the gateway's own faults as Bedrock
//! would; [`domain`] holds the words as types; [`simulator`] is a Bedrock for tests and the demo.

pub mod access_log;
pub mod admin;
pub mod aws;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod discovery;
pub mod domain;
pub mod error;
pub mod forward;
pub mod gateway;
mod hex;
mod http1;
pub mod identify;
pub mod intake;
pub mod inventory;
pub mod keys;
pub mod ledger;
pub mod metrics;
pub mod operation;
pub mod own_profiles;
pub mod price;
pub mod provision;
pub mod record;
mod replace;
pub mod request_metadata;
pub mod resolve;
pub mod server;
mod sheet;
pub mod shutdown;
mod sigv4;
pub mod simulator;
pub mod tap;
pub mod telemetry;
mod turn;
pub mod vault;
