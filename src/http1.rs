//! HTTP/1.1, as far as clients' side and upstream's share it.

pub(crate) mod framing;
pub(crate) mod lines;

use bytes::BytesMut;

/// Makes `room` for a read, in bytes, where there is less than `least`; tells whether it did.
pub(crate) fn make_room(unread: &mut BytesMut, least: usize, room: usize) -> bool {
    if unread.capacity().saturating_sub(unread.len()) >= least {
        return false;
    }
    if unread.is_empty() {
        // Not `reserve`, which would never ask for less than it once had.
        *unread = BytesMut::with_capacity(room);
    } else {
        unread.reserve(room);
    }
    true
}
