//! A record as its line of the access log: what serde makes of it, in a fifth of the instructions.

use crate::domain::{MissingReason, ModelId, Money, ProfileArn, Record, Usage, stamp};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Room for a line, in bytes: most are shorter.
const ROOM: usize = 1536;

/// Returns a record's line, with its line feed: its members in the order in which they serialize.
pub fn line(record: &Record) -> Vec<u8> {
    let mut written = Line(Vec::with_capacity(ROOM));
    written.call(record);
    written.outcome(record);
    written.charge(record);
    written.raw(b"}\n");
    written.0
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A line as far as it is written. Names come as the JSON that stands before their value.
struct Line(Vec<u8>);

impl Line {
    /// Writes what was known when the call went upstream.
    fn call(&mut self, record: &Record) {
        self.raw(b"{\"id\":\"");
        self.raw(record.id.encode(&mut [0; 36]).as_bytes());
        self.raw(b"\",\"started_at\":\"");
        self.raw(&stamp::rfc3339_ascii(record.started_at));
        self.raw(b"\",\"finished_at\":\"");
        self.raw(&stamp::rfc3339_ascii(record.finished_at));
        self.raw(b"\"");
        self.text(b",\"service\":", record.service.as_str());
        self.texts(b",\"tags\":", &record.tags);
        self.text(b",\"operation\":", record.operation.name());
        self.some_text(b",\"requested_model\":", record.requested_model.as_ref().map(ModelId::as_str));
        self.some_text(b",\"source_model\":", record.source_model.as_ref().map(ModelId::as_str));
        self.some_text(b",\"profile_arn\":", record.profile_arn.as_ref().map(ProfileArn::as_str));
        self.text(b",\"attribution\":", record.attribution.name());
        self.text(b",\"region\":", record.region.as_str());
    }

    /// Writes how it ended, and what was used.
    fn outcome(&mut self, record: &Record) {
        self.some_number(b",\"status\":", record.status.map(u64::from));
        self.text(b",\"outcome\":", record.outcome.name());
        if record.client_gone {
            self.raw(b",\"client_gone\":true");
        }
        self.usage(&record.usage);
        self.text(b",\"usage_source\":", record.usage_source.name());
        self.some_text(b",\"usage_missing\":", record.usage_missing.map(MissingReason::name));
        if let Some(raw) = &record.usage_raw {
            self.raw(b",\"usage_raw\":");
            self.raw(raw.get().as_bytes());
        }
        self.some_text(b",\"service_tier\":", record.service_tier.as_deref());
        self.some_text(b",\"latency_tier\":", record.latency_tier.as_deref());
        if let Some(picture) = &record.picture {
            self.json(b",\"picture\":", picture);
        }
        self.some_text(b",\"invoked_model\":", record.invoked_model.as_ref().map(ModelId::as_str));
    }

    /// Writes what it cost, how long it took, and what else there is to say.
    fn charge(&mut self, record: &Record) {
        if let Some(cost) = record.cost {
            self.raw(b",\"estimated_cost_usd\":\"");
            self.raw(cost.encode(&mut [0; Money::LEN]).as_bytes());
            self.raw(b"\"");
        }
        self.some_text(b",\"price_id\":", record.price_id.as_deref());
        self.some_text(b",\"unpriced\":", record.unpriced.as_deref());
        self.some_number(b",\"time_to_first_byte_ms\":", record.time_to_first_byte.map(millis));
        self.number(b",\"duration_ms\":", millis(record.duration));
        self.some_text(b",\"aws_request_id\":", record.aws_request_id.as_deref());
        self.some_text(b",\"key_id\":", record.key_id.as_deref());
        self.texts(b",\"labels\":", &record.labels);
    }

    fn raw(&mut self, json: &[u8]) {
        self.0.extend_from_slice(json);
    }

    fn text(&mut self, name: &[u8], text: &str) {
        self.raw(name);
        self.quoted(text);
    }

    fn some_text(&mut self, name: &[u8], text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    fn number(&mut self, name: &[u8], number: u64) {
        self.raw(name);
        self.raw(itoa::Buffer::new().format(number).as_bytes());
    }

    fn some_number(&mut self, name: &[u8], number: Option<u64>) {
        if let Some(number) = number {
            self.number(name, number);
        }
    }

    /// Writes an object of texts; nothing where there are none.
    fn texts(&mut self, name: &[u8], texts: &BTreeMap<String, String>) {
        let mut before: &[u8] = b"{";
        for (key, text) in texts {
            if before == b"{" {
                self.raw(name);
            }
            self.text(before, key);
            self.text(b":", text);
            before = b",";
        }
        if before == b"," {
            self.raw(b"}");
        }
    }

    /// Writes an object of counts; nothing where nothing was said.
    fn usage(&mut self, usage: &Usage) {
        let mut before: &[u8] = b",\"usage\":{\"";
        for (name, count) in usage.counts() {
            self.raw(before);
            self.raw(name.as_bytes());
            self.number(b"\":", count);
            before = b",\"";
        }
        if before == b",\"" {
            self.raw(b"}");
        }
    }

    /// Writes what is rare as serde does.
    fn json(&mut self, name: &[u8], value: &impl Serialize) {
        self.raw(name);
        // A vector takes all that is written to it, and none of our types refuses.
        let _ = serde_json::to_writer(&mut self.0, value);
    }

    fn quoted(&mut self, text: &str) {
        if !is_plain(text) {
            return self.json(b"", &text);
        }
        self.raw(b"\"");
        self.raw(text.as_bytes());
        self.raw(b"\"");
    }
}

/// Tells whether nothing of a text is written otherwise in JSON.
#[expect(clippy::needless_bitwise_bool, reason = "without an early end, many bytes are looked at at once")]
fn is_plain(text: &str) -> bool {
    !text.bytes().fold(false, |found, byte| found | (byte < b' ') | (byte == b'"') | (byte == b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::store::samples;
    use proptest::prelude::*;
    use std::sync::Arc;

    proptest! {
        #[test]
        fn a_line_is_what_serde_makes_of_its_record(
            mut record in samples::record(),
            texts in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..3),
            text in proptest::option::of(any::<String>()),
        ) {
            (record.tags, record.aws_request_id, record.service_tier) = (Arc::new(texts), text.clone(), text);
            let mut expected = serde_json::to_string(&record).unwrap();
            expected.push('\n');
            prop_assert_eq!(String::from_utf8(line(&record)).unwrap(), expected);
        }
    }
}
