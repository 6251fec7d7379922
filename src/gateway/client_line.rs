//! A client's connection, as far as calls and the listener have to agree on it.

use crate::domain::{ClientCertificate, Peer};
use http::Version;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A client's connection. Each call holds a clone until its answer is relayed, so that an idle one can be told.
#[derive(Debug, Clone, Default)]
pub struct ClientLine {
    is_to_break: Arc<AtomicBool>,
    calls: Arc<()>,
    /// Whether it carries several calls at a time.
    is_shared: bool,
    peer: Arc<Peer>,
}

impl ClientLine {
    /// Returns the line to a peer.
    pub fn to(peer: Peer) -> Self {
        Self { peer: Arc::new(peer), ..Self::default() }
    }

    /// Returns the same line, to a peer that TLS has verified a certificate of.
    #[must_use]
    pub fn certified(self, certificate: ClientCertificate) -> Self {
        let peer = Peer { address: self.peer.address, certificate: Some(Arc::new(certificate)) };
        Self { peer: Arc::new(peer), ..self }
    }

    /// Returns who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Returns the same connection for a request of that version: over HTTP/2, one call does not break it.
    #[must_use]
    pub fn of_version(self, version: Version) -> Self {
        Self { is_shared: version >= Version::HTTP_2, ..self }
    }

    /// Has the connection end with a reset, so that what was cut can never look whole.
    ///
    /// Over HTTP/2 a cut ends one stream and leaves the connection to the others.
    pub fn break_off(&self) {
        if !self.is_shared {
            self.is_to_break.store(true, Ordering::Release);
        }
    }

    /// Tells whether the connection is to end with a reset.
    pub fn is_to_break(&self) -> bool {
        self.is_to_break.load(Ordering::Acquire)
    }

    /// Tells whether any clone but the listener's `own` is held, which calls do.
    pub fn is_in_use(&self, own: usize) -> bool {
        Arc::strong_count(&self.calls) > own
    }
}
