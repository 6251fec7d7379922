//! What AWS has answered, as text and as JSON.

use super::CheckArgs;
use super::ask::{Caller, Facts, ask};
use super::judge::judge;
use super::note::{Note, Notes, hints};
use super::permissions::{Permission, State, permissions};
use super::profiles::Count;
use crate::aws::CostTagStatus;
use crate::cli::Failure;
use crate::config::Loaded;
use crate::domain::Region;
use crate::sheet::Sheet;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use time::OffsetDateTime;

/// The result, as JSON has it.
#[derive(Debug, Serialize)]
pub(super) struct Aws {
    /// Where the credentials come from, by the AWS SDK's name of it; absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<String>,
    region: Region,
    region_from: RegionFrom,
    /// Absent where AWS does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<Caller>,
    /// Who the gateway is with each role, by the role's ARN.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    roles: BTreeMap<String, Caller>,
    /// Who each service's calls are, where it has a session of its own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    sessions: BTreeMap<String, Caller>,
    profiles: Profiles,
    cost_tag: CostTag,
    permissions: Vec<Permission>,
    problems: Vec<Note>,
    warnings: Vec<Note>,
}

/// How many profiles there are.
#[derive(Debug, Serialize)]
struct Profiles {
    #[serde(flatten)]
    of_file: Count,
    /// How many AWS has, in the regions that were looked in; absent where discovery is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<usize>,
}

/// How the tag that names services is to AWS's bill.
#[derive(Debug, Serialize)]
struct CostTag {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    /// Whether that is so since just now.
    activated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    backfill_from: Option<String>,
}

/// Where the region comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RegionFrom {
    /// Nothing names one.
    Default,
    /// The line of the config file.
    File(PathBuf, usize),
    /// The variable of the environment.
    Variable(String),
}

impl RegionFrom {
    /// Finds where a config has its region.
    pub(super) fn of(sheet: &Sheet, config: &Path) -> Self {
        let set = sheet.problem_of(REGION, "");
        match set.line {
            Some(line) => Self::File(set.file, line),
            None if set.file == config => Self::Default,
            None => Self::Variable(set.file.display().to_string()),
        }
    }
}

/// The key that has the region.
const REGION: &str = "upstream.region";

impl std::fmt::Display for RegionFrom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => write!(f, "the default of {REGION}"),
            Self::File(file, line) => write!(f, "{}:{line}: {REGION}", file.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

impl Aws {
    /// Asks AWS, and says what is wrong.
    pub(super) fn of(loaded: &Loaded, args: &CheckArgs, region_from: RegionFrom) -> Result<Self, Failure> {
        let facts = ask(loaded, args)?;
        let verdict = judge(loaded, args, &facts);
        let Notes { problems, warnings } = verdict.notes;
        let permissions = permissions(loaded, &facts);
        let discover = loaded.config.catalog.discover;
        let found = discover.then_some(facts.look.found.profiles.len());
        Ok(Self {
            region: loaded.config.upstream.region.clone(),
            region_from,
            profiles: Profiles { of_file: verdict.profiles, found },
            cost_tag: CostTag::of(&loaded.config.catalog.service_tag, &facts),
            permissions,
            problems,
            warnings,
            credentials: facts.provider,
            identity: facts.caller,
            sessions: facts.sessions.into_iter().map(|(name, caller)| (name.to_string(), caller)).collect(),
            roles: facts.roles.into_iter().map(|(role, caller)| (role.to_string(), caller)).collect(),
        })
    }

    /// Fails where there is a problem.
    pub(super) fn verdict(self) -> Result<(), Failure> {
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(Failure::Lacking { problems: self.problems.len(), hints: hints(&self.problems) })
    }

    /// Writes what was found, the problems and the warnings.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let credentials = self.credentials.as_deref().map_or("none", described);
        line(out, "credentials", credentials)?;
        line(out, "region", &format!("{} ({})", self.region, self.region_from))?;
        if let Some(caller) = &self.identity {
            line(out, "identity", &caller.arn)?;
        }
        for (role, caller) in &self.roles {
            line(out, "role", &format!("{role}, as {}", caller.arn))?;
        }
        for (service, caller) in &self.sessions {
            line(out, "session", &format!("{service}: {}", caller.arn))?;
        }
        line(out, "profiles", &self.profiles.to_string())?;
        line(out, "cost tag", &self.cost_tag.to_string())?;
        self.write_permissions(out)?;
        self.problems.iter().try_for_each(|problem| writeln!(out, "problem: {problem}"))?;
        self.warnings.iter().try_for_each(|warning| writeln!(out, "warning: {warning}"))
    }

    fn write_permissions(&self, out: &mut dyn Write) -> io::Result<()> {
        let named = |state: State, why: Option<&str>| {
            let of_state = self.permissions.iter().filter(|one| (one.state, one.why) == (state, why));
            of_state.map(|one| one.action).collect::<Vec<_>>().join(", ")
        };
        for (name, state) in [("allowed", State::Allowed), ("denied", State::Denied)] {
            let actions = named(state, None);
            if !actions.is_empty() {
                line(out, name, &actions)?;
            }
        }
        let mut told: Vec<&str> = Vec::new();
        for why in self.permissions.iter().filter_map(|one| one.why) {
            if !told.contains(&why) {
                told.push(why);
                line(out, "not checked", &format!("{}: {why}", named(State::NotChecked, Some(why))))?;
            }
        }
        Ok(())
    }

    /// Writes what to do about the warnings; what to do about problems goes with the failure.
    pub(super) fn write_hints(&self, out: &mut dyn Write) -> io::Result<()> {
        hints(&self.warnings).iter().try_for_each(|hint| writeln!(out, "hint: {hint}"))
    }
}

fn line(out: &mut dyn Write, name: &str, text: &str) -> io::Result<()> {
    writeln!(out, "{name:<11}  {text}")
}

/// Returns the AWS SDK's name of where credentials come from, with what it means where that is not plain.
fn described(provider: &str) -> &str {
    match provider {
        "EnvironmentVariable" => "EnvironmentVariable: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        "ProfileFile" => "ProfileFile: the AWS profile of AWS_PROFILE, or the default one",
        "WebIdentityToken" => "WebIdentityToken: the role of the pod, by AWS_WEB_IDENTITY_TOKEN_FILE",
        "EcsContainer" => "EcsContainer: the role of the task or pod",
        "IMDSv2" => "IMDSv2: the role of the instance",
        other => other,
    }
}

impl std::fmt::Display for Profiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Count { of_file, usable, unseen, unread } = self.of_file;
        write!(f, "{usable} of the services file's {of_file} can be called")?;
        if unseen > 0 {
            write!(f, ", {unseen} could not be looked at")?;
        }
        if unread > 0 {
            write!(f, ", the tags of {unread} could not be read")?;
        }
        if let Some(found) = self.found {
            write!(f, "; AWS has {found}")?;
        }
        Ok(())
    }
}

impl CostTag {
    fn of(key: &str, facts: &Facts) -> Self {
        let status = facts.cost_tag.map(|status| match status {
            CostTagStatus::Active => "active",
            CostTagStatus::Inactive => "inactive",
            CostTagStatus::Unknown => "unknown",
        });
        let backfill_from = facts.mended.backfill_from.map(month);
        Self { key: key.to_owned(), status, activated: facts.mended.activated, backfill_from }
    }
}

impl std::fmt::Display for CostTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = match (self.status, self.activated) {
            (None, _) => "not known",
            (Some(_), true) => "activated now: the bill splits by it from tomorrow on",
            (Some("active"), false) => "active: the bill splits by it",
            (Some("inactive"), false) => "inactive: the bill does not split by it",
            (Some(_), false) => "not seen by AWS's billing yet",
        };
        write!(f, "{}: {status}", self.key)?;
        match &self.backfill_from {
            Some(from) => write!(f, "; past months from {from} on are being filled in, which takes hours"),
            None if self.activated => {
                write!(f, "; for past months as well, run it again with --fix --backfill-from YYYY-MM")
            }
            None => Ok(()),
        }
    }
}

fn month(first: OffsetDateTime) -> String {
    format!("{:04}-{:02}", first.year(), u8::from(first.month()))
}
