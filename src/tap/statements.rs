//! What upstream stated, word for word.

use serde::Serialize;
use serde_json::value::RawValue;

/// Statements by the place that made them; of two by one place the later stays.
#[derive(Debug, Default)]
pub(super) struct Statements(Vec<(&'static str, Box<RawValue>)>);

impl Statements {
    pub(super) fn put(&mut self, place: &'static str, statement: Box<RawValue>) {
        match self.0.iter_mut().find(|(known, _)| *known == place) {
            Some((_, earlier)) => *earlier = statement,
            None => self.0.push((place, statement)),
        }
    }

    /// Puts counts that upstream did not state as an object of their own.
    pub(super) fn put_counts(&mut self, place: &'static str, counts: &impl Serialize) {
        if let Ok(statement) = serde_json::value::to_raw_value(counts)
            && statement.get() != "{}"
        {
            self.put(place, statement);
        }
    }

    /// Returns a JSON object with one member per place, or `None` where nothing was stated.
    pub(super) fn into_raw(self) -> Option<Box<RawValue>> {
        if self.0.is_empty() {
            return None;
        }
        serde_json::value::to_raw_value(&self).ok()
    }
}

impl Serialize for Statements {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(place, statement)| (place, statement)))
    }
}
