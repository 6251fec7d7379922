//! A call that its request is no longer needed for.

use super::departure::Departure;
use super::reply::Reply;
use super::{Gateway, Route};
use crate::domain::RequestId;
use crate::error::{X_TOLLGATE_REQUEST_ID, insert_id};
use http::{HeaderName, Response, StatusCode};
use std::sync::Arc;

const X_TOLLGATE_SERVICE: HeaderName = HeaderName::from_static("x-tollgate-service");
const X_TOLLGATE_PROFILE: HeaderName = HeaderName::from_static("x-tollgate-profile");

/// What a request comes to once it was taken in.
#[derive(Debug)]
pub enum Handled {
    /// The gateway's own answer.
    Answered(Response<Reply>),
    /// A call, whose answer is upstream's.
    OnItsWay(OnItsWay),
}

/// A call whose answer is to be waited for.
pub struct OnItsWay {
    gateway: Arc<Gateway>,
    departure: Departure,
    id: RequestId,
    route: Arc<Route>,
}

impl std::fmt::Debug for OnItsWay {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("OnItsWay").field("id", &self.id).finish_non_exhaustive()
    }
}

impl OnItsWay {
    pub(super) fn new(gateway: Arc<Gateway>, departure: Departure, id: RequestId, route: Arc<Route>) -> Self {
        Self { gateway, departure, id, route }
    }

    /// Waits for the answer; a client that leaves meanwhile, so that this is dropped, does not take the call along.
    pub async fn answer(self) -> Response<Reply> {
        let Self { gateway, departure, id, route } = self;
        let mut response = match departure.await {
            Ok(response) => response,
            Err(error) => {
                tracing::warn!(%id, service = %route.service.name, %error, "no answer of Bedrock's");
                return error.into_response(id);
            }
        };
        if response.status() == StatusCode::FORBIDDEN {
            gateway.clock_skew.look(response.headers(), gateway.clock);
        }
        let headers = response.headers_mut();
        insert_id(headers, &X_TOLLGATE_REQUEST_ID, id);
        headers.insert(X_TOLLGATE_SERVICE, route.service_header.clone());
        headers.insert(X_TOLLGATE_PROFILE, route.profile_header.clone());
        response.body_mut().settle_if_whole().await;
        response.map(Reply::Relayed)
    }
}
