//! The head of upstream's answer: status, headers, and what they say of the body and the connection.

use super::headers;
use crate::http1::framing::{Framing, Malformed, Place};
use crate::http1::lines::{END, content_length, header, options};
use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, StatusCode};
use httparse::{Header, ParserConfig, Response};
use std::mem::MaybeUninit;

/// The longest head, in bytes; Bedrock's have about 1 KiB.
const MAX_HEAD: usize = 64 << 10;

/// The most header lines of a head.
const MAX_HEADERS: usize = 256;

/// Room for the headers that the gateway adds for the client.
const OWN_HEADERS: usize = 3;

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    /// The status.
    pub(super) status: StatusCode,
    /// The headers, without what belongs to one hop.
    pub(super) headers: HeaderMap,
    /// How the body is framed.
    pub(super) framing: Framing,
    /// Whether the connection may carry another request after this answer.
    pub(super) keep_alive: bool,
}

/// Takes the head off the front of what was read, if it is there whole: an answer's, or an interim one's (1xx).
pub(super) fn take(unread: &mut BytesMut) -> Result<Option<Head>, Malformed> {
    let Some(end) = END.find(unread) else {
        return if unread.len() > MAX_HEAD { Err(Malformed) } else { Ok(None) };
    };
    if end > MAX_HEAD {
        return Err(Malformed);
    }
    parse(&unread.split_to(end + 4).freeze()).map(Some)
}

fn parse(bytes: &Bytes) -> Result<Head, Malformed> {
    let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut response = Response::new(&mut []);
    let parsed = ParserConfig::default()
        .parse_response_with_uninit_headers(&mut response, bytes, &mut lines)
        .map_err(|_| Malformed)?;
    if parsed != httparse::Status::Complete(bytes.len()) {
        return Err(Malformed);
    }
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Malformed)?;
    let Sorted { mut headers, connection, coding } = sorted(bytes, response.headers)?;
    let has_length = headers.contains_key(CONTENT_LENGTH);
    let framing = framing(status, coding.as_ref(), &mut headers)?;
    // The sender may mean another end of the body than the one that counts (RFC 9112, 6.1 and 6.3).
    let is_doubtful = coding.is_some() && (response.version == Some(0) || has_length);
    let persists = if response.version == Some(1) {
        !options(&connection).any(|option| option.eq_ignore_ascii_case("close"))
    } else {
        options(&connection).any(|option| option.eq_ignore_ascii_case("keep-alive"))
    };
    let keep_alive = persists && framing != Framing::UntilClose && !is_doubtful;
    headers::remove_named(&mut headers, &connection);
    Ok(Head { status, headers, framing, keep_alive })
}

/// The lines of a head, sorted by what they are for.
struct Sorted {
    /// What is for the client.
    headers: HeaderMap,
    /// The values of `connection`.
    connection: Vec<HeaderValue>,
    /// The last value of `transfer-encoding`.
    coding: Option<HeaderValue>,
}

/// Sorts lines within `bytes`, without copying their values.
fn sorted(bytes: &Bytes, lines: &[Header<'_>]) -> Result<Sorted, Malformed> {
    let headers = HeaderMap::with_capacity(lines.len().saturating_add(OWN_HEADERS));
    let mut sorted = Sorted { headers, connection: Vec::new(), coding: None };
    for line in lines {
        let (name, value) = header(bytes, line)?;
        if name == CONNECTION {
            sorted.connection.push(value);
        } else if name == TRANSFER_ENCODING {
            sorted.coding = Some(value);
        } else if !headers::is_of_one_hop(&name) {
            sorted.headers.append(name, value);
        }
    }
    Ok(sorted)
}

/// Tells how a body is framed; a content-length that transfer-encoding overrules is taken away (RFC 9112, 6.3).
fn framing(
    status: StatusCode,
    coding: Option<&HeaderValue>,
    headers: &mut HeaderMap,
) -> Result<Framing, Malformed> {
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Ok(Framing::Length(0));
    }
    if let Some(coding) = coding {
        let last = coding.as_bytes().rsplit(|byte| *byte == b',').next().unwrap_or_default();
        let is_chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
        headers.remove(CONTENT_LENGTH);
        return Ok(if is_chunked { Framing::Chunked(Place::Size) } else { Framing::UntilClose });
    }
    let length = content_length(headers.get_all(CONTENT_LENGTH))?;
    Ok(length.map_or(Framing::UntilClose, Framing::Length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    fn of(text: &str) -> Result<Option<Head>, Malformed> {
        take(&mut BytesMut::from(text))
    }

    #[test]
    fn a_head_loses_only_its_hop() {
        let wire = "HTTP/1.1 200 OK\r\nConnection: keep-alive, x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\n\
            te: a\r\nupgrade: b\r\nproxy-connection: c\r\ntransfer-encoding: chunked\r\nx-amzn-requestid: r\r\n\
            content-type: a\r\n\r\n";
        let head = of(wire).unwrap().unwrap();
        let mut names: Vec<&str> = head.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "x-amzn-requestid"]);
    }

    fn framed(head: &str) -> Result<(Framing, bool), Malformed> {
        of(&format!("{head}\r\n\r\n")).map(|head| head.unwrap()).map(|head| (head.framing, head.keep_alive))
    }

    #[test]
    fn a_head_is_taken_whole_and_nothing_more() {
        let wire = "HTTP/1.1 200 OK\r\nX-Upper: CaSe\r\nset-cookie: a\r\nset-cookie: b\r\nx-empty:\r\ncontent-length: 2\r\n\r\n";
        for end in 0..wire.len() {
            assert!(of(&wire[..end]).unwrap().is_none(), "{end}");
        }
        let mut unread = BytesMut::from(format!("{wire}ab").as_str());
        let head = take(&mut unread).unwrap().unwrap();
        assert_eq!((head.status.as_u16(), &unread[..]), (200, &b"ab"[..]));
        assert_eq!(head.headers["x-upper"], "CaSe");
        assert_eq!(head.headers["x-empty"], "");
        assert_eq!(head.headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn interim_answers_are_taken_one_by_one() {
        let mut unread =
            BytesMut::from("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
        let statuses = [(); 2].map(|()| take(&mut unread).unwrap().unwrap().status.as_u16());
        assert_eq!(statuses, [103, 204]);
        assert!(unread.is_empty());
    }

    #[test]
    fn a_head_ends_where_both_readings_end_it() {
        for wire in ["HTTP/1.1 200 OK\na: b\n\nLOST\r\n\r\n", "HTTP/1.1 200 OK\r\na: b\r\n\nLOST\r\n\r\n"] {
            assert_eq!(of(wire).unwrap_err(), Malformed, "{wire:?}");
        }
    }

    #[test]
    fn the_headers_tell_where_the_body_ends() {
        let chunked = Framing::Chunked(Place::Size);
        for (head, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 7", Ok((Framing::Length(7), true))),
            ("HTTP/1.1 200 OK\r\ncontent-length: 7\r\ncontent-length: 7", Ok((Framing::Length(7), true))),
            ("HTTP/1.1 200 OK\r\ncontent-length: 7\r\ncontent-length: 8", Err(Malformed)),
            ("HTTP/1.1 200 OK\r\ncontent-length: +7", Err(Malformed)),
            ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999", Err(Malformed)),
            ("HTTP/1.1 200 OK\r\ncontent-length:", Err(Malformed)),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 7", Ok((chunked, false))),
            ("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\nconnection: keep-alive", Ok((chunked, false))),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, Chunked", Ok((chunked, true))),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip", Ok((Framing::UntilClose, false))),
            ("HTTP/1.1 200 OK", Ok((Framing::UntilClose, false))),
            ("HTTP/1.1 204 No Content\r\ncontent-length: 7", Ok((Framing::Length(0), true))),
            ("HTTP/1.1 304 Not Modified\r\ncontent-length: 7", Ok((Framing::Length(0), true))),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: x, Close", Ok((Framing::Length(0), false))),
            ("HTTP/1.0 200 OK\r\ncontent-length: 0", Ok((Framing::Length(0), false))),
            (
                "HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive",
                Ok((Framing::Length(0), true)),
            ),
        ] {
            assert_eq!(framed(head), expected, "{head}");
        }
        let overruled = of("HTTP/1.1 200 OK\r\ncontent-length: 7\r\ntransfer-encoding: chunked\r\n\r\n");
        assert!(!overruled.unwrap().unwrap().headers.contains_key(CONTENT_LENGTH));
    }

    #[test]
    fn what_is_no_head_is_malformed() {
        for head in [
            "HTTP/7.7 banana",
            "HTTP/2 200",
            "banana",
            "HTTP/1.1 200 OK\r\nbad header: 1",
            "HTTP/1.1 099 Low",
        ] {
            assert_eq!(framed(head), Err(Malformed), "{head}");
        }
        let many = "a: b\r\n".repeat(MAX_HEADERS + 1);
        assert_eq!(of(&format!("HTTP/1.1 200 OK\r\n{many}\r\n")).unwrap_err(), Malformed);
        let long = "x".repeat(MAX_HEAD);
        assert_eq!(of(&format!("HTTP/1.1 200 OK\r\na: {long}")).unwrap_err(), Malformed);
        assert_eq!(of(&format!("HTTP/1.1 200 OK\r\na: {long}\r\n\r\n")).unwrap_err(), Malformed);
    }
}
