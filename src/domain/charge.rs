//! What a call costs.

use super::Money;
use std::sync::Arc;

/// A cost as a record holds it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Charge {
    /// The amount; absent where there is none or it is unknown.
    pub cost: Option<Money>,
    /// The prices that it was computed with.
    pub price_id: Option<Arc<str>>,
    /// What has no price.
    pub unpriced: Option<Arc<str>>,
}
