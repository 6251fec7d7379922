//! The lines of a head or a trailer section.

use super::framing::Malformed;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use httparse::Header;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// What a head or a trailer section ends with, ready to be looked for.
pub(crate) static END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n\r\n"));

/// The most lines of a trailer section.
const MAX_TRAILERS: usize = 256;

/// Takes a line within `bytes`, without copying its value.
pub(crate) fn header(bytes: &Bytes, line: &Header<'_>) -> Result<(HeaderName, HeaderValue), Malformed> {
    let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| Malformed)?;
    let value = HeaderValue::from_maybe_shared(bytes.slice_ref(line.value)).map_err(|_| Malformed)?;
    Ok((name, value))
}

/// Reads a trailer section.
pub(crate) fn trailers(bytes: &Bytes) -> Result<HeaderMap, Malformed> {
    let mut lines = [httparse::EMPTY_HEADER; MAX_TRAILERS];
    match httparse::parse_headers(bytes, &mut lines) {
        Ok(httparse::Status::Complete((len, lines))) if len == bytes.len() => {
            lines.iter().map(|line| header(bytes, line)).collect()
        }
        Ok(_) | Err(_) => Err(Malformed),
    }
}

/// Returns the options that `connection` lists.
pub(crate) fn options<'a>(
    connection: impl IntoIterator<Item = &'a HeaderValue>,
) -> impl Iterator<Item = &'a str> {
    let values = connection.into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Returns what all `content-length`s of a head say, if there are any.
pub(crate) fn content_length<'a>(
    values: impl IntoIterator<Item = &'a HeaderValue>,
) -> Result<Option<u64>, Malformed> {
    let mut lengths = values.into_iter().map(length);
    let Some(first) = lengths.next() else { return Ok(None) };
    if lengths.any(|other| other != first) {
        return Err(Malformed);
    }
    first.map(Some)
}

fn length(value: &HeaderValue) -> Result<u64, Malformed> {
    let digits = value.to_str().map_err(|_| Malformed)?;
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(Malformed);
    }
    digits.parse().map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_end_where_both_readings_end_them() {
        assert_eq!(trailers(&Bytes::from_static(b"a: b\n\nc: d\r\n\r\n")).unwrap_err(), Malformed);
        assert_eq!(trailers(&Bytes::from_static(b"a: b\r\nc: d\r\n\r\n")).unwrap().len(), 2);
    }
}
