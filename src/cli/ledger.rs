//! The ledger as commands read it.

use super::{Context, Failure};
use crate::config::{LedgerSettings, load_settings};
use crate::ledger::store::{self, Access, Store, StoreError};

/// Opens the store that the config names, to be read; also while a gateway writes to it.
pub(super) fn open(context: &Context<'_>) -> Result<(Box<dyn Store>, LedgerSettings), Failure> {
    let settings = load_settings(&context.config, context.env.clone())?.ledger;
    let store = store::open(&settings.store, Access::Read, &settings.label_keys)?;
    Ok((store, settings))
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let hint = match &error {
            StoreError::Away { .. } => {
                "see that it runs and can be reached from here, and try again; `store` under \
                                        [ledger] names it"
                    .to_owned()
            }
            StoreError::Unusable { hint, .. } | StoreError::Unprepared { hint, .. } => hint.clone(),
        };
        Self::Unusable { message: error.to_string(), hint }
    }
}
