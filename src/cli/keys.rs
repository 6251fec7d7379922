//! `tollgate keys`

use super::edit::ServicesEditor;
use super::table::write_table;
use super::{Context, Failure, Format, service_name, write_json};
use crate::config::load_files;
use crate::domain::ServiceName;
use crate::hex::hex;
use crate::identify::KEY_PREFIX;
use anyhow::Context as _;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, Subcommand};
use sha2::{Digest, Sha256};

/// How many hexadecimal digits of its hash name a key.
const ID_DIGITS: usize = 16;

/// How many of them must be given at least to revoke a key.
const MIN_PREFIX: usize = 4;

/// What can be done with service keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Creates a key, prints it this once, and adds its hash to the services file.
    Create(CreateArgs),
    /// Lists the ids of the keys.
    List {
        /// How they are printed.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Revokes a key.
    Revoke {
        /// The key's id as `tollgate keys list` shows it, or its first digits, if no other begins with them.
        #[arg(value_name = "KEY_ID", value_parser = key_prefix)]
        key: String,
    },
}

/// A key that is to be created.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// The service that the key is for.
    #[arg(long, value_name = "NAME", value_parser = service_name)]
    pub service: ServiceName,
    /// Leave the services file as it is.
    #[arg(long)]
    pub print_only: bool,
}

/// One key as JSON.
#[derive(Debug, serde::Serialize)]
struct Listed<'a> {
    service: &'a ServiceName,
    key_id: String,
}

/// Runs one of the commands.
pub(super) fn run(context: &mut Context<'_>, command: KeysCommand) -> Result<(), Failure> {
    match command {
        KeysCommand::Create(args) => create(context, &args),
        KeysCommand::List { format } => list(context, format),
        KeysCommand::Revoke { key } => revoke(context, &key),
    }
}

fn create(context: &mut Context<'_>, args: &CreateArgs) -> Result<(), Failure> {
    let secret = new_key()?;
    let hash = hex(&Sha256::digest(secret.as_bytes()));
    let mut editor = ServicesEditor::open(context)?;
    editor.add_key(&args.service, &hash)?;
    // Saved before it is shown: a key that someone holds is one that works.
    let note = if args.print_only {
        format!("add the line to service '{}'; the key is shown only this once", args.service)
    } else {
        format!("the hash is in {}; the key is shown only this once", editor.save()?.display())
    };
    writeln!(context.out, "{secret}\nkey_sha256 = [\"{hash}\"]\n# {note}")?;
    Ok(())
}

fn list(context: &mut Context<'_>, format: Format) -> Result<(), Failure> {
    let loaded = load_files(&context.config, context.env.clone())?;
    let keys: Vec<Listed<'_>> = loaded
        .services
        .services
        .iter()
        .flat_map(|spec| spec.key_sha256.iter().map(|hash| (&spec.name, hash)))
        .map(|(service, hash)| Listed { service, key_id: key_id(hash) })
        .collect();
    if format == Format::Json {
        return write_json(context.out, &keys);
    }
    let rows: Vec<[String; 2]> = keys.into_iter().map(|key| [key.service.to_string(), key.key_id]).collect();
    write_table(context.out, ["SERVICE", "KEY ID"], &rows).map_err(Failure::from)
}

fn revoke(context: &mut Context<'_>, key: &str) -> Result<(), Failure> {
    let mut editor = ServicesEditor::open(context)?;
    let (service, hash) = editor.remove_key(key)?;
    let file = editor.save()?;
    let id: String = hash.chars().take(ID_DIGITS).collect();
    writeln!(context.out, "revoked key {id} of service '{service}' in {}", file.display())?;
    Ok(())
}

/// Returns a new key of 256 random bits.
fn new_key() -> anyhow::Result<String> {
    let mut bits = [0_u8; 32];
    getrandom::fill(&mut bits).context("cannot get random bits from the operating system")?;
    Ok(format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(bits)))
}

/// Returns the public name of the key with that hash.
pub(super) fn key_id(hash: &[u8; 32]) -> String {
    hex(hash).chars().take(ID_DIGITS).collect()
}

fn key_prefix(text: &str) -> Result<String, String> {
    let digits = text.len() >= MIN_PREFIX && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(format!("give at least {MIN_PREFIX} hexadecimal digits of the key's id, never the key itself"))
    }
}
