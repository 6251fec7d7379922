//! tollgate stands between a company's applications and the Amazon Bedrock runtime, and makes every token
//! belong to the service that spent it.

pub mod clock;
pub mod domain;
pub mod operation;
pub mod tap;
