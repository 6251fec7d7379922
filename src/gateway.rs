//! The request path: one call per stage, and the only place that joins them.

mod client_line;
mod clock_skew;
mod departure;
mod exchange;
mod held_frame;
mod interrupted;
mod labels;
mod last_words;
mod on_its_way;
mod provision;
mod relay;
mod reply;
mod route;
mod scope;
mod snapshot;
mod stamped;
mod swap;

pub use client_line::ClientLine;
pub use clock_skew::ClockSkew;
pub use held_frame::HeldFrame;
pub(crate) use interrupted::interrupted;
pub use on_its_way::{Handled, OnItsWay};
pub use provision::{NotMade, Provisioner};
pub use relay::{Cut, Relay};
pub use reply::Reply;
pub use route::{Destination, Route, RouteError};
pub use snapshot::{Basis, Setting, Snapshot};
pub(crate) use swap::tell;
pub use swap::{Swap, SwapError};

use crate::aws::Kms;
use crate::clock::Clock;
use crate::config::Ingress;
use crate::discovery::Progress;
use crate::domain::{RequestId, ServiceName};
use crate::error::{GatewayError, X_AMZN_REQUESTID, X_TOLLGATE_REQUEST_ID, insert_id};
use crate::forward::headers::Passing;
use crate::forward::signers::Signers;
use crate::forward::{Forward, Outgoing};
use crate::identify::{Caller, Covered, IdentifyError, Payload, Shown, identify};
use crate::intake::{self, RequestBody, Unread};
use crate::metrics::{Metrics, UNKNOWN_SERVICE};
use crate::operation::{self, Target};
use crate::own_profiles::Question;
use crate::record::Recorder;
use crate::resolve::ResolveError;
use crate::shutdown::Shutdown;
use crate::tap;
use arc_swap::ArcSwap;
use departure::Departure;
use exchange::{Call, Exchange};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Method, Response, Uri};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use time::OffsetDateTime;

/// The gateway: takes requests of the Bedrock runtime and answers them with upstream's answers.
#[derive(Debug)]
pub struct Gateway {
    /// What decides a call's way; [`Self::swap`] alone changes it.
    pub snapshot: ArcSwap<Snapshot>,
    /// Held by whoever swaps it, so that nobody builds on what is being replaced.
    pub swap: Swap,
    /// How clients come in.
    pub ingress: ArcSwap<Ingress>,
    /// How discovery fares; `None` where there is none.
    pub discovery: Option<Progress>,
    /// Who signs calls.
    pub signers: Arc<Signers>,
    /// Makes the profiles that calls lack, where the config says so.
    pub provisioner: Provisioner,
    /// Unwraps secrets keys.
    pub kms: Kms,
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// The stages of the gateway's end.
    pub shutdown: Shutdown,
    /// The clock.
    pub clock: Clock,
    /// The upstream side.
    pub forward: Arc<Forward>,
    /// Where records go.
    pub recorder: Arc<Recorder>,
    /// Whether it is the clock that makes AWS refuse calls.
    pub clock_skew: ClockSkew,
}

/// A request's head, and when it came.
#[derive(Debug)]
struct Received {
    id: RequestId,
    started: Instant,
    started_at: OffsetDateTime,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    line: ClientLine,
}

/// What a request asks for, and who asks.
#[derive(Debug)]
struct Asked<'a> {
    snapshot: &'a Snapshot,
    target: Target<'a>,
    caller: Caller,
    /// The body, where it had to be there first.
    taken: Option<RequestBody>,
}

impl Gateway {
    /// Handles a request that came by a line, for as long as that takes its body.
    pub async fn handle(self: &Arc<Self>, head: Parts, body: &mut impl Unread, line: ClientLine) -> Handled {
        let mut received = self.receive(head, line);
        let id = received.id;
        match self.answer(&mut received, body).await {
            Ok(handled) => handled,
            Err((service, error)) => {
                self.refused(id, service.as_ref(), &error);
                Handled::Answered(error.into_response(id))
            }
        }
    }

    fn receive(&self, head: Parts, line: ClientLine) -> Received {
        let since_epoch = self.clock.since_epoch();
        Received {
            id: RequestId::new(since_epoch),
            started: self.clock.instant(),
            started_at: OffsetDateTime::UNIX_EPOCH + since_epoch,
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            line: line.of_version(head.version),
        }
    }

    /// Finds out who calls what, and serves it. A refusal says whose call it was, where that is known.
    async fn answer(
        self: &Arc<Self>,
        received: &mut Received,
        body: &mut impl Unread,
    ) -> Result<Handled, (Option<ServiceName>, GatewayError)> {
        if self.shutdown.stopping.is_cancelled() {
            return Err((None, GatewayError::Draining));
        }
        let snapshot = self.snapshot.load_full();
        let (method, uri) = (received.method.clone(), received.uri.clone());
        let target = match operation::parse(&method, uri.path()) {
            Ok(target) => target,
            Err(error) => {
                let question = Question::parse(&method, uri.path());
                let question = question.ok_or((None, error.into()))?;
                let answer = self.own_profiles(received, &snapshot, &question, body).await;
                return answer.map(Handled::Answered);
            }
        };
        let (caller, taken) = self.know(received, &snapshot, target.service, body).await?;
        let service = caller.service.name.clone();
        let asked = Asked { snapshot: &snapshot, target, caller, taken };
        let served = self.serve(received, asked, body).await;
        served.map(Handled::OnItsWay).map_err(|error| (Some(service), error))
    }

    /// Finds out who calls. A signature holds for the body too, which is taken in first.
    async fn know(
        &self,
        received: &Received,
        snapshot: &Snapshot,
        path_service: Option<&str>,
        body: &mut impl Unread,
    ) -> Result<(Caller, Option<RequestBody>), (Option<ServiceName>, GatewayError)> {
        let nobody = |error: GatewayError| (None, error);
        let (headers, peer) = (&received.headers, received.line.peer());
        let shown = Shown { headers, path_service, peer, at: received.started_at };
        let mut caller = identify(snapshot.known(), shown).map_err(|error| nobody(error.into()))?;
        let Some(claim) = caller.claim.take() else { return Ok((caller, None)) };
        let taken = self.take_in(headers, snapshot, body).await.map_err(nobody)?;
        let covered = Covered {
            method: &received.method,
            path: received.uri.path(),
            query: received.uri.query().unwrap_or_default(),
            authority: received.uri.authority().map(Authority::as_str),
            headers,
            body_sha256: &taken.sha256,
        };
        let unsigned = snapshot.config.identity.allow_unsigned_payload;
        let payload = if unsigned { Payload::MayBeUnsigned } else { Payload::Signed };
        claim.verify(covered, payload).map_err(|error| nobody(IdentifyError::from(error).into()))?;
        Ok((caller, Some(taken)))
    }

    /// Takes a request's body in.
    async fn take_in(
        &self,
        headers: &HeaderMap,
        snapshot: &Snapshot,
        body: &mut impl Unread,
    ) -> Result<RequestBody, GatewayError> {
        let limit = snapshot.config.listen.body_limit_bytes;
        Ok(intake::read(headers, body, limit, self.clock).await?)
    }

    /// Takes a service's call through the stages. What fails before it goes upstream is refused and has no record.
    async fn serve(
        self: &Arc<Self>,
        received: &mut Received,
        asked: Asked<'_>,
        body: &mut impl Unread,
    ) -> Result<OnItsWay, GatewayError> {
        let Asked { snapshot, target: Target { operation, resource, .. }, caller, taken } = asked;
        scope::check_operation(&caller, operation)?;
        let key = caller.key.as_deref();
        let route = match snapshot.route(&caller.service, operation, &resource) {
            Err(RouteError::Resolve(ResolveError::Unmade(wish))) => {
                scope::check_model(key, Some(wish.model.bare()))?;
                // Rare, and too large to be part of every call.
                Box::pin(self.provide(&wish)).await?;
                let snapshot = self.snapshot.load_full();
                snapshot.route(snapshot.service(&wish.service)?, operation, &resource)?
            }
            found => found?,
        };
        scope::check_model(key, route.policy_model())?;
        let mut body = match taken {
            Some(taken) => taken,
            None => self.take_in(&received.headers, snapshot, body).await?,
        };
        scope::check_body(operation, &route, key, &body)?;
        // Boxed: it moves on to the end of the call.
        let call = Box::new(Call {
            id: received.id,
            route: Arc::clone(&route),
            operation,
            key_id: key.map(|key| Arc::clone(&key.id)),
            labels: self.labels(&received.headers, &route),
            request_text_bytes: body.text_bytes,
            max_output_tokens: body.max_output_tokens,
            picture: tap::picture(route.model(), &body.pieces),
            started: received.started,
            started_at: received.started_at,
        });
        self.stamp(&call, &mut received.headers, &mut body).await?;
        let outgoing = Outgoing {
            signer: &route.signer,
            method: &received.method,
            endpoint: &route.endpoint,
            region: route.region.as_str(),
            path: route.path(operation, &resource),
            query: received.uri.query(),
            headers: Passing::of(&received.headers, &snapshot.config.identity.header),
            pieces: body.pieces,
            len: body.len,
            sha256: body.sha256,
        };
        let request = self.forward.sign(outgoing).await?;
        if let Some(metrics) = route.metrics.operation(operation) {
            let own = self.clock.instant().duration_since(received.started).saturating_sub(body.waited);
            metrics.overhead.observe(own.as_secs_f64());
        }
        let exchange = Exchange::open(call, Arc::clone(&self.recorder), self.clock).await?;
        let (forward, around) = (Arc::clone(&self.forward), Arc::clone(&snapshot.around));
        let departure = Departure::new(forward, request, exchange, around, received.line.clone());
        Ok(OnItsWay::new(Arc::clone(self), departure, received.id, route))
    }

    /// Returns what the caller says about its call, and counts what is not fit to be said.
    fn labels(&self, headers: &HeaderMap, route: &Route) -> BTreeMap<String, String> {
        let (labels, dropped) = labels::labels(headers);
        self.metrics.labels_dropped(&route.service.name, dropped);
        labels
    }

    /// Counts and logs a refusal.
    fn refused(&self, id: RequestId, service: Option<&ServiceName>, error: &GatewayError) {
        let service = service.map_or(UNKNOWN_SERVICE, ServiceName::as_str);
        let code = error.fault().code;
        self.metrics.rejected(service, code);
        tracing::info!(%id, service, code, %error, "refused");
    }

    /// Tells a service of its own profiles, as the control plane would.
    async fn own_profiles(
        &self,
        received: &Received,
        snapshot: &Snapshot,
        question: &Question<'_>,
        body: &mut impl Unread,
    ) -> Result<Response<Reply>, (Option<ServiceName>, GatewayError)> {
        let (caller, _) = self.know(received, snapshot, question.service, body).await?;
        let service = &caller.service;
        let answer = question.answer(received.uri.query(), snapshot, service);
        let mut response = answer.map_err(|error| (Some(service.name.clone()), error.into()))?;
        insert_id(response.headers_mut(), &X_AMZN_REQUESTID, received.id);
        insert_id(response.headers_mut(), &X_TOLLGATE_REQUEST_ID, received.id);
        Ok(response)
    }
}
