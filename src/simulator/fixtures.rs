//! A simulator with a profile, the SDK's client, and a client that shows every byte.

use super::{Settings, SimulatedProfile, Simulator, demo_credentials};
use crate::clock::Clock;
use crate::domain::{ModelId, Operation};
use crate::forward::WirePath;
use crate::forward::sign::{Scope, Signable, SigningKeys, X_AMZ_DATE, X_AMZ_SECURITY_TOKEN, covers, sign};
use crate::tap::{End, Reading, Tap};
use aws_credential_types::Credentials;
use aws_sdk_bedrockruntime::config::retry::RetryConfig;
use aws_sdk_bedrockruntime::config::{BehaviorVersion, Region};
use aws_sigv4::http_request::{self, SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4::SigningParams;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sha2::{Digest, Sha256};
use std::io::ErrorKind;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(super) const ARN: &str =
    "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abc123def456";
pub(super) const CLAUDE: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";
/// A body that every family takes; 12 bytes of text.
pub(super) const BODY: &str = r#"{"messages":[{"role":"user","content":[{"text":"How are you?"}]}]}"#;

/// The calls that use tokens, by the last segment of their path.
pub(super) const CALLS: [(&str, Operation); 4] = [
    ("invoke", Operation::InvokeModel),
    ("invoke-with-response-stream", Operation::InvokeModelWithResponseStream),
    ("converse", Operation::Converse),
    ("converse-stream", Operation::ConverseStream),
];

pub(super) async fn start_with(pace: Duration) -> Simulator {
    let profile = SimulatedProfile {
        arn: ARN.to_owned(),
        source_model: format!("arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.{CLAUDE}"),
        tags: [("service".to_owned(), "checkout".to_owned())].into(),
    };
    Simulator::start(Settings { pace, profiles: vec![profile], ..Settings::default() }).await.unwrap()
}

pub(super) async fn start() -> Simulator {
    start_with(Duration::ZERO).await
}

pub(super) fn sdk(simulator: &Simulator) -> aws_sdk_bedrockruntime::Client {
    let config = aws_sdk_bedrockruntime::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-west-2"))
        .credentials_provider(demo_credentials())
        .endpoint_url(simulator.endpoint())
        .retry_config(RetryConfig::disabled())
        .build();
    aws_sdk_bedrockruntime::Client::from_conf(config)
}

/// A request for the wire.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    pub(super) credentials: Credentials,
    pub(super) signed_at: Duration,
    pub(super) region: &'static str,
    /// The service's name in the signature.
    pub(super) signing_name: &'static str,
    /// Headers added behind the signature's back.
    pub(super) unsigned: Vec<(&'static str, String)>,
}

impl Ask {
    pub(super) fn new(method: Method, path: &str, body: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            query: String::new(),
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.into(),
            credentials: demo_credentials(),
            signed_at: Clock::system().since_epoch(),
            region: "us-west-2",
            signing_name: "bedrock",
            unsigned: Vec::new(),
        }
    }

    /// A call of a model.
    pub(super) fn call(model: &str, operation: &str) -> Self {
        let model = crate::operation::encode(model);
        Self::new(Method::POST, &format!("/model/{model}/{operation}"), BODY)
    }

    /// The same, with one more header.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The same, with something going wrong.
    pub(super) fn fault(self, fault: &str) -> Self {
        self.with("x-sim-fault", fault)
    }

    fn wire(&self, host: &str) -> Vec<u8> {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_str(host).unwrap());
        for (name, value) in &self.headers {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        self.sign(&mut headers);
        for (name, value) in &self.unsigned {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query) };
        let mut wire = format!("{} {}{query} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        for (name, value) in &headers {
            wire.extend_from_slice(format!("{name}: {}\r\n", value.to_str().unwrap()).as_bytes());
        }
        let length = self.body.len();
        wire.extend_from_slice(format!("content-length: {length}\r\nconnection: close\r\n\r\n").as_bytes());
        wire.extend_from_slice(&self.body);
        wire
    }

    /// Signs as the gateway does, and for other services than Bedrock as the SDK does.
    fn sign(&self, headers: &mut HeaderMap) {
        if self.signing_name != "bedrock" {
            return self.sign_as_sdk(headers);
        }
        let hash = Sha256::digest(&self.body).into();
        let path = WirePath::from(self.path.clone());
        let request = Signable { method: &self.method, path: &path, query: &self.query, body_sha256: &hash };
        let scope =
            Scope { credentials: &self.credentials, region: self.region, since_epoch: self.signed_at };
        let covered = headers.iter().filter(|(name, _)| covers(name));
        let covered = covered.map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let signature = sign(request, covered, &SigningKeys::default(), scope).unwrap();
        headers.insert(X_AMZ_DATE, HeaderValue::from_str(&signature.amz_date).unwrap());
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(&signature.authorization).unwrap());
        if let Some(token) = self.credentials.session_token() {
            headers.insert(X_AMZ_SECURITY_TOKEN, HeaderValue::from_str(token).unwrap());
        }
    }

    fn sign_as_sdk(&self, headers: &mut HeaderMap) {
        let identity = self.credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.signing_name)
            .time(SystemTime::UNIX_EPOCH + self.signed_at)
            .settings(SigningSettings::default())
            .build()
            .unwrap();
        let uri = format!("http://{}{}", headers["host"].to_str().unwrap(), self.path);
        let covered = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let body = SignableBody::Bytes(&self.body);
        let request = SignableRequest::new(self.method.as_str(), uri, covered, body).unwrap();
        let (instructions, _) = http_request::sign(request, &params.into()).unwrap().into_parts();
        let mut signed = http::Request::new(());
        instructions.apply_to_request_http1x(&mut signed);
        headers.extend(std::mem::take(signed.headers_mut()));
    }

    /// Sends the request and returns the connection.
    pub(super) async fn open(&self, simulator: &Simulator) -> TcpStream {
        let mut stream = TcpStream::connect(simulator.address()).await.unwrap();
        stream.write_all(&self.wire(&simulator.address().to_string())).await.unwrap();
        stream
    }

    /// Sends the request and reads all that comes.
    pub(super) async fn send(&self, simulator: &Simulator) -> Heard {
        Heard::read(self.open(simulator).await).await
    }
}

/// All that came over a connection, and how it ended.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// The body without its chunks' framing.
    pub(super) body: Vec<u8>,
    /// The lengths of its chunks; with a content length, none.
    pub(super) chunks: Vec<usize>,
    /// Whether the body has the length that its framing promised.
    pub(super) is_whole: bool,
    /// The error that ended the connection.
    pub(super) error: Option<ErrorKind>,
}

impl Heard {
    pub(super) async fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        let error = stream.read_to_end(&mut bytes).await.err().map(|error| error.kind());
        Self::parse(&bytes, error)
    }

    pub(super) fn parse(bytes: &[u8], error: Option<ErrorKind>) -> Self {
        let empty = Self {
            status: 0,
            headers: HeaderMap::new(),
            body: Vec::new(),
            chunks: Vec::new(),
            is_whole: false,
            error,
        };
        let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return empty };
        let mut lines = std::str::from_utf8(&bytes[..end]).unwrap().split("\r\n");
        let status = lines.next().unwrap()[9..12].parse().unwrap();
        let pair = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        let headers: HeaderMap = lines.map(pair).collect();
        let heard = Self { status, headers, ..empty };
        heard.with_body(&bytes[end + 4..])
    }

    fn with_body(mut self, bytes: &[u8]) -> Self {
        if let Some(length) = self.headers.get("content-length") {
            self.is_whole = length.to_str().unwrap() == bytes.len().to_string();
            self.body = bytes.to_vec();
            return self;
        }
        let mut rest = bytes;
        while let Some(at) = memchr::memmem::find(rest, b"\r\n") {
            let length = usize::from_str_radix(std::str::from_utf8(&rest[..at]).unwrap(), 16).unwrap();
            if length == 0 {
                self.is_whole = true;
                break;
            }
            let piece = &rest[at + 2..];
            let taken = length.min(piece.len());
            self.body.extend_from_slice(&piece[..taken]);
            self.chunks.push(taken);
            rest = piece.get(length + 2..).unwrap_or_default();
        }
        self
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Returns what our tap reads in an answer.
pub(super) fn read(operation: Operation, model: &str, heard: &Heard) -> Reading {
    let model = ModelId::parse(model).unwrap();
    let mut tap = Tap::new(operation, Some(&model), heard.status, &heard.headers, 0);
    tap.feed(&bytes::Bytes::from(heard.body.clone()));
    tap.finish(End::Complete)
}
