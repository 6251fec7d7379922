//! Signatures of AWS's public test suite, and those of `aws-sigv4`, whole and with something changed.

use super::*;
use crate::config::{KeyLimits, KeySpec, Proof, ServiceSpec, ServicesFile};
use crate::domain::ServiceName;
use crate::keys::{Keyring, new_access_key_id, seal_context};
use crate::vault::{KEY_LEN, Material, Vault};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::{SigningParams, calculate_signature, generate_signing_key};
use proptest::prelude::*;
use secrecy::zeroize::Zeroizing;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::time::SystemTime;

/// The secret of the test suite's credentials.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// The test suite, which comes with the crate that signs.
fn suite() -> PathBuf {
    // What only other platforms need may not be here.
    let version = Command::new(env!("CARGO")).arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", host])
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let signer = packages.iter().find(|package| package["name"] == "aws-sigv4").unwrap();
    let manifest = PathBuf::from(signer["manifest_path"].as_str().unwrap());
    manifest.with_file_name("aws-signing-test-suite").join("v4")
}

/// A request of the suite, signed.
struct Vector {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: String,
}

impl Vector {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
        let target = target.strip_suffix(" HTTP/1.1").unwrap_or(target);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers: Vec<(HeaderName, String)> = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            // What no server of today takes: a value that goes on in the next line.
            if let Some((_, value)) = headers.last_mut().filter(|_| line.starts_with(' ')) {
                value.push_str(line);
                continue;
            }
            let (name, value) = line.split_once(':').unwrap();
            headers.push((name.to_ascii_lowercase().parse().unwrap(), value.to_owned()));
        }
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        Self {
            method: method.parse().unwrap(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: map,
            body: body.to_owned(),
        }
    }

    /// Verifies it as this module does, for the service that it is scoped to.
    fn holds(&self) -> bool {
        let authorization = self.headers[AUTHORIZATION].as_bytes();
        let signed = Authorization::parse(authorization).unwrap();
        let scope = signed.scope().unwrap();
        let stamp = self.headers[X_AMZ_DATE].to_str().unwrap();
        let at = SystemTime::from(parse_amz_date(stamp).unwrap());
        let key = generate_signing_key(SECRET, at, scope.region, scope.service);
        let body_sha256 = Sha256::digest(self.body.as_bytes()).into();
        let covered = Covered {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            authority: None,
            headers: &self.headers,
            body_sha256: &body_sha256,
        };
        let names = signed.signed_headers().unwrap();
        let payload = payload(covered, Payload::Signed).unwrap();
        fits(covered, &names, &payload, |request| {
            let hash = hex(&Sha256::digest(request));
            let to_sign = [ALGORITHM, "\n", stamp, "\n", scope.text, "\n", &hash].concat();
            calculate_signature(&key, to_sign.as_bytes()) == signed.signature().unwrap()
        })
    }
}

#[test]
fn the_public_test_suite_passes() {
    let mut count = 0;
    for folder in std::fs::read_dir(suite()).unwrap() {
        let folder = folder.unwrap().path();
        let text = std::fs::read_to_string(folder.join("header-signed-request.txt")).unwrap();
        // One that the crate has added is signed with credentials that nobody tells.
        if !text.contains("Credential=AKIDEXAMPLE/") {
            continue;
        }
        let mut vector = Vector::read(&text);
        assert!(vector.holds(), "{}", folder.display());
        vector.path.push('x');
        assert!(!vector.holds(), "{} with another path", folder.display());
        count += 1;
    }
    assert!(count >= 39, "{count}");
}

/// A service's access key, and the keyring that has it.
struct Signer {
    id: String,
    keyring: Keyring,
}

static SIGNER: LazyLock<Signer> = LazyLock::new(|| {
    let vault = Vault::plain(&[Material::Plain(Arc::new(Zeroizing::new([1; KEY_LEN])))]).unwrap();
    let id = new_access_key_id().unwrap();
    let mut service = ServiceSpec::new(ServiceName::parse("a").unwrap());
    let sealed = vault.seal(&seal_context(&service.name, &id), &SECRET.into()).unwrap();
    let (proof, limits) = (Proof::Signature(sealed), KeyLimits::default());
    service.keys.push(KeySpec { id: id.clone(), proof, limits });
    let keyring = Keyring::build(&ServicesFile { services: vec![service] }, &vault).unwrap();
    Signer { id, keyring }
});

/// 2026-01-02T03:04:05Z.
const AT: i64 = 1_767_323_045;

/// A request, as it comes.
#[derive(Debug, Clone)]
struct Sent {
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Sent {
    /// Signs it as the AWS SDK for Rust does.
    fn sign(mut self) -> Self {
        let identity = Credentials::new(&SIGNER.id, SECRET, None, None, "test").into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region("eu-west-1")
            .name(SERVICE)
            .time(SystemTime::from(OffsetDateTime::from_unix_timestamp(AT).unwrap()))
            .settings(SigningSettings::default())
            .build()
            .unwrap();
        let uri = format!("http://gateway{}?{}", self.path, self.query);
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let body = SignableBody::Bytes(&self.body);
        let request = SignableRequest::new("POST", uri.trim_end_matches('?'), headers, body).unwrap();
        let (instructions, _) = sign(request, &params.into()).unwrap().into_parts();
        let signed = instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.headers.extend(signed.collect::<Vec<_>>());
        self
    }

    fn verdict(&self) -> Result<(), SignatureError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        let authorization = headers[AUTHORIZATION].clone();
        let malformed = SignatureError::Malformed("authorization");
        let signed = Authorization::parse(authorization.as_bytes()).ok_or(malformed.clone())?;
        let access_key = SIGNER.keyring.access_key(signed.access_key_id()).ok_or(malformed)?;
        let now = OffsetDateTime::from_unix_timestamp(AT).unwrap();
        let claim = Claim::new(&signed, access_key, &headers, now)?;
        let body_sha256 = Sha256::digest(&self.body).into();
        let covered = Covered {
            method: &Method::POST,
            path: &self.path,
            query: &self.query,
            authority: None,
            headers: &headers,
            body_sha256: &body_sha256,
        };
        claim.verify(covered, Payload::Signed)
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let segment = "([A-Za-z0-9._~:;,@!$&'()*+=-]|%[2-7][0-9A-F]){1,20}";
    let path =
        proptest::collection::vec(segment.prop_filter("dots", |s| !matches!(s.as_str(), "." | "..")), 1..6);
    let query = "([a-z0-9&=._~-]|%[2-7][0-9A-F]){0,30}";
    let metadata = "[!-~]([ -~]{0,30}[!-~])?";
    let body = proptest::collection::vec(any::<u8>(), 1..80);
    (path, query, metadata, body).prop_map(|(path, query, metadata, body)| Sent {
        path: format!("/{}", path.join("/")),
        query,
        headers: vec![
            ("host".to_owned(), "gateway".to_owned()),
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-amzn-bedrock-request-metadata".to_owned(), metadata),
        ],
        body,
    })
}

/// What is done to a signed request.
type Change = fn(&mut Sent, prop::sample::Index);

/// Puts another character in the place of one.
fn change(text: &mut String, at: prop::sample::Index) {
    let at = at.index(text.len());
    let other = if text.as_bytes()[at] == b'x' { "y" } else { "x" };
    text.replace_range(at..=at, other);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_the_sdk_signs_holds_and_nothing_that_was_changed(sent in sent(), at in any::<prop::sample::Index>()) {
        let signed = sent.sign();
        prop_assert_eq!(signed.verdict(), Ok(()));
        let changes: [(&str, Change); 6] = [
            ("path", |sent, at| {
                let mut rest = sent.path.split_off(1);
                change(&mut rest, at);
                sent.path.push_str(&rest);
            }),
            ("query", |sent, at| if sent.query.is_empty() { sent.query.push('x') } else { change(&mut sent.query, at) }),
            ("body", |sent, at| { let at = at.index(sent.body.len()); sent.body[at] ^= 1 }),
            ("header", |sent, at| change(&mut sent.headers[2].1, at)),
            ("content type", |sent, at| change(&mut sent.headers[1].1, at)),
            ("authorization", |sent, at| {
                let value = &mut sent.headers.iter_mut().find(|(name, _)| name == "authorization").unwrap().1;
                change(value, at);
            }),
        ];
        for (what, change) in changes {
            let mut changed = signed.clone();
            change(&mut changed, at);
            prop_assert!(changed.verdict().is_err(), "{} changed: {:?}", what, changed);
        }
    }
}

#[test]
fn what_the_canonical_form_erases_still_holds() {
    let sent = Sent {
        path: "/s/a/model/m%3A0/converse".to_owned(),
        query: "b=2&a=1&a=0".to_owned(),
        headers: vec![
            ("host".to_owned(), "gateway".to_owned()),
            ("x-amzn-bedrock-trace".to_owned(), "a b".to_owned()),
        ],
        body: b"{}".to_vec(),
    };
    let signed = sent.sign();
    let with = |change: &dyn Fn(&mut Sent)| {
        let mut changed = signed.clone();
        change(&mut changed);
        changed.verdict()
    };
    for (path, query) in [
        ("/s/a//model/m%3A0/converse", "b=2&a=1&a=0"),
        ("/s/./a/x/../model/m%3A0/converse", "b=2&a=1&a=0"),
        ("/s/a/model/m%3A0/converse", "a=0&a=1&b=2"),
        ("/s/a/model/m%3A0/converse", "&b=2&&a=1&a=0&"),
    ] {
        let outcome = with(&|sent| (sent.path, sent.query) = (path.to_owned(), query.to_owned()));
        assert_eq!(outcome, Ok(()), "{path}?{query}");
    }
    assert_eq!(with(&|sent| sent.headers[1].1 = "  a   b ".to_owned()), Ok(()));
    // Nothing else: case of escapes, of a host, of a value.
    assert!(with(&|sent| sent.path = "/s/a/model/m%3a0/converse".to_owned()).is_err());
    assert!(with(&|sent| sent.headers[0].1 = "Gateway".to_owned()).is_err());
    assert!(with(&|sent| sent.headers[1].1 = "A b".to_owned()).is_err());
}

#[test]
fn the_body_has_to_be_signed() {
    let sent = Sent {
        path: "/a".to_owned(),
        query: String::new(),
        headers: vec![("host".to_owned(), "gateway".to_owned())],
        body: b"{}".to_vec(),
    };
    let with = |hash: &str| {
        let mut sent = sent.clone();
        sent.headers.push(("x-amz-content-sha256".to_owned(), hash.to_owned()));
        sent.sign().verdict()
    };
    assert_eq!(with(&hex(&Sha256::digest(b"{}"))), Ok(()));
    assert_eq!(with(&hex(&Sha256::digest(b"{ }"))), Err(SignatureError::OtherBody));
    for unsigned in [UNSIGNED_PAYLOAD, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"] {
        assert_eq!(with(unsigned), Err(SignatureError::UnsignedBody));
    }
    // A header with a meaning that the signature does not cover.
    let mut open = sent.clone().sign();
    open.headers.push(("x-amzn-bedrock-trace".to_owned(), "ENABLED".to_owned()));
    assert_eq!(open.verdict(), Err(SignatureError::NotCovered("x-amzn-bedrock-trace".to_owned())));
}
