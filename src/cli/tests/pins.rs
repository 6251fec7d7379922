use super::*;
use crate::cli::edit::ServicesEditor;
use crate::domain::{ModelId, ProfileArn};

/// Sets the profile that service `a` has for a model, and returns the services file after that.
fn set(services: &str, model: &str) -> String {
    let place = Place::new("", services);
    let config = place.0.path().join("tollgate.toml");
    let context = Context { config, env: Vec::new(), out: &mut Vec::new() };
    let mut editor = ServicesEditor::open(&context).unwrap();
    let (service, model) = (ServiceName::parse("a").unwrap(), ModelId::parse(model).unwrap());
    editor.set_profile(&service, &model, &ProfileArn::parse(ARN).unwrap()).unwrap();
    editor.save().unwrap();
    place.text()
}

#[test]
fn a_profile_is_named_wherever_profiles_are_written() {
    let old = ARN.replace("p1", "old");
    assert_eq!(
        set("[services.a] # first\nmodels = ['v.m']\n# second\n[services.b]\n", "v.m"),
        format!(
            "[services.a] # first\nmodels = ['v.m']\n\n[services.a.profiles]\n\"v.m\" = \"{ARN}\"\n# second\n\
             [services.b]\n"
        )
    );
    assert_eq!(
        set(&format!("[services.a]\nprofiles = {{ 'v.o' = '{old}' }} # kept\n"), "v.m"),
        format!("[services.a]\nprofiles = {{ 'v.o' = '{old}' , \"v.m\" = \"{ARN}\" }} # kept\n")
    );
    assert_eq!(
        set(&format!("[services.a]\nprofiles.'v.m' = '{old}' # kept\n"), "v.m"),
        format!("[services.a]\nprofiles.'v.m' = \"{ARN}\" # kept\n")
    );
    assert_eq!(
        set("[services]\na = { models = ['v.m'] }\n", "v.m"),
        format!("[services]\na = {{ models = ['v.m'] , profiles = {{ \"v.m\" = \"{ARN}\" }} }}\n")
    );
}

#[test]
fn what_is_named_by_an_arn_is_the_same_model() {
    let old = ARN.replace("p1", "old");
    let source = "arn:aws:bedrock:us-west-2::foundation-model/v.m";
    assert_eq!(
        set(&format!("[services.a.profiles]\n# why\n'{source}' = '{old}' # kept\n"), "v.m"),
        format!("[services.a.profiles]\n# why\n'{source}' = \"{ARN}\" # kept\n")
    );
}
