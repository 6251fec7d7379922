//! The head of a client's request: what it asks for, and what it says of its body and of the connection.

use crate::http1::framing::{Framing, Malformed, Place};
use crate::http1::lines::{END, content_length, header, options};
use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version};
use httparse::ParserConfig;
use memchr::memchr_iter;
use std::mem::MaybeUninit;

/// The longest head, in bytes: the longest target, and as much again for headers.
const MAX_HEAD: usize = 2 * MAX_TARGET;

/// The longest target of a request that [`Uri`] takes, in bytes.
const MAX_TARGET: usize = 0xfffe;

/// The most header lines.
const MAX_HEADERS: usize = 100;

/// The head of a request.
#[derive(Debug)]
pub(super) struct Head {
    /// What is asked for.
    pub(super) parts: Parts,
    /// How the body is framed.
    pub(super) framing: Framing,
    /// Whether the client waits to be told to send the body.
    pub(super) awaits_leave: bool,
    /// Whether the connection may carry another request after this one.
    pub(super) keep_alive: bool,
}

/// Why there is no more to a request than its refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is not HTTP/1.1, or says two things of where its body ends.
    Malformed,
    /// Its target is too long.
    Target,
    /// Its headers are too many, or too long.
    Headers,
}

impl Unreadable {
    /// Returns the status to answer with.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Target => StatusCode::URI_TOO_LONG,
            Self::Headers => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        }
    }
}

impl From<Malformed> for Unreadable {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

/// How much was there of a head that was not whole, in bytes: what comes byte by byte is not read anew for each.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// When it was looked through for the head's end.
    over: usize,
    /// When it was read, lest what is no HTTP is waited for.
    into: usize,
}

/// Takes the head off the front of what was read, if it is there whole.
pub(super) fn take(unread: &mut BytesMut, looked: &mut Looked) -> Result<Option<Head>, Unreadable> {
    while unread.starts_with(b"\r\n") {
        // Some send an empty line too much after a body (RFC 9112, section 2.2).
        unread.advance(2);
    }
    let from = looked.over.saturating_sub(3).min(unread.len());
    let Some(end) = unread.get(from..).and_then(|news| END.find(news)) else {
        looked.over = unread.len();
        if unread.len() >= looked.into.saturating_mul(2) {
            looked.into = unread.len();
            may_become_one(unread)?;
        }
        return if unread.len() > MAX_HEAD { Err(Unreadable::Headers) } else { Ok(None) };
    };
    *looked = Looked::default();
    let len = from.saturating_add(end).saturating_add(4);
    if len > MAX_HEAD {
        return Err(Unreadable::Headers);
    }
    parse(&unread.split_to(len).freeze()).map(Some)
}

/// Tells of the beginning of a head whether it is one. With lines that end by a line feed alone it is none.
fn may_become_one(unread: &[u8]) -> Result<(), Unreadable> {
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
    match httparse::Request::new(&mut lines).parse(unread) {
        Ok(httparse::Status::Partial) => Ok(()),
        Err(httparse::Error::TooManyHeaders) => Err(Unreadable::Headers),
        Ok(httparse::Status::Complete(_)) | Err(_) => Err(Unreadable::Malformed),
    }
}

fn parse(bytes: &Bytes) -> Result<Head, Unreadable> {
    if has_bare_line_feed(bytes) {
        return Err(Unreadable::Malformed);
    }
    let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    match ParserConfig::default().parse_request_with_uninit_headers(&mut request, bytes, &mut lines) {
        Ok(httparse::Status::Complete(len)) if len == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Unreadable::Headers),
        Ok(_) | Err(_) => return Err(Unreadable::Malformed),
    }
    let (Some(method), Some(target)) = (request.method, request.path) else {
        return Err(Unreadable::Malformed);
    };
    if target.len() > MAX_TARGET {
        return Err(Unreadable::Target);
    }
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for line in request.headers.iter() {
        let (name, value) = header(bytes, line)?;
        headers.append(name, value);
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = Method::from_bytes(method.as_bytes()).map_err(|_| Malformed)?;
    parts.uri = Uri::from_maybe_shared(bytes.slice_ref(target.as_bytes())).map_err(|_| Malformed)?;
    parts.version = if request.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    parts.headers = headers;
    of_parts(parts)
}

/// Tells whether a line of a head ends by a line feed alone: whoever stands before may take it for part of a value.
fn has_bare_line_feed(head: &[u8]) -> bool {
    memchr_iter(b'\n', head).any(|at| at.checked_sub(1).and_then(|before| head.get(before)) != Some(&b'\r'))
}

/// Tells by the headers what follows the head.
fn of_parts(parts: Parts) -> Result<Head, Unreadable> {
    let (headers, is_new) = (&parts.headers, parts.version == Version::HTTP_11);
    let framing = framing(headers, parts.version)?;
    let says =
        |word: &str| options(headers.get_all(CONNECTION)).any(|option| option.eq_ignore_ascii_case(word));
    let keep_alive = if is_new { !says("close") } else { says("keep-alive") && !says("close") };
    let expects =
        || headers.get(EXPECT).is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    let awaits_leave = is_new && !framing.is_over() && expects();
    Ok(Head { parts, framing, awaits_leave, keep_alive })
}

/// Tells how the body is framed (RFC 9112, section 6.3). What says it in two ways may mean another end than ours, so that
/// what follows could be taken for another request: it is refused.
fn framing(headers: &HeaderMap, version: Version) -> Result<Framing, Malformed> {
    let length = content_length(headers.get_all(CONTENT_LENGTH))?;
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(Framing::Length(length.unwrap_or(0))) };
    let is_chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked") && codings.next().is_none();
    if is_chunked && length.is_none() && version == Version::HTTP_11 {
        Ok(Framing::Chunked(Place::Size))
    } else {
        Err(Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(wire: &str) -> Result<Option<Head>, Unreadable> {
        take(&mut BytesMut::from(wire), &mut Looked::default())
    }

    #[test]
    fn a_head_is_taken_whole_and_nothing_more() {
        let wire = "\r\nPOST /model/a%3A0/converse?b=c HTTP/1.1\r\nX-Upper: CaSe\r\nx-a: 1\r\nx-a: 2\r\ncontent-length: 2\r\n\r\n";
        let (mut unread, mut looked) = (BytesMut::new(), Looked::default());
        for byte in wire.as_bytes() {
            assert!(take(&mut unread, &mut looked).unwrap().is_none(), "{unread:?}");
            unread.extend_from_slice(&[*byte]);
        }
        unread.extend_from_slice(b"ab");
        let head = take(&mut unread, &mut looked).unwrap().unwrap();
        assert_eq!((&unread[..], looked.over, head.framing), (&b"ab"[..], 0, Framing::Length(2)));
        let Parts { method, uri, version, headers, .. } = head.parts;
        assert_eq!((method, version), (Method::POST, Version::HTTP_11));
        assert_eq!((uri.path(), uri.query()), ("/model/a%3A0/converse", Some("b=c")));
        assert_eq!(headers["x-upper"], "CaSe");
        assert_eq!(headers.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn the_headers_tell_where_the_body_ends() {
        let chunked = Framing::Chunked(Place::Size);
        for (lines, expected) in [
            ("", Ok(Framing::Length(0))),
            ("content-length: 7\r\n", Ok(Framing::Length(7))),
            ("content-length: 7\r\ncontent-length: 7\r\n", Ok(Framing::Length(7))),
            ("content-length: 7\r\ncontent-length: 8\r\n", Err(Unreadable::Malformed)),
            ("content-length: 7, 7\r\n", Err(Unreadable::Malformed)),
            ("content-length: +7\r\n", Err(Unreadable::Malformed)),
            ("content-length:\r\n", Err(Unreadable::Malformed)),
            ("content-length: 18446744073709551616\r\n", Err(Unreadable::Malformed)),
            ("transfer-encoding: Chunked\r\n", Ok(chunked)),
            ("transfer-encoding: chunked\r\ncontent-length: 7\r\n", Err(Unreadable::Malformed)),
            ("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", Err(Unreadable::Malformed)),
            ("transfer-encoding: gzip, chunked\r\n", Err(Unreadable::Malformed)),
            ("transfer-encoding: identity\r\n", Err(Unreadable::Malformed)),
            ("transfer-encoding: \x0bchunked\r\n", Err(Unreadable::Malformed)),
        ] {
            let head = of(&format!("POST / HTTP/1.1\r\n{lines}\r\n"));
            assert_eq!(head.map(|head| head.unwrap().framing), expected, "{lines}");
        }
        let old = of("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n");
        assert_eq!(old.unwrap_err(), Unreadable::Malformed);
    }

    #[test]
    fn the_headers_tell_what_becomes_of_the_connection() {
        for (head, keep_alive, awaits_leave) in [
            ("POST / HTTP/1.1\r\ncontent-length: 1", true, false),
            ("POST / HTTP/1.1\r\nconnection: x, Close", false, false),
            ("POST / HTTP/1.0\r\ncontent-length: 1", false, false),
            ("POST / HTTP/1.0\r\nconnection: Keep-Alive", true, false),
            ("POST / HTTP/1.0\r\nconnection: keep-alive, close", false, false),
            ("POST / HTTP/1.1\r\ncontent-length: 1\r\nexpect: 100-Continue", true, true),
            ("POST / HTTP/1.1\r\nexpect: 100-continue", true, false),
            ("POST / HTTP/1.1\r\ncontent-length: 1\r\nexpect: else", true, false),
            ("POST / HTTP/1.0\r\ncontent-length: 1\r\nexpect: 100-continue", false, false),
        ] {
            let read = of(&format!("{head}\r\n\r\n")).unwrap().unwrap();
            assert_eq!((read.keep_alive, read.awaits_leave), (keep_alive, awaits_leave), "{head}");
        }
    }

    #[test]
    fn what_is_no_head_is_refused() {
        let malformed = [
            "GET / HTTP/1.1\n\n",
            "GET / HTTP/1.1\r\na: b\n\r\n",
            "GET / HTTP/1.1\na: b\r\n\r\n",
            "GET / HTTP/1.1\r\na: b\nc: d\r\n\r\n",
            "\nGET / HTTP/1.1\r\n\r\n",
            "GET /\r\n",
            "\x16\x03\x01\x02\x00\x01",
            "HTTP/1.1 200 OK\r\n",
            "GET / HTTP/1.1\r\na: b\r\n\nGET /hidden HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\na: b\n\nGET /hidden HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\na : b\r\n\r\n",
            "GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n",
            "GET / HTTP/1.1\r\na: b\x00\r\n\r\n",
            "GET /\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
            "GET / x HTTP/1.1\r\n\r\n",
            "G\x00T / HTTP/1.1\r\n\r\n",
        ];
        for head in malformed {
            assert_eq!(of(head).map(|_| ()), Err(Unreadable::Malformed), "{head:?}");
        }
        let long = "x".repeat(MAX_TARGET);
        assert_eq!(of(&format!("GET /{long} HTTP/1.1\r\n\r\n")).unwrap_err(), Unreadable::Target);
        let many = "a: b\r\n".repeat(MAX_HEADERS + 1);
        assert_eq!(of(&format!("GET / HTTP/1.1\r\n{many}\r\n")).unwrap_err(), Unreadable::Headers);
        let endless = "x".repeat(MAX_HEAD);
        assert_eq!(of(&format!("GET / HTTP/1.1\r\na: {endless}")).unwrap_err(), Unreadable::Headers);
        assert_eq!(of(&format!("GET / HTTP/1.1\r\na: {endless}\r\n\r\n")).unwrap_err(), Unreadable::Headers);
    }

    proptest! {
        #[test]
        fn any_pieces_give_the_same_head(
            wire in "(GET|POST|x) /[a-z%:?]{0,9} HTTP/1\\.[01](\r\n[a-z-]{1,9}: ?[a-z,:]{0,9}){0,4}\r\n\r\n[\r\nA-Z ]{0,9}",
            sizes in proptest::collection::vec(1_usize..30, 1..5),
        ) {
            let mut whole = BytesMut::from(wire.as_str());
            let at_once = take(&mut whole, &mut Looked::default()).map(|head| head.map(|head| format!("{head:?}")));
            let (mut unread, mut looked, mut rest) = (BytesMut::new(), Looked::default(), wire.as_bytes());
            let mut sizes = sizes.iter().copied().cycle();
            let by_pieces = loop {
                match take(&mut unread, &mut looked) {
                    Ok(None) if !rest.is_empty() => {}
                    taken => break taken.map(|head| head.map(|head| format!("{head:?}"))),
                }
                let (now, later) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
                unread.extend_from_slice(now);
                rest = later;
            };
            prop_assert_eq!(by_pieces, at_once);
            unread.extend_from_slice(rest);
            prop_assert_eq!(unread, whole);
        }
    }
}
