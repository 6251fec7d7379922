//! `tollgate keys create`, `rotate`

use super::secrets::{self, Sealer};
use super::{CreateArgs, Kind, RotateArgs};
use crate::cli::edit::ServicesEditor;
use crate::cli::{Context, Failure};
use crate::clock::Clock;
use crate::config::{KeyLimits, KeySpec, Proof, load_files};
use crate::domain::ServiceName;
use crate::hex::hex;
use crate::keys::{Keyring, bearer_hash, bearer_id, new_access_key_id, new_secret, seal_context};
use anyhow::Context as _;
use secrecy::{ExposeSecret, SecretString};

/// A key that was just made, and what is shown this once.
struct New {
    spec: KeySpec,
    secret: SecretString,
}

/// Creates a key, and prints it.
pub(super) fn create(context: &mut Context<'_>, args: &CreateArgs) -> Result<(), Failure> {
    let expires = args.expires.map(|end| end.after(Clock::system().utc())).transpose()?;
    let limits = KeyLimits { expires, operations: args.operations.clone(), models: args.models.clone() };
    let mut editor = ServicesEditor::open(context)?;
    let new = new_key(context, &args.service, args.kind, limits)?;
    editor.add_key(&args.service, &new.spec)?;
    // Saved before it is shown: a key that someone holds is one that works.
    let note = if args.print_only {
        format!("add this to service '{}'; the key is shown only this once", args.service)
    } else {
        let file = editor.save()?;
        let what = if args.kind == Kind::Bearer { "hash" } else { "sealed secret" };
        format!("the {what} is in {}; the key is shown only this once", file.display())
    };
    print(context, &args.service, &new, &note)
}

/// Creates a key like another, which ends after the overlap.
pub(super) fn rotate(context: &mut Context<'_>, args: &RotateArgs) -> Result<(), Failure> {
    let now = Clock::system().utc();
    let mut editor = ServicesEditor::open(context)?;
    let found = editor.find_key(&args.key)?;
    let service = ServiceName::parse(&found.service).context("the service")?;
    let old = spec_of(context, &service, &found.id)?;
    let kind = if matches!(old.proof, Proof::Bearer(_)) { Kind::Bearer } else { Kind::Sigv4 };
    let expires = match args.expires {
        Some(end) => Some(end.after(now)?),
        None if old.limits.expires.is_some_and(|end| end <= now) => {
            let hint = "say when the new one ends, as in --expires 90days";
            return Err(Failure::refused(format!("key {} has ended", found.id), hint));
        }
        None => old.limits.expires,
    };
    let new = new_key(context, &service, kind, KeyLimits { expires, ..old.limits.clone() })?;
    let overlap = time::Duration::try_from(args.overlap).context("the overlap")?;
    let end =
        now.checked_add(overlap).and_then(|end| end.replace_nanosecond(0).ok()).context("the overlap")?;
    let end = old.limits.expires.map_or(end, |earlier| earlier.min(end));
    editor.remove_key(&found);
    let limits = KeyLimits { expires: Some(end), ..old.limits.clone() };
    editor.add_key(&service, &KeySpec { limits, ..old })?;
    editor.add_key(&service, &new.spec)?;
    let file = editor.save()?;
    let end = crate::domain::stamp::rfc3339_seconds(end);
    let note = format!(
        "key {} counts until {end}; both are in {}; the key is shown only this once",
        found.id,
        file.display()
    );
    print(context, &service, &new, &note)
}

/// Returns a key of the services file.
fn spec_of(context: &Context<'_>, service: &ServiceName, id: &str) -> Result<KeySpec, Failure> {
    let loaded = load_files(&context.config, context.env.clone())?;
    let spec = loaded.services.services.into_iter().find(|spec| spec.name == *service);
    let spec = spec.context("the service is not in the file any more")?;
    let listed = spec.key_sha256.iter().find(|hash| bearer_id(hash) == id);
    let listed = listed.map(|hash| KeySpec {
        id: id.to_owned(),
        proof: Proof::Bearer(*hash),
        limits: KeyLimits::default(),
    });
    let stated = || spec.keys.iter().find(|key| key.id == id).cloned();
    Ok(listed.or_else(stated).context("the key is not in the file any more")?)
}

fn new_key(
    context: &Context<'_>,
    service: &ServiceName,
    kind: Kind,
    limits: KeyLimits,
) -> Result<New, Failure> {
    let secret = new_secret().map_err(anyhow::Error::from)?;
    let spec = match kind {
        Kind::Bearer => {
            let hash = bearer_hash(&secret);
            KeySpec { id: bearer_id(&hash), proof: Proof::Bearer(hash), limits }
        }
        Kind::Sigv4 => {
            let sealer = Sealer::open(context)?;
            // A secret that the gateway's own secrets key does not open would keep it from starting.
            let file = load_files(&context.config, context.env.clone())?.services;
            if let Err(shut) = Keyring::build(&file, &sealer.vault) {
                let hint = "use the secrets key that the others were sealed with; TOLLGATE_SECRETS_KEY wins over the file";
                return Err(Failure::refused(shut.to_string(), hint));
            }
            let id = new_access_key_id().map_err(anyhow::Error::from)?;
            let hidden = sealer.vault.seal(&seal_context(service, &id), &secret);
            KeySpec { id, proof: Proof::Signature(hidden.map_err(|error| secrets::failure(&error))?), limits }
        }
    };
    Ok(New { spec, secret })
}

fn print(context: &mut Context<'_>, service: &ServiceName, new: &New, note: &str) -> Result<(), Failure> {
    let (out, secret) = (&mut *context.out, new.secret.expose_secret());
    match &new.spec.proof {
        Proof::Bearer(hash) if new.spec.limits == KeyLimits::default() => {
            writeln!(out, "{secret}\nkey_sha256 = [\"{}\"]", hex(hash))?;
        }
        Proof::Bearer(_) => writeln!(out, "{secret}\n{}", table(service, &new.spec))?,
        Proof::Signature(_) => {
            writeln!(out, "AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={secret}", new.spec.id)?;
            writeln!(out, "{}", table(service, &new.spec))?;
        }
    }
    writeln!(out, "# {note}")?;
    Ok(())
}

/// Returns a key as the services file has it.
fn table(service: &ServiceName, spec: &KeySpec) -> String {
    let text = crate::cli::edit::key_table(spec).to_string();
    let heading = crate::sheet::dotted("services", service.as_str());
    format!("[{heading}.keys.{}]\n{}", spec.id, text.trim_end())
}
