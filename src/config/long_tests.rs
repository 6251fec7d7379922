//! A services file that is long enough to be read in parts says what it would say in one piece.

use super::*;
use std::fmt::Write;

/// Returns the text of that many services, with all that a service can have here and there.
fn services(count: usize) -> String {
    let mut text = String::from("# All of them.\n\n");
    for n in 0..count {
        let arn = format!("arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/p{n}");
        writeln!(
            text,
            "[services.service-{n}] # {n}\ntags = {{ team = \"t{}\", 'cost center' = \"{n}\" }}",
            n % 7
        )
        .unwrap();
        if n % 5 == 0 {
            writeln!(
                text,
                "models = [\n  \"amazon.nova-pro-v1:0\",\n]\ndefault_model = \"amazon.nova-lite-v1:0\""
            )
            .unwrap();
        }
        writeln!(text, "[services.service-{n}.profiles]\n\"amazon.nova-lite-v1:0\" = \"{arn}\"\n").unwrap();
    }
    text
}

/// Loads a services file, beside a config file that says nothing.
fn load_text(services: &str) -> Result<Loaded, Problems> {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tollgate.toml");
    std::fs::write(&config, "").unwrap();
    std::fs::write(folder.path().join("services.toml"), services).unwrap();
    load(&config, [])
}

/// Returns the only problem there is, from its line on.
fn problem(services: &str) -> String {
    let problems = load_text(services).unwrap_err().0;
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems[0].to_string().split_once("/services.toml:").unwrap().1.to_owned()
}

#[test]
fn a_long_file_says_what_it_would_in_one_piece() {
    let text = services(8_000);
    assert!(text.len() > 1 << 20);
    // The table's own header lets nothing be read in parts.
    let whole = format!("[services]\n{text}");
    let (parts, whole) = (load_text(&text).unwrap(), load_text(&whole).unwrap());
    assert_eq!(parts.services.services.len(), 8_000);
    assert!(parts.services == whole.services);
    assert_eq!((parts.warnings, whole.warnings), (Vec::new(), Vec::new()));
}

#[test]
fn a_mistake_of_a_long_file_is_placed() {
    let text = services(8_000);
    let line = text.lines().count() + 1;
    for (more, expected) in [
        ("[services.service-1.profiles]", " not TOML: duplicate key"),
        ("[services.service-1]", " not TOML: duplicate key"),
        ("[services.A]", " services.A: 'A' is not a service name"),
        ("[services.new]\ntagz = {}", " services.new.tagz: unknown key"),
        ("[service.new]", " service: unknown key"),
        ("[services.new", " not TOML: "),
    ] {
        let problem = problem(&format!("{text}{more}\n"));
        let at = if more.contains("tagz") { line + 1 } else { line };
        assert!(problem.starts_with(&format!("{at}:{expected}")), "{more}: {problem}");
    }
}
