//! `tollgate keys`

mod create;
mod list;
mod secrets;

use super::{Context, Failure, service_name};
use crate::config::{load, operation, pattern};
use crate::domain::{ModelPattern, Operation, ServiceName};
use crate::keys::ACCESS_KEY_PREFIX;
use clap::{Args, Subcommand, ValueEnum};
use time::OffsetDateTime;

/// How many characters of its id must be given at least to name a key.
const MIN_PREFIX: usize = 4;

/// What can be done with service keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Creates a key, prints it this once, and adds its hash, or its sealed secret, to the services file.
    Create(CreateArgs),
    /// Lists the ids of the keys.
    List(list::ListArgs),
    /// Creates a key like one that there is, which goes on to count for a while.
    Rotate(RotateArgs),
    /// Revokes a key.
    Revoke {
        /// The key's id as `tollgate keys list` shows it, or its first digits, if no other begins with them.
        #[arg(value_name = "KEY_ID", value_parser = key_prefix)]
        key: String,
    },
    /// Makes a key that the secrets of sigv4 keys are sealed with, for `identity.secrets_key_file` or `TOLLGATE_SECRETS_KEY`.
    SecretsKey(secrets::SecretsKeyArgs),
    /// Seals all secrets of the services file anew, with the first of the secrets keys.
    Reseal,
}

/// What a key proves itself with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Kind {
    /// It is sent itself, as bearer token (`AWS_BEARER_TOKEN_BEDROCK`) or `x-api-key`.
    #[default]
    Bearer,
    /// AWS SDKs sign with it, as with any AWS credentials.
    Sigv4,
}

/// A key that is to be created.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// The service that the key is for.
    #[arg(long, value_name = "NAME", value_parser = service_name)]
    pub service: ServiceName,
    /// What it proves itself with.
    #[arg(long, value_enum, default_value_t)]
    pub kind: Kind,
    /// When it ends: in how long (90days, 12h), or at a time (2027-01-31, 2027-01-31T12:00:00Z).
    #[arg(long, value_name = "TIME", value_parser = end)]
    pub expires: Option<End>,
    /// An operation that it may be used for, such as Converse; may be repeated. Without, all that its service may use.
    #[arg(long = "operation", value_name = "OPERATION", value_parser = operation)]
    pub operations: Vec<Operation>,
    /// A pattern of ids of models that it may be used for, such as 'us.anthropic.*'; may be repeated. Without, all.
    #[arg(long = "model", value_name = "PATTERN", value_parser = pattern)]
    pub models: Vec<ModelPattern>,
    /// Leave the services file as it is.
    #[arg(long)]
    pub print_only: bool,
}

/// A key that is to be rotated.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// The key's id as `tollgate keys list` shows it, or its first digits, if no other begins with them.
    #[arg(value_name = "KEY_ID", value_parser = key_prefix)]
    pub key: String,
    /// How long the old key counts on.
    #[arg(long, value_name = "DURATION", default_value = "7days", value_parser = humantime::parse_duration)]
    pub overlap: std::time::Duration,
    /// When the new key ends, as for `create`; without, when the old one would have.
    #[arg(long, value_name = "TIME", value_parser = end)]
    pub expires: Option<End>,
}

/// When a key ends, as arguments say it.
#[derive(Debug, Clone, Copy)]
pub enum End {
    /// After so long.
    In(std::time::Duration),
    /// At a time.
    At(OffsetDateTime),
}

impl End {
    /// Returns the moment, which must be to come.
    fn after(self, now: OffsetDateTime) -> Result<OffsetDateTime, Failure> {
        let end = match self {
            Self::In(duration) => {
                time::Duration::try_from(duration).ok().and_then(|left| now.checked_add(left))
            }
            Self::At(end) => Some(end),
        };
        let end = end
            .and_then(|end| end.replace_nanosecond(0).ok())
            .filter(|end| *end > now && end.year() < 10_000);
        end.ok_or_else(|| Failure::Unusable {
            message: "a key cannot end there".to_owned(),
            hint: "give a time to come with --expires, as in 90days or 2027-01-31".to_owned(),
        })
    }
}

/// Runs one of the commands.
pub(super) fn run(context: &mut Context<'_>, command: KeysCommand) -> Result<(), Failure> {
    match command {
        KeysCommand::Create(args) => create::create(context, &args),
        KeysCommand::List(args) => list::run(context, &args),
        KeysCommand::Rotate(args) => create::rotate(context, &args),
        KeysCommand::Revoke { key } => revoke(context, &key),
        KeysCommand::SecretsKey(args) => secrets::make(context, &args),
        KeysCommand::Reseal => secrets::reseal(context),
    }
}

fn revoke(context: &mut Context<'_>, key: &str) -> Result<(), Failure> {
    let mut editor = super::edit::ServicesEditor::open(context)?;
    let found = editor.find_key(key)?;
    editor.remove_key(&found);
    let file = editor.save()?;
    writeln!(context.out, "revoked key {} of service '{}' in {}", found.id, found.service, file.display())?;
    // A running gateway takes files up whole: while another is wrong, it goes on with the key.
    load(&context.config, context.env.clone())?;
    Ok(())
}

fn end(text: &str) -> Result<End, String> {
    if let Ok(duration) = humantime::parse_duration(text) {
        return Ok(End::In(duration));
    }
    crate::config::moment(text)
        .map(End::At)
        .map_err(|error| format!("{error}; or give how long, as in 90days"))
}

fn key_prefix(text: &str) -> Result<String, String> {
    let upper = text.to_ascii_uppercase();
    if upper.starts_with(ACCESS_KEY_PREFIX) && upper.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(upper);
    }
    let digits = text.len() >= MIN_PREFIX && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(format!("give at least {MIN_PREFIX} hexadecimal digits of the key's id, never the key itself"))
    }
}
