//! TLS, with a server whose certificate a CA of its own made.

use super::*;
use std::path::Path;

fn refusal(url: &str) -> String {
    match PostgresStore::open(url, None, Access::Write, &[]) {
        Err(StoreError::Unusable { reason, hint, .. }) => format!("{reason}; {hint}"),
        other => panic!("{other:?}"),
    }
}

/// Gives the server a certificate for `localhost`, and returns the PEM of the CA that made it.
fn certify(client: &mut ::postgres::Client) -> String {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let key = rcgen::KeyPair::generate().unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let own = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let own = own.signed_by(&key, &issuer).unwrap();
    for (file, pem) in [("server.key", key.serialize_pem()), ("server.crt", own.pem())] {
        let lines = format!("SELECT unnest(string_to_array(trim('{}'), chr(10)))", pem.replace('\r', ""));
        let write = format!("COPY ({lines}) TO PROGRAM 'umask 077; cat > {file}'");
        client.batch_execute(&write).unwrap();
    }
    client.batch_execute("ALTER SYSTEM SET ssl = on").unwrap();
    ca_pem
}

fn url_with(url: &str, parameters: &str) -> String {
    url.replace("sslmode=disable", parameters).replace("127.0.0.1", "localhost")
}

#[test]
fn a_certificate_is_checked() {
    let Some(mut server) = Server::start() else { return };
    let url = server.create("ledger");
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, certify(&mut admin(&url))).unwrap();
    server.stop();
    server.start_again();

    let trusting =
        |mode: &str, ca: &Path| url_with(&url, &format!("sslmode={mode}&sslrootcert={}", ca.display()));
    let mut store = open(&trusting("verify-full", &ca));
    assert_eq!(store.append(&[samples::plain(1, 0)]).unwrap(), 1);
    let in_use = "SELECT count(*) FROM pg_stat_ssl WHERE ssl";
    assert_eq!(admin(&url).query_one(in_use, &[]).unwrap().get::<_, i64>(0), 1);

    for mode in ["prefer", "require"] {
        let refusal = refusal(&url_with(&url, &format!("sslmode={mode}")));
        assert!(refusal.contains("UnknownIssuer") && refusal.contains("sslrootcert"), "{refusal}");
    }
    let elsewhere = trusting("require", &ca).replace("localhost", "127.0.0.1");
    assert!(refusal(&elsewhere).contains("not valid for name"), "{}", refusal(&elsewhere));
    assert!(refusal(&trusting("require", &folder.path().join("none.pem"))).contains("none.pem"));
}

#[test]
fn a_server_without_tls_is_used_only_where_that_is_allowed() {
    let Some(url) = database() else { return };
    open(&url_with(&url, "sslmode=prefer"));
    assert!(refusal(&url_with(&url, "sslmode=require")).contains("server does not support TLS"));
}
