//! HTTP/1.1 towards clients: one request after the other, each answered in the connection's own task.

mod answer;
mod connection;
mod head;
mod sending;

use super::accept::Watch;
use super::client_stream::ClientStream;
use super::{caught, respond};
use crate::gateway::{Gateway, Handled, Reply};
use crate::intake;
use crate::server::reception::say_goodbye;
use answer::{Asked, Outbox};
use connection::Connection;
use head::{Head, Unreadable};
use http::{Method, Response, Version};
use http_body::Body as _;
use sending::{NotSent, Sending};
use std::pin::pin;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client has left, or is left without a word.
    Gone,
    /// Nothing is left to be said or heard.
    Over,
    /// The client may still be sending what nobody wants, and is to hear the answer nevertheless.
    Unheard,
}

/// Serves a connection to its end.
pub(super) async fn serve(stream: ClientStream, gateway: &Arc<Gateway>, watch: &Watch) {
    let mut serving =
        Serving { connection: Connection::new(stream), outbox: Outbox::default(), gateway, watch };
    let end = loop {
        if let Some(end) = serving.next().await {
            break end;
        }
    };
    let mut stream = serving.connection.into_io();
    match end {
        End::Gone => {}
        // Where it has gone, there is nobody to tell.
        End::Over => drop(stream.shutdown().await),
        // Boxed, as it is rare: connections need not have room for it.
        End::Unheard => Box::pin(say_goodbye(stream)).await,
    }
}

/// A connection that is served.
struct Serving<'a> {
    connection: Connection,
    outbox: Outbox,
    gateway: &'a Arc<Gateway>,
    watch: &'a Watch,
}

impl Serving<'_> {
    /// Answers the next request; returns how the connection ends, if it does.
    async fn next(&mut self) -> Option<End> {
        match self.connection.next(|| self.watch.is_leaving()).await {
            Ok(Some(head)) => self.answer(head).await,
            Ok(None) => Some(End::Over),
            Err(unreadable) => Some(self.refuse(unreadable).await),
        }
    }

    async fn answer(&mut self, head: Head) -> Option<End> {
        let Head { parts, keep_alive, .. } = head;
        let mut asked = Asked { method: parts.method.clone(), version: parts.version, keep_alive };
        let line = self.watch.asks();
        // Boxed: an answer that is streamed for minutes need not have room for it.
        let handled = Box::pin(respond(Arc::clone(self.gateway), parts, &mut self.connection, line)).await;
        self.connection.rest();
        let response = match handled {
            Handled::Answered(response) => response,
            Handled::OnItsWay(call) => {
                let answer = pin!(caught(call.answer()));
                let Some(response) = self.connection.unless_gone(answer).await else {
                    return Some(End::Gone);
                };
                response.unwrap_or_else(|response| response)
            }
        };
        if let Err(end) = self.send(response, &mut asked).await {
            return Some(end);
        }
        if !self.read_away().await {
            return Some(End::Unheard);
        }
        self.connection.rest();
        (!asked.keep_alive).then_some(End::Over)
    }

    /// Answers what is no request, as briefly as it deserves.
    async fn refuse(&mut self, unreadable: Unreadable) -> End {
        tracing::debug!(peer = %self.watch.peer(), reason = ?unreadable, "what came is no request");
        let mut response = Response::new(Reply::from(""));
        *response.status_mut() = unreadable.status();
        let mut asked = Asked { method: Method::GET, version: Version::HTTP_11, keep_alive: false };
        self.send(response, &mut asked).await.err().unwrap_or(End::Unheard)
    }

    /// Reads away what is left of a request; tells whether that was all of it.
    async fn read_away(&mut self) -> bool {
        if !self.connection.is_read() && self.connection.is_readable() {
            Box::pin(intake::discard(&mut self.connection)).await;
        }
        self.connection.is_read() && self.connection.is_readable()
    }

    /// Sends an answer, and settles whether the connection carries another.
    async fn send(&mut self, response: Response<Reply>, asked: &mut Asked) -> Result<(), End> {
        let (head, body) = response.into_parts();
        asked.keep_alive &= !self.watch.is_leaving() && self.connection.is_readable();
        let framing = self.outbox.begin(&head, body.size_hint().exact(), asked, self.gateway.clock);
        drop(head);
        let sent = Sending::new(&mut self.connection, &mut self.outbox, framing, body).await;
        self.outbox.rest();
        sent.map_err(|NotSent| End::Gone)
    }
}
