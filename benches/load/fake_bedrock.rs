//! A fake of the Amazon Bedrock runtime for the load bench: many times cheaper than any gateway, so that what is
//! measured is the gateway.
//!
//!     fake_bedrock PORT EVENTS EVERY_MS
//!
//! listens on a port of 127.0.0.1, and answers every Converse and `InvokeModel` with the same JSON, and every
//! `ConverseStream` with so many text events and the statement of usage: all in one write where `EVERY_MS` is 0, else
//! each in a write of its own, so long after the one before. It reads requests whole and checks nothing. Answers have
//! the shapes of the API reference's (Converse, `ConverseStream`, `InvokeModel` of Anthropic's models).

#![expect(clippy::print_stdout, reason = "says that it listens")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot run is to fail")]

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// What a request's head is read into; also as much of its body as is read at once.
const BUFFER_BYTES: usize = 256 * 1024;
const MOST_HEADERS: usize = 64;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u32>().unwrap());
    let mut argument = || arguments.next().expect("PORT EVENTS EVERY_MS");
    let port = u16::try_from(argument()).unwrap();
    let answers = Answers::new(argument(), Duration::from_millis(argument().into()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(listen(port, Box::leak(Box::new(answers))));
}

async fn listen(port: u16, answers: &'static Answers) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    println!("listening");
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        // A client that leaves ends its connection and no other.
        connections.spawn(serve(stream, answers));
        while connections.try_join_next().is_some() {}
    }
}

/// Every answer, ready to be written.
#[derive(Debug)]
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
        let mut stream = vec![stream_head()];
        stream.extend(stream_events(events).iter().map(|event| chunk(event)));
        stream.last_mut().unwrap().extend(b"0\r\n\r\n");
        if every.is_zero() {
            stream = vec![stream.concat()];
        }
        Self {
            converse: whole("200 OK", "", &converse()),
            invoke: whole("200 OK", tokens, &invoke()),
            unknown: whole("404 Not Found", "", &json!({ "message": "no such operation" })),
            stream,
            every,
        }
    }

    /// Writes the answer to a request of this path.
    async fn write(&self, path: &str, to: &mut TcpStream) -> std::io::Result<()> {
        match path.rsplit('/').next().unwrap_or_default() {
            "converse" => to.write_all(&self.converse).await,
            "invoke" => to.write_all(&self.invoke).await,
            "converse-stream" => {
                let started = Instant::now();
                for (part, index) in self.stream.iter().zip(0..) {
                    sleep_until(started + self.every * index).await;
                    to.write_all(part).await?;
                }
                Ok(())
            }
            _ => to.write_all(&self.unknown).await,
        }
    }
}

/// Answers the requests of a connection until its client leaves.
async fn serve(mut stream: TcpStream, answers: &Answers) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut filled = 0;
    loop {
        let (path, head, body) = loop {
            if let Some(request) = parse(buffer.get(..filled).unwrap_or_default()) {
                break request;
            }
            let read = stream.read(buffer.get_mut(filled..).unwrap_or_default()).await?;
            if read == 0 {
                return Ok(());
            }
            filled += read;
        };
        let come = filled.saturating_sub(head).min(body);
        let mut missing = body - come;
        if missing > 0 {
            buffer.resize(BUFFER_BYTES, 0);
        }
        while missing > 0 {
            let most = missing.min(buffer.len());
            let read = stream.read(buffer.get_mut(..most).unwrap_or_default()).await?;
            if read == 0 {
                return Ok(());
            }
            missing -= read;
        }
        // What came of the next request stays; nothing did where the body was waited for.
        let used = head + come;
        buffer.copy_within(used.min(filled)..filled, 0);
        filled = filled.saturating_sub(used);
        answers.write(&path, &mut stream).await?;
    }
}

/// Returns a request's path, and the bytes of its head and of its body, once the head is whole.
fn parse(bytes: &[u8]) -> Option<(String, usize, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(bytes).unwrap() else { return None };
    let length = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let body = length.map_or(0, |length| std::str::from_utf8(length.value).unwrap().parse().unwrap());
    Some((request.path?.to_owned(), head, body))
}

fn whole(status: &str, headers: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         x-amzn-requestid: 1a6f0f1c-7a1c-4f3b-9d4e-4e7a1f0c9b52\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

fn converse() -> Value {
    json!({
        "metrics": { "latencyMs": 1128 },
        "output": { "message": { "role": "assistant", "content": [{ "text":
            "The passage says that the harbour took 14,200 containers in March, 3% more than a year before, and that \
             the new crane, which cost 9.5 million, is to be paid for by 2031. Two berths stay closed until May." }] } },
        "stopReason": "end_turn",
        "usage": {
            "cacheReadInputTokenCount": 0, "cacheReadInputTokens": 0, "cacheWriteInputTokenCount": 0,
            "cacheWriteInputTokens": 0, "inputTokens": 230, "outputTokens": 41, "serverToolUsage": {},
            "totalTokens": 271,
        },
    })
}

fn invoke() -> Value {
    json!({
        "id": "msg_bdrk_01Q8Faay6S7QPTvEUUQARt7h", "type": "message", "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [{ "type": "text", "text": "The harbour took 14,200 containers in March." }],
        "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {
            "input_tokens": 230, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 41,
        },
    })
}

fn stream_head() -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\ntransfer-encoding: chunked\r\n\
                x-amzn-requestid: 1a6f0f1c-7a1c-4f3b-9d4e-4e7a1f0c9b52\r\n\r\n";
    head.as_bytes().to_vec()
}

/// Returns the messages of a stream: so many of text, and around them what Bedrock sends.
fn stream_events(texts: u32) -> Vec<Vec<u8>> {
    let text = json!({ "contentBlockIndex": 0, "delta": { "text": " of containers" }, "p": "abcdefghijkl" });
    let mut events = vec![event("messageStart", &json!({ "p": "abcdefgh", "role": "assistant" }))];
    events.extend((0..texts).map(|_| event("contentBlockDelta", &text)));
    events.push(event("contentBlockStop", &json!({ "contentBlockIndex": 0, "p": "abcdef" })));
    events.push(event("messageStop", &json!({ "p": "abcdefghijklm", "stopReason": "end_turn" })));
    let usage = json!({ "inputTokens": 230, "outputTokens": 41, "totalTokens": 271 });
    events.push(event("metadata", &json!({ "metrics": { "latencyMs": 1128 }, "p": "abc", "usage": usage })));
    events
}

fn event(kind: &'static str, payload: &Value) -> Vec<u8> {
    let header =
        |name: &'static str, value: &'static str| Header::new(name, HeaderValue::String(value.into()));
    let message = Message::new(payload.to_string())
        .add_header(header(":event-type", kind))
        .add_header(header(":content-type", "application/json"))
        .add_header(header(":message-type", "event"));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}
