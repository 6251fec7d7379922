//! Credentials of roles, lent by STS.

use super::desk::Desk;
use super::{Access, Action, Aws, AwsError, ErrorKind};
use crate::config::Upstream;
use crate::domain::RoleSession;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Provided;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_sts::operation::assume_role::AssumeRoleOutput;
use aws_sdk_sts::types::Tag;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

/// Lends sessions of roles, all of them asked for at one desk.
#[derive(Debug)]
pub struct Lender {
    access: Access,
    upstream: Upstream,
    /// Made at the first need: few gateways have any.
    desk: OnceLock<Arc<Desk>>,
}

impl Lender {
    /// Lends with the gateway's own credentials.
    pub fn new(access: &Access, upstream: &Upstream) -> Self {
        Self { access: access.clone(), upstream: upstream.clone(), desk: OnceLock::new() }
    }

    /// Returns where the credentials of a session come from; asks nothing yet.
    pub fn session(&self, session: RoleSession) -> SharedCredentialsProvider {
        let desk = self.desk.get_or_init(|| Arc::new(Desk::own(&self.access, &self.upstream)));
        SharedCredentialsProvider::new(RoleProvider { desk: Arc::clone(desk), session })
    }
}

/// Asks STS for a role at each call; whoever uses it keeps what it gives.
#[derive(Debug)]
struct RoleProvider {
    desk: Arc<Desk>,
    session: RoleSession,
}

impl Aws {
    /// Begins a session of a role, as the gateway itself, and returns who that is: the account, and the ARN by which AWS
    /// calls them.
    pub async fn assume(&self, session: &RoleSession) -> Result<(String, String), AwsError> {
        let desk = self.desk(&self.home());
        let answer = assume(&desk, session).await?;
        let arn = answer.assumed_role_user().map(|user| user.arn().to_owned());
        let Some(arn) = arn else {
            let cause = "the answer names nobody".to_owned();
            return Err(desk.error(
                Action::AssumeRole,
                Some(session.role.as_str()),
                ErrorKind::Unexpected { cause },
            ));
        };
        Ok((session.role.account().to_owned(), arn))
    }
}

/// Asks STS for a session.
async fn assume(desk: &Desk, session: &RoleSession) -> Result<AssumeRoleOutput, AwsError> {
    let role = session.role.as_str();
    let mut request = desk.sts.assume_role().role_arn(role).role_session_name(&session.name);
    for (key, value) in &session.tags {
        // With both of its members, a tag is whole.
        if let Ok(tag) = Tag::builder().key(key).value(value).build() {
            request = request.tags(tag);
        }
    }
    let asking = desk.ask(Action::AssumeRole, Some(role), || request.clone().send());
    asking.await.map_err(|error| match &error.kind {
        // A session with tags takes two permissions, and AWS says which of them is missing.
        ErrorKind::AccessDenied { message } if message.contains(Action::TagSession.name()) => {
            AwsError { action: Action::TagSession, ..error }
        }
        ErrorKind::NoCredentials { .. }
        | ErrorKind::BadCredentials { .. }
        | ErrorKind::AccessDenied { .. }
        | ErrorKind::Throttled { .. }
        | ErrorKind::NotFound { .. }
        | ErrorKind::Quota { .. }
        | ErrorKind::Conflict { .. }
        | ErrorKind::Invalid { .. }
        | ErrorKind::Unreachable { .. }
        | ErrorKind::Silent
        | ErrorKind::Server { .. }
        | ErrorKind::Unexpected { .. } => error,
    })
}

impl RoleProvider {
    async fn lend(&self) -> Result<Credentials, CredentialsError> {
        let answered = assume(&self.desk, &self.session).await.map_err(CredentialsError::provider_error)?;
        let Some(lent) = answered.credentials() else {
            let (action, role) = (Action::AssumeRole, Some(self.session.role.as_str()));
            let cause = "the answer has no credentials".to_owned();
            let error = self.desk.error(action, role, ErrorKind::Unexpected { cause });
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
        Provided::new(self.lend())
    }
}
