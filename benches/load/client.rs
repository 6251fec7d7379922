//! The load bench's client for what `wrk` cannot do: streams that stay open, their first byte, calls of an exact number.
//!
//!     load_client URL BODY_FILE CONNECTIONS calls N [HEADER..]
//!     load_client URL BODY_FILE CONNECTIONS streams RAMP_MS UP_MS HOLD_MS [HEADER..]
//!
//! `calls` makes N calls on each connection, one after the other. `streams` makes one call on each, spread over
//! `RAMP_MS`; after `UP_MS`, when all are open, and again `HOLD_MS` later, it prints how many events have come. Both print at
//! the end, as JSON, what they saw. An answer that is not 200, or that ends early, ends the program.

#![expect(clippy::print_stdout, reason = "its figures are its output")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench that cannot run is to fail"
)]

use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// How much longer than `UP_MS` streams may take to open.
const PATIENCE: Duration = Duration::from_secs(2);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().expect("URL BODY_FILE CONNECTIONS calls|streams ..");
    let (url, body) = (argument(), std::fs::read(argument()).unwrap());
    let connections: u32 = argument().parse().unwrap();
    let mode = argument();
    let mut number = || argument().parse::<u32>().unwrap();
    let plan = match mode.as_str() {
        "calls" => Plan::Calls { each: number() },
        "streams" => {
            let mut time = || Duration::from_millis(number().into());
            Plan::Streams { ramp: time(), up: time(), hold: time() }
        }
        other => panic!("calls or streams, not {other}"),
    };
    let headers: Vec<String> = arguments.collect();
    let target = Target::new(&url, &headers, body);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(Arc::new(target), connections, plan));
}

#[derive(Debug, Clone, Copy)]
enum Plan {
    Calls { each: u32 },
    Streams { ramp: Duration, up: Duration, hold: Duration },
}

/// Where calls go, what they are, and what has come of them.
#[derive(Debug)]
struct Target {
    address: String,
    request: Vec<u8>,
    /// Messages of event streams.
    events: AtomicU64,
    /// Answers that have begun and not ended.
    open: AtomicU64,
}

impl Target {
    fn new(url: &str, headers: &[String], body: Vec<u8>) -> Self {
        let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let headers = [headers, &[String::new()]].concat().join("\r\n");
        let length = body.len();
        let head = format!(
            "POST /{path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{headers}\r\n"
        );
        let request = [head.into_bytes(), body].concat();
        Self { address: address.to_owned(), request, events: AtomicU64::new(0), open: AtomicU64::new(0) }
    }
}

/// How long a call took until the first byte of its answer, and until the last.
#[derive(Debug, Clone, Copy)]
struct Times {
    first: Duration,
    last: Duration,
}

async fn run(target: Arc<Target>, connections: u32, plan: Plan) {
    let started = Instant::now();
    let (each, ramp) = match plan {
        Plan::Calls { each } => (each, Duration::ZERO),
        Plan::Streams { ramp, .. } => (1, ramp),
    };
    let mut clients = JoinSet::new();
    for index in 0..connections {
        let at = started + ramp * index / connections;
        clients.spawn(client(Arc::clone(&target), at, each));
    }
    if let Plan::Streams { up, hold, .. } = plan {
        sleep_until(started + up).await;
        while target.open.load(Ordering::Relaxed) < connections.into() && started.elapsed() < up + PATIENCE {
            sleep(Duration::from_millis(10)).await;
        }
        let began = Instant::now();
        for at in [Duration::ZERO, hold] {
            sleep_until(began + at).await;
            let (events, open) = (target.events.load(Ordering::Relaxed), target.open.load(Ordering::Relaxed));
            println!("{}", json!({ "events": events, "open": open }));
        }
    }
    let times: Vec<Times> = clients.join_all().await.concat();
    let (mut first, mut last): (Vec<_>, Vec<_>) = times.iter().map(|times| (times.first, times.last)).unzip();
    let summary = json!({
        "calls": times.len(),
        "events": target.events.load(Ordering::Relaxed),
        "seconds": started.elapsed().as_secs_f64(),
        "first_byte": percentiles(&mut first),
        "whole": percentiles(&mut last),
    });
    println!("{summary}");
}

/// Makes calls on one connection, one after the other.
async fn client(target: Arc<Target>, at: Instant, calls: u32) -> Vec<Times> {
    sleep_until(at).await;
    let mut stream = TcpStream::connect(&target.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![0; 16 * 1024];
    let mut times = Vec::new();
    for _ in 0..calls {
        let started = Instant::now();
        stream.write_all(&target.request).await.unwrap();
        let mut answer = Answer::default();
        let mut first = None;
        while !answer.whole() {
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(read > 0, "an answer ended early");
            if first.is_none() {
                first = Some(started.elapsed());
                target.open.fetch_add(1, Ordering::Relaxed);
            }
            let events = answer.feed(buffer.get(..read).unwrap());
            target.events.fetch_add(events, Ordering::Relaxed);
        }
        target.open.fetch_sub(1, Ordering::Relaxed);
        times.push(Times { first: first.unwrap(), last: started.elapsed() });
    }
    times
}

/// An answer, read as it comes.
#[derive(Debug, Default)]
struct Answer {
    /// What is not yet understood: part of a head, of a chunk's size, of a message's length.
    held: Vec<u8>,
    framing: Framing,
    events: Events,
}

#[derive(Debug, Default)]
enum Framing {
    #[default]
    Head,
    /// So many bytes are missing.
    Length(usize),
    /// A chunk's size is next.
    Size,
    /// So many bytes of a chunk, and its line end, are missing.
    Chunk(usize),
    /// The line end after the last chunk is missing.
    Last,
    Whole,
}

impl Answer {
    fn whole(&self) -> bool {
        matches!(self.framing, Framing::Whole)
    }

    /// Takes bytes in, and returns how many messages of an event stream ended in them.
    fn feed(&mut self, bytes: &[u8]) -> u64 {
        self.held.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_slice();
        let mut events = 0;
        while let Some((used, ended)) = self.step(rest) {
            events += ended;
            rest = rest.get(used..).unwrap();
        }
        self.held = rest.to_vec();
        events
    }

    /// Understands what comes next: how many bytes that took, and how many messages ended in them; `None` where more
    /// bytes have to come first.
    fn step(&mut self, bytes: &[u8]) -> Option<(usize, u64)> {
        match self.framing {
            Framing::Head => {
                let used;
                (used, self.framing) = head(bytes)?;
                Some((used, 0))
            }
            Framing::Length(missing) => {
                let used = bytes.len().min(missing);
                self.framing = if used == missing { Framing::Whole } else { Framing::Length(missing - used) };
                (used > 0).then_some((used, 0))
            }
            Framing::Size => {
                let httparse::Status::Complete((used, size)) = httparse::parse_chunk_size(bytes).unwrap()
                else {
                    return None;
                };
                let size = usize::try_from(size).unwrap();
                self.framing = if size == 0 { Framing::Last } else { Framing::Chunk(size + 2) };
                Some((used, 0))
            }
            Framing::Chunk(missing) => {
                let used = bytes.len().min(missing);
                // The line end is no part of a message.
                let data = bytes.get(..used.min(missing.saturating_sub(2))).unwrap();
                self.framing = if used == missing { Framing::Size } else { Framing::Chunk(missing - used) };
                (used > 0).then(|| (used, self.events.feed(data)))
            }
            Framing::Last => {
                let end = bytes.get(..2)?;
                assert!(end == b"\r\n" && self.events.missing == 0, "a stream ended within a message");
                self.framing = Framing::Whole;
                Some((2, 0))
            }
            Framing::Whole => None,
        }
    }
}

/// Returns the length of an answer's head, and what follows it.
fn head(bytes: &[u8]) -> Option<(usize, Framing)> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(used) = response.parse(bytes).unwrap() else { return None };
    assert!(response.code == Some(200), "{}", String::from_utf8_lossy(bytes));
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.map(|length| std::str::from_utf8(length.value).unwrap().parse().unwrap());
    Some((used, length.map_or(Framing::Size, Framing::Length)))
}

/// Counts the messages of an event stream, each of which begins with its length (Smithy's event stream
/// specification: <https://smithy.io/2.0/aws/amazon-eventstream.html>).
#[derive(Debug, Default)]
struct Events {
    length: Vec<u8>,
    /// Bytes of the message under way.
    missing: usize,
}

impl Events {
    fn feed(&mut self, mut bytes: &[u8]) -> u64 {
        let mut ended = 0;
        while !bytes.is_empty() {
            let used;
            if self.missing == 0 {
                used = bytes.len().min(4 - self.length.len());
                self.length.extend_from_slice(bytes.get(..used).unwrap());
                if let Ok(length) = <[u8; 4]>::try_from(self.length.as_slice()) {
                    self.missing = usize::try_from(u32::from_be_bytes(length)).unwrap() - 4;
                    self.length.clear();
                }
            } else {
                used = bytes.len().min(self.missing);
                self.missing -= used;
                ended += u64::from(self.missing == 0);
            }
            bytes = bytes.get(used..).unwrap();
        }
        ended
    }
}

/// Returns the percentiles of times, in microseconds.
fn percentiles(times: &mut [Duration]) -> serde_json::Value {
    times.sort_unstable();
    let at = |permille: usize| {
        let index = (times.len() * permille / 1000).min(times.len().saturating_sub(1));
        times.get(index).map(|time| time.as_nanos() / 1000)
    };
    json!({ "p50_us": at(500), "p99_us": at(990), "p999_us": at(999) })
}
