//! tollgate stands between a company's applications and the Amazon Bedrock runtime, and makes every token
//! belong to the service that spent it.

pub mod admin;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod error;
pub mod forward;
pub mod gateway;
pub mod identify;
pub mod intake;
pub mod metrics;
pub mod operation;
pub mod record;
pub mod resolve;
pub mod server;
pub mod shutdown;
pub mod simulator;
pub mod tap;
pub mod telemetry;
