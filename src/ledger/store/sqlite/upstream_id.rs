//! Upstream's own request id: a UUID takes 16 bytes in place of 36.

use rusqlite::types::{FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use std::borrow::Cow;
use uuid::Uuid;

/// A request id as its column holds it.
#[derive(Debug)]
pub(super) enum UpstreamId<'a> {
    /// A UUID as it is usually written, by its bytes.
    Uuid(Uuid),
    /// Anything else.
    Text(&'a str),
}

impl<'a> UpstreamId<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        match Uuid::try_parse(text) {
            Ok(uuid) if uuid.hyphenated().encode_lower(&mut [0; 36]) == text => Self::Uuid(uuid),
            Ok(_) | Err(_) => Self::Text(text),
        }
    }

    pub(super) fn read(value: ValueRef<'a>) -> FromSqlResult<Option<Cow<'a, str>>> {
        match value {
            ValueRef::Blob(bytes) => {
                let uuid = Uuid::from_slice(bytes).map_err(FromSqlError::other)?;
                Ok(Some(Cow::Owned(uuid.to_string())))
            }
            ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => {
                Ok(value.as_str_or_null()?.map(Cow::Borrowed))
            }
        }
    }
}

impl ToSql for UpstreamId<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self {
            Self::Uuid(uuid) => ValueRef::Blob(uuid.as_bytes()),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_comes_back_as_it_was() {
        for (text, bytes) in [
            ("019ab3c2-7f1d-7000-8000-00000000002a", 16),
            ("019AB3C2-7F1D-7000-8000-00000000002A", 36),
            ("019ab3c27f1d7000800000000000002a", 32),
            ("", 0),
            ("abc", 3),
        ] {
            let id = UpstreamId::of(text);
            let ToSqlOutput::Borrowed(value) = id.to_sql().unwrap() else { panic!("{id:?}") };
            assert_eq!(value.as_bytes().unwrap().len(), bytes, "{text}");
            assert_eq!(UpstreamId::read(value).unwrap().as_deref(), Some(text));
        }
        assert_eq!(UpstreamId::read(ValueRef::Null).unwrap(), None);
    }
}
