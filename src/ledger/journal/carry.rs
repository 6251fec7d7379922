//! Long calls: their openings are written once more, so that they hold no old segments.

use super::entries::{Entries, Next};
use super::entry::{self, Kind};
use super::log::{Log, Shared};
use crate::domain::RequestId;
use std::sync::Arc;

impl Shared {
    /// Where the journal is half full, frees segments that nothing but open calls hold.
    pub(super) fn carry(&self) {
        let limit = self.settings.limit_bytes / 2;
        let held = self.lock().held_by_calls_alone(limit);
        for sequence in held {
            // A segment that cannot be read stays where it is.
            self.carry_out_of(sequence);
        }
    }

    fn carry_out_of(&self, sequence: u64) -> Option<()> {
        let mut entries = self.lock().entries(sequence)?;
        let mut buffer = Vec::new();
        while let Next::Entry(frame) = entries.next().ok()? {
            if frame.kind == Kind::Opening {
                entry::begin(&mut buffer, Kind::Opening, frame.id);
                buffer.extend_from_slice(entries.payload());
                entry::seal(&mut buffer, self.salt)?;
                self.carry_over(sequence, frame.id, &buffer)?;
            }
        }
        Some(())
    }

    fn carry_over(&self, from: u64, id: RequestId, frame: &[u8]) -> Option<()> {
        let mut log = self.lock();
        if log.open.get(&id) == Some(&from) {
            let end = self.append(&mut log, frame).ok()?;
            log.opened(end.sequence, id);
        }
        Some(())
    }
}

impl Log {
    fn held_by_calls_alone(&self, limit: u64) -> Vec<u64> {
        if self.bytes <= limit || self.failure.is_some() {
            return Vec::new();
        }
        let others = self.segments.iter().filter(|(sequence, _)| self.active != Some(**sequence));
        let held = others.filter(|(_, segment)| segment.pending == 0 && segment.open > 0);
        held.map(|(sequence, _)| *sequence).collect()
    }

    fn entries(&self, sequence: u64) -> Option<Entries> {
        let segment = self.segments.get(&sequence)?;
        Some(Entries::new(Arc::clone(&segment.file), segment.salt, super::segment::HEADER, segment.len))
    }
}
