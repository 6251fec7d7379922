//! Who callers are taken for.

use super::*;
use crate::config::{KeyLimits, KeySpec, Proof, ServiceSpec, ServicesFile};
use crate::discovery::Discovered;
use crate::domain::ServiceName;
use crate::keys::{bearer_hash, bearer_id, new_access_key_id, seal_context};
use crate::vault::{KEY_LEN, Material, Vault};
use http::{HeaderName, HeaderValue};
use secrecy::zeroize::Zeroizing;
use time::Duration;

/// Services `a` and `b` with the keys `tg_a` and `tg_b`, `a` also with `tg_over`, which has ended, and an access key.
struct World {
    identity: Identity,
    catalog: Catalog,
    keyring: Keyring,
    peer: Peer,
    access_key: String,
}

const AT: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

impl World {
    fn new() -> Self {
        let vault = Vault::plain(&[Material::Plain(Arc::new(Zeroizing::new([1; KEY_LEN])))]).unwrap();
        let access_key = new_access_key_id().unwrap();
        let mut specs = ["a", "b"].map(|name| {
            let mut spec = ServiceSpec::new(ServiceName::parse(name).unwrap());
            spec.key_sha256 = vec![bearer_hash(&format!("tg_{name}").into())];
            spec
        });
        let over = bearer_hash(&"tg_over".into());
        let expires = Some(AT);
        let sealed = vault.seal(&seal_context(&specs[0].name, &access_key), &"secret".into()).unwrap();
        specs[0].keys = vec![
            KeySpec {
                id: bearer_id(&over),
                proof: Proof::Bearer(over),
                limits: KeyLimits { expires, ..KeyLimits::default() },
            },
            KeySpec { id: access_key.clone(), proof: Proof::Signature(sealed), limits: KeyLimits::default() },
        ];
        let file = ServicesFile { services: specs.to_vec() };
        Self {
            identity: Identity::default(),
            catalog: Catalog::build(&file, &Discovered::default()),
            keyring: Keyring::build(&file, &vault).unwrap(),
            peer: Peer::default(),
            access_key,
        }
    }

    fn caller(&self, headers: &[(&'static str, &str)], path: Option<&str>) -> Result<Caller, IdentifyError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            map.append(HeaderName::from_static(name), value);
        }
        let known = Known { identity: &self.identity, catalog: &self.catalog, keyring: &self.keyring };
        identify(known, Shown { headers: &map, path_service: path, peer: &self.peer, at: AT })
    }

    /// Returns the service, and whether a key and whether a signature was shown.
    fn known(&self, headers: &[(&'static str, &str)], path: Option<&str>) -> (String, bool, bool) {
        let caller = self.caller(headers, path).unwrap();
        (caller.service.name.to_string(), caller.key.is_some(), caller.claim.is_some())
    }

    fn refusal(&self, headers: &[(&'static str, &str)], path: Option<&str>) -> IdentifyError {
        self.caller(headers, path).unwrap_err()
    }

    /// Returns the headers of a request that is signed with an access key, as far as its head tells.
    fn signed(access_key: &str) -> [(&'static str, String); 2] {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={access_key}/19700101/eu-west-1/bedrock/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={}",
            "0".repeat(64)
        );
        [("authorization", authorization), ("x-amz-date", "19700101T000000Z".to_owned())]
    }
}

fn with<'a>(
    signed: &'a [(&'static str, String)],
    more: &[(&'static str, &'a str)],
) -> Vec<(&'static str, &'a str)> {
    signed.iter().map(|(name, value)| (*name, value.as_str())).chain(more.iter().copied()).collect()
}

#[test]
fn each_source_names_the_service() {
    let world = World::new();
    assert_eq!(world.known(&[("x-tollgate-service", "a")], None), ("a".to_owned(), false, false));
    assert_eq!(world.known(&[], Some("a")), ("a".to_owned(), false, false));
    assert_eq!(world.known(&[("authorization", "Bearer tg_b")], None), ("b".to_owned(), true, false));
    let both = [("x-api-key", "tg_b"), ("x-tollgate-service", "b")];
    assert_eq!(world.known(&both, Some("b")), ("b".to_owned(), true, false));
    let twice = [("x-tollgate-service", "a"), ("x-tollgate-service", "a")];
    assert_eq!(world.known(&twice, None), ("a".to_owned(), false, false));
    let signed = World::signed(&world.access_key);
    assert_eq!(world.known(&with(&signed, &[]), Some("a")), ("a".to_owned(), true, true));
}

#[test]
fn sources_that_disagree_are_refused() {
    let world = World::new();
    let signed = World::signed(&world.access_key);
    for (headers, path) in [
        (vec![("x-tollgate-service", "a")], Some("b")),
        (vec![("x-tollgate-service", "a"), ("x-tollgate-service", "b")], None),
        (vec![("authorization", "Bearer tg_b")], Some("a")),
        (vec![("authorization", "Bearer tg_b"), ("x-api-key", "tg_a")], None),
        (with(&signed, &[]), Some("b")),
        (with(&signed, &[("x-tollgate-service", "b")]), None),
        (with(&signed, &[("x-api-key", "tg_a")]), None),
        (with(&signed, &[("authorization", signed[0].1.as_str())]), None),
    ] {
        let refusal = world.refusal(&headers, path);
        assert!(matches!(refusal, IdentifyError::Conflict(_)), "{headers:?} {path:?}: {refusal:?}");
    }
}

#[test]
fn strangers_are_refused_and_foreign_tokens_ignored() {
    let world = World::new();
    assert!(matches!(world.refusal(&[], None), IdentifyError::Missing { .. }));
    assert!(matches!(world.refusal(&[("x-tollgate-service", " ")], None), IdentifyError::Missing { .. }));
    assert!(matches!(world.refusal(&[("x-tollgate-service", "c")], None), IdentifyError::Unknown(_)));
    for key in ["tg_x", "tg_over"] {
        let refusal = world.refusal(&[("x-api-key", key), ("x-tollgate-service", "a")], None);
        assert_eq!(refusal, IdentifyError::KeyInvalid, "{key}");
    }
    assert_eq!(world.known(&[("authorization", "Bearer sk-1")], Some("a")), ("a".to_owned(), false, false));
    let foreign = World::signed("AKIDEXAMPLE");
    assert_eq!(world.known(&with(&foreign, &[]), Some("a")), ("a".to_owned(), false, false));
    // Revoked: its form says that tollgate issued it.
    let revoked = World::signed(&new_access_key_id().unwrap());
    assert_eq!(world.refusal(&with(&revoked, &[]), Some("a")), IdentifyError::KeyInvalid);
}

#[test]
fn where_signatures_alone_count_a_foreign_one_is_refused() {
    let mut world = World::new();
    world.identity.methods = vec![Method::Signature];
    let foreign = World::signed("AKIDEXAMPLE");
    assert_eq!(world.refusal(&with(&foreign, &[]), Some("a")), IdentifyError::KeyInvalid);
    let missing = world.refusal(&[("x-api-key", "tg_a")], Some("a"));
    let expected = "no service named: sign with an access key of `tollgate keys create --kind sigv4`";
    assert_eq!(missing.to_string(), expected);
}

#[test]
fn a_way_counts_from_its_networks_alone() {
    let mut world = World::new();
    world.identity.networks = vec![(Method::Header, vec!["10.0.0.0/8".parse().unwrap()])];
    world.identity.trusted_proxies = vec!["192.0.2.1".parse::<IpAddr>().unwrap().into()];
    let named_a = ("x-tollgate-service", "a");
    world.peer = Peer::at("203.0.113.9".parse().unwrap());
    let refusal = world.refusal(&[named_a, ("x-forwarded-for", "10.1.1.1")], None).to_string();
    assert!(refusal.contains("x-tollgate-service is not accepted from 203.0.113.9; "), "{refusal}");
    // What is not looked at disagrees with nothing.
    assert_eq!(world.known(&[named_a], Some("b")), ("b".to_owned(), false, false));
    world.peer = Peer::at("10.1.1.1".parse().unwrap());
    assert_eq!(world.known(&[named_a], None), ("a".to_owned(), false, false));
    world.peer = Peer::at("192.0.2.1".parse().unwrap());
    assert_eq!(
        world.known(&[named_a, ("x-forwarded-for", "10.1.1.1")], None),
        ("a".to_owned(), false, false)
    );
    for forged in ["203.0.113.9", "10.1.1.1, 203.0.113.9", "nobody"] {
        let refusal = world.refusal(&[named_a, ("x-forwarded-for", forged)], None);
        assert!(matches!(refusal, IdentifyError::Missing { refused: Some(_), .. }), "{forged}: {refusal:?}");
    }
}

#[test]
fn the_head_of_a_signature_is_looked_at_first() {
    let world = World::new();
    let [(_, authorization), (_, date)] = World::signed(&world.access_key);
    let refusal = |authorization: &str, date: &str| {
        let headers = [("authorization", authorization), ("x-amz-date", date)];
        world.refusal(&headers, None).to_string()
    };
    for (from, to, expected) in [
        ("/bedrock/", "/s3/", "scoped to the service 'bedrock'"),
        ("/aws4_request", "", "Credential must be"),
        ("/19700101/", "/19700102/", "the date of Credential is not that of x-amz-date"),
        ("host;", "", "'host' must be a signed header"),
        (";x-amz-date", "", "'x-amz-date' must be a signed header"),
        ("host;x-amz-date", "x-amz-date;host", "SignedHeaders must be"),
        (", Signature=0", ", Signature=Z", "Signature must be"),
    ] {
        let message = refusal(&authorization.replace(from, to), &date);
        assert!(message.contains(expected), "{from}: {message}");
    }
    let at = |seconds: i64| crate::domain::stamp::amz_date(AT + Duration::seconds(seconds));
    assert_eq!(
        refusal(&authorization, &at(301)),
        "Signature not yet current: 19700101T000501Z is still later than 19700101T000500Z \
         (19700101T000000Z + 5 min.)"
    );
    let yesterday = authorization.replace("19700101", "19691231");
    assert_eq!(
        refusal(&yesterday, &at(-301)),
        "Signature expired: 19691231T235459Z is now earlier than 19691231T235500Z \
         (19700101T000000Z - 5 min.)"
    );
}
