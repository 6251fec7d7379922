//! JSON values that are read where they make sense and skipped where they do not, so that one odd member never
//! hides the others.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// A value that is made from some kinds of JSON, and is its default for all others.
pub(super) trait Lenient<'de>: Default {
    fn from_number(_: u64) -> Self {
        Self::default()
    }

    fn from_text(_: &str) -> Self {
        Self::default()
    }

    fn from_array<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    fn from_object<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

/// Reads a message of JSON whose texts are nearly all looked at: checked as UTF-8 once, and not each by itself. One that is
/// not all UTF-8 is read as far as it is looked at.
pub(super) fn from_json<'de, T: Deserialize<'de>>(json: &'de [u8]) -> serde_json::Result<T> {
    match std::str::from_utf8(json) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(json),
    }
}

/// Reads any JSON value.
pub(super) fn read<'de, T: Lenient<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Reader(PhantomData))
}

struct Reader<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        Ok(u64::try_from(value).map_or_else(|_| T::default(), T::from_number))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        Ok(T::from_number(value))
    }

    /// Takes `6.0` for 6: a float without a fraction prints as the integer it is.
    fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
        Ok(value.to_string().parse().map_or_else(|_| T::default(), T::from_number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<T, E> {
        Ok(T::from_text(value))
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<T, A::Error> {
        T::from_array(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::from_object(members)
    }
}

/// Makes a type readable by serde as a `Lenient` one.
macro_rules! readable {
    ($($kind:ty),*) => {
        $(impl<'de> serde::Deserialize<'de> for $kind {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::tap::lenient::read(deserializer)
            }
        })*
    };
}
pub(super) use readable;

/// A count; `None` where none was said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count(pub(super) Option<u64>);

/// The length of a string in bytes of UTF-8; 0 where there was no string.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TextLen(pub(super) u64);

/// A string that is kept.
#[derive(Debug, Default)]
pub(super) struct Word(pub(super) Option<String>);

/// How many items an array has that are not null; `None` where there was no array.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Items(pub(super) Option<u64>);

readable!(Count, TextLen, Word, Items);

impl Lenient<'_> for Count {
    fn from_number(value: u64) -> Self {
        Self(Some(value))
    }
}

impl Lenient<'_> for TextLen {
    fn from_text(value: &str) -> Self {
        Self(u64::try_from(value.len()).unwrap_or(u64::MAX))
    }
}

impl Lenient<'_> for Word {
    fn from_text(value: &str) -> Self {
        Self(Some(value.to_owned()))
    }
}

impl<'de> Lenient<'de> for Items {
    fn from_array<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut count = 0_u64;
        while let Some(item) = items.next_element::<Option<IgnoredAny>>()? {
            count = count.saturating_add(u64::from(item.is_some()));
        }
        Ok(Self(Some(count)))
    }
}

/// An object that is read, or `None` where there was none.
#[derive(Debug)]
pub(super) struct Maybe<T>(pub(super) Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Lenient<'de> for Maybe<T> {
    fn from_object<A: MapAccess<'de>>(members: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(|object| Self(Some(object)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer)
    }
}

/// What can be added up over the objects of an array.
pub(super) trait Sum: Default {
    fn add(&mut self, item: Self);
}

/// The sum over the objects of an array.
#[derive(Debug, Default)]
pub(super) struct Each<T>(pub(super) T);

impl<'de, T: Deserialize<'de> + Sum> Lenient<'de> for Each<T> {
    fn from_array<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut sum = T::default();
        while let Some(item) = items.next_element::<Maybe<T>>()? {
            if let Some(item) = item.0 {
                sum.add(item);
            }
        }
        Ok(Self(sum))
    }
}

impl<'de, T: Deserialize<'de> + Sum> Deserialize<'de> for Each<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer)
    }
}
