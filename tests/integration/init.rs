//! The files of a newcomer: written without a question, valid as they are, never written over unasked.

use crate::program::{Ran, Workplace};

/// Arguments and variables, the region that they come to, and how that is said.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str, &'a str);

/// Returns the region of the config that was written, and how the program says it found it.
fn region(place: &Workplace, ran: &Ran) -> (String, String) {
    assert_eq!(ran.status, 0, "{ran:?}");
    let text = place.text("config/tollgate.toml");
    let line = text.lines().find(|line| line.starts_with("region = ")).unwrap();
    let said = ran.out.lines().next().unwrap().split("; region ").nth(1).unwrap();
    (line.replace("region = ", "").replace('"', ""), said.to_owned())
}

#[test]
fn the_region_is_found_where_the_sdk_finds_it() {
    let profile = "[default]\nregion = eu-west-3\n[profile other]\nregion = ap-south-1\n";
    let aws: (&str, &str) = ("AWS_CONFIG_FILE", "aws");
    let cases: [Case<'_>; 6] = [
        (&[], &[], "us-west-2", "us-west-2 (nothing names another: --region does)"),
        (&[], &[aws], "eu-west-3", "eu-west-3 (from the AWS profile 'default')"),
        (&[], &[aws, ("AWS_PROFILE", "other")], "ap-south-1", "ap-south-1 (from the AWS profile 'other')"),
        (
            &[],
            &[aws, ("AWS_DEFAULT_REGION", "eu-north-1")],
            "eu-north-1",
            "eu-north-1 (from AWS_DEFAULT_REGION)",
        ),
        (
            &[],
            &[("AWS_REGION", "us-east-1"), ("AWS_DEFAULT_REGION", "eu-north-1")],
            "us-east-1",
            "us-east-1 (from AWS_REGION)",
        ),
        (
            &["--region", "sa-east-1"],
            &[("AWS_REGION", "us-east-1")],
            "sa-east-1",
            "sa-east-1 (from --region)",
        ),
    ];
    for (arguments, env, expected, said) in cases {
        let place = Workplace::new();
        std::fs::write(place.path("aws"), profile).unwrap();
        let ran = place.run(&[&["init"], arguments].concat(), env);
        assert_eq!(region(&place, &ran), (expected.to_owned(), said.to_owned()));
        assert!(ran.out.contains(&format!("--region {expected} ")), "{ran:?}");
        let checked = place.run(&["check"], &[]);
        assert!(checked.status == 0 && checked.out.contains("\nconfig is valid: 0 services"), "{checked:?}");
        assert!(checked.out.ends_with("\nhint: `tollgate services add NAME --profile MODEL=ARN` adds one\n"));
    }
}

#[test]
fn a_region_that_is_none_is_refused() {
    let place = Workplace::new();
    let ran = place.run(&["init"], &[("AWS_REGION", "US West")]);
    assert_eq!(
        ran.err,
        "error: AWS_REGION holds 'US West', which is no region's name\nhint: mend it, or name the region with \
         --region, as in --region us-west-2\n"
    );
    assert!(ran.status == 1 && !place.path("config").exists(), "{ran:?}");
    assert_eq!(place.run(&["init", "--region", "US"], &[]).status, 2);
}

#[test]
fn what_is_there_is_written_over_by_force_alone() {
    for name in ["tollgate.toml", "services.toml"] {
        let place = Workplace::new();
        std::fs::create_dir(place.path("config")).unwrap();
        std::fs::write(place.path("config").join(name), "# mine").unwrap();
        let ran = place.run(&["init"], &[]);
        assert!(ran.status == 1 && ran.out.is_empty(), "{ran:?}");
        assert!(ran.err.starts_with(&format!("error: config/{name} exists already\nhint: ")), "{ran:?}");
        assert_eq!(place.text(&format!("config/{name}")), "# mine");
        assert_eq!(std::fs::read_dir(place.path("config")).unwrap().count(), 1);
        assert_eq!(place.run(&["init", "--force"], &[]).status, 0);
        assert_eq!(place.run(&["check"], &[]).status, 0);
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let place = Workplace::new();
    std::fs::write(place.path("file"), "").unwrap();
    let ran = place.run(&["init", "--dir", "file/config"], &[]);
    assert!(ran.status == 1 && ran.err.starts_with("error: cannot write file/config: "), "{ran:?}");
    assert!(ran.err.ends_with("\nhint: choose another folder with --dir\n"), "{ran:?}");
}

#[test]
fn the_steps_that_it_prints_lead_to_a_valid_config() {
    let place = Workplace::new();
    let ran = place.run(&["init", "--dir", "etc/gate", "--region", "eu-west-1"], &[]);
    let add = ran.out.lines().find(|line| line.contains("tollgate services add")).unwrap();
    let arn = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/p1";
    let add = add.replace("=ARN", &format!("={arn}"));
    let arguments: Vec<&str> = add.split_whitespace().skip(1).collect();
    let added = place.run(&arguments, &[]);
    assert_eq!(added.out, "added service 'checkout' to etc/gate/services.toml\n", "{added:?}");
    let check = ran.out.lines().find(|line| line.contains("tollgate check")).unwrap();
    let arguments: Vec<&str> = check.split_whitespace().skip(1).collect();
    let checked = place.run(&arguments, &[]);
    assert_eq!(checked.out, "config is valid: 1 service, 1 profile\n", "{checked:?}");
    assert!(place.text("etc/gate/services.toml").contains("#[services.service-1]"), "the example is gone");
}
