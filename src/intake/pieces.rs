//! A body's buffers as they came, except where they would hold more memory than bytes.
//!
//! What a connection reads is a slice of a buffer that it had made for as much as could have come. Where less came, the
//! slice keeps the rest of the buffer, which nothing will fill: up to half of it where TLS is read record by record, nearly
//! all of it where a client sends a few bytes at a time. Such slices are copied together.

use bytes::Bytes;

/// Below this, in bytes, a piece costs more to keep than to copy.
const SMALL: usize = 4 << 10;

/// How much is copied together, in bytes.
const TOGETHER: usize = 64 << 10;

/// One part in how many may be memory that holds nothing.
const SPARE: usize = 16;

/// The pieces of a body, in order.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    kept: Vec<Bytes>,
    /// What was copied together, and follows the kept ones.
    copied: Vec<u8>,
    /// What came last: its buffer may be in use still, and where nothing follows it stays as it is.
    last: Option<Bytes>,
}

impl Pieces {
    /// Takes what came next.
    pub(super) fn push(&mut self, piece: Bytes) {
        if let Some(before) = self.last.replace(piece) {
            self.settle(before);
        }
    }

    /// Returns all pieces, in order.
    pub(super) fn finish(mut self) -> Vec<Bytes> {
        let last = self.last.take();
        self.keep_copied();
        self.kept.extend(last);
        self.kept
    }

    /// Keeps a piece whose buffer the connection has left, or copies it.
    fn settle(&mut self, piece: Bytes) {
        if piece.len() < SMALL {
            return self.copy(&piece);
        }
        match piece.try_into_mut() {
            Ok(own) if own.capacity() - own.len() > own.len() / SPARE => self.copy(&own),
            Ok(own) => self.keep(own.freeze()),
            // Others have parts of the same buffer.
            Err(shared) => self.keep(shared),
        }
    }

    fn keep(&mut self, piece: Bytes) {
        self.keep_copied();
        self.kept.push(piece);
    }

    fn copy(&mut self, piece: &[u8]) {
        if self.copied.len() + piece.len() > TOGETHER {
            self.keep_copied();
        }
        if self.copied.is_empty() {
            self.copied.reserve_exact(TOGETHER.max(piece.len()));
        }
        self.copied.extend_from_slice(piece);
    }

    fn keep_copied(&mut self) {
        let mut copied = std::mem::take(&mut self.copied);
        if !copied.is_empty() {
            copied.shrink_to_fit();
            self.kept.push(copied.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::{BufMut, BytesMut};
    use proptest::prelude::*;

    /// Returns the pieces of a body that is read into buffers of a size, so many bytes each time, and the body.
    fn read(buffer: usize, counts: &[usize]) -> (Vec<Bytes>, Vec<u8>) {
        let (mut pieces, mut body, mut reading) = (Pieces::default(), Vec::new(), BytesMut::new());
        for (index, count) in counts.iter().enumerate() {
            // As hyper does: each time there is room for a whole read.
            if reading.capacity() < buffer {
                reading.reserve(buffer);
            }
            let count = (*count).min(buffer);
            reading.put_bytes(u8::try_from(index % 251).unwrap(), count);
            body.extend_from_slice(&reading);
            pieces.push(reading.split_to(count).freeze());
        }
        drop(reading);
        (pieces.finish(), body)
    }

    /// Returns how much memory pieces hold.
    fn held(pieces: Vec<Bytes>) -> usize {
        let of = |piece: Bytes| piece.try_into_mut().map_or_else(|shared| shared.len(), |own| own.capacity());
        pieces.into_iter().map(of).sum()
    }

    #[test]
    fn full_buffers_stay_as_they_came() {
        let whole: Vec<Bytes> = (0..4).map(|_| Bytes::from(vec![1; 128 << 10])).collect();
        let mut pieces = Pieces::default();
        whole.iter().cloned().for_each(|piece| pieces.push(piece));
        let kept = pieces.finish();
        let same = |(kept, whole): (&Bytes, &Bytes)| kept.as_ptr() == whole.as_ptr();
        assert!(kept.len() == whole.len() && kept.iter().zip(&whole).all(same));
        let (kept, body) = read(64 << 10, &[64 << 10; 20]);
        assert_eq!((kept.len(), kept.concat()), (20, body));
    }

    #[test]
    fn a_body_in_one_piece_stays_as_it_came() {
        let piece = Bytes::from(vec![1; 10]);
        let mut pieces = Pieces::default();
        pieces.push(piece.clone());
        assert_eq!(pieces.finish()[0].as_ptr(), piece.as_ptr());
        assert!(Pieces::default().finish().is_empty());
    }

    #[test]
    fn half_empty_buffers_and_crumbs_are_copied_together() {
        for (buffer, count) in [(32 << 10, 16 << 10), (8 << 10, 100), (8 << 10, 1), (400 << 10, 17_000)] {
            let (kept, body) = read(buffer, &vec![count; (4 << 20) / count]);
            assert!(kept.len() <= body.len() / TOGETHER * 2, "{buffer} {count}: {}", kept.len());
            assert_eq!(kept.concat(), body);
            let held = held(kept);
            assert!(held * 100 <= body.len() * 107 + 100 * buffer, "{buffer} {count}: {held}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_little_is_held_besides(
            buffer in 8_usize << 10..100_000,
            counts in proptest::collection::vec(prop_oneof![0_usize..200, 0_usize..100_000], 0..200),
        ) {
            let (kept, body) = read(buffer, &counts);
            prop_assert_eq!(kept.concat(), &body[..]);
            // What came last may have a buffer to itself.
            prop_assert!(held(kept) * 100 <= body.len() * 107 + 100 * buffer);
        }
    }
}
