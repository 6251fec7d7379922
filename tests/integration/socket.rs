//! A client that shows every byte, and how a connection ended.

use crate::gateway::{DEADLINE, converse_body};
use std::io::ErrorKind;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A request for the wire, after which the connection is to be closed.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    version: &'static str,
}

impl Ask {
    /// A call that carries the name of its case to upstream and into its record.
    pub(crate) fn new(path: &str, case: &str) -> Self {
        let headers = vec![("x-case", case.to_owned()), ("x-tollgate-labels", format!("case={case}"))];
        Self { path: path.to_owned(), headers, version: "1.1" }
    }

    /// The same, with one more header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The same, by a client that knows no chunks: the end of the connection ends the body.
    pub(crate) fn of_old(self) -> Self {
        Self { version: "1.0", ..self }
    }

    /// Returns the request's bytes.
    pub(crate) fn wire(&self) -> Vec<u8> {
        let body = converse_body(TEXT);
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let (path, version, length) = (&self.path, self.version, body.len());
        let headers: String = headers.collect();
        format!(
            "POST {path} HTTP/{version}\r\nhost: gateway\r\n{headers}content-type: application/json\r\n\
             connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// Sends the request.
    pub(crate) async fn open(&self, at: SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(&self.wire()).await.unwrap();
        stream
    }

    /// Sends the request and reads all that comes.
    pub(crate) async fn send(&self, at: SocketAddr) -> Heard {
        Heard::read(self.open(at).await).await
    }
}

/// The text of every request: an estimate of it is 3 tokens.
pub(crate) const TEXT: &str = "How are you?";

/// All that came over a connection, and how it ended.
#[derive(Debug)]
pub(crate) struct Heard {
    /// Zero where no head came.
    pub(crate) status: u16,
    pub(crate) head: String,
    /// The body without its framing.
    pub(crate) body: Vec<u8>,
    /// Whether the body is as long as its framing promised.
    pub(crate) is_whole: bool,
    /// The error that ended the connection.
    pub(crate) error: Option<ErrorKind>,
}

impl Heard {
    /// Reads to the connection's end.
    pub(crate) async fn read(stream: impl AsyncRead + Unpin) -> Self {
        Self::read_on(stream, Vec::new()).await
    }

    /// Reads to the connection's end what follows the bytes that came already.
    pub(crate) async fn read_on(mut stream: impl AsyncRead + Unpin, mut bytes: Vec<u8>) -> Self {
        let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.unwrap();
        Self::parse(&bytes, read.err().map(|error| error.kind()))
    }

    /// Reads until that much of the body is there.
    pub(crate) async fn read_body(stream: &mut (impl AsyncRead + Unpin), length: usize) -> Self {
        Self::parse(&Self::bytes_of_body(stream, length).await, None)
    }

    /// Reads until that much of the body is there, and returns all bytes, head and framing included.
    pub(crate) async fn bytes_of_body(stream: &mut (impl AsyncRead + Unpin), length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let heard = Self::parse(&bytes, None);
            if heard.status != 0 && heard.body.len() >= length {
                return bytes;
            }
            let read = tokio::time::timeout(DEADLINE, stream.read_buf(&mut bytes)).await.unwrap();
            assert_ne!(read.unwrap(), 0, "ended too early: {heard:?}");
        }
    }

    /// Returns a header of the answer; empty where it is absent.
    pub(crate) fn header(&self, name: &str) -> String {
        header(&self.head, name).unwrap_or_default()
    }

    /// Tells whether the answer is whole and its end in order.
    pub(crate) fn ended_well(&self) -> bool {
        self.is_whole && self.error.is_none()
    }

    /// Tells whether the connection was broken off.
    pub(crate) fn was_broken_off(&self) -> bool {
        !self.is_whole && self.error == Some(ErrorKind::ConnectionReset)
    }

    fn parse(bytes: &[u8], error: Option<ErrorKind>) -> Self {
        let nothing = Self { status: 0, head: String::new(), body: Vec::new(), is_whole: false, error };
        let Some(end) = head_len(bytes) else { return nothing };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head[9..12].parse().unwrap();
        let (body, is_whole) = if let Some(length) = header(&head, "content-length") {
            (bytes[end..].to_vec(), length == (bytes.len() - end).to_string())
        } else if header(&head, "transfer-encoding").is_some() {
            unchunked(&bytes[end..])
        } else {
            // The end of the connection is the end of the body.
            (bytes[end..].to_vec(), error.is_none())
        };
        Self { status, head, body, is_whole, error }
    }
}

/// Takes chunks apart; tells whether the last one came.
fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..at]).unwrap(), 16).unwrap();
        if length == 0 {
            return (body, rest == b"0\r\n\r\n");
        }
        rest = &rest[at + 2..];
        body.extend_from_slice(&rest[..length.min(rest.len())]);
        rest = rest.get(length + 2..).unwrap_or_default();
    }
    (body, false)
}

/// Returns the length of a head, with the empty line after it.
pub(crate) fn head_len(bytes: &[u8]) -> Option<usize> {
    Some(bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4)
}

/// Returns the value of a head's header.
pub(crate) fn header(head: &str, name: &str) -> Option<String> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut found = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.trim().to_owned())
}

/// Sends requests side by side, and returns what came of each, in their order.
pub(crate) async fn send_all(asks: Vec<Ask>, at: SocketAddr) -> Vec<Heard> {
    let (mut sending, mut heard) = (JoinSet::new(), Vec::new());
    let count = asks.len();
    for (turn, ask) in asks.into_iter().enumerate() {
        sending.spawn(async move { (turn, ask.send(at).await) });
    }
    heard.resize_with(count, || None);
    while let Some(sent) = sending.join_next().await {
        let (turn, what) = sent.unwrap();
        heard[turn] = Some(what);
    }
    heard.into_iter().map(Option::unwrap).collect()
}
