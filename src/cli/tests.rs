mod keys;
mod pins;
mod resolve;

use super::*;
use crate::config::load;
use crate::discovery::stored::Stored;
use crate::keys::{Keyring, is_well_formed};
use crate::vault::Vault;
use clap::CommandFactory;
use std::fs;

const ARN: &str = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/p1";

const SERVICES: &str = "# All services.

# Pays for checkout.
[services.a]
tags = { team = 'x' } # who pays
profiles = { 'm.x' = 'arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/p0' }

# The search.
[services.b]
tags = {}
# the end
";

/// A folder with a config file and a services file.
struct Place(tempfile::TempDir);

impl Place {
    fn new(config: &str, services: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::write(place.0.path().join("tollgate.toml"), config).unwrap();
        fs::write(place.services(), services).unwrap();
        place
    }

    fn services(&self) -> PathBuf {
        self.0.path().join("services.toml")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.services()).unwrap()
    }

    /// Runs a command, and returns its output, or what it reports.
    fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let config = self.0.path().join("tollgate.toml");
        let first = ["tollgate", "--config", config.to_str().unwrap()];
        let cli = Cli::try_parse_from(first.iter().chain(arguments)).unwrap();
        let mut out = Vec::new();
        let result = run(cli, Vec::new(), &mut out);
        let out = self.without_folder(out);
        result.map(|()| out.clone()).map_err(|failure| {
            let mut err = Vec::new();
            failure.report(&mut err);
            format!("{out}{}", self.without_folder(err))
        })
    }

    fn without_folder(&self, output: Vec<u8>) -> String {
        String::from_utf8(output).unwrap().replace(&format!("{}/", self.0.path().display()), "")
    }
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn config_may_stand_after_the_subcommand() {
    let cli = Cli::try_parse_from(["tollgate", "check", "--config", "a.toml"]).unwrap();
    assert_eq!(cli.config, PathBuf::from("a.toml"));
}

#[test]
fn wrong_arguments_are_refused() {
    for arguments in [
        vec!["services", "add", "Abc"],
        vec!["services", "add", "a", "--tag", "x"],
        vec!["services", "add", "a", "--tag", "=x"],
        vec!["services", "add", "a", "--profile", "m=arn:x"],
        vec!["keys", "create"],
        vec!["keys", "revoke", "123"],
        vec!["keys", "revoke", "tg_0123456789"],
    ] {
        assert!(
            Cli::try_parse_from(std::iter::once("tollgate").chain(arguments.clone())).is_err(),
            "{arguments:?}"
        );
    }
}

#[test]
fn check_says_what_is_there() {
    let place = Place::new("", SERVICES);
    let warning = "warning: services.toml:9: services.b: has no profiles: every model is unmapped for it\n";
    assert_eq!(place.run(&["check"]), Ok(format!("{warning}config is valid: 2 services, 1 profile\n")));
    let json: serde_json::Value =
        serde_json::from_str(&place.run(&["check", "--format", "json"]).unwrap()).unwrap();
    assert_eq!(json["valid"], true);
    assert_eq!(json["services"], 2);
    assert_eq!(json["warnings"][0]["line"], 9);
}

#[test]
fn check_says_what_discovery_has_found() {
    use crate::discovery::tests::{arn, found, inventory};
    let place = Place::new("catalog.discover = true", SERVICES);
    let valid = "config is valid: 2 services, 1 profile\n";
    assert_eq!(place.run(&["check"]).as_deref(), Ok(valid));
    let profiles = [(arn("us-west-2", "p0"), found(&["v.m"], &[("Service", "b")]))];
    let file = place.0.path().join("data/catalog.json");
    Stored::write(&file, time::OffsetDateTime::UNIX_EPOCH, &inventory(profiles)).unwrap();
    let warning = format!("warning: data/catalog.json: {}: ", arn("us-west-2", "p0"));
    let expected = format!(
        "{warning}the services file gives it to service 'a', which holds, but it is tagged for 'b', as AWS's bill \
         will say: correct the one that is wrong\n{warning}the services file has it for m.x, which holds, but AWS \
         routes it as v.m, so that its price may be wrong: correct the services file\n{valid}"
    );
    assert_eq!(place.run(&["check"]), Ok(expected));
    fs::write(&file, "").unwrap();
    let out = place.run(&["check"]).unwrap();
    assert!(
        out.starts_with(
            "warning: data/catalog.json: the catalog's snapshot data/catalog.json is damaged: EOF"
        )
    );
    assert!(out.ends_with(
        "hint: `tollgate serve` starts without it, and writes a new one after its next look at AWS\n"
    ));
}

#[test]
fn check_lists_every_mistake() {
    let place = Place::new("log.levle = ''", "[services.a]\ntags = 1");
    let expected = "services.toml:2: services.a.tags: expected a table of strings, found integer
tollgate.toml:1: log.levle: unknown key; did you mean 'level'?
error: config is invalid: 2 problems
hint: mend what is named, and let `tollgate check` tell whether anything is left
";
    assert_eq!(place.run(&["check"]), Err(expected.to_owned()));
    let json = place.run(&["check", "--format", "json"]).unwrap_err();
    assert!(json.contains("\"valid\": false") && json.contains("\"key\": \"log.levle\""), "{json}");
}

#[test]
fn services_are_listed() {
    let place = Place::new("", SERVICES);
    let expected = "SERVICE  PROFILES  KEYS  DEFAULT MODEL  TAGS
a        1         0     -              team=x
b        0         0     -
";
    assert_eq!(place.run(&["services", "list"]), Ok(expected.to_owned()));
    let json = place.run(&["services", "list", "--format", "json"]).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["tags"]["team"], "x");
    assert_eq!(json[1]["name"], "b");
}

#[test]
fn a_service_is_added_below_all_that_is_there() {
    let place = Place::new("", SERVICES);
    let profile = format!("us.m.x={ARN}");
    let arguments =
        ["services", "add", "c", "--tag", "team=y", "--profile", &profile, "--default-model", "m.x"];
    assert_eq!(place.run(&arguments), Ok("added service 'c' to services.toml\n".to_owned()));
    let added = format!(
        "
[services.c]
tags = {{ team = \"y\" }}
default_model = \"m.x\"

[services.c.profiles]
\"us.m.x\" = \"{ARN}\"
"
    );
    let (before, comment) = SERVICES.split_at(SERVICES.find("# the end").unwrap());
    assert_eq!(place.text(), format!("{before}{added}{comment}"));
}

#[test]
fn prices_are_shown_with_where_they_come_from() {
    let place = Place::new("", SERVICES);
    let shown =
        place.run(&["prices", "show", "--model", "claude-haiku-4-5-20251001-v1:0", "--region", "eu-west-1"]);
    let shown = shown.unwrap();
    let line =
        |start: &str| shown.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{shown}"));
    let bare = line("anthropic.claude-haiku-4-5");
    assert!(bare.contains("1.1 ") && bare.contains("in-region: eu.anthropic"), "{bare}");
    let global = line("global.");
    assert!(
        global.contains(" 1 ") && global.contains("built in") && global.contains("2026-11-24"),
        "{global}"
    );
    let none = place.run(&["prices", "show", "--model", "acme"]).unwrap_err();
    assert!(none.starts_with("error: no model whose id contains 'acme' has a price\nhint: "), "{none}");
}

#[test]
fn own_prices_are_shown_and_checked() {
    let place = Place::new("[prices]\noverrides = 'prices.toml'\n", SERVICES);
    let prices = place.0.path().join("prices.toml");
    fs::write(
        &prices,
        "[[price]]\nmodel = 'm.x'\nservice = 'a'\nfrom = '2026-01-01'\nstandard = { input = '2' }\n\
                        [[discount]]\npercent = '10'\n",
    )
    .unwrap();
    let show = |more: &[&str]| {
        let args = ["prices", "show", "--model", "m.x", "--format", "json"];
        place.run(&args.iter().chain(more).copied().collect::<Vec<_>>())
    };
    let shown: serde_json::Value = serde_json::from_str(&show(&["--service", "a"]).unwrap()).unwrap();
    assert_eq!(shown[0]["prices"]["standard"]["input"], "1.8");
    assert_eq!([&shown[0]["origin"], &shown[0]["discount"]], ["override", "10% off all models"]);
    assert!(show(&[]).is_err(), "other services have no price");
    assert!(show(&["--service", "a", "--at", "2025-12-31"]).is_err(), "nor was there one before");
    let checked = place.run(&["prices", "check"]).unwrap();
    assert!(checked.contains("prices are valid: 1 profile, 0 without a price\n"), "{checked}");
    fs::write(&prices, "[[price]]\nmodel = 'm.x'\nstandard = { input = 2.0 }\n").unwrap();
    for command in [&["prices", "check"][..], &["prices", "show"], &["check"]] {
        let error = place.run(command).unwrap_err();
        assert!(
            error.contains("prices.toml:3: price[0].standard.input: expected a number in quotes"),
            "{error}"
        );
    }
}

#[test]
fn prices_that_are_missing_are_listed() {
    let place = Place::new("[prices]\noverrides = 'prices.toml'\n", SERVICES);
    let error = place.run(&["prices", "check"]).unwrap_err();
    assert!(error.contains("prices.toml: cannot read the prices' overrides file"), "{error}");
    fs::write(place.0.path().join("prices.toml"), "[[discount]]\npercent = '1'\nservice = 'nobody'\n")
        .unwrap();
    let checked = place.run(&["prices", "check"]).unwrap();
    assert!(checked.contains("NONE") && checked.contains("1 profile, 1 without a price"), "{checked}");
    assert!(checked.contains("prices for service 'nobody'"), "{checked}");
}

#[test]
fn a_service_is_added_to_an_empty_file() {
    let place = Place::new("", "# None yet.\n");
    place.run(&["services", "add", "a"]).unwrap();
    assert_eq!(place.text(), "# None yet.\n\n[services.a]\n");
    place.run(&["services", "add", "b"]).unwrap();
    assert_eq!(load_names(&place), ["a", "b"]);
    for name in ["a", "b"] {
        place.run(&["services", "remove", name]).unwrap();
    }
    assert_eq!(place.text(), "# None yet.\n\n");
}

#[test]
fn a_service_is_added_with_the_models_that_it_is_to_have() {
    let place = Place::new("", "");
    let add = ["services", "add", "a", "--tag", "team=blue", "--model", "us.v.m", "--model", "v.n"];
    place.run(&add).unwrap();
    assert_eq!(place.text(), "[services.a]\ntags = { team = \"blue\" }\nmodels = [\"us.v.m\", \"v.n\"]\n");
    // What could not be made is not written.
    let before = place.text();
    let tagged = place.run(&["services", "add", "b", "--tag", "aws:x=1", "--model", "v.m"]).unwrap_err();
    assert!(tagged.contains("services.b.tags.\"aws:x\": its profiles could not be tagged"), "{tagged}");
    let no_model = place.run(&["services", "add", "b", "--model", "arn:aws:bedrock:::x"]).unwrap_err();
    assert!(no_model.contains("is no model's id"), "{no_model}");
    assert_eq!(place.text(), before);
}

fn load_names(place: &Place) -> Vec<String> {
    let loaded = load(&place.0.path().join("tollgate.toml"), []).unwrap();
    loaded.services.services.iter().map(|service| service.name.to_string()).collect()
}

#[test]
fn a_service_is_removed_with_its_own_comment_only() {
    let place = Place::new("", SERVICES);
    assert_eq!(
        place.run(&["services", "remove", "a"]),
        Ok("removed service 'a' from services.toml\n".to_owned())
    );
    assert_eq!(place.text(), "# All services.\n\n# The search.\n[services.b]\ntags = {}\n# the end\n");
    place.run(&["services", "remove", "b"]).unwrap();
    assert_eq!(place.text(), "# All services.\n\n# the end\n");
}

#[test]
fn names_that_do_not_fit_are_refused() {
    let place = Place::new("", SERVICES);
    assert_eq!(
        place.run(&["services", "add", "a"]),
        Err("error: service 'a' exists already\nhint: edit it in services.toml, or choose another name\n"
            .to_owned())
    );
    let unknown = "error: there is no service 'c' in services.toml\nhint: it has a, b; add one with `tollgate services add`\n";
    for arguments in [["services", "remove", "c"].as_slice(), &["keys", "create", "--service", "c"]] {
        assert_eq!(place.run(arguments), Err(unknown.to_owned()));
    }
}

#[test]
fn nothing_invalid_is_written() {
    let place = Place::new("", SERVICES);
    let taken = format!("m.x={}", ARN.replace("p1", "p0"));
    let error = place.run(&["services", "add", "c", "--profile", &taken]).unwrap_err();
    assert!(error.contains("services.c.profiles.\"m.x\": the profile is services.a.profiles"), "{error}");
    let error = place.run(&["services", "add", "c", "--default-model", "m.y"]).unwrap_err();
    assert!(error.contains("services.c.default_model"), "{error}");
    assert_eq!(place.text(), SERVICES);
}

#[test]
fn removing_a_service_mends_a_file_that_it_broke() {
    let place = Place::new("", "[services.a]\ntags = {}\n[services.b]\nbudget = 1\n");
    assert!(place.run(&["keys", "create", "--service", "a"]).is_err());
    place.run(&["services", "remove", "b"]).unwrap();
    assert_eq!(place.text(), "[services.a]\ntags = {}\n");
}

#[test]
fn a_removal_that_the_config_depends_on_is_refused() {
    let place = Place::new("catalog.aliases.smart = 'm.x'", SERVICES);
    let error = place.run(&["services", "remove", "a"]).unwrap_err();
    assert!(error.starts_with("error: tollgate.toml:1: catalog.aliases.smart: no service has"), "{error}");
    assert_eq!(place.text(), SERVICES);
}

#[test]
fn a_new_key_opens_its_service_until_it_is_revoked() {
    let place = Place::new("", SERVICES);
    let keyring = || {
        let loaded = load(&place.0.path().join("tollgate.toml"), []).unwrap();
        Keyring::build(&loaded.services, &Vault::default()).unwrap()
    };
    let output = place.run(&["keys", "create", "--service", "a"]).unwrap();
    let secret = output.lines().next().unwrap();
    assert!(secret.starts_with("tg_") && is_well_formed(secret), "{secret}");
    assert!(place.text().contains(output.lines().nth(1).unwrap()), "{output}\n{}", place.text());
    assert!(!place.text().contains(secret));
    let id = {
        let keyring = keyring();
        let key = keyring.bearer(secret).unwrap();
        assert_eq!(key.service.as_str(), "a");
        key.id.to_string()
    };
    assert_eq!(
        place.run(&["keys", "list"]).unwrap(),
        format!("SERVICE  KEY ID            KIND\na        {id}  bearer\n")
    );
    assert!(place.run(&["keys", "list", "--format", "json"]).unwrap().contains(&id));
    let revoked = place.run(&["keys", "revoke", &id[..6].to_uppercase()]).unwrap();
    assert_eq!(revoked, format!("revoked key {id} of service 'a' in services.toml\n"));
    assert!(keyring().bearer(secret).is_none());
    assert_eq!(place.text(), SERVICES);
}

#[test]
fn two_new_keys_differ_and_print_only_saves_nothing() {
    let place = Place::new("", SERVICES);
    let create = || place.run(&["keys", "create", "--service", "a", "--print-only"]).unwrap();
    assert_ne!(create(), create());
    assert_eq!(place.text(), SERVICES);
}

#[test]
fn keys_keep_one_line_each_and_their_comments() {
    let hashes = ["a".repeat(64), format!("a{}", "b".repeat(63))];
    let services = format!(
        "[services.a]\nkey_sha256 = [\n  # mobile\n  \"{}\",\n  # web\n  \"{}\", # new\n]\n",
        hashes[0], hashes[1]
    );
    let place = Place::new("", &services);
    let output = place.run(&["keys", "create", "--service", "a"]).unwrap();
    let hash = output.split('"').nth(1).unwrap();
    assert!(place.text().contains(&format!("\n  \"{hash}\"")), "{}", place.text());
    assert!(place.text().contains("# mobile") && place.text().contains("# web"), "{}", place.text());
    assert!(place.run(&["keys", "revoke", "aaaa"]).unwrap().contains("of service 'a'"));
    assert!(!place.text().contains(&hashes[0]));
}

#[test]
fn only_one_known_key_is_revoked() {
    let hashes = [format!("abcd{}", "0".repeat(60)), format!("abcd{}", "1".repeat(60))];
    let place = Place::new("", &format!("[services.a]\nkey_sha256 = ['{}', '{}']\n", hashes[0], hashes[1]));
    assert!(
        place
            .run(&["keys", "revoke", "abcd"])
            .unwrap_err()
            .starts_with("error: 2 keys begin with 'abcd'\nhint: ")
    );
    assert!(
        place
            .run(&["keys", "revoke", "ffff"])
            .unwrap_err()
            .starts_with("error: no key's id begins with 'ffff'\nhint: ")
    );
    place.run(&["keys", "revoke", "abcd1"]).unwrap();
    assert!(place.text().contains(&hashes[0]) && !place.text().contains(&hashes[1]));
}

#[cfg(unix)]
#[test]
fn the_file_keeps_its_permissions_and_its_link() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new("", "");
    let real = place.0.path().join("real.toml");
    fs::rename(place.services(), &real).unwrap();
    std::os::unix::fs::symlink("real.toml", place.services()).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    place.run(&["services", "add", "a"]).unwrap();
    assert!(fs::symlink_metadata(place.services()).unwrap().is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 3);
}

#[test]
fn a_missing_services_file_is_told() {
    let place = Place::new("", "");
    fs::remove_file(place.services()).unwrap();
    let error = place.run(&["services", "add", "a"]).unwrap_err();
    assert!(error.starts_with("error: services.toml: no such services file\nhint: an empty file"), "{error}");
}
