//! HTTP/1.1, as far as clients' side and upstream's share it.

pub(crate) mod framing;
pub(crate) mod lines;
