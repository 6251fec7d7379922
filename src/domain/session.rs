//! Sessions of roles: what AWS shows of whoever acts in one.

use super::{RoleArn, ServiceName};
use std::collections::BTreeMap;

/// The name of the gateway's own sessions.
const OF_GATEWAY: &str = "tollgate";

/// What follows a service's name that is too short for a session's: no service has a name like that.
const FILLER: &str = "@tollgate";

/// The shortest name of a session, in characters: `[\w+=,.@-]{2,64}` (sts service model 2011-06-15,
/// `roleSessionNameType`). Every service's name is legal in one, and short enough.
const MIN_NAME: usize = 2;

/// A role, and a session of it. `CloudTrail` and the bill's `line_item_iam_principal` show the name, and the bill shows
/// the tags, where they are active as cost allocation tags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleSession {
    /// The role.
    pub role: RoleArn,
    /// The session's name, `RoleSessionName`.
    pub name: String,
    /// The session's tags.
    pub tags: BTreeMap<String, String>,
}

impl RoleSession {
    /// Returns the session in which the gateway acts for itself.
    pub fn of_gateway(role: RoleArn) -> Self {
        Self { role, name: OF_GATEWAY.to_owned(), tags: BTreeMap::new() }
    }

    /// Returns the session in which a service's calls are signed: it bears the service's name, and its tags. A name of one
    /// letter, which STS would not take, is followed by `@tollgate`.
    pub fn of_service(role: RoleArn, service: &ServiceName, tags: BTreeMap<String, String>) -> Self {
        let mut name = service.to_string();
        if name.len() < MIN_NAME {
            name.push_str(FILLER);
        }
        Self { role, name, tags }
    }
}

impl std::fmt::Display for RoleSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} as session '{}'", self.role, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_bears_its_services_name() {
        let role = RoleArn::parse("arn:aws:iam::210987654321:role/r").unwrap();
        let longest = "x".repeat(63);
        for (service, name) in [("checkout", "checkout"), ("a", "a@tollgate"), (&longest, &longest)] {
            let service = ServiceName::parse(service).unwrap();
            assert_eq!(RoleSession::of_service(role.clone(), &service, BTreeMap::new()).name, name);
        }
        let shown = "arn:aws:iam::210987654321:role/r as session 'tollgate'";
        assert_eq!(RoleSession::of_gateway(role).to_string(), shown);
    }
}
