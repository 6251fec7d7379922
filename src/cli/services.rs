//! `tollgate services`

use super::edit::ServicesEditor;
use super::table::write_table;
use super::{Context, Failure, Format, service_name, write_json};
use crate::config::{ServiceSpec, load_files};
use crate::domain::{ModelId, ModelPattern, ProfileArn, RoleArn, ServiceName};
use clap::{Args, Subcommand};
use std::collections::BTreeMap;

/// What can be done with services.
#[derive(Debug, Subcommand)]
pub enum ServicesCommand {
    /// Lists the services.
    List {
        /// How they are printed.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Adds a service.
    Add(AddArgs),
    /// Removes a service, with its keys and all.
    Remove {
        /// The service's name.
        #[arg(value_parser = service_name)]
        name: ServiceName,
    },
}

/// A service that is to be added.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// The service's name.
    #[arg(value_parser = service_name)]
    pub name: ServiceName,
    /// A tag, for reports; may be repeated.
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub tags: Vec<(String, String)>,
    /// A model that it is to have a profile of, which `tollgate profiles apply` makes; may be repeated.
    #[arg(long = "model", value_name = "MODEL", value_parser = model)]
    pub models: Vec<ModelId>,
    /// A model, and the ARN of the application inference profile that was copied from it; may be repeated.
    #[arg(long = "profile", value_name = "MODEL=ARN", value_parser = profile)]
    pub profiles: Vec<(ModelId, ProfileArn)>,
    /// What the model id `default` means.
    #[arg(long, value_name = "MODEL", value_parser = model)]
    pub default_model: Option<ModelId>,
}

/// One service as JSON.
#[derive(Debug, serde::Serialize)]
struct Listed<'a> {
    name: &'a ServiceName,
    tags: &'a BTreeMap<String, String>,
    models: &'a [ModelId],
    profiles: BTreeMap<&'a str, &'a ProfileArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_model: &'a Option<ModelId>,
    aliases: &'a BTreeMap<String, ModelId>,
    key_ids: Vec<String>,
    allowed_operations: &'a [crate::domain::Operation],
    allowed_models: Vec<&'a str>,
    client_certificates: Vec<String>,
    session_role_arn: Option<&'a str>,
    stamp_request_metadata: bool,
}

/// Runs one of the commands.
pub(super) fn run(context: &mut Context<'_>, command: ServicesCommand) -> Result<(), Failure> {
    match command {
        ServicesCommand::List { format } => list(context, format),
        ServicesCommand::Add(args) => {
            let mut editor = ServicesEditor::open(context)?;
            editor.add_service(&args)?;
            let file = editor.save()?;
            writeln!(context.out, "added service '{}' to {}", args.name, file.display())?;
            Ok(())
        }
        ServicesCommand::Remove { name } => {
            let mut editor = ServicesEditor::open(context)?;
            editor.remove_service(&name)?;
            let file = editor.save()?;
            writeln!(context.out, "removed service '{name}' from {}", file.display())?;
            Ok(())
        }
    }
}

fn list(context: &mut Context<'_>, format: Format) -> Result<(), Failure> {
    let loaded = load_files(&context.config, context.env.clone())?;
    let services = &loaded.services.services;
    match format {
        Format::Json => write_json(context.out, &services.iter().map(listed).collect::<Vec<_>>()),
        Format::Table => {
            let rows: Vec<[String; 5]> = services.iter().map(row).collect();
            let headings = ["SERVICE", "PROFILES", "KEYS", "DEFAULT MODEL", "TAGS"];
            write_table(context.out, headings, &rows).map_err(Failure::from)
        }
    }
}

fn row(service: &ServiceSpec) -> [String; 5] {
    let tags: Vec<String> = service.tags.iter().map(|(tag, value)| format!("{tag}={value}")).collect();
    [
        service.name.to_string(),
        service.profiles.len().to_string(),
        service.key_ids().count().to_string(),
        service.default_model.as_ref().map_or_else(|| "-".to_owned(), ModelId::to_string),
        tags.join(" "),
    ]
}

fn listed(service: &ServiceSpec) -> Listed<'_> {
    Listed {
        name: &service.name,
        tags: &service.tags,
        models: &service.models,
        profiles: service.profiles.iter().map(|(model, arn)| (model.as_str(), arn)).collect(),
        default_model: &service.default_model,
        aliases: &service.aliases,
        key_ids: service.key_ids().collect(),
        allowed_operations: &service.allowed_operations,
        allowed_models: service.allowed_models.iter().map(ModelPattern::as_str).collect(),
        client_certificates: service.client_certificates.iter().map(ToString::to_string).collect(),
        session_role_arn: service.session_role.as_ref().map(RoleArn::as_str),
        stamp_request_metadata: service.stamp_request_metadata,
    }
}

fn tag(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    if name.is_empty() {
        return Err("the tag has no name: write it as KEY=VALUE".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn profile(text: &str) -> Result<(ModelId, ProfileArn), String> {
    let (source, arn) = text.split_once('=').ok_or("write it as MODEL=ARN")?;
    let arn = ProfileArn::parse(arn).map_err(|error| format!("'{arn}' is {error}"))?;
    Ok((model(source)?, arn))
}

fn model(text: &str) -> Result<ModelId, String> {
    ModelId::parse(text).map_err(|error| error.to_string())
}
