//! From a request to its answer.

use super::Settings;
use super::calls::{Call, Model};
use super::line::Breaker;
use super::models::{self, Answer, ModelCall};
use super::others::{self, Invocations};
use super::play::{Player, Script, Watch};
use super::refusal::Refusal;
use super::steer::{Fault, Steering};
use super::truth::{Ledger, Seen};
use super::{control, verify};
use crate::clock::Clock;
use crate::domain::{Operation, Region, RequestId};
use crate::operation::{Resource, decode, parse};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What answers every request.
#[derive(Debug)]
pub(super) struct Service {
    settings: Settings,
    clock: Clock,
    /// What came and what was stated.
    pub(super) ledger: Arc<Ledger>,
    invocations: Invocations,
}

/// What a request asks for, as far as its path and headers tell.
#[derive(Debug, Default)]
struct Asked {
    operation: Option<Operation>,
    model: Option<String>,
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
        Self { operation: Some(target.operation), model, steering: None }
    }
}

impl Service {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            clock: Clock::system(),
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
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let call = Call {
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            method: parts.method,
            headers: parts.headers,
            body_sha256: Sha256::digest(&body).into(),
            body,
        };
        let request_id = RequestId::new(self.clock.since_epoch()).to_string();
        let mut asked = Asked::of(&call);
        let decided = self.decide(&call, &request_id, &mut asked);
        let fault = asked.steering.as_ref().and_then(|steering| steering.fault.clone());
        let is_silent = matches!(fault, Some(Fault::ResetHead | Fault::StallHead));
        let status = decided.as_ref().map_or_else(|refusal| refusal.status, |_| 200);
        self.ledger.see(Seen {
            body: Seen::remembered(&call.body),
            method: call.method,
            path: call.path,
            query: call.query,
            body_sha256: call.body_sha256,
            operation: asked.operation,
            model: asked.model.take(),
            status: (!is_silent).then_some(status),
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
        Ok(self.respond(decided, asked.steering.as_ref(), watch))
    }

    /// Puts an answer into HTTP.
    fn respond(
        &self,
        decided: Result<Answer, Refusal>,
        steering: Option<&Steering>,
        watch: Watch,
    ) -> Response<Player> {
        let request_id = watch.request_id.clone();
        let (status, answer) = match decided {
            Ok(answer) => (200, answer),
            Err(refusal) => {
                let headers = vec![("x-amzn-errortype", refusal.kind.to_owned())];
                let script = Script::whole(refusal.body());
                let answer = Answer { content_type: "application/json", headers, script };
                (refusal.status, answer)
            }
        };
        let mut response = Response::new(answer.script.play(steering, self.settings.pace, watch));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let fixed = [("content-type", answer.content_type.to_owned()), ("x-amzn-requestid", request_id)];
        for (name, value) in fixed.into_iter().chain(answer.headers) {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().append(HeaderName::from_static(name), value);
            }
        }
        response
    }

    /// Checks a request and makes up its answer.
    fn decide(&self, call: &Call, request_id: &str, asked: &mut Asked) -> Result<Answer, Refusal> {
        let credentials = &self.settings.credentials;
        let region = verify::check(call, credentials, self.clock.since_epoch()).map_err(|message| {
            self.ledger.refuse_signature();
            Refusal::signature(message)
        })?;
        let steering = asked.steering.insert(Steering::of(&call.headers, &call.body)?);
        if let Some(Fault::Status(status)) = steering.fault {
            return Err(Refusal::of_status(status));
        }
        if let Some(answer) = control::answer(call, &self.settings.profiles, &region) {
            return answer.map(|value| Answer::json(&value));
        }
        let operation = asked.operation.ok_or_else(Refusal::unknown_operation)?;
        let is_stream =
            matches!(operation, Operation::ConverseStream | Operation::InvokeModelWithResponseStream);
        if matches!(steering.fault, Some(Fault::Exception { .. })) && !is_stream {
            return Err(Refusal::validation("the simulator can put an exception only into a stream"));
        }
        let model_answer = |answer: fn(&ModelCall<'_>) -> Result<Answer, Refusal>| {
            let model = self.model(call, asked.model.as_deref(), &region)?;
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
                json(self.invocations.start(call, &region, request_id, self.clock.since_epoch()))
            }
            Operation::GetAsyncInvoke => json(self.invocations.get(&call.path)),
            Operation::ListAsyncInvokes => json(self.invocations.page(call)),
        }
    }

    /// Finds the model of a call. Bedrock's own paths begin at the root and have no raw slash in the id.
    fn model(&self, call: &Call, addressed: Option<&str>, region: &Region) -> Result<Model, Refusal> {
        if !call.path.starts_with("/model/") || call.path.split('/').count() != 4 {
            return Err(Refusal::unknown_operation());
        }
        Model::find(addressed.unwrap_or_default(), &self.settings, region)
    }
}
