//! Whose call it is, in what AWS's invocation logs keep of it.

use super::Gateway;
use super::exchange::Call;
use crate::domain::Operation;
use crate::intake::RequestBody;
use crate::metrics::StampPlace;
use crate::request_metadata::{Stamp, Unstampable};
use http::HeaderMap;

impl Gateway {
    /// Puts the stamp into a call's request metadata, where its service is to have one and its operation takes any.
    pub(super) async fn stamp(
        &self,
        call: &Call,
        headers: &mut HeaderMap,
        body: &mut RequestBody,
    ) -> Result<(), Unstampable> {
        let service = &call.route.service;
        if !service.stamp_request_metadata {
            return Ok(());
        }
        let stamp = Stamp { service: &service.name, id: call.id, tags: &service.tags };
        let (place, stamped) = match call.operation {
            Operation::InvokeModel | Operation::InvokeModelWithResponseStream => {
                (StampPlace::Header, stamp.head(headers))
            }
            Operation::Converse | Operation::ConverseStream => (StampPlace::Body, stamp.body(body).await?),
            Operation::CountTokens
            | Operation::ApplyGuardrail
            | Operation::InvokeGuardrailChecks
            | Operation::StartAsyncInvoke
            | Operation::GetAsyncInvoke
            | Operation::ListAsyncInvokes => return Ok(()),
        };
        self.metrics.stamped(&service.name, place, stamped);
        Ok(())
    }
}
