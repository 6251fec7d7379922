//! Credentials of roles in other accounts, lent by STS.

use super::desk::Desk;
use super::{Access, Action, ErrorKind};
use crate::config::Upstream;
use crate::domain::RoleArn;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Provided;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use std::time::SystemTime;

/// The name of the gateway's sessions, by which `CloudTrail` and the bill's `line_item_iam_principal` show it.
const SESSION: &str = "tollgate";

/// Asks STS for a role at each call; whoever uses it keeps what it gives.
#[derive(Debug)]
struct RoleProvider {
    desk: Desk,
    role: RoleArn,
}

pub(super) fn provider(access: &Access, role: &RoleArn, upstream: &Upstream) -> SharedCredentialsProvider {
    let desk = Desk::own(access, upstream);
    SharedCredentialsProvider::new(RoleProvider { desk, role: role.clone() })
}

impl RoleProvider {
    async fn assume(&self) -> Result<Credentials, CredentialsError> {
        let (role, action) = (self.role.as_str(), Action::AssumeRole);
        let request = self.desk.sts.assume_role().role_arn(role).role_session_name(SESSION);
        let asking = self.desk.ask(action, Some(role), || request.clone().send());
        let answered = asking.await.map_err(CredentialsError::provider_error)?;
        let Some(lent) = answered.credentials() else {
            let cause = "the answer has no credentials".to_owned();
            let error = self.desk.error(action, Some(role), ErrorKind::Unexpected { cause });
            return Err(CredentialsError::provider_error(error));
        };
        let expiry =
            SystemTime::try_from(*lent.expiration()).map_err(CredentialsError::invalid_configuration)?;
        Ok(Credentials::new(
            lent.access_key_id(),
            lent.secret_access_key(),
            Some(lent.session_token().to_owned()),
            Some(expiry),
            "AssumeRole",
        ))
    }
}

impl ProvideCredentials for RoleProvider {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        Provided::new(self.assume())
    }
}
