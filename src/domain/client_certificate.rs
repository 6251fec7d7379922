//! What a client's certificate says of it.

/// The names that a client certificate certifies (its subject alternative names); the subject itself names nobody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientCertificate {
    /// URIs, such as SPIFFE ids.
    pub uris: Vec<String>,
    /// DNS names, in lower case.
    pub dns: Vec<String>,
}
