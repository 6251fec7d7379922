//! What a caller may do, once it is known who calls: by its service, and by the limits of the key that it showed.

use super::route::Route;
use crate::domain::Operation;
use crate::error::GatewayError;
use crate::gateway::RouteError;
use crate::identify::Caller;
use crate::intake::{self, RequestBody};
use crate::keys::Key;
use crate::resolve::check_named;
use std::sync::Arc;

/// Holds an operation against what service and key may use.
pub(super) fn check_operation(caller: &Caller, operation: Operation) -> Result<(), GatewayError> {
    if !caller.service.may_use(operation) {
        return Err(GatewayError::OperationDenied { service: caller.service.name.clone(), operation });
    }
    match &caller.key {
        Some(key) if !key.may_use(operation) => {
            Err(GatewayError::KeyOperation { key: Arc::clone(&key.id), operation })
        }
        Some(_) | None => Ok(()),
    }
}

/// Holds the model that would answer, where there is one, against what the key may be used for.
pub(super) fn check_model(key: Option<&Key>, model: Option<&str>) -> Result<(), GatewayError> {
    match (key, model) {
        (Some(key), Some(model)) if !key.may_call(model) => {
            Err(GatewayError::KeyModel { key: Arc::clone(&key.id), model: model.to_owned() })
        }
        (_, _) => Ok(()),
    }
}

/// Holds the model that a body names against what service and key may use; that of a path has been, where it was
/// resolved.
pub(super) fn check_body(
    operation: Operation,
    route: &Route,
    key: Option<&Key>,
    body: &RequestBody,
) -> Result<(), GatewayError> {
    let is_limited = key.is_some_and(Key::has_models) || !route.service.allowed_models.is_empty();
    if operation != Operation::StartAsyncInvoke || !is_limited {
        return Ok(());
    }
    let named = intake::model_id(&body.pieces);
    check_named(&route.service, named.as_ref()).map_err(RouteError::from)?;
    // A body that names no model is refused by a key with models as well.
    check_model(key, Some(named.as_ref().map_or("", crate::domain::ModelId::bare)))
}
