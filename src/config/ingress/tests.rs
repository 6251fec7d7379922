use crate::config::{Problem, load};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, IsCa, KeyIdMethod,
    KeyPair, SerialNumber,
};
use std::path::Path;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

fn in_days(days: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc() + Duration::days(days)
}

/// Writes `{stem}.crt` and `{stem}.key`.
fn certificate(folder: &Path, stem: &str, from: i64, until: i64) {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (in_days(from), in_days(until));
    let key = KeyPair::generate().unwrap();
    std::fs::write(folder.join(format!("{stem}.crt")), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(folder.join(format!("{stem}.key")), key.serialize_pem()).unwrap();
}

/// Returns a folder with certificates, a CA and its list of revoked certificates, and what is none of them.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (stem, from, until) in
        [("a", -1, 90), ("b", -1, 90), ("ended", -9, -1), ("soon", -1, 20), ("early", 1, 90)]
    {
        certificate(at, stem, from, until);
    }
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(at.join("ca.pem"), ca.pem()).unwrap();
    for (name, until) in [("ok.crl", 9), ("old.crl", -1)] {
        let list = CertificateRevocationListParams {
            this_update: in_days(-9),
            next_update: in_days(until),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        std::fs::write(at.join(name), list.signed_by(&ca).unwrap().pem().unwrap()).unwrap();
    }
    let pem = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    for (name, text) in [
        ("empty", String::new()),
        ("none.crt", pem("CERTIFICATE")),
        ("none.crl", pem("X509 CRL")),
        ("none.key", pem("PRIVATE KEY")),
        ("broken", "-----BEGIN CERTIFICATE-----\nAA".to_owned()),
        ("sealed.key", pem("ENCRYPTED PRIVATE KEY")),
    ] {
        std::fs::write(at.join(name), text).unwrap();
    }
    std::fs::write(at.join("services.toml"), "").unwrap();
    folder
}

/// Returns the problems, or else the warnings, that a config leads to, as text without the folder.
fn told(folder: &Path, config: &str) -> (bool, Vec<String>) {
    std::fs::write(folder.join("tollgate.toml"), config).unwrap();
    let text = |problems: &[Problem]| {
        let prefix = format!("{}/", folder.display());
        let texts = problems.iter().map(|problem| problem.to_string().replace(&prefix, ""));
        texts.filter(|text| !text.contains("services.toml")).collect()
    };
    match load(&folder.join("tollgate.toml"), []) {
        Ok(loaded) => (true, text(&loaded.warnings)),
        Err(problems) => (false, text(&problems.0)),
    }
}

const TLS: &str = "[listen.tls]\ncertificates = { 'a.crt' = 'a.key' }\n";

/// Configs with one mistake, and how the problem begins; `TLS` stands for a right beginning, of two lines.
const MISTAKES: &[(&str, &str)] = &[
    ("[listen.tls]", "tollgate.toml:1: listen.tls: names no certificate: set certificates, as in"),
    ("[listen.admin_tls]\nmin_version = '1.3'", "tollgate.toml:1: listen.admin_tls: names no certificate"),
    ("listen.tls.certificates = {}", "tollgate.toml:1: listen.tls.certificates: names no certificate"),
    (
        "listen.tls.certificates = { 'a.crt' = 1 }",
        "tollgate.toml:1: listen.tls.certificates.\"a.crt\": expected a string",
    ),
    ("listen.tls.client_ca = 'ca.pem'", "tollgate.toml:1: listen.tls: names no certificate"),
    ("TLS min_version = '1.1'", "tollgate.toml:3: listen.tls.min_version: '1.1' is not one of 1.2, 1.3"),
    ("TLS client_crl = ['ok.crl']", "tollgate.toml:3: listen.tls.client_crl: says nothing without client_ca"),
    (
        "TLS client_auth = 'required'",
        "tollgate.toml:3: listen.tls.client_auth: says nothing without client_ca",
    ),
    (
        "TLS client_auth = 'always'",
        "tollgate.toml:3: listen.tls.client_auth: 'always' is not one of optional, required",
    ),
    (
        "[listen.admin_tls]\ncertificates = { 'a.crt' = 'a.key' }\nclient_ca = 'ca.pem'",
        "tollgate.toml:3: listen.admin_tls.client_ca: unknown key",
    ),
    (
        "listen.tls.certificates = { 'x.crt' = 'a.key' }",
        "tollgate.toml:1: listen.tls.certificates: cannot read x.crt (No such file or directory (os error 2)): name the",
    ),
    (
        "listen.admin_tls.certificates = { 'a.crt' = 'x.key' }",
        "tollgate.toml:1: listen.admin_tls.certificates: cannot read x.key (No such file or directory (os error 2)): name",
    ),
    (
        "listen.tls.certificates = { 'empty' = 'a.key' }",
        "tollgate.toml:1: listen.tls.certificates: empty holds no certificate",
    ),
    (
        "listen.tls.certificates = { 'broken' = 'a.key' }",
        "tollgate.toml:1: listen.tls.certificates: broken is no valid PEM",
    ),
    (
        "listen.tls.certificates = { 'none.crt' = 'a.key' }",
        "tollgate.toml:1: listen.tls.certificates: none.crt holds what is no certificate",
    ),
    (
        "listen.tls.certificates = { 'a.crt' = 'a.crt' }",
        "tollgate.toml:1: listen.tls.certificates: a.crt holds no private key: use PEM",
    ),
    (
        "listen.tls.certificates = { 'a.crt' = 'none.key' }",
        "tollgate.toml:1: listen.tls.certificates: the key in none.key cannot be used (",
    ),
    (
        "listen.tls.certificates = { 'a.crt' = 'sealed.key' }",
        "tollgate.toml:1: listen.tls.certificates: the key in sealed.key is encrypted: `openssl pkey -in",
    ),
    (
        "listen.tls.certificates = { 'a.crt' = 'b.key' }",
        "tollgate.toml:1: listen.tls.certificates: the key in b.key is not that of the first certificate in a.crt: put both",
    ),
    ("TLS client_ca = 'x.pem'", "tollgate.toml:3: listen.tls.client_ca: cannot read x.pem"),
    (
        "TLS client_ca = 'none.crt'",
        "tollgate.toml:3: listen.tls.client_ca: certificate 1 of none.crt is none",
    ),
    (
        "TLS client_ca = 'ca.pem'\nclient_crl = ['x.crl']",
        "tollgate.toml:4: listen.tls.client_crl: cannot read x.crl",
    ),
    (
        "TLS client_ca = 'ca.pem'\nclient_crl = ['empty']",
        "tollgate.toml:4: listen.tls.client_crl: empty holds no list",
    ),
    (
        "TLS client_ca = 'ca.pem'\nclient_crl = ['none.crl']",
        "tollgate.toml:4: listen.tls.client_crl: none.crl is no list of revoked",
    ),
    (
        "TLS client_ca = 'ca.pem'\nclient_crl = ['']",
        "tollgate.toml:4: listen.tls.client_crl[0]: must name a file",
    ),
];

#[test]
fn each_mistake_names_file_and_key() {
    let folder = folder();
    for (config, expected) in MISTAKES {
        let (valid, told) = told(folder.path(), &config.replace("TLS ", TLS));
        assert!(!valid && told.len() == 1, "{config}\n{told:#?}");
        assert!(told[0].starts_with(expected), "expected {expected}\nfound {}", told[0]);
    }
}

#[test]
fn what_ends_soon_is_a_warning() {
    let folder = folder();
    let date = |days| in_days(days).date();
    for (config, expected) in [
        (TLS.to_owned(), None),
        (format!("{TLS}client_ca = 'ca.pem'\nclient_crl = ['ok.crl']"), None),
        (
            TLS.replace("a.", "ended."),
            Some(format!("ended.crt has ended on {}, and clients refuse it", date(-1))),
        ),
        (TLS.replace("a.", "soon."), Some(format!("soon.crt ends on {}, in 19 days: renew it", date(20)))),
        (TLS.replace("a.", "early."), Some(format!("early.crt holds only from {} on", date(1)))),
        (
            format!("{TLS}client_ca = 'ca.pem'\nclient_crl = ['ok.crl', 'old.crl']"),
            Some(format!("old.crl is out of date since {}: what it lists stays refused", date(-1))),
        ),
    ] {
        let (valid, told) = told(folder.path(), &config);
        assert!(valid && told.len() == usize::from(expected.is_some()), "{config}\n{told:#?}");
        let found = told.first().map_or("", String::as_str);
        assert!(found.contains(&expected.unwrap_or_default()), "{found}");
    }
}

#[test]
fn every_file_is_watched_also_one_that_was_wrong() {
    let folder = folder();
    let names = |files: &[std::path::PathBuf]| -> Vec<String> {
        files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
    };
    let config = format!(
        "{TLS}client_ca = 'ca.pem'\nclient_crl = ['ok.crl']\n[listen.admin_tls]\ncertificates = {{ 'b.crt' = 'b.key' }}"
    );
    assert!(told(folder.path(), &config).0);
    let loaded = load(&folder.path().join("tollgate.toml"), []).unwrap();
    let files: Vec<_> = loaded.files.iter().map(|file| file.path.clone()).collect();
    assert_eq!(
        names(&files),
        ["tollgate.toml", "services.toml", "a.crt", "a.key", "ca.pem", "ok.crl", "b.crt", "b.key"]
    );
    assert!(!told(folder.path(), "listen.tls.certificates = { 'a.crt' = 'b.key' }").0);
    let problems = load(&folder.path().join("tollgate.toml"), []).unwrap_err();
    assert_eq!(names(&problems.0[0].about), ["a.crt", "b.key"]);
}

#[test]
fn secrets_are_not_shown() {
    let folder = folder();
    std::fs::write(folder.path().join("token"), "0123456789abcdef").unwrap();
    assert!(told(folder.path(), &format!("listen.admin_token_file = 'token'\n{TLS}")).0);
    let loaded = load(&folder.path().join("tollgate.toml"), []).unwrap();
    let text = format!("{:?}", loaded.ingress);
    assert!(!text.contains("0123456789abcdef") && text.contains("AdminToken"), "{text}");
}
