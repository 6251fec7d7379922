//! `tollgate profiles import`

use super::ImportArgs;
use super::look::Asking;
use super::plan::regions;
use crate::catalog::{Catalog, Service};
use crate::cli::table::counted;
use crate::cli::{Context, Failure};
use crate::config::{ServicesFile, load_access, load_edited};
use crate::discovery::{Discovered, SourceKnowledge};
use crate::domain::Region;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};

/// Writes the services that AWS knows by their tags, and what each has.
pub(super) fn run(context: &mut Context<'_>, args: &ImportArgs) -> Result<(), Failure> {
    let (config, egress) = load_access(&context.config, context.env.clone())?;
    let file = args.output.as_ref().unwrap_or(&config.catalog.services);
    // A link that leads nowhere would be written through: it is there, too.
    if file.symlink_metadata().is_ok() {
        return Err(Failure::refused(
            format!("{} exists already", file.display()),
            "name another with --output, and copy from that what is wanted",
        ));
    }
    let asking = Asking::new(&config, &egress)?;
    let regions = regions(&args.regions, &config.upstream.region);
    let (look, _) = asking.look_whole(&regions)?;
    // A file that lacks some would not tell.
    if let Some(error) = look.failures.first() {
        return Err(error.clone().into());
    }
    let home = regions.first().cloned().unwrap_or_default();
    let discovered = Discovered::of(&look.found, &config.catalog.service_tag, &home);
    let catalog = Catalog::build(&ServicesFile::default(), &discovered);
    let mut services: Vec<&Service> = catalog.services().map(AsRef::as_ref).collect();
    services.sort_by(|one, other| one.name.cmp(&other.name));
    if services.is_empty() {
        return Err(nothing_to_import(&config.catalog.service_tag, &regions));
    }
    let text = text(&services, &regions);
    load_edited(&context.config, context.env.clone(), text.clone())?;
    write(file, &text)?;
    let imported = services.iter().map(|service| service.profiles.len()).sum::<usize>();
    let (services, profiles) = (counted(services.len(), "service"), counted(imported, "profile"));
    writeln!(context.out, "wrote {}: {services}, {profiles}", file.display())?;
    let left = look.found.profiles.len().saturating_sub(imported);
    if left > 0 {
        writeln!(context.out, "left out {}: `tollgate profiles list` says why", counted(left, "profile"))?;
    }
    Ok(())
}

fn nothing_to_import(tag: &str, regions: &[Region]) -> Failure {
    let message = format!(
        "no profile in {} is tagged for a service (tag '{tag}'), so nothing is written",
        listed(regions)
    );
    Failure::refused(
        message,
        "`tollgate profiles list` shows what there is; name other regions with --region, or another tag with \
         catalog.service_tag",
    )
}

fn listed(regions: &[Region]) -> String {
    regions.iter().map(Region::as_str).collect::<Vec<_>>().join(", ")
}

fn text(services: &[&Service], regions: &[Region]) -> String {
    let mut all = Table::new();
    all.set_implicit(true);
    for service in services {
        all.insert(service.name.as_str(), Item::Table(table(service)));
    }
    let mut document = DocumentMut::new();
    document.insert("services", Item::Table(all));
    format!("# The services, as `tollgate profiles import` found them in {}.\n\n{document}", listed(regions))
}

fn table(service: &Service) -> Table {
    let mut table = Table::new();
    if !service.tags.is_empty() {
        let tags: InlineTable = service.tags.iter().map(|(tag, value)| (tag, value.as_str())).collect();
        table.insert("tags", Item::Value(Value::InlineTable(tags)));
    }
    let mut profiles = Table::new();
    for profile in &service.profiles {
        let model = profile.source_model.as_str();
        profiles.insert(model, toml_edit::value(profile.arn.as_str()));
        if profile.knowledge == SourceKnowledge::Inferred
            && let Some(mut key) = profiles.key_mut(model)
        {
            let comment =
                "# Inferred from the models that it routes to: AWS does not say what it was copied from.\n";
            key.leaf_decor_mut().set_prefix(comment);
        }
    }
    table.insert("profiles", Item::Table(profiles));
    table
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(file)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| {
        let hint = "name a file in a folder that this user can write to with --output";
        Failure::refused(format!("cannot write {}: {error}", file.display()), hint)
    })
}
