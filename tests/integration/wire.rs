//! A connection whose every byte a test writes itself.

use crate::gateway::{Answer, DEADLINE};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A connection, and what came of it and is not read yet.
pub(crate) struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), unread: Vec::new() }
    }

    /// Writes; whoever refuses a request may close before all of it is out.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Says that nothing more will be written.
    pub(crate) async fn half_close(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Reads an answer, or an interim one (1xx).
    pub(crate) async fn answer(&mut self) -> Answer {
        let head = loop {
            let end = self.unread.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                break self.unread.drain(..end + 4).collect::<Vec<u8>>();
            }
            assert!(self.read_more().await, "closed before an answer: {:?}", self.unread.escape_ascii());
        };
        let (status, headers) = parse_head(&head);
        let length = headers.get("content-length").map(|value| value.to_str().unwrap().parse().unwrap());
        let body = match length {
            _ if status.is_informational() => Vec::new(),
            Some(length) => self.take(length).await,
            None if headers.contains_key("transfer-encoding") => self.take_chunks().await,
            None => {
                while self.read_more().await {}
                std::mem::take(&mut self.unread)
            }
        };
        Answer { status, headers, body: Bytes::from(body) }
    }

    /// Waits until the other side closes, and tells whether nothing more came.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && !self.read_more().await
    }

    async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length {
            assert!(self.read_more().await, "closed within a body");
        }
        self.unread.drain(..length).collect()
    }

    async fn take_chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                match self.unread.windows(2).position(|two| two == b"\r\n") {
                    Some(end) => break end,
                    None => assert!(self.read_more().await, "closed within a chunk"),
                }
            };
            let line = String::from_utf8(self.take(end + 2).await).unwrap();
            let length = usize::from_str_radix(line.trim_end(), 16).unwrap();
            let chunk = self.take(length + 2).await;
            body.extend_from_slice(&chunk[..length]);
            if length == 0 {
                return body;
            }
        }
    }

    /// Returns false at the end, be it orderly or not.
    async fn read_more(&mut self) -> bool {
        let reading = self.stream.read_buf(&mut self.unread);
        tokio::time::timeout(DEADLINE, reading).await.expect("nothing came").unwrap_or(0) > 0
    }
}

fn parse_head(head: &[u8]) -> (StatusCode, HeaderMap) {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let status = StatusCode::from_bytes(&lines.next().unwrap()[9..12]).unwrap();
    let mut headers = HeaderMap::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':').unwrap();
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).unwrap();
        headers.append(HeaderName::from_bytes(&line[..colon]).unwrap(), value);
    }
    (status, headers)
}

/// Headers as they are written.
pub(crate) type Headers<'a> = &'a [(&'a str, &'a [u8])];

/// Returns a request's head, with `host` in it.
pub(crate) fn head(line: &str, headers: Headers<'_>) -> Vec<u8> {
    let mut head = format!("{line} HTTP/1.1\r\nhost: gateway\r\n").into_bytes();
    for (name, value) in headers {
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Returns a whole request, with `content-length` in it.
pub(crate) fn request(line: &str, headers: Headers<'_>, body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    let all: Vec<_> = headers.iter().copied().chain([("content-length", length.as_bytes())]).collect();
    let mut request = head(line, &all);
    request.extend_from_slice(body);
    request
}

/// Answers every request with the same bytes, until it is dropped.
pub(crate) struct Scripted {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Scripted {
    /// Begins to answer. The connection is kept; bytes without a length need `connection: close` in them.
    pub(crate) async fn answering(response: impl Into<Bytes>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, response) = (listener.local_addr().unwrap(), response.into());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer_all(stream, response.clone()));
            }
        });
        Self { address, _tasks: tasks }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn answer_all(mut stream: TcpStream, response: Bytes) {
    let closes = response.windows(17).any(|bytes| bytes == b"connection: close");
    let mut unread = Vec::new();
    while stream.read_buf(&mut unread).await.is_ok_and(|read| read > 0) {
        let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&unread[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap_or("0");
        let length: usize = length.trim().parse().unwrap();
        if unread.len() < end + 4 + length {
            continue;
        }
        unread.drain(..end + 4 + length);
        if stream.write_all(&response).await.is_err() || closes {
            return;
        }
    }
}
