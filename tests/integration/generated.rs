//! What the program tells of itself: version, completions, manual.

use crate::program::Workplace;
use std::process::Command;

/// What every list of the subcommands has.
const SUBCOMMANDS: [&str; 13] = [
    "serve",
    "init",
    "demo",
    "call",
    "check",
    "healthcheck",
    "services",
    "keys",
    "prices",
    "records",
    "report",
    "completions",
    "man",
];

#[test]
fn the_version_names_commit_date_and_profile() {
    let ran = Workplace::new().run(&["--version"], &[]);
    let expected = format!("tollgate {} (", env!("CARGO_PKG_VERSION"));
    assert!(ran.out.starts_with(&expected) && ran.out.ends_with(")\n"), "{ran:?}");
    assert_eq!(ran.out.split(", ").count(), 3, "{ran:?}");
}

#[test]
fn bash_takes_its_completions() {
    let place = Workplace::new();
    let ran = place.run(&["completions", "bash"], &[]);
    std::fs::write(place.path("tollgate.bash"), &ran.out).unwrap();
    let checked = Command::new("bash").arg("-n").arg(place.path("tollgate.bash")).output().unwrap();
    assert!(checked.status.success() && checked.stderr.is_empty(), "{checked:?}");
    // What bash itself offers for `tollgate se<TAB>`.
    let offered = "source tollgate.bash; COMP_WORDS=(tollgate se); COMP_CWORD=1; _tollgate tollgate se tollgate; \
                   echo ${COMPREPLY[@]}";
    let offered = Command::new("bash").arg("-c").arg(offered).current_dir(place.path("")).output().unwrap();
    assert_eq!(String::from_utf8(offered.stdout).unwrap(), "serve services\n");
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = Workplace::new().run(&["completions", shell], &[]);
        assert!(ran.status == 0 && SUBCOMMANDS.iter().all(|name| ran.out.contains(name)), "{shell}: {ran:?}");
    }
}

#[test]
fn the_manual_has_every_subcommand() {
    let place = Workplace::new();
    let page = place.run(&["man"], &[]).out;
    for name in SUBCOMMANDS {
        assert!(page.contains(&format!("\n.SH \"TOLLGATE {}\"\n", name.to_uppercase())), "{name}: {page}");
    }
    assert!(page.contains(".SH \"TOLLGATE SERVICES ADD\"") && page.contains("KEY=VALUE"), "{page}");
    assert_eq!(page.matches("The config file").count(), 1, "said more than once");
    let ran = place.run(&["man", "--dir", "pages"], &[]);
    assert!(ran.status == 0 && ran.out.starts_with("wrote the pages to pages"), "{ran:?}");
    let names = SUBCOMMANDS.map(|name| format!("pages/tollgate-{name}.1"));
    for page in names.iter().map(String::as_str).chain(["pages/tollgate.1", "pages/tollgate-keys-create.1"]) {
        assert!(place.text(page).contains(".SH NAME"), "{page}");
    }
}
