//! One call from the moment that it is owed a record until it has one.

use super::Route;
use crate::clock::Clock;
use crate::domain::{Operation, Outcome, Picture, Record, RequestId};
use crate::error::{X_AMZN_ERRORTYPE, X_AMZN_REQUESTID};
use crate::ledger::OpeningRef;
use crate::ledger::journal::{JournalUnavailable, Ticket};
use crate::metrics::GoneAction;
use crate::record::Recorder;
use crate::tap::{End, Exception, Reading, Tap};
use bytes::Bytes;
use http::HeaderMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// What is known of a call before it goes upstream.
#[derive(Debug)]
pub(super) struct Call {
    /// The record's id.
    pub(super) id: RequestId,
    /// Where it goes.
    pub(super) route: Arc<Route>,
    /// The operation.
    pub(super) operation: Operation,
    /// The key that the caller showed.
    pub(super) key_id: Option<Arc<str>>,
    /// What the caller says about the call, for reports.
    pub(super) labels: BTreeMap<String, String>,
    /// Bytes of text in the request.
    pub(super) request_text_bytes: u64,
    /// The most output tokens that it allows, where it says so.
    pub(super) max_output_tokens: Option<u64>,
    /// The pictures that it asks for, where those are what is billed.
    pub(super) picture: Option<Picture>,
    /// When its head came.
    pub(super) started: Instant,
    /// The same, by the wall clock.
    pub(super) started_at: OffsetDateTime,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The answer was read to its end.
    Complete,
    /// Upstream broke it off.
    Broken,
    /// Upstream was silent for too long, or a drain came to its limit.
    Silent,
    /// No connection came about.
    Unreachable,
    /// The client left, and the call was not to be drained.
    ClientGone,
    /// The shutdown grace ran out.
    GraceOver,
}

/// A call under way: owes a record, which `settle` writes once; dropped unsettled, it settles itself.
#[derive(Debug)]
pub(super) struct Exchange(Option<Box<Open>>);

#[derive(Debug)]
struct Open {
    call: Box<Call>,
    ticket: Option<Ticket>,
    recorder: Arc<Recorder>,
    clock: Clock,
    answer: Option<Answer>,
    client_gone: bool,
}

/// A call that is counted, and whose record is to be written.
struct Settled {
    recorder: Arc<Recorder>,
    ticket: Option<Ticket>,
    record: Box<Record>,
}

/// The head of upstream's answer, and what its body has said so far.
#[derive(Debug)]
struct Answer {
    head: Head,
    first_byte: Duration,
    aws_request_id: Option<String>,
    tap: Tap,
}

/// What the head of an answer says about the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    status: u16,
    throttled: bool,
}

impl Exchange {
    /// Opens the account of a call that is about to go upstream.
    ///
    /// # Errors
    /// The journal does not take it, and it is not to go without.
    pub(super) async fn open(
        call: Box<Call>,
        recorder: Arc<Recorder>,
        clock: Clock,
    ) -> Result<Self, JournalUnavailable> {
        let ticket = recorder.open(&call.opening()).await?;
        call.route.metrics.in_flight.inc();
        Ok(Self(Some(Box::new(Open { call, ticket, recorder, clock, answer: None, client_gone: false }))))
    }

    /// Takes note of the head of upstream's answer.
    pub(super) fn answered(&mut self, status: u16, headers: &HeaderMap) {
        let Some(open) = &mut self.0 else { return };
        let call = &open.call;
        let first_byte = open.clock.instant().duration_since(call.started);
        if let Some(metrics) = call.route.metrics.operation(call.operation) {
            metrics.first_byte.observe(first_byte.as_secs_f64());
        }
        let errortype = headers.get(X_AMZN_ERRORTYPE).map_or(&b""[..], http::HeaderValue::as_bytes);
        open.answer = Some(Answer {
            head: Head { status, throttled: status == 429 || errortype.starts_with(b"ThrottlingException") },
            first_byte,
            aws_request_id: headers.get(X_AMZN_REQUESTID).and_then(|id| Some(id.to_str().ok()?.to_owned())),
            tap: Tap::of_family(call.operation, call.route.family, status, headers, call.request_text_bytes),
        });
    }

    /// Takes note of the next buffer of the answer's body.
    pub(super) fn feed(&mut self, chunk: &Bytes) {
        if let Some(answer) = self.0.as_mut().and_then(|open| open.answer.as_mut()) {
            answer.tap.feed(chunk);
        }
    }

    /// Tells whether the answer is an event stream whose last byte so far ended a message.
    pub(super) fn at_message_boundary(&self) -> bool {
        let answer = self.0.as_ref().and_then(|open| open.answer.as_ref());
        answer.is_some_and(|answer| answer.tap.at_message_boundary())
    }

    /// Takes note, once, that the client is gone and of what becomes of its call.
    pub(super) fn client_left(&mut self, action: GoneAction) {
        if let Some(open) = &mut self.0
            && !open.client_gone
        {
            open.client_gone = true;
            let route = &open.call.route;
            route.metrics.all().client_gone(&route.service.name, action);
        }
    }

    /// Writes the record; does nothing the second time.
    pub(super) fn settle(&mut self, ending: Ending) {
        if let Some(open) = self.0.take() {
            let Settled { recorder, ticket, record } = open.settle(ending);
            recorder.write(ticket, record);
        }
    }

    /// Does the same, together with calls that end at the same time, and also where the caller leaves meanwhile.
    pub(super) async fn settle_with_others(&mut self, ending: Ending) {
        if let Some(open) = self.0.take() {
            let Settled { recorder, ticket, record } = open.settle(ending);
            recorder.write_with_others(ticket, record).await;
        }
    }
}

impl Drop for Exchange {
    /// Only the end of the process, or a panic, drops a call that is not settled.
    fn drop(&mut self) {
        self.settle(Ending::GraceOver);
    }
}

impl Call {
    /// Returns what the journal is to know of the call before it goes upstream.
    fn opening(&self) -> OpeningRef<'_> {
        let route = &self.route;
        OpeningRef {
            id: self.id,
            started_at: self.started_at,
            service: &route.service.name,
            tags: &route.service.tags,
            operation: self.operation,
            requested_model: route.requested_model.as_ref(),
            source_model: route.source_model.as_ref(),
            profile_arn: route.profile.as_ref(),
            region: &route.region,
            key_id: self.key_id.as_deref(),
            labels: &self.labels,
            request_text_bytes: self.request_text_bytes,
            max_output_tokens: self.max_output_tokens,
        }
    }
}

impl Open {
    fn settle(self, ending: Ending) -> Settled {
        let Self { call, ticket, recorder, clock, answer, client_gone } = self;
        let duration = clock.instant().duration_since(call.started);
        let head = answer.as_ref().map(|answer| answer.head);
        let first_byte = answer.as_ref().map(|answer| answer.first_byte);
        let (tap, aws_request_id) = match answer {
            Some(answer) => (answer.tap, answer.aws_request_id),
            None => (unanswered(&call, ending), None),
        };
        let reading = tap.finish(if ending == Ending::Complete { End::Complete } else { End::Cut });
        let outcome = outcome(head, ending, reading.exception.as_ref());
        let Reading { usage, source, missing, raw, service_tier, latency_tier, invoked_model, .. } = reading;
        let route = &call.route;
        let mut record = Box::new(Record {
            id: call.id,
            started_at: call.started_at,
            finished_at: call.started_at.saturating_add(duration.try_into().unwrap_or(time::Duration::MAX)),
            service: route.service.name.clone(),
            tags: Arc::clone(&route.service.tags),
            operation: call.operation,
            requested_model: route.requested_model.clone(),
            source_model: route.source_model.clone(),
            profile_arn: route.profile.clone(),
            attribution: route.attribution(),
            region: route.region.clone(),
            status: head.map(|head| head.status),
            outcome,
            client_gone,
            usage,
            usage_source: source,
            usage_missing: missing,
            usage_raw: raw,
            service_tier,
            latency_tier,
            picture: call.picture,
            invoked_model,
            cost: None,
            price_id: None,
            unpriced: None,
            time_to_first_byte: first_byte,
            duration,
            aws_request_id,
            key_id: call.key_id.as_deref().map(str::to_owned),
            labels: call.labels,
        });
        record.set_charge(route.charge(&record));
        recorder.count(&record, &route.metrics);
        route.metrics.in_flight.dec();
        Settled { recorder, ticket, record }
    }
}

/// Returns the tap of a call that got no head: what was never sent owes nothing, all else what a cut answer does.
fn unanswered(call: &Call, ending: Ending) -> Tap {
    let status = if ending == Ending::Unreachable { 503 } else { 200 };
    Tap::of_family(call.operation, call.route.family, status, &HeaderMap::new(), call.request_text_bytes)
}

fn outcome(head: Option<Head>, ending: Ending, exception: Option<&Exception>) -> Outcome {
    match exception {
        Some(exception) if exception.throttling => return Outcome::Throttled,
        Some(_) => return Outcome::UpstreamError,
        None => {}
    }
    match ending {
        Ending::Broken => Outcome::UpstreamReset,
        Ending::Silent => Outcome::Timeout,
        Ending::ClientGone => Outcome::ClientGone,
        Ending::GraceOver => Outcome::Shutdown,
        Ending::Unreachable => Outcome::UpstreamError,
        Ending::Complete => match head {
            Some(Head { throttled: true, .. }) => Outcome::Throttled,
            Some(Head { status: 200..300, .. }) => Outcome::Ok,
            Some(Head { status: 500.., .. }) | None => Outcome::UpstreamError,
            Some(_) => Outcome::ClientError,
        },
    }
}
