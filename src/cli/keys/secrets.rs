//! `tollgate keys secrets-key`, `reseal`: what the secrets of sigv4 keys are sealed with.

use crate::cli::edit::ServicesEditor;
use crate::cli::profiles::Asking;
use crate::cli::{Context, Failure};
use crate::config::{Proof, load_files, load_secrets};
use crate::keys::seal_context;
use crate::vault::{KEY_LEN, Material, Vault, VaultError};
use anyhow::Context as _;
use aws_lc_rs::rand;
use clap::Args;
use secrecy::zeroize::Zeroizing;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// A secrets key that is to be made.
#[derive(Debug, Args)]
pub struct SecretsKeyArgs {
    /// The file to write it to, which must not be there yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What seals: the secrets keys that the config or the environment names.
pub(super) struct Sealer {
    pub(super) vault: Vault,
}

impl Sealer {
    /// Opens the vault; asks KMS only where a key is wrapped.
    pub(super) fn open(context: &Context<'_>) -> Result<Self, Failure> {
        let (config, egress, materials) = load_secrets(&context.config, context.env.clone())?;
        let is_wrapped = materials.iter().any(|key| matches!(key, Material::Wrapped(_)));
        let vault = if is_wrapped {
            let asking = Asking::new(&config, &egress)?;
            asking.runtime.block_on(Vault::new(&materials, &asking.aws.kms()))
        } else {
            Vault::plain(&materials)
        };
        Ok(Self { vault: vault.map_err(|error| failure(&error))? })
    }
}

/// Makes a secrets key, and writes it where only this user reads it.
pub(super) fn make(context: &mut Context<'_>, args: &SecretsKeyArgs) -> Result<(), Failure> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&args.out).map_err(|error| {
            let hint = if error.kind() == ErrorKind::AlreadyExists {
                "name another file: what was sealed with that key could not be opened any more"
            } else {
                "name a file in a folder that this user may write to"
            };
            Failure::refused(format!("cannot write {}: {error}", args.out.display()), hint)
        })?;
    let mut key = Zeroizing::new([0_u8; KEY_LEN]);
    rand::fill(key.as_mut_slice()).ok().context("cannot get random bits from the operating system")?;
    let line = Material::line(&key);
    file.write_all(line.as_bytes()).and_then(|()| file.write_all(b"\n")).and_then(|()| file.sync_all())?;
    let (shown, whole) = (args.out.display(), std::path::absolute(&args.out)?);
    let whole = whole.display();
    writeln!(context.out, "wrote {shown}; name it with `secrets_key_file = \"{whole}\"` under [identity]")?;
    Ok(())
}

/// Seals every secret anew.
pub(super) fn reseal(context: &mut Context<'_>) -> Result<(), Failure> {
    let mut editor = ServicesEditor::open(context)?;
    let Sealer { vault } = Sealer::open(context)?;
    let loaded = load_files(&context.config, context.env.clone())?;
    let mut count = 0_usize;
    for service in &loaded.services.services {
        for key in &service.keys {
            let Proof::Signature(sealed) = &key.proof else { continue };
            let name = seal_context(&service.name, &key.id);
            let secret = vault.open(&name, sealed).map_err(|error| failure(&error))?;
            editor.set_sealed(
                &service.name,
                &key.id,
                &vault.seal(&name, &secret).map_err(|error| failure(&error))?,
            );
            count = count.saturating_add(1);
        }
    }
    let file = editor.save()?;
    let keys = crate::cli::table::counted(count, "secret");
    writeln!(context.out, "{keys} in {} sealed with the first secrets key", file.display())?;
    Ok(())
}

/// Says why nothing can be sealed or opened.
pub(super) fn failure(error: &VaultError) -> Failure {
    match error {
        VaultError::NoKey => Failure::refused(
            "there is no secrets key to seal the secret with",
            "make one with `tollgate keys secrets-key --out secrets.key`, and name it with identity.secrets_key_file",
        ),
        VaultError::Unopenable | VaultError::Unsealable | VaultError::Wrapped(_) => Failure::refused(
            error.to_string(),
            "name the right secrets keys, one to a line, with identity.secrets_key_file or TOLLGATE_SECRETS_KEY",
        ),
    }
}
