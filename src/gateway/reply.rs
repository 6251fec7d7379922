//! The body of an answer to a client.

use super::relay::{Cut, Relay};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of an answer: the gateway's own, or upstream's.
#[derive(Debug)]
pub enum Reply {
    /// Written by the gateway itself.
    Own(Full<Bytes>),
    /// Upstream's, as it comes.
    Relayed(Box<Relay>),
}

impl<T: Into<Bytes>> From<T> for Reply {
    fn from(text: T) -> Self {
        Self::Own(Full::new(text.into()))
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Own(text) => Pin::new(text)
                .poll_frame(context)
                .map(|frame| frame.map(|frame| frame.map_err(|never| match never {}))),
            Self::Relayed(relay) => Pin::new(relay).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(text) => text.is_end_stream(),
            Self::Relayed(relay) => relay.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(text) => text.size_hint(),
            Self::Relayed(relay) => relay.size_hint(),
        }
    }
}
