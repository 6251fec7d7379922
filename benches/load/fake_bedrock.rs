//! A fake of the Amazon Bedrock runtime for the load bench: many times cheaper than any gateway, so that what is
//! measured is the gateway.
//!
//!     fake_bedrock PORT EVENTS EVERY_MS
//!
//! listens on a port of 127.0.0.1, and answers every Converse and `InvokeModel` with the same JSON, and every
//! `ConverseStream` with so many text events and the statement of usage: all in one write where `EVERY_MS` is 0, else
//! each in a write of its own, so long after the one before. It reads requests whole and checks nothing. Answers have
//! the shapes of the API reference's (Converse, `ConverseStream`, `InvokeModel` of Anthropic's models).
//!
//! It takes nothing but the standard library, so that `rustc` alone makes it, within seconds.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench that fails is to end"
)]
#![expect(clippy::disallowed_methods, reason = "there is no clock to take")]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// What a request's body is read into, a part at a time.
const BODY_BUFFER: usize = 256 << 10;

/// The most connections that are expected.
const CONNECTIONS: usize = 8192;

fn main() {
    make_room(CONNECTIONS);
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u32>().unwrap());
    let mut argument = || arguments.next().expect("PORT EVENTS EVERY_MS");
    let port = u16::try_from(argument()).unwrap();
    let answers: &Answers =
        Box::leak(Box::new(Answers::new(argument(), Duration::from_millis(argument().into()))));
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    for stream in listener.incoming() {
        let stream = stream.unwrap();
        stream.set_nodelay(true).unwrap();
        // Many of them: no more than they need. A client that leaves ends its thread and no other.
        thread::Builder::new().stack_size(64 << 10).spawn(move || serve(stream, answers)).unwrap();
    }
}

/// Has the kernel's table of open files grow now, as far as files may be opened: later, with threads, it would hold them all
/// up for milliseconds, each time that it doubles.
fn make_room(files: usize) {
    let files: Vec<File> = (0..files).map_while(|_| File::open("/dev/null").ok()).collect();
    drop(files);
}

/// Every answer, ready to be written.
struct Answers {
    converse: Vec<u8>,
    invoke: Vec<u8>,
    unknown: Vec<u8>,
    /// Head, events, end; each in a chunk of its own.
    stream: Vec<Vec<u8>>,
    every: Duration,
}

impl Answers {
    fn new(events: u32, every: Duration) -> Self {
        let tokens = "x-amzn-bedrock-input-token-count: 230\r\nx-amzn-bedrock-output-token-count: 41\r\n";
        let mut stream = vec![STREAM_HEAD.as_bytes().to_vec()];
        stream.extend(stream_events(events).iter().map(|event| chunk(event)));
        stream.last_mut().unwrap().extend(b"0\r\n\r\n");
        if every.is_zero() {
            stream = vec![stream.concat()];
        }
        Self {
            converse: whole("200 OK", "", CONVERSE),
            invoke: whole("200 OK", tokens, INVOKE),
            unknown: whole("404 Not Found", "", r#"{"message":"no such operation"}"#),
            stream,
            every,
        }
    }

    /// Writes the answer to a request that begins with this line.
    fn write(&self, line: &str, to: &mut TcpStream) -> std::io::Result<()> {
        let path = line.split(' ').nth(1).unwrap_or_default();
        match path.rsplit('/').next().unwrap_or_default() {
            "converse" => to.write_all(&self.converse),
            "invoke" => to.write_all(&self.invoke),
            "converse-stream" => {
                let started = Instant::now();
                for (part, index) in self.stream.iter().zip(0..) {
                    thread::sleep((started + self.every * index).saturating_duration_since(Instant::now()));
                    to.write_all(part)?;
                }
                Ok(())
            }
            _ => to.write_all(&self.unknown),
        }
    }
}

/// Answers the requests of a connection until its client leaves.
fn serve(mut stream: TcpStream, answers: &Answers) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    let mut body_buffer = Vec::new();
    let mut filled = 0;
    loop {
        let head = loop {
            if let Some(end) = buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read(&mut buffer[filled..])? {
                0 => return Ok(()),
                read => filled += read,
            }
        };
        let text = std::str::from_utf8(&buffer[..head]).unwrap();
        let body = content_length(text);
        let line = text.lines().next().unwrap().to_owned();
        // What came of the next request stays; nothing did where more of the body is to come.
        let come = body.min(filled - head);
        buffer.copy_within(head + come..filled, 0);
        filled -= head + come;
        let mut missing = body - come;
        while missing > 0 {
            body_buffer.resize(BODY_BUFFER, 0);
            match stream.read(&mut body_buffer[..missing.min(BODY_BUFFER)])? {
                0 => return Ok(()),
                read => missing -= read,
            }
        }
        answers.write(&line, &mut stream)?;
    }
}

fn content_length(head: &str) -> usize {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut values = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    values.next().map_or(0, |(_, value)| value.trim().parse().unwrap())
}

fn whole(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         x-amzn-requestid: 1a6f0f1c-7a1c-4f3b-9d4e-4e7a1f0c9b52\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

const CONVERSE: &str = r#"{"metrics":{"latencyMs":1128},"output":{"message":{"content":[{"text":"The passage says that the harbour took 14,200 containers in March, 3% more than a year before, and that the new crane, which cost 9.5 million, is to be paid for by 2031. Two berths stay closed until May."}],"role":"assistant"}},"stopReason":"end_turn","usage":{"cacheReadInputTokenCount":0,"cacheReadInputTokens":0,"cacheWriteInputTokenCount":0,"cacheWriteInputTokens":0,"inputTokens":230,"outputTokens":41,"serverToolUsage":{},"totalTokens":271}}"#;

const INVOKE: &str = r#"{"model":"claude-sonnet-4-5-20250929","id":"msg_bdrk_01Q8Faay6S7QPTvEUUQARt7h","type":"message","role":"assistant","content":[{"type":"text","text":"The harbour took 14,200 containers in March."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":230,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":41}}"#;

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n\
    transfer-encoding: chunked\r\nx-amzn-requestid: 1a6f0f1c-7a1c-4f3b-9d4e-4e7a1f0c9b52\r\n\r\n";

/// Returns the messages of a stream: so many of text, and around them what Bedrock sends.
fn stream_events(texts: u32) -> Vec<Vec<u8>> {
    let text = r#"{"contentBlockIndex":0,"delta":{"text":" of containers"},"p":"abcdefghijkl"}"#;
    let text = event("contentBlockDelta", text);
    let mut events = vec![event("messageStart", r#"{"p":"abcdefgh","role":"assistant"}"#)];
    events.extend((0..texts).map(|_| text.clone()));
    events.push(event("contentBlockStop", r#"{"contentBlockIndex":0,"p":"abcdef"}"#));
    events.push(event("messageStop", r#"{"p":"abcdefghijklm","stopReason":"end_turn"}"#));
    let usage = r#"{"metrics":{"latencyMs":1128},"p":"abc","usage":{"inputTokens":230,"outputTokens":41,"totalTokens":271}}"#;
    events.push(event("metadata", usage));
    events
}

/// Lays a message out (<https://smithy.io/2.0/aws/amazon-eventstream.html>): its length and that of its headers, the
/// checksum of both, headers, payload, the checksum of all.
fn event(kind: &str, payload: &str) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in
        [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")]
    {
        headers.push(u8::try_from(name.len()).unwrap());
        headers.extend(name.as_bytes());
        // 7 is a text.
        headers.push(7);
        headers.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        headers.extend(value.as_bytes());
    }
    let length = u32::try_from(headers.len() + payload.len() + 16).unwrap();
    let mut message = length.to_be_bytes().to_vec();
    message.extend(u32::try_from(headers.len()).unwrap().to_be_bytes());
    message.extend(crc32(&message).to_be_bytes());
    message.extend(headers);
    message.extend(payload.as_bytes());
    message.extend(crc32(&message).to_be_bytes());
    message
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}
