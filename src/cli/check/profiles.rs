//! The services file's profiles against what AWS has.

use super::ask::Facts;
use super::note::{Note, Notes, Weight};
use crate::config::{Loaded, ServiceSpec, tags};
use crate::discovery::{Discovered, Place, SourceKnowledge, Systems};
use crate::domain::{ModelId, ProfileArn};
use crate::inventory::{FoundProfile, SOURCE_TAG};
use crate::sheet::dotted;
use serde::Serialize;

/// How the services file's profiles are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Count {
    /// How many there are.
    pub(super) of_file: usize,
    /// How many calls can be made with.
    pub(super) usable: usize,
    /// How many could not be looked at.
    pub(super) unseen: usize,
    /// How many of those that were have tags that could not be read.
    pub(super) unread: usize,
}

/// A profile as the services file has it.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    service: &'a ServiceSpec,
    model: &'a ModelId,
    arn: &'a ProfileArn,
}

/// What the profiles are held against.
struct Check<'a> {
    loaded: &'a Loaded,
    facts: &'a Facts,
    discovered: &'a Discovered,
    systems: Systems<'a>,
}

/// Adds what is wrong with profiles of the services file, and counts them.
pub(super) fn check(loaded: &Loaded, facts: &Facts, discovered: &Discovered, notes: &mut Notes) -> Count {
    let check = Check { loaded, facts, discovered, systems: Systems::of(&facts.look.found) };
    let mut count = Count::default();
    for service in &loaded.services.services {
        for (model, arn) in &service.profiles {
            check.one(Entry { service, model, arn }, &mut count, notes);
        }
    }
    count
}

impl Check<'_> {
    fn one(&self, entry: Entry<'_>, count: &mut Count, notes: &mut Notes) {
        count.of_file = count.of_file.saturating_add(1);
        let mut add = |weight, note: Option<Note>| {
            if let Some(note) = note {
                notes.add(weight, self.placed(note, entry));
            }
        };
        let (arn, look) = (entry.arn, &self.facts.look);
        if let Some(foreign) = self.foreign(entry) {
            return add(Weight::Problem, Some(foreign));
        }
        match look.found.profiles.get(arn) {
            None if look.complete.contains(&Place::of(arn)) => add(Weight::Problem, Some(self.gone(arn))),
            // What kept it from being looked at has been told.
            None => count.unseen = count.unseen.saturating_add(1),
            Some(found) => {
                if found.is_active() {
                    count.usable = count.usable.saturating_add(1);
                }
                if found.tags.is_none() {
                    count.unread = count.unread.saturating_add(1);
                }
                add(Weight::Problem, inactive(arn, found));
                add(Weight::Warning, self.source(entry, found));
                add(Weight::Warning, self.tags(entry, found));
            }
        }
    }

    /// Adds where the services file has the profile.
    fn placed(&self, note: Note, entry: Entry<'_>) -> Note {
        let key = format!("{}.profiles", dotted("services", entry.service.name.as_str()));
        Note {
            file: Some(self.loaded.config.catalog.services.clone()),
            key: Some(dotted(&key, entry.model.as_str())),
            ..note.of_profile(entry.arn)
        }
    }

    /// A profile of another account needs a role there.
    fn foreign(&self, Entry { service, arn, .. }: Entry<'_>) -> Option<Note> {
        let (own, account) = (&self.facts.caller.as_ref()?.account, arn.account());
        let of_session = service.session_role.as_ref().is_some_and(|role| role.account() == account);
        if own == account || of_session || self.loaded.config.upstream.roles.contains_key(account) {
            return None;
        }
        let message = format!(
            "{arn}: it is in account {account}, the gateway in {own}, and upstream.roles has no role there"
        );
        let hint = format!(
            "have a role in account {account} that trusts the gateway's, and name it under [upstream.roles]: \
             \"{account}\" = \"arn:{}:iam::{account}:role/<name>\"",
            arn.region().partition()
        );
        Some(Note::new("foreign", message).with_hint(hint))
    }

    fn gone(&self, arn: &ProfileArn) -> Note {
        let (region, account) = (arn.region(), arn.account());
        let namesake = self.facts.look.found.profiles.keys().find(|other| other.id() == arn.id());
        let namesake = namesake.map(|other| format!("; {other} is there")).unwrap_or_default();
        let message = format!("{arn}: there is no such profile in {region} of account {account}{namesake}");
        let hint = format!(
            "correct the ARN; `aws bedrock list-inference-profiles --type-equals APPLICATION --region {region}` lists \
             what there is"
        );
        Note::new("gone", message).with_hint(hint)
    }

    /// Holds what AWS shows of the source against the file's word. What fits several sources does not contradict it.
    fn source(&self, entry: Entry<'_>, found: &FoundProfile) -> Option<Note> {
        let Entry { model, arn, .. } = entry;
        let known = self.discovered.profiles.get(arn).and_then(|known| known.source.as_ref());
        let Some(source) = known else {
            let message =
                format!("{arn}: nothing in AWS tells what it was copied from, so {model} is taken for true");
            let hint = tag_command(arn, &[(SOURCE_TAG, model.bare())]);
            return Some(Note::new("source_unknown", message).with_hint(hint));
        };
        let (fits, how) = match source.knowledge {
            SourceKnowledge::Stated => (source.model.bare() == model.bare(), "its tag says"),
            SourceKnowledge::Inferred => {
                let sources = self.systems.sources(arn, &found.models);
                (sources.iter().any(|source| source.bare() == model.bare()), "its models are those of")
            }
        };
        if fits {
            return None;
        }
        let message = format!(
            "{arn}: {how} {}, not {model}: calls get that, at another price perhaps than is counted",
            source.model
        );
        let hint = "name each profile under the model that it was copied from".to_owned();
        Some(Note::new("source_differs", message).with_hint(hint))
    }

    /// Holds the tags against what the file says of the service. Those that AWS would not take are the gateway's alone.
    fn tags(&self, entry: Entry<'_>, found: &FoundProfile) -> Option<Note> {
        let Entry { service, arn, .. } = entry;
        let has = found.tags.as_ref()?;
        let name = (self.loaded.config.catalog.service_tag.as_str(), service.name.as_str());
        let own = service.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let is_taken = |(key, value): &(&str, &str)| {
            *key != name.0 && tags::key(key).is_ok() && tags::value(value).is_ok()
        };
        let wanted = [name].into_iter().chain(own.filter(is_taken));
        let wrong: Vec<(&str, &str)> =
            wanted.filter(|(key, value)| has.get(*key).is_none_or(|other| other != value)).collect();
        if wrong.is_empty() {
            return None;
        }
        let told = wrong.iter().map(|(key, value)| match has.get(*key) {
            Some(other) => format!("{key} is '{other}', not '{value}'"),
            None => format!("{key} is not there, and should be '{value}'"),
        });
        let told: Vec<String> = told.collect();
        let message = format!("{arn}: its tags, by which AWS's bill splits, differ: {}", told.join("; "));
        Some(Note::new("tags_differ", message).with_hint(tag_command(arn, &wrong)))
    }
}

fn inactive(arn: &ProfileArn, found: &FoundProfile) -> Option<Note> {
    let message =
        || format!("{arn}: its status is {}, and calls can be made with ACTIVE ones alone", found.status);
    let hint = "wait until the profile is ACTIVE, or make a new one";
    (!found.is_active()).then(|| Note::new("not_active", message()).with_hint(hint))
}

/// Returns the command that gives a profile tags. No tag that AWS takes has a quote in it.
fn tag_command(arn: &ProfileArn, tags: &[(&str, &str)]) -> String {
    let tags: Vec<String> = tags.iter().map(|(key, value)| format!("'key={key},value={value}'")).collect();
    let region = arn.region();
    format!("aws bedrock tag-resource --region {region} --resource-arn {arn} --tags {}", tags.join(" "))
}
