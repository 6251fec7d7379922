//! From a request to its answer.

use super::calls::{Call, Model};
use super::control::{Action, ControlPlane, Entered, Order, Plane, Signed};
use super::line::Breaker;
use super::metadata;
use super::models::{self, Answer, ModelCall};
use super::others::{self, Invocations};
use super::play::{Player, Watch};
use super::refusal::Refusal;
use super::steer::{Fault, Steering};
use super::truth::{Ledger, Seen, Signer};
use super::verify;
use crate::clock::Clock;
use crate::domain::{Operation, RequestId};
use crate::operation::{Resource, decode, parse};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// What answers every request.
#[derive(Debug)]
pub(super) struct Service {
    /// The pause between two pieces of a stream, where the request names none.
    pace: Duration,
    clock: Clock,
    /// Who may sign, and which profiles exist.
    pub(super) control: ControlPlane,
    /// What came and what was stated.
    pub(super) ledger: Arc<Ledger>,
    invocations: Invocations,
}

/// What a request asks for, as far as its path and headers tell.
#[derive(Debug, Default)]
struct Asked {
    operation: Option<Operation>,
    model: Option<String>,
    signer: Option<Signer>,
    steering: Option<Steering>,
}

impl Asked {
    fn of(call: &Call) -> Self {
        let Ok(target) = parse(&call.method, &call.path) else { return Self::default() };
        let model = match target.resource {
            Resource::Model(raw) => decode(raw).map(std::borrow::Cow::into_owned),
            Resource::Path(_) if target.operation == Operation::StartAsyncInvoke => call
                .json()
                .ok()
                .and_then(|request| request.get("modelId").and_then(Value::as_str).map(str::to_owned)),
            Resource::Path(_) => None,
        };
        Self { operation: Some(target.operation), model, signer: None, steering: None }
    }
}

impl Service {
    pub(super) fn new(pace: Duration, control: ControlPlane) -> Self {
        Self {
            pace,
            clock: Clock::system(),
            control,
            ledger: Arc::new(Ledger::default()),
            invocations: Invocations::default(),
        }
    }

    /// Answers one request, or, where it asks for that, never does.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        breaker: Arc<Breaker>,
    ) -> Result<Response<Player>, hyper::Error> {
        let call = read(request).await?;
        let (plane, mut asked) = (Plane::of(&call), Asked::of(&call));
        let entered = Action::of(&call).map(|action| self.control.enter(action, self.clock.instant()));
        if let Some(entered) = entered.as_ref().filter(|entered| !entered.delay.is_zero()) {
            tokio::time::sleep(entered.delay).await;
        }
        let request_id = RequestId::new(self.clock.since_epoch()).to_string();
        let decided = match &entered {
            Some(entered) if entered.is_down => Err(Refusal::of_status(503)),
            _ => self.decide(&call, &request_id, &mut asked, entered.as_ref()),
        };
        let fault = match &entered {
            Some(entered) if entered.is_down || entered.is_lost => Some(Fault::ResetHead),
            _ => asked.steering.as_ref().and_then(|steering| steering.fault.clone()),
        };
        drop(entered);
        let answer = decided.unwrap_or_else(|refusal| plane.refuse(&refusal, &request_id));
        let is_silent = matches!(fault, Some(Fault::ResetHead | Fault::StallHead));
        self.ledger.see(Seen {
            body: Seen::remembered(&call.body),
            method: call.method,
            path: call.path,
            query: call.query,
            body_sha256: call.body_sha256,
            operation: asked.operation,
            model: asked.model.take(),
            signer: asked.signer.take(),
            status: (!is_silent).then_some(answer.status),
            aws_request_id: request_id.clone(),
            headers: call.headers,
        });
        if is_silent {
            if fault == Some(Fault::ResetHead) {
                breaker.trip();
                // One more round, in which hyper comes to flush.
                tokio::task::yield_now().await;
            }
            std::future::pending::<()>().await;
        }
        let watch = Watch { ledger: Arc::clone(&self.ledger), request_id, breaker };
        Ok(self.respond(answer, asked.steering.as_ref(), watch))
    }

    /// Puts an answer into HTTP.
    fn respond(&self, answer: Answer, steering: Option<&Steering>, watch: Watch) -> Response<Player> {
        let request_id = watch.request_id.clone();
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::new(answer.script.play(steering, self.pace, watch));
        *response.status_mut() = status;
        let fixed = [("content-type", answer.content_type.to_owned()), ("x-amzn-requestid", request_id)];
        for (name, value) in fixed.into_iter().chain(answer.headers) {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().append(HeaderName::from_static(name), value);
            }
        }
        response
    }

    /// Checks a request and makes up its answer.
    fn decide(
        &self,
        call: &Call,
        request_id: &str,
        asked: &mut Asked,
        entered: Option<&Entered>,
    ) -> Result<Answer, Refusal> {
        let now = self.clock.since_epoch();
        let signed = verify::check(call, &self.control, now).map_err(|message| {
            self.ledger.refuse_signature();
            Refusal::signature(message)
        })?;
        let caller = &signed.caller;
        asked.signer = Some(Signer { arn: caller.arn.clone(), tags: caller.tags.clone() });
        let steering = asked.steering.insert(Steering::of(&call.headers, &call.body)?);
        if let Some(Fault::Status(status)) = steering.fault {
            return Err(Refusal::of_status(status));
        }
        if let Some(entered) = entered {
            let order = Order { call, action: entered.action, signed: &signed, request_id, now };
            return self.control.answer(&order, entered);
        }
        let operation = asked.operation.ok_or_else(Refusal::unknown_operation)?;
        metadata::check(call, operation)?;
        let is_stream =
            matches!(operation, Operation::ConverseStream | Operation::InvokeModelWithResponseStream);
        if matches!(steering.fault, Some(Fault::Exception { .. })) && !is_stream {
            return Err(Refusal::validation("the simulator can put an exception only into a stream"));
        }
        let model_answer = |answer: fn(&ModelCall<'_>) -> Result<Answer, Refusal>| {
            let model = self.model(call, asked.model.as_deref(), &signed, operation)?;
            answer(&ModelCall { call, request: call.json()?, model, request_id, steering })
        };
        let json = |answer: Result<Value, Refusal>| answer.map(|value| Answer::json(&value));
        match operation {
            Operation::Converse => model_answer(models::converse),
            Operation::ConverseStream => model_answer(models::converse_stream),
            Operation::InvokeModel => model_answer(models::invoke_model),
            Operation::InvokeModelWithResponseStream => model_answer(models::invoke_model_stream),
            Operation::CountTokens => model_answer(models::count_tokens),
            Operation::ApplyGuardrail => json(others::apply_guardrail(call)),
            Operation::InvokeGuardrailChecks => json(others::guardrail_checks(call)),
            Operation::StartAsyncInvoke => {
                json(self.invocations.start(call, &signed.region, request_id, now))
            }
            Operation::GetAsyncInvoke => json(self.invocations.get(&call.path)),
            Operation::ListAsyncInvokes => json(self.invocations.page(call)),
        }
    }

    /// Finds the model of a call. Bedrock's own paths begin at the root and have no raw slash in the id.
    fn model(
        &self,
        call: &Call,
        addressed: Option<&str>,
        signed: &Signed,
        operation: Operation,
    ) -> Result<Model, Refusal> {
        if !call.path.starts_with("/model/") || call.path.split('/').count() != 4 {
            return Err(Refusal::unknown_operation());
        }
        // Converse asks for InvokeModel's permission (bedrock-runtime service model, Converse's documentation).
        let is_stream =
            matches!(operation, Operation::ConverseStream | Operation::InvokeModelWithResponseStream);
        let permission =
            if is_stream { "bedrock:InvokeModelWithResponseStream" } else { "bedrock:InvokeModel" };
        Model::find(addressed.unwrap_or_default(), &self.control, signed, permission)
    }
}

/// Reads a request to its end.
async fn read(request: Request<Incoming>) -> Result<Call, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Call {
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        method: parts.method,
        headers: parts.headers,
        body_sha256: Sha256::digest(&body).into(),
        body,
    })
}
