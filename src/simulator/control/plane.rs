//! The three services behind one address, and the forms in which each answers.

use super::super::calls::Call;
use super::super::models::Answer;
use super::super::play::Script;
use super::super::refusal::Refusal;
use super::super::verify::text;
use serde_json::{Value, json};

/// The namespace of STS's answers (sts service model 2011-06-15, `xmlNamespace`).
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// A service of AWS that the simulator stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulator) enum Plane {
    /// Bedrock: its runtime and its control plane, both rest-json.
    Bedrock,
    /// STS: forms in, XML out.
    Sts,
    /// Cost Explorer: JSON 1.1.
    CostExplorer,
}

impl Plane {
    /// Tells which service a request is for: only Bedrock has paths, only JSON 1.1 names a target.
    pub(in crate::simulator) fn of(call: &Call) -> Self {
        if call.path != "/" {
            return Self::Bedrock;
        }
        let is_form = text(&call.headers, "content-type")
            .is_some_and(|content| content.starts_with("application/x-www-form-urlencoded"));
        match (call.headers.contains_key("x-amz-target"), is_form) {
            (true, _) => Self::CostExplorer,
            (false, true) => Self::Sts,
            (false, false) => Self::Bedrock,
        }
    }

    /// Returns the name for which requests to it are signed.
    pub(in crate::simulator) fn signing_name(self) -> &'static str {
        match self {
            Self::Bedrock => "bedrock",
            Self::Sts => "sts",
            Self::CostExplorer => "ce",
        }
    }

    /// Puts an error into the service's form.
    pub(in crate::simulator) fn refuse(self, refusal: &Refusal, request_id: &str) -> Answer {
        let Refusal { status, kind, message } = refusal;
        let mut answer = match self {
            Self::Bedrock => Answer::json(&json!({ "message": message })),
            Self::CostExplorer => cost_answer(&json!({ "__type": kind, "message": message })),
            Self::Sts => {
                // What signatures lack has another name in each protocol.
                let kind = if *kind == Refusal::BAD_SIGNATURE { "SignatureDoesNotMatch" } else { *kind };
                let fault = if *status < 500 { "Sender" } else { "Receiver" };
                let (message, id) = (xml_text(message), xml_text(request_id));
                xml(format!(
                    "<ErrorResponse xmlns=\"{STS_NAMESPACE}\"><Error><Type>{fault}</Type>\
                     <Code>{kind}</Code><Message>{message}</Message></Error>\
                     <RequestId>{id}</RequestId></ErrorResponse>"
                ))
            }
        };
        answer.status = *status;
        if self != Self::Sts {
            answer.headers.push(("x-amzn-errortype", (*kind).to_owned()));
        }
        answer
    }
}

/// Returns a success of Cost Explorer.
pub(super) fn cost_answer(value: &Value) -> Answer {
    Answer { content_type: "application/x-amz-json-1.1", ..Answer::json(value) }
}

/// Returns a success of STS: the action's result, which is XML already.
pub(super) fn sts_answer(action: &str, result: &str, request_id: &str) -> Answer {
    let id = xml_text(request_id);
    xml(format!(
        "<{action}Response xmlns=\"{STS_NAMESPACE}\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{action}Response>"
    ))
}

fn xml(body: String) -> Answer {
    Answer { status: 200, content_type: "text/xml", headers: Vec::new(), script: Script::whole(body) }
}

/// Returns text as it stands between two tags.
pub(super) fn xml_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
