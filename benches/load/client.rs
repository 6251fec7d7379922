//! The load bench's client for what `wrk` cannot do: streams that stay open, their first byte, calls of an exact number.
//!
//!     load_client URL BODY_FILE CONNECTIONS calls N [HEADER..]
//!     load_client URL BODY_FILE CONNECTIONS streams RAMP_MS UP_MS HOLD_MS [HEADER..]
//!
//! `calls` makes N calls on each connection, one after the other. `streams` makes one call on each, spread over
//! `RAMP_MS`; after `UP_MS`, when all are open, and again `HOLD_MS` later, it prints how many events have come. Both print
//! at the end, as JSON, what they saw. An answer that is not 200, or that ends early, ends the program.
//!
//! It takes nothing but the standard library, so that `rustc` alone makes it, within seconds.

#![expect(clippy::print_stdout, reason = "its figures are its output")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench that fails is to end"
)]
#![expect(clippy::disallowed_methods, reason = "there is no clock to take")]

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};

/// How much longer than `UP_MS` streams may take to open.
const PATIENCE: Duration = Duration::from_secs(2);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().expect("URL BODY_FILE CONNECTIONS calls|streams ..");
    let (url, body) = (argument(), std::fs::read(argument()).unwrap());
    let connections: u32 = argument().parse().unwrap();
    make_room(connections);
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
    run(Box::leak(Box::new(Target::new(&url, &headers, &body))), connections, plan);
}

#[derive(Clone, Copy)]
enum Plan {
    Calls { each: u32 },
    Streams { ramp: Duration, up: Duration, hold: Duration },
}

/// Where calls go, what they are, and what has come of them.
struct Target {
    address: String,
    request: Vec<u8>,
    /// Messages of event streams.
    events: AtomicU64,
    /// Answers that have begun and not ended.
    open: AtomicU64,
}

impl Target {
    fn new(url: &str, headers: &[String], body: &[u8]) -> Self {
        let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let headers = [headers, &[String::new()]].concat().join("\r\n");
        let length = body.len();
        let head = format!(
            "POST /{path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{headers}\r\n"
        );
        Self {
            address: address.to_owned(),
            request: [head.as_bytes(), body].concat(),
            events: AtomicU64::new(0),
            open: AtomicU64::new(0),
        }
    }
}

/// How long a call took until the first byte of its answer, and until the last.
#[derive(Clone, Copy)]
struct Times {
    first: Duration,
    last: Duration,
}

/// Has the kernel's table of open files grow before there are threads: later it would hold them all up for milliseconds, each
/// time that it doubles.
fn make_room(files: u32) {
    let files: Vec<File> = (0..files).map_while(|_| File::open("/dev/null").ok()).collect();
    drop(files);
}

fn run(target: &'static Target, connections: u32, plan: Plan) {
    let started = Instant::now();
    let (each, ramp) = match plan {
        Plan::Calls { each } => (each, Duration::ZERO),
        Plan::Streams { ramp, .. } => (1, ramp),
    };
    let start = |index| {
        wait_until(started + ramp * index / connections);
        // Many of them: no more than they need.
        Builder::new().stack_size(64 << 10).spawn(move || client(target, each)).unwrap()
    };
    let clients: Vec<JoinHandle<Vec<Times>>> = (0..connections).map(start).collect();
    if let Plan::Streams { up, hold, .. } = plan {
        wait_until(started + up);
        while target.open.load(Ordering::Relaxed) < connections.into() && started.elapsed() < up + PATIENCE {
            sleep(Duration::from_millis(10));
        }
        let began = Instant::now();
        for at in [Duration::ZERO, hold] {
            wait_until(began + at);
            let (events, open) = (target.events.load(Ordering::Relaxed), target.open.load(Ordering::Relaxed));
            println!(r#"{{"events": {events}, "open": {open}}}"#);
        }
    }
    let times = clients.into_iter().flat_map(|client| client.join().unwrap());
    let (mut first, mut last): (Vec<_>, Vec<_>) = times.map(|times| (times.first, times.last)).unzip();
    println!(
        r#"{{"calls": {}, "events": {}, "seconds": {}, "first_byte": {}, "whole": {}}}"#,
        first.len(),
        target.events.load(Ordering::Relaxed),
        started.elapsed().as_secs_f64(),
        percentiles(&mut first),
        percentiles(&mut last)
    );
}

fn wait_until(at: Instant) {
    sleep(at.saturating_duration_since(Instant::now()));
}

/// Returns the percentiles of times, in microseconds, as JSON.
fn percentiles(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |permille: usize| times[(times.len() * permille / 1000).min(times.len() - 1)].as_micros();
    format!(r#"{{"p50_us": {}, "p99_us": {}, "p999_us": {}}}"#, at(500), at(990), at(999))
}

/// Makes calls on one connection, one after the other.
fn client(target: &Target, calls: u32) -> Vec<Times> {
    let mut stream = TcpStream::connect(&target.address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![0; 16 << 10];
    let mut times = Vec::new();
    for _ in 0..calls {
        let started = Instant::now();
        stream.write_all(&target.request).unwrap();
        let mut answer = Answer::default();
        let mut first = None;
        while !matches!(answer.place, Place::End) {
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "an answer ended early");
            if first.is_none() {
                first = Some(started.elapsed());
                target.open.fetch_add(1, Ordering::Relaxed);
            }
            target.events.fetch_add(answer.feed(&buffer[..read]), Ordering::Relaxed);
        }
        target.open.fetch_sub(1, Ordering::Relaxed);
        times.push(Times { first: first.unwrap(), last: started.elapsed() });
    }
    times
}

/// An answer, read as it comes.
#[derive(Default)]
struct Answer {
    /// What is not yet understood: part of a head, or of a line.
    held: Vec<u8>,
    place: Place,
    messages: Messages,
}

/// What of an answer is next.
#[derive(Default, Clone, Copy)]
enum Place {
    #[default]
    Head,
    /// So many bytes of a body that tells its length.
    Length(usize),
    /// The line that tells a chunk's size.
    Size,
    /// So many bytes of a chunk, its line end among them.
    Chunk(usize),
    /// The line end after the last chunk.
    Last,
    End,
}

impl Answer {
    /// Takes bytes in, and returns how many messages of an event stream ended in them.
    fn feed(&mut self, bytes: &[u8]) -> u64 {
        self.held.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.held);
        let (mut rest, mut messages) = (held.as_slice(), 0);
        while let Some(used) = self.step(rest, &mut messages) {
            rest = &rest[used..];
        }
        self.held = rest.to_vec();
        messages
    }

    /// Understands what comes next, and returns how many bytes that took; `None` where more have to come first.
    fn step(&mut self, bytes: &[u8], messages: &mut u64) -> Option<usize> {
        let used;
        (self.place, used) = match self.place {
            Place::Head => {
                let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
                (after_head(std::str::from_utf8(&bytes[..end]).unwrap()), end)
            }
            Place::Length(0) => (Place::End, 0),
            Place::Length(missing) | Place::Chunk(missing) if bytes.is_empty() && missing > 0 => return None,
            Place::Length(missing) => {
                let used = bytes.len().min(missing);
                (Place::Length(missing - used), used)
            }
            Place::Size => {
                let end = bytes.windows(2).position(|two| two == b"\r\n")?;
                let size = std::str::from_utf8(&bytes[..end]).unwrap();
                let size = usize::from_str_radix(size, 16).unwrap();
                (if size == 0 { Place::Last } else { Place::Chunk(size + 2) }, end + 2)
            }
            Place::Chunk(missing) => {
                let used = bytes.len().min(missing);
                // The line end is no part of a message.
                *messages += self.messages.feed(&bytes[..used.min(missing.saturating_sub(2))]);
                (if used == missing { Place::Size } else { Place::Chunk(missing - used) }, used)
            }
            Place::Last => {
                assert!(
                    bytes.get(..2)? == b"\r\n" && self.messages.missing == 0,
                    "a stream ended within a message"
                );
                (Place::End, 2)
            }
            Place::End => return None,
        };
        Some(used)
    }
}

fn after_head(head: &str) -> Place {
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next().map_or(Place::Size, |(_, length)| Place::Length(length.trim().parse().unwrap()))
}

/// Counts the messages of an event stream, each of which begins with its length
/// (<https://smithy.io/2.0/aws/amazon-eventstream.html>).
#[derive(Default)]
struct Messages {
    length: Vec<u8>,
    /// Bytes of the message under way.
    missing: usize,
}

impl Messages {
    fn feed(&mut self, mut bytes: &[u8]) -> u64 {
        let mut ended = 0;
        while !bytes.is_empty() {
            let used;
            if self.missing == 0 {
                used = bytes.len().min(4 - self.length.len());
                self.length.extend_from_slice(&bytes[..used]);
                if let Ok(length) = <[u8; 4]>::try_from(self.length.as_slice()) {
                    self.missing = usize::try_from(u32::from_be_bytes(length)).unwrap() - 4;
                    self.length.clear();
                }
            } else {
                used = bytes.len().min(self.missing);
                self.missing -= used;
                ended += u64::from(self.missing == 0);
            }
            bytes = &bytes[used..];
        }
        ended
    }
}
