//! What the role of a service must be, and the tags of its sessions.

use super::services::key_of;
use super::{Config, ServiceSpec, tags};
use crate::sheet::{Sheet, dotted};
use std::collections::HashMap;

/// How many tags a session may have (sts API reference, `AssumeRole`, `Tags`).
const MAX_TAGS: usize = 50;

/// Checks a service's `session_role_arn`: whoever is of another account cannot call its profiles, and what STS would not
/// take as tags of a session is refused here.
///
/// A session's tags have keys of 1 to 128 and values of up to 256 characters, `[\p{L}\p{Z}\p{N}_.:/=+\-@]` (sts API
/// reference, `Tag`). The rules of profiles' tags, which are checked, are narrower. Keys that differ in case alone are
/// the same to STS (as above, `AssumeRole`).
pub(super) fn check(config: &Config, service: &ServiceSpec, sheet: &mut Sheet) {
    let Some(role) = &service.session_role else { return };
    let foreign = service.profiles.iter().find(|(_, arn)| arn.account() != role.account());
    if let Some((model, arn)) = foreign {
        let message = format!(
            "the role is of account {}, and the profile of {model} of account {}: name a role of the profiles' account",
            role.account(),
            arn.account()
        );
        sheet.wrong_key(&key_of(&service.name, "session_role_arn"), message);
    }
    check_tags(config, service, sheet);
}

fn check_tags(config: &Config, service: &ServiceSpec, sheet: &mut Sheet) {
    let key = key_of(&service.name, "tags");
    let service_tag = &config.catalog.service_tag;
    let mut seen = HashMap::from([(service_tag.to_lowercase(), service_tag)]);
    for (tag, value) in service.tags.iter() {
        let twin = seen.insert(tag.to_lowercase(), tag);
        let checked = match twin {
            Some(twin) if twin == service_tag => Err(format!(
                "'{tag}' is the tag that names the service itself (catalog.service_tag), but for its case"
            )),
            Some(twin) => Err(format!("'{tag}' and '{twin}' are the same to STS, which knows no case")),
            None => tags::key(tag).and_then(|_| tags::value(value)),
        };
        if let Err(message) = checked {
            sheet.wrong_key(&dotted(&key, tag), format!("its session could not be tagged: {message}"));
        }
    }
    // The service's name is a tag as well.
    let most = MAX_TAGS.saturating_sub(1);
    if service.tags.len() > most {
        let count = service.tags.len();
        let message =
            format!("{count} tags are too many: with the one that names the service, STS takes {most}");
        sheet.wrong_key(&key, message);
    }
}
