//! `tollgate certs`

mod making;

use super::{Context, Failure};
use clap::{Args, Subcommand};
use making::{Made, Wish};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use time::Date;

/// What is done with certificates.
#[derive(Debug, Subcommand)]
pub enum CertsCommand {
    /// Makes a CA and a certificate that it has signed, for trials of TLS; real ones come from the company's own CA.
    SelfSigned(SelfSignedArgs),
}

/// What is made, and where to.
#[derive(Debug, Args)]
pub struct SelfSignedArgs {
    /// A name or an address that clients find the gateway by; may be given several times.
    #[arg(long = "name", value_name = "NAME", default_values = ["localhost", "127.0.0.1", "::1"])]
    names: Vec<String>,
    /// How many days both certificates hold.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=825))]
    days: u16,
    /// The folder of the files; made if it is not there.
    #[arg(long, value_name = "FOLDER", default_value = "tls")]
    out: PathBuf,
    /// Overwrite files that are there.
    #[arg(long)]
    force: bool,
    /// Keep the CA's key, too, in ca.key: whoever has it can pose as anyone to those who trust the CA.
    #[arg(long)]
    keep_ca_key: bool,
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    All,
    Owner,
}

/// What becomes of a file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Existing {
    Kept,
    Replaced,
}

/// Runs one of the commands.
pub(super) fn run(context: &mut Context<'_>, command: &CertsCommand) -> Result<(), Failure> {
    match command {
        CertsCommand::SelfSigned(args) => self_signed(context, args),
    }
}

fn self_signed(context: &mut Context<'_>, args: &SelfSignedArgs) -> Result<(), Failure> {
    let made = making::make(&Wish { names: &args.names, days: args.days }).map_err(|error| {
        let hint = "name hosts or addresses, as in --name gw.internal --name 10.0.0.7";
        Failure::refused(format!("no certificate for {}: {error}", args.names.join(", ")), hint)
    })?;
    let files = files(args, &made);
    let existing = if args.force { Existing::Replaced } else { Existing::Kept };
    if existing == Existing::Kept {
        refuse_existing(files.iter().map(|(file, ..)| file))?;
    }
    fs::create_dir_all(&args.out).map_err(|error| unwritable(&args.out, &error))?;
    for (file, text, reader) in &files {
        write(file, text, *reader, existing).map_err(|error| unwritable(file, &error))?;
    }
    tell(context.out, args, made.ends_on).map_err(Failure::from)
}

/// Returns what goes into which file.
fn files<'a>(args: &SelfSignedArgs, made: &'a Made) -> Vec<(PathBuf, &'a str, Reader)> {
    let mut files = vec![
        (args.out.join("ca.pem"), made.ca.as_str(), Reader::All),
        (args.out.join("tls.crt"), &made.certificate, Reader::All),
        (args.out.join("tls.key"), &made.key, Reader::Owner),
    ];
    if args.keep_ca_key {
        files.push((args.out.join("ca.key"), &made.ca_key, Reader::Owner));
    }
    files
}

fn refuse_existing<'a>(mut files: impl Iterator<Item = &'a PathBuf>) -> Result<(), Failure> {
    // A link that leads nowhere would be written through: it is there, too.
    match files.find(|file| file.symlink_metadata().is_ok()) {
        None => Ok(()),
        Some(file) => Err(Failure::refused(
            format!("{} exists already", file.display()),
            "--out writes elsewhere, --force writes over the files that are there",
        )),
    }
}

/// Writes a file whole: a gateway that watches it sees the old one or the new one.
fn write(file: &Path, text: &str, reader: Reader, existing: Existing) -> io::Result<()> {
    let mode = match reader {
        Reader::All => 0o644,
        Reader::Owner => 0o600,
    };
    let mut how = OpenOptions::new();
    how.write(true).create_new(true).mode(mode);
    if existing == Existing::Kept {
        // A file that has come to be in the meantime is left alone as well.
        return how.open(file)?.write_all(text.as_bytes());
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let draft = file.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = how.open(&draft).and_then(|mut opened| opened.write_all(text.as_bytes()));
    written.and_then(|()| fs::rename(&draft, file)).inspect_err(|_| {
        // It may not even exist; the first error is the one to tell.
        drop(fs::remove_file(&draft));
    })
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let hint = if error.kind() == ErrorKind::PermissionDenied {
        "this user may not write there: choose another folder with --out"
    } else {
        "choose another folder with --out"
    };
    Failure::refused(format!("cannot write {}: {error}", path.display()), hint)
}

fn tell(out: &mut dyn Write, args: &SelfSignedArgs, ends_on: Date) -> io::Result<()> {
    let folder = args.out.canonicalize()?;
    let file = |name: &str| folder.join(name).display().to_string();
    let (ca, certificate, key) = (file("ca.pem"), file("tls.crt"), file("tls.key"));
    writeln!(out, "wrote {ca}: the CA's certificate, which clients are to trust; until {ends_on}")?;
    writeln!(
        out,
        "wrote {certificate}: the gateway's certificate, for {}; until {ends_on}",
        args.names.join(", ")
    )?;
    writeln!(out, "wrote {key}: its key, which this user alone may read")?;
    if args.keep_ca_key {
        writeln!(
            out,
            "wrote {}: the CA's key; whoever has it can pose as anyone to clients",
            file("ca.key")
        )?;
    } else {
        writeln!(out, "The CA's key is not kept: nobody can sign anything else by it.")?;
    }
    write!(
        out,
        "
In the config file:

[listen.tls]
certificates = {{ \"{certificate}\" = \"{key}\" }}

Clients then use https:// in the base URL, and trust the CA:

boto3, AWS CLI  AWS_CA_BUNDLE={ca}
Node.js         NODE_EXTRA_CA_CERTS={ca}
curl            --cacert {ca}
tollgate call   --ca {ca}
"
    )
}
