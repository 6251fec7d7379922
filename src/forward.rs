//! The upstream side of a call: headers, signature, connection.

pub mod sign;
