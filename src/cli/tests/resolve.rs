use super::*;

const SERVICES: &str = "[services.a]
default_model = 'fast'
aliases = { fast = 'us.amazon.nova-lite-v1:0' }
[services.a.profiles]
'us.amazon.nova-lite-v1:0' = 'arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/lite'
'global.anthropic.claude-sonnet-4-5-20250929-v1:0' = 'arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/global'
'eu.vendor.twin-v1:0' = 'arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/twineu'
'us.vendor.twin-v1:0' = 'arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/twinus'
";

fn resolved(config: &str, arguments: &[&str]) -> Result<String, String> {
    Place::new(config, SERVICES).run(&[&["resolve", "--service", "a", "--model"], arguments].concat())
}

#[test]
fn a_call_is_shown_its_profile_and_why_it_gets_no_other() {
    let shown = resolved("", &["default"]).unwrap();
    let expected = "\
service       a
asked for     default
stands for    us.amazon.nova-lite-v1:0
profile       arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/lite
source model  us.amazon.nova-lite-v1:0
routing       geo (us)
region        us-west-2
because       it is the profile's source model
signed by     the gateway's own credentials
USD           ";
    assert!(shown.starts_with(expected), "{shown}");
    let others = "
NOT                                               PROFILE  WHY NOT
global.anthropic.claude-sonnet-4-5-20250929-v1:0  global   of another model
eu.vendor.twin-v1:0                               twineu   of another model
us.vendor.twin-v1:0                               twinus   of another model
";
    assert!(shown.ends_with(others), "{shown}");
    let price = shown.lines().find(|line| line.starts_with("USD")).unwrap();
    assert!(price.contains("input 0.06, output 0.24 (builtin-"), "{price}");
}

#[test]
fn every_rule_and_every_miss_is_named() {
    for (asked, because) in [
        ("us.amazon.nova-lite-v1:0", "it is the profile's source model"),
        ("lite", "it is the profile's own id or ARN"),
        ("amazon.nova-lite-v1:0", "it is the foundation model behind the one geographic profile"),
    ] {
        let shown = resolved("", &[asked]).unwrap();
        assert!(shown.contains(&format!("because       {because}")), "{shown}");
    }
    for (asked, why_not) in [
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "global: reached only by its own id or an alias"),
        ("ca.amazon.nova-lite-v1:0", "another geography: a prefixed id never crosses to one"),
        ("vendor.twin-v1:0", "fits as well as another does: ask for one of them by its own id"),
    ] {
        let refused = resolved("", &[asked]).unwrap_err();
        assert!(refused.contains(why_not), "{refused}");
        assert!(refused.contains("hint: `tollgate services list`"), "{refused}");
    }
}

#[test]
fn who_signs_is_shown() {
    let role = "arn:aws:iam::123456789012:role/r";
    let own =
        SERVICES.replacen('\n', &format!("\nsession_role_arn = '{role}'\ntags = {{ team = 'red' }}\n"), 1);
    let config = "[upstream.roles]\n123456789012 = 'arn:aws:iam::123456789012:role/tollgate'";
    for (services, config, signer) in [
        (&own, "", format!("{role} as session 'a@tollgate', Service=a team=red")),
        // The service's own comes first.
        (&own, config, format!("{role} as session 'a@tollgate', Service=a team=red")),
        (
            &SERVICES.to_owned(),
            config,
            "arn:aws:iam::123456789012:role/tollgate as session 'tollgate'".to_owned(),
        ),
    ] {
        let place = Place::new(config, services);
        let shown = place.run(&["resolve", "--service", "a", "--model", "default"]).unwrap();
        assert!(shown.contains(&format!("\nsigned by     {signer}\n")), "{shown}");
    }
    let asked = ["resolve", "--service", "a", "--model", "default", "--format", "json"];
    let way: serde_json::Value = serde_json::from_str(&Place::new("", &own).run(&asked).unwrap()).unwrap();
    let tags = serde_json::json!({ "Service": "a", "team": "red" });
    let signer = serde_json::json!({ "role_arn": role, "session_name": "a@tollgate", "session_tags": tags });
    assert_eq!(way["signed_by"], signer);
}

#[test]
fn a_model_that_is_not_allowed_is_explained() {
    let services = SERVICES.replacen('\n', "\nallowed_models = ['us.amazon.*']\n", 1);
    let place = Place::new("", &services);
    let ask = |model: &str| place.run(&["resolve", "--service", "a", "--model", model]);
    assert!(ask("fast").is_ok());
    let expected = "service 'a' may not use model 'global.anthropic.claude-sonnet-4-5-20250929-v1:0': its allowed_models \
                    take us.amazon.*; to change that, edit them under [services.a] in the services file";
    let refused = ask("global").unwrap_err();
    assert!(refused.contains(expected), "{refused}");
    assert!(
        refused.contains("hint: `tollgate services list --format json` shows allowed_models"),
        "{refused}"
    );
}

#[test]
fn an_exact_profile_is_preferred_to_a_geographic_one() {
    let services = SERVICES.replace("eu.vendor.twin-v1:0", "amazon.nova-lite-v1:0");
    let place = Place::new("", &services);
    let shown = place.run(&["resolve", "--service", "a", "--model", "amazon.nova-lite-v1:0"]).unwrap();
    assert!(shown.contains("routing       in-region\nregion        eu-west-1"), "{shown}");
    assert!(
        shown.contains("lite     geographic; another profile was copied from exactly this id"),
        "{shown}"
    );
}

#[test]
fn programs_get_json() {
    let shown = resolved("", &["fast", "--format", "json"]).unwrap();
    let way: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(way["stands_for"], "us.amazon.nova-lite-v1:0");
    assert_eq!(way["profile_arn"], format!("{}lite", ARN.strip_suffix("p1").unwrap()));
    assert_eq!((&way["routing"], &way["prices"]["input"]), (&"geo (us)".into(), &"0.06".into()));
    assert_eq!(way["others"].as_array().unwrap().len(), 3);
}

#[test]
fn what_leaves_without_a_profile_and_who_is_unknown_is_said() {
    let through = resolved("[catalog]\nunmapped_model = 'passthrough'", &["vendor.none-v1:0"]).unwrap();
    assert!(
        through.contains("profile       none\nregion        us-west-2\nbecause       no profile fits"),
        "{through}"
    );
    assert!(through.contains("no price: `tollgate prices check`"), "{through}");
    let place = Place::new("", SERVICES);
    let unknown = place.run(&["resolve", "--service", "nobody", "--model", "m"]).unwrap_err();
    assert_eq!(
        unknown,
        "error: there is no service 'nobody'\nhint: `tollgate services list` shows which there are; \
         `tollgate services add nobody` adds it\n"
    );
}

#[test]
fn what_is_found_in_aws_counts_as_it_does_for_a_running_gateway() {
    use crate::discovery::stored::Stored;
    use crate::discovery::tests::{arn, found, inventory};
    let place = Place::new("[catalog]\ndiscover = true\nunmapped_model = 'provision'", SERVICES);
    let shop = ["resolve", "--service", "shop", "--model"];
    let ask = |model: &'static str| place.run(&[&shop[..], &[model]].concat());
    assert_eq!(
        ask("amazon.nova-lite-v1:0").unwrap_err(),
        "error: there is no service 'shop'\nhint: `tollgate services add shop` adds it; one that a tag in AWS makes \
         (`tollgate profiles list`) is known here once `tollgate serve` has found it\n"
    );
    let tagged = found(&["amazon.nova-lite-v1:0"], &[("Service", "shop")]);
    let snapshot = place.0.path().join("data/catalog.json");
    let now = time::OffsetDateTime::now_utc();
    Stored::write(&snapshot, now, &inventory([(arn("us-west-2", "p"), tagged)])).unwrap();
    let shown = ask("amazon.nova-lite-v1:0").unwrap();
    assert!(shown.contains("application-inference-profile/p\n"), "{shown}");
    assert!(shown.contains("source model  amazon.nova-lite-v1:0 (as its models suggest)\n"), "{shown}");
    let made = ask("us.amazon.nova-pro-v1:0").unwrap();
    assert!(
        made.contains("profile       none\nregion        us-west-2\nbecause       no profile fits; unmapped_model is \"provision\", so the first call makes one\n"),
        "{made}"
    );
    let foreign =
        ask("arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/lite").unwrap_err();
    assert!(foreign.ends_with("hint: `tollgate profiles list` shows what each service has\n"), "{foreign}");
    fs::write(&snapshot, "{").unwrap();
    let damaged = ask("amazon.nova-lite-v1:0").unwrap_err();
    assert!(damaged.contains("catalog.json is damaged"), "{damaged}");
    assert!(damaged.contains("hint: a running `tollgate serve` writes a new one"), "{damaged}");
}
