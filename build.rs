//! Tells the program which commit it is built from, when, and how.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

fn main() {
    tell("rerun-if-changed=build.rs");
    tell("rerun-if-env-changed=TOLLGATE_COMMIT");
    tell("rerun-if-env-changed=SOURCE_DATE_EPOCH");
    tell(&format!("rustc-env=TOLLGATE_COMMIT={}", commit()));
    tell(&format!("rustc-env=TOLLGATE_BUILT_AT={}", built_at()));
    tell(&format!("rustc-env=TOLLGATE_PROFILE={}", variable("PROFILE").unwrap_or_default()));
}

/// Returns the short id of the commit: what `TOLLGATE_COMMIT` says, else what git does.
fn commit() -> String {
    let given = variable("TOLLGATE_COMMIT");
    given.or_else(commit_of_checkout).unwrap_or_else(|| "unknown".to_owned())
}

/// Asks git, if this folder is a checkout by itself: within one of something else, that one's commit says nothing.
fn commit_of_checkout() -> Option<String> {
    let top = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?).canonicalize().ok()?;
    if top != Path::new(&variable("CARGO_MANIFEST_DIR")?).canonicalize().ok()? {
        return None;
    }
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    // A file that is not there would have cargo run this at every build.
    for name in ["HEAD", "logs/HEAD"].into_iter().chain(branch.as_deref()) {
        let file = PathBuf::from(git(&["rev-parse", "--git-path", name])?);
        if file.exists() {
            tell(&format!("rerun-if-changed={}", file.display()));
        }
    }
    git(&["rev-parse", "--short=7", "HEAD"])
}

/// Returns the seconds since the Unix epoch at which the build counts as made; as of the last commit or start anew.
fn built_at() -> String {
    variable("SOURCE_DATE_EPOCH").unwrap_or_else(|| seconds_now().to_string())
}

#[expect(clippy::disallowed_methods, reason = "a build has no clock but the system's")]
fn seconds_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn git(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn tell(line: &str) {
    println!("cargo::{line}");
}
