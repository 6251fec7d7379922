//! `tollgate init`

mod files;
mod region;

use super::{Context, Failure};
use crate::domain::Region;
use clap::Args;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What is written, and where.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder of the two files; made if it is not there.
    #[arg(long, value_name = "FOLDER", default_value = "config")]
    dir: PathBuf,
    /// The region of calls without a profile; found as the AWS SDK finds it, else us-west-2.
    #[arg(long, value_parser = region)]
    region: Option<Region>,
    /// Overwrite files that are there, with all that is in them.
    #[arg(long)]
    force: bool,
}

/// Writes both files, and says what comes next.
pub(super) fn run(context: &mut Context<'_>, args: &InitArgs) -> Result<(), Failure> {
    let (config, services) = (args.dir.join("tollgate.toml"), args.dir.join("services.toml"));
    if !args.force {
        refuse_existing(&[&config, &services])?;
    }
    let found = region::find(args.region.clone())?;
    fs::create_dir_all(&args.dir).map_err(|error| unwritable(&args.dir, &error))?;
    // Without force, a file that has come to be in the meantime is left alone as well.
    let mut how = OpenOptions::new();
    how.write(true).create_new(!args.force).create(true).truncate(true);
    write(&config, &files::config(&found.region)?, &how)?;
    write(&services, &files::services(&found.region), &how)?;
    let out = &mut context.out;
    writeln!(out, "wrote {}: every setting with its default; region {found}", config.display())?;
    writeln!(out, "wrote {}: no services yet, and one as an example", services.display())?;
    write_next_steps(out, &config, &found.region).map_err(Failure::from)
}

fn refuse_existing(files: &[&PathBuf]) -> Result<(), Failure> {
    // A link that leads nowhere would be written through: it is there, too.
    match files.iter().find(|file| file.symlink_metadata().is_ok()) {
        None => Ok(()),
        Some(file) => Err(Failure::refused(
            format!("{} exists already", file.display()),
            "`tollgate check` tells whether it is in order; --dir writes elsewhere, --force writes over both files",
        )),
    }
}

fn write(file: &Path, text: &str, how: &OpenOptions) -> Result<(), Failure> {
    let written = how.open(file).and_then(|mut opened| opened.write_all(text.as_bytes()));
    written.map_err(|error| unwritable(file, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let hint = if error.kind() == ErrorKind::PermissionDenied {
        "this user may not write there: choose another folder with --dir"
    } else {
        "choose another folder with --dir"
    };
    Failure::refused(format!("cannot write {}: {error}", path.display()), hint)
}

fn write_next_steps(out: &mut dyn Write, config: &Path, region: &Region) -> io::Result<()> {
    let option = if config == Path::new("config/tollgate.toml") {
        String::new()
    } else {
        format!(" --config {}", config.display())
    };
    let partition = region.partition();
    write!(
        out,
        "
Next:

1. Make an application inference profile in AWS, which the calls of one service are billed under:
   aws bedrock create-inference-profile --region {region} --inference-profile-name checkout-nova-lite \\
     --model-source copyFrom=arn:{partition}:bedrock:{region}::foundation-model/amazon.nova-lite-v1:0 \\
     --tags key=team,value=payments --query inferenceProfileArn --output text

2. Add the service, with the ARN that this prints:
   tollgate services add checkout --tag team=payments --profile amazon.nova-lite-v1:0=ARN{option}

3. See that all is in order, and serve:
   tollgate check{option}
   tollgate serve{option}
"
    )
}

/// Parses a region's name for clap.
fn region(name: &str) -> Result<Region, String> {
    Region::parse(name).ok_or_else(|| "no region's name; one looks like us-west-2".to_owned())
}
