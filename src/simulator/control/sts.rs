//! STS, as far as it names callers and lends them roles (sts service model 2011-06-15).

use super::super::models::Answer;
use super::super::others::timestamp;
use super::super::refusal::Refusal;
use super::callers::Caller;
use super::plane::{sts_answer, xml_text};
use super::{ControlPlane, Order, lock};
use aws_credential_types::Credentials;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// For how long a role is lent where the request does not say.
const DEFAULT_SECONDS: u64 = 3600;

/// How many tags a session may have.
const MAX_TAGS: usize = 50;

fn invalid(message: String) -> Refusal {
    Refusal { status: 400, kind: "ValidationError", message }
}

/// Returns `GetCallerIdentity`'s answer.
pub(super) fn caller_identity(order: &Order<'_>) -> Answer {
    let Caller { account, arn, user_id, .. } = &*order.signed.caller;
    let result = format!(
        "<Arn>{}</Arn><UserId>{}</UserId><Account>{account}</Account>",
        xml_text(arn),
        xml_text(user_id)
    );
    sts_answer("GetCallerIdentity", &result, order.request_id)
}

/// Takes `arn:aws:iam::123456789012:role/path/name` apart: the partition, the account and the name.
fn parse_role(arn: &str) -> Option<(&str, &str, &str)> {
    let mut parts = arn.strip_prefix("arn:")?.splitn(5, ':');
    let (partition, service, region) = (parts.next()?, parts.next()?, parts.next()?);
    let (account, resource) = (parts.next()?, parts.next()?);
    let name = resource.strip_prefix("role/")?.rsplit('/').next()?;
    let legal_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let is_role = service == "iam" && region.is_empty() && legal_account && !name.is_empty();
    is_role.then_some((partition, account, name))
}

fn is_session_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (2..=64).contains(&name.len()) && name.bytes().all(legal)
}

/// Returns the tags that a session is to have (sts API reference, `AssumeRole` and `Tag`).
fn session_tags(order: &Order<'_>) -> Result<BTreeMap<String, String>, Refusal> {
    let mut tags = BTreeMap::new();
    let mut keys = BTreeSet::new();
    let member = |number: usize, name: &str| order.call.form(&format!("Tags.member.{number}.{name}"));
    let legal = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c));
    for number in 1.. {
        let Some(key) = member(number, "Key") else { break };
        let value = member(number, "Value").unwrap_or_default();
        let fits = (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256;
        if !fits || !legal(&key) || !legal(&value) || key.to_lowercase().starts_with("aws:") {
            return Err(invalid(format!("Tag {key} = {value} failed to satisfy constraint")));
        }
        if !keys.insert(key.to_lowercase()) {
            let message = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(Refusal { status: 400, kind: "InvalidParameterValue", message: message.to_owned() });
        }
        tags.insert(key, value);
    }
    if tags.len() > MAX_TAGS {
        return Err(invalid(format!("Member must have length less than or equal to {MAX_TAGS}")));
    }
    Ok(tags)
}

impl ControlPlane {
    /// Lends a role: every role of every account exists, and trusts everybody.
    pub(super) fn assume_role(&self, order: &Order<'_>) -> Result<Answer, Refusal> {
        let role = order.call.form("RoleArn").unwrap_or_default();
        let (partition, account, name) =
            parse_role(&role).ok_or_else(|| invalid(format!("{role} is invalid")))?;
        let session = order.call.form("RoleSessionName").unwrap_or_default();
        if !is_session_name(&session) {
            return Err(invalid(format!(
                "1 validation error detected: Value '{session}' at 'roleSessionName' failed to satisfy \
                 constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*"
            )));
        }
        let seconds = match order.call.form("DurationSeconds") {
            None => DEFAULT_SECONDS,
            Some(text) => {
                let seconds = text.parse().ok().filter(|seconds| (900..=43_200).contains(seconds));
                seconds.ok_or_else(|| invalid(format!("DurationSeconds {text} is not 900 to 43200")))?
            }
        };
        let tags = session_tags(order)?;
        let lease = lock(&self.0.lease).unwrap_or(Duration::from_secs(seconds));
        // As coarse as AWS states it.
        let expires = Duration::from_secs(order.now.saturating_add(lease).as_secs());
        let id = order.request_id.replace('-', "").to_uppercase();
        let (key, secret) = (format!("ASIA{id}"), format!("no-secret-of-{id}"));
        let (token, user_id) = (format!("session-{id}"), format!("AROASIMULATOR:{session}"));
        let arn = format!("arn:{partition}:sts::{account}:assumed-role/{name}/{session}");
        let result = format!(
            "<AssumedRoleUser><AssumedRoleId>{user_id}</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser>\
             <Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
             <SessionToken>{token}</SessionToken><Expiration>{}</Expiration></Credentials>",
            timestamp(expires)
        );
        let credentials = Credentials::new(key, secret, Some(token), None, "simulator");
        let account = account.to_owned();
        self.callers().add(Caller { credentials, account, arn, user_id, tags, expires: Some(expires) });
        Ok(sts_answer("AssumeRole", &result, order.request_id))
    }
}
