//! `tollgate profiles list`

use super::look::{Asking, warn_of_failures};
use crate::aws::Look;
use crate::catalog::Catalog;
use crate::cli::grid::{Align, Column, Grid};
use crate::cli::resolve::routing;
use crate::cli::screen::Screen;
use crate::cli::table::counted;
use crate::cli::{Context, Failure, Format, write_json};
use crate::config::{Loaded, load};
use crate::discovery::{Discovered, Known, Owner, Place, SourceKnowledge};
use crate::domain::{ModelId, ProfileArn, Region, ServiceName};
use crate::inventory::FoundProfile;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;

/// The columns: their headings, and when they are left out for want of width.
const COLUMNS: [(&str, u8); 9] = [
    ("SERVICE", 0),
    ("SOURCE MODEL", 0),
    ("ROUTING", 3),
    ("REGION", 2),
    ("PROFILE", 0),
    ("STATUS", 4),
    ("USED", 1),
    ("TAGS", 5),
    ("WRONG", 0),
];

/// One profile.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    /// Whose it is: as the services file says, or else its tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a ServiceName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_model: Option<&'a ModelId>,
    /// Whether AWS's tags do not say the source, so that it is told by the models alone.
    source_inferred: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    routing: Option<String>,
    region: &'a Region,
    account: &'a str,
    arn: &'a ProfileArn,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    status: &'a str,
    /// Absent where they could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a BTreeMap<String, String>>,
    used: Used,
    wrong: Vec<Wrong>,
}

/// By what calls come to have a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Used {
    /// The services file names it.
    File,
    /// Discovery finds it.
    Tag,
    /// They do not.
    No,
}

/// What is wrong with a profile.
#[derive(Debug, Clone, Serialize)]
struct Wrong {
    kind: &'static str,
    message: String,
}

/// What there is to know of profiles, by ARN.
struct Views<'a> {
    look: &'a Look,
    discovered: &'a Discovered,
    /// The services file's: whose, and of what.
    file: HashMap<&'a ProfileArn, (&'a ServiceName, &'a ModelId)>,
    /// Those that discovery alone leads to.
    by_tag: BTreeSet<&'a ProfileArn>,
    findings: BTreeMap<&'a ProfileArn, Vec<Wrong>>,
}

/// Prints them.
pub(super) fn run(context: &mut Context<'_>, named: Vec<Region>, format: Format) -> Result<(), Failure> {
    let loaded = load(&context.config, context.env.clone())?;
    let settings = &loaded.config.catalog;
    let home = &loaded.config.upstream.region;
    let of_file = profiles_of(&loaded).map(|(_, _, arn)| arn.region().clone());
    let regions: BTreeSet<Region> = named.into_iter().chain(of_file).chain([home.clone()]).collect();
    let asking = Asking::new(&loaded.config, &loaded.egress)?;
    let look = asking.look(&asking.aws.sites(&regions));
    let discovered = Discovered::of(&look.found, &settings.service_tag, home);
    let catalog = Catalog::build(&loaded.services, &discovered);
    let views = Views::of(&loaded, &look, &discovered, &catalog);
    let listed = views.listed(&settings.service_tag);
    // Nothing is known then, which is not the same as nothing being there.
    let is_blind = look.complete.is_empty();
    match format {
        Format::Json | Format::Table if is_blind => {}
        Format::Json => write_json(context.out, &listed)?,
        Format::Table => write_table(context.out, &listed, Screen::of_stdout())?,
    }
    // What there is is shown before what could not be read.
    match look.failures.split_first() {
        None => Ok(()),
        Some((first, [])) => Err(first.clone().into()),
        Some((first, _)) => {
            warn_of_failures(&look);
            Err(first.clone().into())
        }
    }
}

fn profiles_of(loaded: &Loaded) -> impl Iterator<Item = (&ServiceName, &ModelId, &ProfileArn)> {
    loaded
        .services
        .services
        .iter()
        .flat_map(|service| service.profiles.iter().map(|(model, arn)| (&service.name, model, arn)))
}

impl<'a> Views<'a> {
    fn of(loaded: &'a Loaded, look: &'a Look, discovered: &'a Discovered, catalog: &'a Catalog) -> Self {
        let file: HashMap<_, _> =
            profiles_of(loaded).map(|(service, model, arn)| (arn, (service, model))).collect();
        let mut by_tag = BTreeSet::new();
        if loaded.config.catalog.discover {
            let all =
                catalog.services().flat_map(|service| service.profiles.iter().map(|profile| &profile.arn));
            by_tag.extend(all.filter(|arn| !file.contains_key(arn)));
        }
        let mut findings: BTreeMap<&ProfileArn, Vec<Wrong>> = BTreeMap::new();
        for finding in catalog.findings() {
            let wrong = Wrong { kind: finding.kind(), message: finding.to_string() };
            findings.entry(finding.profile()).or_default().push(wrong);
        }
        Self { look, discovered, file, by_tag, findings }
    }

    /// Returns every profile that AWS has, or that the services file has and AWS, by its whole listings, has not; by
    /// service, then source model.
    fn listed(&self, service_tag: &str) -> Vec<Listed<'_>> {
        let found = self.look.found.profiles.iter();
        let found = found.map(|(arn, found)| self.view(arn, Some(found), service_tag));
        let is_gone = |arn: &&&ProfileArn| {
            !self.look.found.profiles.contains_key(**arn) && self.look.complete.contains(&Place::of(arn))
        };
        let gone = self.file.keys().filter(is_gone).map(|arn| self.view(arn, None, service_tag));
        let mut all: Vec<Listed<'_>> = found.chain(gone).collect();
        all.sort_by_key(|listed| (listed.service.is_none(), listed.service, listed.source_model, listed.arn));
        all
    }

    fn view(&self, arn: &'a ProfileArn, found: Option<&'a FoundProfile>, service_tag: &str) -> Listed<'_> {
        let of_file = self.file.get(arn).copied();
        let known = self.discovered.profiles.get(arn);
        let tagged = known.and_then(|known| match &known.owner {
            Owner::Service(service) => Some(service),
            Owner::Untagged | Owner::Illegal | Owner::Unread => None,
        });
        let source = known.and_then(|known| known.source.as_ref());
        let source_model = of_file.map(|(_, model)| model).or(source.map(|source| &source.model));
        let is_inferred = source.is_some_and(|source| source.knowledge == SourceKnowledge::Inferred);
        let used = match of_file {
            Some(_) => Used::File,
            None if self.by_tag.contains(arn) => Used::Tag,
            None => Used::No,
        };
        let mut wrong = self.findings.get(arn).cloned().unwrap_or_default();
        wrong.extend(of_owner(arn, known, used, service_tag));
        Listed {
            service: of_file.map(|(service, _)| service).or(tagged),
            source_model,
            source_inferred: of_file.is_none() && is_inferred,
            routing: source_model.map(routing),
            region: arn.region(),
            account: arn.account(),
            arn,
            name: found.map(|found| found.name.as_str()),
            status: found.map_or("GONE", |found| &found.status),
            tags: found.and_then(|found| found.tags.as_ref()),
            used,
            wrong,
        }
    }
}

/// Returns what is wrong with whose a profile is, beside what discovery finds.
fn of_owner(arn: &ProfileArn, known: Option<&Known>, used: Used, service_tag: &str) -> Option<Wrong> {
    let (kind, message) = match known.map(|known| &known.owner) {
        None => {
            ("gone", format!("{arn}: the services file has it, but AWS does not: correct the services file"))
        }
        Some(Owner::Untagged) => {
            let whose = if used == Used::File {
                "so AWS's bill does not say whose it is"
            } else {
                "so it is nobody's"
            };
            (
                "untagged",
                format!(
                    "{arn}: it has no tag '{service_tag}', {whose}: aws bedrock tag-resource --resource-arn {arn} \
                     --tags key={service_tag},value=<service>"
                ),
            )
        }
        Some(Owner::Unread) => ("unread", format!("{arn}: its tags could not be read")),
        Some(Owner::Service(_) | Owner::Illegal) => return None,
    };
    Some(Wrong { kind, message })
}

fn write_table(out: &mut dyn Write, listed: &[Listed<'_>], screen: Screen) -> std::io::Result<()> {
    if listed.is_empty() {
        return writeln!(out, "no application inference profiles");
    }
    let rows: Vec<Vec<String>> = listed.iter().map(row).collect();
    let column =
        |(heading, rank): (&str, u8)| Column { heading: heading.to_owned(), align: Align::Left, rank };
    let grid = Grid::new(COLUMNS.map(column).into(), rows.iter().map(Vec::as_slice), screen.width);
    writeln!(out, "{}", screen.paint.bold(grid.headings().trim_end()))?;
    for (row, listed) in rows.iter().zip(listed) {
        let line = grid.line(row);
        let line = line.trim_end();
        let is_wrong = !listed.wrong.is_empty();
        writeln!(out, "{}", if is_wrong { screen.paint.warning(line) } else { line.to_owned() })?;
    }
    let wrong: Vec<&Wrong> = listed.iter().flat_map(|listed| &listed.wrong).collect();
    if !wrong.is_empty() {
        writeln!(out)?;
    }
    wrong.iter().try_for_each(|wrong| writeln!(out, "{}: {}", words(wrong.kind), wrong.message))?;
    writeln!(out, "\n{}, {}", counted(listed.len(), "profile"), counted(wrong.len(), "finding"))
}

fn words(kind: &str) -> String {
    kind.replace('_', " ")
}

fn row(listed: &Listed<'_>) -> Vec<String> {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let source = listed.source_model.map(|model| {
        let mark = if listed.source_inferred { "?" } else { "" };
        format!("{model}{mark}")
    });
    let tags = listed.tags.map(|tags| {
        let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        tags.join(" ")
    });
    let used = match listed.used {
        Used::File => "file",
        Used::Tag => "tag",
        Used::No => "no",
    };
    let wrong: Vec<String> = listed.wrong.iter().map(|wrong| words(wrong.kind)).collect();
    vec![
        or_none(listed.service.map(ServiceName::to_string)),
        or_none(source),
        or_none(listed.routing.clone()),
        listed.region.to_string(),
        listed.arn.id().to_owned(),
        listed.status.to_owned(),
        used.to_owned(),
        or_none(tags),
        wrong.join(", "),
    ]
}
