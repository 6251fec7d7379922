//! Who calls: key, signature, client certificate, path prefix and header, all of which must agree.

mod authorization;
mod network;
mod signature;
#[cfg(test)]
mod tests;

pub use signature::{Claim, Covered, Payload, SignatureError};

use crate::catalog::{Catalog, Service};
use crate::config::{Identity, Method};
use crate::domain::Peer;
use crate::keys::{KEY_PREFIX, Key, Keyring, is_access_key_id};
use crate::operation::decode;
use authorization::Authorization;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use std::net::IpAddr;
use std::sync::Arc;
use time::OffsetDateTime;

/// Where Anthropic's clients put a key.
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a request shows of its caller.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// What its path names as the service, as it came.
    pub path_service: Option<&'a str>,
    /// Who is at the other end of its connection.
    pub peer: &'a Peer,
    /// When it came.
    pub at: OffsetDateTime,
}

/// By what callers are known.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Which ways are accepted.
    pub identity: &'a Identity,
    /// The services.
    pub catalog: &'a Catalog,
    /// The keys.
    pub keyring: &'a Keyring,
}

/// Who calls, and how that is known.
#[derive(Debug)]
pub struct Caller {
    /// The service that carries the cost.
    pub service: Arc<Service>,
    /// The key that was shown, if one was.
    pub key: Option<Arc<Key>>,
    /// What is still to be verified, against the request's body: until then this is a claim.
    pub claim: Option<Claim>,
}

/// Why the caller is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifyError {
    /// Nothing names a service, in no way that is accepted.
    #[error("no service named: {}", ways(identity, refused.as_deref()))]
    Missing {
        /// The accepted ways.
        identity: Box<Identity>,
        /// What was shown and not looked at, and why.
        refused: Option<String>,
    },
    /// The named service is not in the catalog.
    #[error("service '{0}' is not known to this gateway: check its name, or add it to the services file")]
    Unknown(String),
    /// Two sources name different services, or one names two.
    #[error("the request names more than one service ({0}): make all that name one agree")]
    Conflict(String),
    /// The key belongs to no service, or does no longer.
    #[error("the service key is not valid: it is unknown, expired or revoked; ask for a new one")]
    KeyInvalid,
    /// The signature with a key of ours does not hold.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// Finds out which service a request belongs to. A signature is not verified yet: see [`Caller::claim`].
///
/// # Errors
/// The caller names no service, more than one, or one that it cannot prove to be.
pub fn identify(known: Known<'_>, shown: Shown<'_>) -> Result<Caller, IdentifyError> {
    let mut finding =
        Finding { known, shown, names: Names::default(), key: None, claim: None, refused: None };
    finding.keys()?;
    finding.signatures()?;
    finding.certificate()?;
    finding.path_and_header()?;
    finding.finish()
}

/// What was found so far.
struct Finding<'a> {
    known: Known<'a>,
    shown: Shown<'a>,
    names: Names,
    key: Option<Arc<Key>>,
    claim: Option<Claim>,
    /// What was shown in a way that is not accepted from here.
    refused: Option<String>,
}

impl Finding<'_> {
    /// Looks at bearer keys; other tokens are not ours to judge.
    fn keys(&mut self) -> Result<(), IdentifyError> {
        let headers = self.shown.headers;
        for sent in sent_keys(headers) {
            if self.accepts(Method::Key, "a service key") {
                let key = self.known.keyring.bearer(sent).ok_or(IdentifyError::KeyInvalid)?;
                self.take_key(key)?;
            }
        }
        Ok(())
    }

    /// Looks at signatures with access keys of ours; those with others are ignored, unless nothing else is accepted.
    fn signatures(&mut self) -> Result<(), IdentifyError> {
        let (headers, at) = (self.shown.headers, self.shown.at);
        let alone = self.known.identity.methods == [Method::Signature];
        for value in headers.get_all(AUTHORIZATION) {
            let Some(signed) = Authorization::parse(value.as_bytes()) else { continue };
            let id = signed.access_key_id();
            if !(alone || is_access_key_id(id)) || !self.accepts(Method::Signature, "an AWS signature") {
                continue;
            }
            let access_key = self.known.keyring.access_key(id).ok_or(IdentifyError::KeyInvalid)?;
            self.take_key(&access_key.key)?;
            let claim = Claim::new(&signed, access_key, headers, at)?;
            if self.claim.replace(claim).is_some() {
                return Err(IdentifyError::Conflict("two signatures".to_owned()));
            }
        }
        Ok(())
    }

    /// Looks at the client certificate that TLS has verified.
    fn certificate(&mut self) -> Result<(), IdentifyError> {
        let Some(certificate) = &self.shown.peer.certificate else { return Ok(()) };
        let (catalog, peer) = (self.known.catalog, self.shown.peer.address);
        for service in catalog.certified(certificate) {
            // The certificate is that of whoever made the connection, no matter for whom it forwards.
            if self.accepts_from(Method::Certificate, "a client certificate", Some(peer)) {
                self.names.add(service.as_str())?;
            }
        }
        Ok(())
    }

    fn path_and_header(&mut self) -> Result<(), IdentifyError> {
        if let Some(raw) = self.shown.path_service
            && self.accepts(Method::Path, "the path prefix /s/")
        {
            self.names.add(&decode(raw).unwrap_or_else(|| raw.to_owned().into()))?;
        }
        let name = &self.known.identity.header;
        for value in self.shown.headers.get_all(name) {
            if self.accepts(Method::Header, name.as_str()) {
                self.names.add(&String::from_utf8_lossy(value.as_bytes()))?;
            }
        }
        Ok(())
    }

    fn take_key(&mut self, key: &Arc<Key>) -> Result<(), IdentifyError> {
        if key.is_expired(self.shown.at) {
            return Err(IdentifyError::KeyInvalid);
        }
        self.names.add(key.service.as_str())?;
        if self.key.replace(Arc::clone(key)).is_some_and(|other| other.id != key.id) {
            return Err(IdentifyError::Conflict("two service keys".to_owned()));
        }
        Ok(())
    }

    /// Tells whether a way is accepted from where the request comes from, and remembers if that is all that is wrong.
    fn accepts(&mut self, method: Method, what: &str) -> bool {
        let identity = self.known.identity;
        if !identity.accepts(method) || identity.networks.is_empty() {
            return identity.accepts(method);
        }
        let from = network::origin(self.shown.peer.address, self.shown.headers, &identity.trusted_proxies);
        self.accepts_from(method, what, from)
    }

    fn accepts_from(&mut self, method: Method, what: &str, from: Option<IpAddr>) -> bool {
        let identity = self.known.identity;
        if !identity.accepts(method) || identity.accepts_from(method, from) {
            return identity.accepts(method);
        }
        let from = from.map_or_else(|| "an unknown address".to_owned(), |from| from.to_string());
        self.refused = Some(format!("{what} is not accepted from {from}"));
        false
    }

    fn finish(self) -> Result<Caller, IdentifyError> {
        let Self { known, names, key, claim, refused, .. } = self;
        let missing = || IdentifyError::Missing { identity: Box::new(known.identity.clone()), refused };
        let name = names.0.ok_or_else(missing)?;
        let service = known.catalog.service(&name).ok_or_else(|| IdentifyError::Unknown(printable(&name)))?;
        Ok(Caller { service: Arc::clone(service), key, claim })
    }
}

/// The one name that all sources must agree on.
#[derive(Debug, Default)]
struct Names(Option<String>);

impl Names {
    fn add(&mut self, name: &str) -> Result<(), IdentifyError> {
        let name = name.trim_matches([' ', '\t']);
        match &self.0 {
            _ if name.is_empty() => Ok(()),
            None => {
                self.0 = Some(name.to_owned());
                Ok(())
            }
            Some(known) if known == name => Ok(()),
            Some(known) => {
                Err(IdentifyError::Conflict(format!("'{}' and '{}'", printable(known), printable(name))))
            }
        }
    }
}

/// Returns every service key that the request shows.
fn sent_keys(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let bearer = headers.get_all(AUTHORIZATION).into_iter().filter_map(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let api_key =
        headers.get_all(X_API_KEY).into_iter().filter_map(|value| value.to_str().ok()).map(str::trim);
    bearer.chain(api_key).filter(|token| token.starts_with(KEY_PREFIX))
}

/// Says in which of the accepted ways a service can be named.
fn ways(identity: &Identity, refused: Option<&str>) -> String {
    let way = |method: Method| match method {
        Method::Key => "send a service key".to_owned(),
        Method::Signature => "sign with an access key of `tollgate keys create --kind sigv4`".to_owned(),
        Method::Certificate => "show a client certificate that names one".to_owned(),
        Method::Path => "use a base URL ending in /s/<service>".to_owned(),
        Method::Header => format!("send the header '{}: <service>'", identity.header),
    };
    // The simplest first.
    let accepted = Method::ALL.into_iter().rev().filter(|method| identity.accepts(*method)).map(way);
    let accepted = accepted.collect::<Vec<_>>().join(", or ");
    match refused {
        Some(refused) => format!("{refused}; {accepted}"),
        None => accepted,
    }
}

fn printable(name: &str) -> String {
    name.chars().take(80).flat_map(char::escape_debug).collect()
}
