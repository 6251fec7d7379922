//! The domain's words as entries spell them: by name, so that no order of declaration matters.

use crate::domain::{Attribution, MissingReason, Operation, Outcome, Policy, Unit, UsageSource};
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use std::borrow::Cow;

/// A word out of a fixed list.
pub(super) trait Word: Copy {
    /// Returns how it is spelt.
    fn spelling(self) -> &'static str;

    /// Returns the word that is spelt like that.
    fn spelt(name: &str) -> Option<Self>;
}

macro_rules! word {
    ($word:ty, $from:expr) => {
        impl Word for $word {
            fn spelling(self) -> &'static str {
                self.name()
            }

            fn spelt(name: &str) -> Option<Self> {
                $from(name)
            }
        }
    };
}

word!(Operation, Operation::from_name);
word!(Outcome, Outcome::from_name);
word!(UsageSource, UsageSource::from_name);
word!(MissingReason, MissingReason::from_name);
word!(Attribution, |name| among([Attribution::Profile, Attribution::LedgerOnly], name));
word!(Unit, |name| among(Unit::ALL, name));
word!(Policy, |name| among(Policy::ALL, name));

fn among<T: Word, const N: usize>(words: [T; N], name: &str) -> Option<T> {
    words.into_iter().find(|word| word.spelling() == name)
}

/// A word as it is spelt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<T>(pub(super) T);

impl<T: Word> Serialize for Name<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.spelling())
    }
}

impl<'de, T: Word> Deserialize<'de> for Name<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <&str>::deserialize(deserializer)?;
        T::spelt(name).map(Self).ok_or_else(|| D::Error::custom("an unknown word"))
    }
}

/// Counts by word.
#[derive(Debug)]
pub(super) struct Counts<'a, T: Word>(pub(super) Cow<'a, [(T, u64)]>);

impl<T: Word> Serialize for Counts<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(word, count)| (Name(*word), count)))
    }
}

impl<'de, T: Word> Deserialize<'de> for Counts<'_, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let counts = Vec::<(Name<T>, u64)>::deserialize(deserializer)?;
        Ok(Self(counts.into_iter().map(|(word, count)| (word.0, count)).collect()))
    }
}
