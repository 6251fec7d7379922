//! tollgate stands between a company's applications and the Amazon Bedrock runtime, and makes every token
//! belong to the service that spent it.

pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod forward;
pub mod identify;
pub mod operation;
pub mod resolve;
pub mod simulator;
pub mod tap;
