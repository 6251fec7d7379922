//! What came, what was answered, and what the answers said was used.

use crate::domain::Operation;
use bytes::Bytes;
use http::{HeaderMap, Method};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many requests are remembered.
const MAX_SEEN: usize = 10_000;
/// How many statements are remembered one by one.
const MAX_STATEMENTS: usize = 100_000;
/// The longest request body that is remembered, in bytes.
const MAX_SEEN_BODY: usize = 64 * 1024;

/// Tokens by kind; a kind that was not stated is zero.
///
/// Where an answer states cache writes without their lifetime, as all but Claude's bodies and Converse do, they
/// are written for five minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenTotals {
    /// Input tokens that came neither from nor went to a prompt cache.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Input tokens read from a prompt cache.
    pub cache_read: u64,
    /// Input tokens written to a prompt cache for five minutes.
    pub cache_write_5m: u64,
    /// Input tokens written to a prompt cache for one hour.
    pub cache_write_1h: u64,
}

impl TokenTotals {
    /// Adds other tokens, kind by kind.
    pub fn add(&mut self, other: Self) {
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.cache_read = self.cache_read.saturating_add(other.cache_read);
        self.cache_write_5m = self.cache_write_5m.saturating_add(other.cache_write_5m);
        self.cache_write_1h = self.cache_write_1h.saturating_add(other.cache_write_1h);
    }

    /// Returns all tokens written to a prompt cache.
    pub fn cache_write(&self) -> u64 {
        self.cache_write_5m.saturating_add(self.cache_write_1h)
    }

    /// Returns the tokens of every kind together.
    pub fn total(&self) -> u64 {
        [self.output, self.cache_read, self.cache_write()].into_iter().fold(self.input, u64::saturating_add)
    }
}

/// Whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The ARN by which AWS calls them; of a session, it ends with the session's name.
    pub arn: String,
    /// The tags of the session, where they are in one.
    pub tags: BTreeMap<String, String>,
}

/// One request as it came, and what it was answered with.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The method.
    pub method: Method,
    /// The path as it was on the wire.
    pub path: String,
    /// The query as it was on the wire, without `?`.
    pub query: String,
    /// All headers.
    pub headers: HeaderMap,
    /// SHA-256 of the whole body.
    pub body_sha256: [u8; 32],
    /// The body, where it has at most 64 KiB.
    pub body: Option<Bytes>,
    /// The operation that was asked for, if it is known.
    pub operation: Option<Operation>,
    /// The model id or profile ARN in the path, decoded; of an async invocation, the one in the body.
    pub model: Option<String>,
    /// Who signed it; `None` where the signature does not hold.
    pub signer: Option<Signer>,
    /// The status it was answered with; `None` where the connection was broken or held before any.
    pub status: Option<u16>,
    /// The `x-amzn-requestid` it was answered with.
    pub aws_request_id: String,
}

impl Seen {
    /// Returns the body where it is short enough to be remembered.
    pub(super) fn remembered(body: &Bytes) -> Option<Bytes> {
        (body.len() <= MAX_SEEN_BODY).then(|| body.clone())
    }
}

/// Everything a simulator knows about what it did.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Books>);

#[derive(Debug, Default)]
struct Books {
    stated: TokenTotals,
    by_request: VecDeque<(String, TokenTotals)>,
    seen: VecDeque<Seen>,
    answered: BTreeMap<u16, u64>,
    bad_signatures: u64,
}

impl Ledger {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a statement whose last byte was handed over.
    pub(super) fn state(&self, request_id: &str, tokens: TokenTotals) {
        let mut books = self.books();
        books.stated.add(tokens);
        if books.by_request.len() == MAX_STATEMENTS {
            books.by_request.pop_front();
        }
        books.by_request.push_back((request_id.to_owned(), tokens));
    }

    /// Remembers a request that is about to be answered.
    pub(super) fn see(&self, seen: Seen) {
        let mut books = self.books();
        if let Some(status) = seen.status {
            let count = books.answered.entry(status).or_default();
            *count = count.saturating_add(1);
        }
        if books.seen.len() == MAX_SEEN {
            books.seen.pop_front();
        }
        books.seen.push_back(seen);
    }

    pub(super) fn refuse_signature(&self) {
        let mut books = self.books();
        books.bad_signatures = books.bad_signatures.saturating_add(1);
    }

    pub(super) fn stated(&self) -> TokenTotals {
        self.books().stated
    }

    pub(super) fn stated_by_request(&self) -> Vec<(String, TokenTotals)> {
        self.books().by_request.iter().cloned().collect()
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.books().seen.iter().cloned().collect()
    }

    pub(super) fn answered(&self) -> BTreeMap<u16, u64> {
        self.books().answered.clone()
    }

    pub(super) fn bad_signatures(&self) -> u64 {
        self.books().bad_signatures
    }
}
