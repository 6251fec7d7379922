//! Who calls: service key, path prefix or header, all of which must agree.

use crate::catalog::{Catalog, KeyId, Service};
use crate::config::{Identity, Method};
use crate::operation::decode;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use std::sync::Arc;

/// What every service key begins with.
pub const KEY_PREFIX: &str = "tg_";

/// Who calls, and how that is known.
#[derive(Debug)]
pub struct Caller {
    /// The service that carries the cost.
    pub service: Arc<Service>,
    /// The key that was shown, if one was.
    pub key_id: Option<KeyId>,
}

/// Why the caller is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifyError {
    /// Nothing names a service.
    #[error(
        "no service named: send the header '{header}: <service>', or use a base URL ending in /s/<service>, or a service key"
    )]
    Missing {
        /// The configured identity header.
        header: String,
    },
    /// The named service is not in the catalog.
    #[error("service '{0}' is not known to this gateway: check its name, or add it to the services file")]
    Unknown(String),
    /// Two sources name different services, or one names two.
    #[error("the request names more than one service ({0}): make key, path and header agree")]
    Conflict(String),
    /// The key belongs to no service.
    #[error("the service key is not valid: it is unknown, expired or revoked; ask for a new one")]
    KeyInvalid,
}

/// Finds out which service a request belongs to.
pub fn identify(
    identity: &Identity,
    catalog: &Catalog,
    headers: &HeaderMap,
    path_service: Option<&str>,
) -> Result<Caller, IdentifyError> {
    let mut names = Names::default();
    let mut key_id = None;
    if identity.accepts(Method::Key) {
        for secret in keys(headers) {
            let (service, id) = catalog.key(secret).ok_or(IdentifyError::KeyInvalid)?;
            names.add(service.as_str())?;
            if key_id.as_ref().is_some_and(|known| *known != id) {
                return Err(IdentifyError::Conflict("two service keys".to_owned()));
            }
            key_id = Some(id);
        }
    }
    if let Some(raw) = path_service.filter(|_| identity.accepts(Method::Path)) {
        names.add(&decode(raw).unwrap_or_else(|| raw.to_owned().into()))?;
    }
    if identity.accepts(Method::Header) {
        for value in headers.get_all(&identity.header) {
            names.add(&String::from_utf8_lossy(value.as_bytes()))?;
        }
    }
    let name = names.0.ok_or_else(|| IdentifyError::Missing { header: identity.header.to_string() })?;
    let service = catalog.service(&name).ok_or_else(|| IdentifyError::Unknown(printable(&name)))?;
    Ok(Caller { service: Arc::clone(service), key_id })
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

/// Returns every service key that the request shows; other tokens are not ours to judge.
fn keys(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let bearer = headers.get_all(AUTHORIZATION).into_iter().filter_map(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let api_key =
        headers.get_all("x-api-key").into_iter().filter_map(|value| value.to_str().ok()).map(str::trim);
    bearer.chain(api_key).filter(|token| token.starts_with(KEY_PREFIX))
}

fn printable(name: &str) -> String {
    name.chars().take(80).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ServiceSpec, ServicesFile};
    use crate::discovery::Discovered;
    use crate::domain::ServiceName;
    use http::{HeaderName, HeaderValue};
    use sha2::{Digest, Sha256};

    fn caller(
        headers: &[(&'static str, &[u8])],
        path: Option<&str>,
    ) -> Result<(String, bool), IdentifyError> {
        let spec = |name: &str, key: &str| ServiceSpec {
            name: ServiceName::parse(name).unwrap(),
            tags: std::collections::BTreeMap::default(),
            models: Vec::new(),
            profiles: Vec::new(),
            default_model: None,
            aliases: std::collections::BTreeMap::default(),
            key_sha256: vec![Sha256::digest(key.as_bytes()).into()],
            allowed_operations: Vec::new(),
            allowed_models: Vec::new(),
        };
        let catalog = Catalog::build(
            &ServicesFile { services: vec![spec("a", "tg_a"), spec("b", "tg_b")] },
            &Discovered::default(),
        );
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        }
        identify(&Identity::default(), &catalog, &map, path)
            .map(|caller| (caller.service.name.to_string(), caller.key_id.is_some()))
    }

    #[test]
    fn each_source_names_the_service() {
        assert_eq!(caller(&[("x-tollgate-service", b"a")], None), Ok(("a".into(), false)));
        assert_eq!(caller(&[], Some("a")), Ok(("a".into(), false)));
        assert_eq!(caller(&[("authorization", b"Bearer tg_b")], None), Ok(("b".into(), true)));
        assert_eq!(
            caller(&[("x-api-key", b"tg_b"), ("x-tollgate-service", b"b")], Some("b")),
            Ok(("b".into(), true))
        );
        assert_eq!(
            caller(&[("x-tollgate-service", b"a"), ("x-tollgate-service", b"a")], None),
            Ok(("a".into(), false))
        );
    }

    #[test]
    fn sources_that_disagree_are_refused() {
        let conflict = |result| assert!(matches!(result, Err(IdentifyError::Conflict(_))), "{result:?}");
        conflict(caller(&[("x-tollgate-service", b"a")], Some("b")));
        conflict(caller(&[("x-tollgate-service", b"a"), ("x-tollgate-service", b"b")], None));
        conflict(caller(&[("authorization", b"Bearer tg_b")], Some("a")));
        conflict(caller(&[("authorization", b"Bearer tg_b"), ("x-api-key", b"tg_a")], None));
    }

    #[test]
    fn strangers_are_refused_and_foreign_tokens_ignored() {
        assert!(matches!(caller(&[], None), Err(IdentifyError::Missing { .. })));
        assert!(matches!(caller(&[("x-tollgate-service", b" ")], None), Err(IdentifyError::Missing { .. })));
        assert!(matches!(caller(&[("x-tollgate-service", b"c\xff")], None), Err(IdentifyError::Unknown(_))));
        assert_eq!(
            caller(&[("x-api-key", b"tg_x"), ("x-tollgate-service", b"a")], None),
            Err(IdentifyError::KeyInvalid)
        );
        assert_eq!(caller(&[("authorization", b"Bearer sk-1")], Some("a")), Ok(("a".into(), false)));
    }
}
