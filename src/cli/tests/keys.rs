//! Keys with an end, with limits, and that sign: made, rotated, listed, sealed anew, revoked.

use super::*;
use crate::domain::Operation;
use crate::keys::is_access_key_id;
use time::OffsetDateTime;

const SECRETS: &str = "identity.secrets_key_file = 'secrets.key'";

/// Returns a place with a secrets key.
fn place() -> Place {
    let place = Place::new("", SERVICES);
    let key = place.0.path().join("secrets.key");
    let said = place.run(&["keys", "secrets-key", "--out", key.to_str().unwrap()]).unwrap();
    assert!(said.contains("secrets_key_file") && !said.contains(fs::read_to_string(&key).unwrap().trim()));
    fs::write(place.0.path().join("tollgate.toml"), SECRETS).unwrap();
    place
}

fn keyring(place: &Place) -> Keyring {
    let loaded = load(&place.0.path().join("tollgate.toml"), []).unwrap();
    Keyring::build(&loaded.services, &Vault::plain(&loaded.secrets).unwrap()).unwrap()
}

fn in_days(days: i64) -> OffsetDateTime {
    crate::clock::Clock::system().utc() + time::Duration::days(days)
}

#[test]
fn a_key_may_have_an_end_and_limits() {
    let place = place();
    let output = place
        .run(&[
            "keys",
            "create",
            "--service",
            "a",
            "--expires",
            "30days",
            "--operation",
            "Converse",
            "--model",
            "m.*",
        ])
        .unwrap();
    let secret = output.lines().next().unwrap();
    let (ring, text) = (keyring(&place), place.text());
    let key = ring.bearer(secret).unwrap();
    assert!(!key.is_expired(in_days(29)) && key.is_expired(in_days(31)));
    assert!(key.may_use(Operation::Converse) && !key.may_use(Operation::InvokeModel));
    assert!(key.may_call("m.x") && !key.may_call("n.x"));
    // What is printed is what is in the file.
    let table: Vec<&str> = output.lines().skip(1).filter(|line| !line.starts_with('#')).collect();
    assert!(text.contains(&table.join("\n")), "{output}\n{text}");
    assert!(text.contains("# Pays for checkout.") && text.contains("# the end"), "{text}");
    let listed = place.run(&["keys", "list"]).unwrap();
    assert!(listed.starts_with("SERVICE  KEY ID            KIND    EXPIRES               FOR\n"), "{listed}");
    assert!(listed.contains("Converse m.*"), "{listed}");
    for past in ["2020-01-01", "0s", "2020-01-01T00:00:00Z"] {
        let error = place.run(&["keys", "create", "--service", "a", "--expires", past]).unwrap_err();
        assert!(error.starts_with("error: a key cannot end there\nhint: "), "{past}: {error}");
    }
    place.run(&["keys", "revoke", &key.id]).unwrap();
    assert_eq!(place.text(), SERVICES);
}

#[test]
fn an_access_key_signs_with_a_secret_that_no_file_shows() {
    let place = place();
    let output = place.run(&["keys", "create", "--service", "b", "--kind", "sigv4"]).unwrap();
    let value = |line: &str| line.split_once('=').unwrap().1.to_owned();
    let (id, secret) = (value(output.lines().next().unwrap()), value(output.lines().nth(1).unwrap()));
    assert!(is_access_key_id(&id) && is_well_formed(&secret), "{output}");
    assert!(!place.text().contains(&secret));
    assert_eq!(keyring(&place).access_key(&id).unwrap().key.service.as_str(), "b");
    assert!(place.run(&["keys", "list"]).unwrap().contains(&format!("b        {id}  sigv4\n")));
    // Sealed anew with another key, while the old one is still there.
    let (file, sealed) = (place.0.path().join("secrets.key"), place.text());
    let old = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let error = place.run(&["check"]).unwrap_err();
    assert!(error.contains("identity.secrets_key_file: cannot read"), "{error}");
    place.run(&["keys", "secrets-key", "--out", file.to_str().unwrap()]).unwrap();
    let error = place.run(&["check"]).unwrap_err();
    assert!(
        error.contains(&format!("services.b.keys.{id}.sealed_secret: no secrets key opens it")),
        "{error}"
    );
    let new = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{new}{old}")).unwrap();
    assert!(place.run(&["keys", "reseal"]).unwrap().starts_with("1 secret in "));
    assert_ne!(place.text(), sealed);
    fs::write(&file, new).unwrap();
    assert!(keyring(&place).access_key(&id).is_some());
    place.run(&["keys", "revoke", &id.to_lowercase()]).unwrap();
    assert_eq!(place.text(), SERVICES);
}

#[test]
fn a_secret_needs_something_to_seal_it() {
    let place = Place::new("", SERVICES);
    let error = place.run(&["keys", "create", "--service", "a", "--kind", "sigv4"]).unwrap_err();
    assert!(error.starts_with("error: there is no secrets key"), "{error}");
    assert_eq!(place.text(), SERVICES);
    let key = place.0.path().join("k");
    fs::write(&key, "").unwrap();
    let error = place.run(&["keys", "secrets-key", "--out", key.to_str().unwrap()]).unwrap_err();
    assert!(error.contains("could not be opened any more"), "{error}");
}

#[test]
fn a_rotated_key_counts_on_for_the_overlap() {
    let place = place();
    for (kind, overlap) in [("bearer", "2days"), ("sigv4", "5days")] {
        let made =
            place.run(&["keys", "create", "--service", "a", "--kind", kind, "--model", "m.*"]).unwrap();
        let before = keyring(&place);
        let id = key_id_of(&place);
        let rotated = place.run(&["keys", "rotate", &id, "--overlap", overlap]).unwrap();
        assert_ne!(made.lines().next(), rotated.lines().next());
        assert!(rotated.contains(&format!("# key {id} counts until ")), "{rotated}");
        let spec = load(&place.0.path().join("tollgate.toml"), []).unwrap().services.services.remove(0);
        let [old, new] = spec.keys.as_slice() else { panic!("{spec:?}") };
        assert_eq!((old.id.as_str(), &old.limits.models), (id.as_str(), &new.limits.models));
        let days: i64 = overlap[..1].parse().unwrap();
        let end = old.limits.expires.unwrap();
        assert!(end > in_days(days - 1) && end < in_days(days + 1) && new.limits.expires.is_none());
        // The key itself is the same.
        if kind == "bearer" {
            let secret = made.lines().next().unwrap();
            assert_eq!(before.bearer(secret).unwrap().id, keyring(&place).bearer(secret).unwrap().id);
        }
        for id in [old.id.clone(), new.id.clone()] {
            place.run(&["keys", "revoke", &id]).unwrap();
        }
        assert_eq!(place.text(), SERVICES);
    }
}

#[test]
fn a_revocation_that_no_gateway_takes_up_says_so() {
    let place = place();
    place.run(&["keys", "create", "--service", "a"]).unwrap();
    let id = key_id_of(&place);
    fs::write(place.0.path().join("tollgate.toml"), format!("{SECRETS}\nupstream.ca_bundle = 'none.pem'"))
        .unwrap();
    let error = place.run(&["keys", "revoke", &id]).unwrap_err();
    assert!(error.contains("upstream.ca_bundle: cannot read"), "{error}");
    // It is revoked all the same.
    assert_eq!(place.text(), SERVICES);
}

#[test]
fn a_secret_is_sealed_as_the_others_are() {
    let place = place();
    place.run(&["keys", "create", "--service", "a", "--kind", "sigv4"]).unwrap();
    let (file, before) = (place.0.path().join("secrets.key"), place.text());
    fs::remove_file(&file).unwrap();
    place.run(&["keys", "secrets-key", "--out", file.to_str().unwrap()]).unwrap();
    let error = place.run(&["keys", "create", "--service", "b", "--kind", "sigv4"]).unwrap_err();
    assert!(error.contains("stays shut: no secrets key opens it"), "{error}");
    assert_eq!(place.text(), before);
}

#[test]
fn a_key_that_has_ended_is_rotated_into_one_that_counts() {
    let services = format!(
        "[services.a.keys.abababababababab]\nsha256 = '{}'\nexpires = '2020-01-01'\n",
        "ab".repeat(32)
    );
    let place = Place::new("", &services);
    let error = place.run(&["keys", "rotate", "abab"]).unwrap_err();
    assert!(error.starts_with("error: key abababababababab has ended\nhint: "), "{error}");
    assert_eq!(place.text(), services);
    place.run(&["keys", "rotate", "abab", "--expires", "90days"]).unwrap();
    assert!(place.run(&["keys", "list"]).unwrap().contains("2020-01-01T00:00:00Z (over)"));
}

/// Returns the id of the only key.
fn key_id_of(place: &Place) -> String {
    let listed: serde_json::Value =
        serde_json::from_str(&place.run(&["keys", "list", "--format", "json"]).unwrap()).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    listed[0]["key_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_key_among_the_hashes_is_rotated_into_a_table() {
    let place = place();
    let made = place.run(&["keys", "create", "--service", "a"]).unwrap();
    place.run(&["keys", "rotate", &key_id_of(&place), "--overlap", "1day", "--expires", "90days"]).unwrap();
    let ring = keyring(&place);
    let old = ring.bearer(made.lines().next().unwrap()).unwrap();
    assert!(!old.is_expired(in_days(0)) && old.is_expired(in_days(2)));
    assert!(!place.text().contains("key_sha256"), "{}", place.text());
}

#[test]
fn tables_of_keys_are_checked() {
    let hash = "ab".repeat(32);
    for (table, expected) in [
        ("sha256 = 'x'", "services.a.keys.abababababababab.sha256: must be 64"),
        ("", "services.a.keys.abababababababab: has neither sha256 nor sealed_secret"),
        ("sealed_secret = 'v1.x'", "services.a.keys.abababababababab.sealed_secret: is no sealed secret"),
        ("expires = 'soon'", "services.a.keys.abababababababab.expires: 'soon' is no time"),
        ("operations = ['Fly']", "services.a.keys.abababababababab.operations[0]: 'Fly' is no operation"),
        ("limit = 1", "services.a.keys.abababababababab.limit: unknown key"),
    ] {
        let services = format!("[services.a.keys.abababababababab]\n{table}\n");
        let error = Place::new("", &services).run(&["check"]).unwrap_err();
        assert!(error.contains(expected), "{table}: {error}");
    }
    for (services, expected) in [
        (
            format!("[services.a.keys.cd]\nsha256 = '{hash}'"),
            "the key's id is not 'cd': its sha256 begins with abab",
        ),
        (
            format!(
                "[services.a]\nkey_sha256 = ['{hash}']\n[services.b.keys.abababababababab]\nsha256 = '{hash}'"
            ),
            "services.b.keys.abababababababab: the key is services.a.key_sha256[0] already",
        ),
    ] {
        let error = Place::new("", &services).run(&["check"]).unwrap_err();
        assert!(error.contains(expected), "{services}: {error}");
    }
}
