//! Whole calls through a gateway that serves, from the client's socket to upstream's and back, all on one thread.
//!
//! What the client and the upstream here take is counted too: little, and always the same.

use crate::{Stage, fixtures};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use http::header::HOST;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tollgate::access_log::AccessLog;
use tollgate::config::load;
use tollgate::server::{Server, Surroundings};

/// A gateway at work, and what it is in front of.
pub(crate) struct Serving {
    data: SocketAddr,
    _server: Server,
}

/// Answers as Bedrock would, each in one write.
struct Answers {
    converse: Vec<u8>,
    stream: Vec<u8>,
    /// What every request ends with.
    request_end: Vec<u8>,
}

impl Serving {
    /// Starts a gateway with its files in a folder, and with such settings.
    pub(crate) fn start(runtime: &Runtime, folder: &Path, settings: &str) -> Self {
        std::fs::create_dir(folder).unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let upstream = format!("http://{}", listener.local_addr().unwrap());
            let loaded = load(&fixtures::write_config(folder, &upstream, settings), Vec::new()).unwrap();
            let credentials = Credentials::new("AKIDEXAMPLE", "s", None, None, "bench");
            // The log's own thread goes on, and is not counted.
            let (access_log, guard) = AccessLog::start(std::io::sink()).unwrap();
            std::mem::forget(guard);
            let surroundings = Surroundings {
                credentials: SharedCredentialsProvider::new(credentials),
                access_log: Some(access_log),
            };
            let server = Server::start(loaded, surroundings).await.unwrap();
            let answers = Arc::new(Answers::new());
            let tasks = &server.gateway().shutdown.tasks;
            let of_connections = tasks.clone();
            tasks.spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    of_connections.spawn(answer(stream, Arc::clone(&answers)));
                }
            });
            Self { data: server.data(), _server: server }
        })
    }

    /// Returns a call of Converse, on a connection of its own that is kept.
    pub(crate) fn converse<'a>(&self, runtime: &'a Runtime, name: &'static str) -> Stage<'a> {
        let answer = fixtures::answer();
        let end = answer.get(answer.len() - 16..).unwrap().to_vec();
        (name, self.call(runtime, fixtures::PATH, end))
    }

    /// The same, of `ConverseStream`.
    pub(crate) fn stream<'a>(&self, runtime: &'a Runtime, name: &'static str) -> Stage<'a> {
        (name, self.call(runtime, &format!("{}-stream", fixtures::PATH), b"\r\n0\r\n\r\n".to_vec()))
    }

    fn call<'a>(&self, runtime: &'a Runtime, path: &str, end: Vec<u8>) -> Box<dyn FnMut() + 'a> {
        let (data, request) = (self.data, request(path));
        let mut connection = None;
        let mut buffer = Vec::with_capacity(16 << 10);
        Box::new(move || {
            runtime.block_on(async {
                let stream = match &mut connection {
                    Some(stream) => stream,
                    // Not before the first call, which a new connection may not be without for long.
                    None => connection.insert(TcpStream::connect(data).await.unwrap()),
                };
                stream.write_all(&request).await.unwrap();
                buffer.clear();
                read_until(stream, &mut buffer, &end).await;
            });
            assert!(buffer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&buffer));
        })
    }
}

fn request(path: &str) -> Vec<u8> {
    let body = fixtures::request();
    let mut request = format!("POST {path} HTTP/1.1\r\ncontent-length: {}\r\n", body.len()).into_bytes();
    let mut headers = fixtures::by_header();
    headers.entry(HOST).or_insert(http::HeaderValue::from_static("127.0.0.1"));
    for (name, value) in &headers {
        request.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    [request, b"\r\n".to_vec(), body].concat()
}

impl Answers {
    fn new() -> Self {
        let head = |kind: &str, framing: &str| {
            format!(
                "HTTP/1.1 200 OK\r\ndate: Fri, 02 Jan 2026 03:04:05 GMT\r\ncontent-type: {kind}\r\n{framing}\r\n\
                 connection: keep-alive\r\nx-amzn-requestid: 1a6f0f1c-7a1c-4f3b-9d4e-4e7a1f0c9b52\r\n\r\n"
            )
            .into_bytes()
        };
        let body = fixtures::answer();
        let length = format!("content-length: {}", body.len());
        let converse = [head("application/json", &length), body].concat();
        let mut stream = head("application/vnd.amazon.eventstream", "transfer-encoding: chunked");
        for event in fixtures::events() {
            stream.extend([format!("{:x}\r\n", event.len()).as_bytes(), &event, b"\r\n"].concat());
        }
        stream.extend(b"0\r\n\r\n");
        let request = fixtures::request();
        Self { converse, stream, request_end: request.get(request.len() - 16..).unwrap().to_vec() }
    }
}

/// Answers the requests of a connection.
async fn answer(mut stream: TcpStream, answers: Arc<Answers>) {
    let mut buffer = Vec::with_capacity(16 << 10);
    loop {
        buffer.clear();
        read_until(&mut stream, &mut buffer, &answers.request_end).await;
        let line = buffer.split(|byte| *byte == b'\r').next().unwrap();
        let is_stream = line.ends_with(b"/converse-stream HTTP/1.1");
        let answer = if is_stream { &answers.stream } else { &answers.converse };
        stream.write_all(answer).await.unwrap();
    }
}

/// Reads until that comes which a message ends with.
async fn read_until(stream: &mut TcpStream, buffer: &mut Vec<u8>, end: &[u8]) {
    while !buffer.ends_with(end) {
        assert!(stream.read_buf(buffer).await.unwrap() > 0, "the connection ended");
    }
}
