//! The IAM policies of `deploy/iam`, and the Terraform modules that give them: all that the gateway calls, and no more.

use hcl::{Block, Body, Expression};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use tollgate::aws::{Action, AwsError, ErrorKind, Purpose, Site};
use tollgate::config::CatalogSettings;
use tollgate::domain::Region;
use tollgate::inventory::SOURCE_TAG;

const ACCOUNT: &str = "123456789012";

/// Returns the text of the files of a folder below `deploy` that end so, by their paths below it.
fn files(folder: &str, ending: &str) -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(folder);
    let mut folders = vec![root.clone()];
    let mut files = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with(ending) {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                files.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    assert!(!files.is_empty(), "{folder}");
    files
}

/// Fills in what a policy leaves open.
fn filled(policy: &str) -> Value {
    let text = policy
        .replace("${partition}", "aws")
        .replace("${account}", ACCOUNT)
        .replace("${secrets_key}", &format!("arn:aws:kms:us-west-2:{ACCOUNT}:key/k"))
        .replace("${role}", "arn:aws:iam::210987654321:role/tollgate")
        .replace("${gateway_role}", &format!("arn:aws:iam::{ACCOUNT}:role/tollgate"));
    assert!(!text.contains("${"), "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Returns a member that is one string or a list of them.
fn strings<'a>(statement: &'a Value, member: &str) -> Vec<&'a str> {
    match &statement[member] {
        Value::String(one) => vec![one],
        Value::Array(all) => all.iter().map(|one| one.as_str().unwrap()).collect(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            panic!("{member}: {other}")
        }
    }
}

/// Returns the resources that a policy allows each action on.
fn granted(policy: &str) -> BTreeMap<String, BTreeSet<String>> {
    let policy = filled(policy);
    assert_eq!(policy["Version"], "2012-10-17");
    let mut granted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for statement in policy["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        for action in strings(statement, "Action") {
            let resources = strings(statement, "Resource").into_iter().map(str::to_owned);
            granted.entry(action.to_owned()).or_default().extend(resources);
        }
    }
    granted
}

/// The policies, and what each is for.
const POLICIES: [(&str, Purpose); 8] = [
    ("assume-role.json", Purpose::Roles),
    ("cost-tags.json", Purpose::CostTags),
    ("data-plane.json", Purpose::DataPlane),
    ("discovery.json", Purpose::Discovery),
    ("more-operations.json", Purpose::DataPlane),
    ("provisioning.json", Purpose::Provisioning),
    ("secrets.json", Purpose::Secrets),
    ("tag-session.json", Purpose::Sessions),
];

/// The trust policies of roles that the gateway takes on, and what each lets it do.
const TRUSTS: [(&str, &[&str]); 2] = [
    ("trust-gateway.json", &["sts:AssumeRole"]),
    ("trust-gateway-sessions.json", &["sts:AssumeRole", "sts:TagSession"]),
];

#[test]
fn the_policies_grant_every_action_once_and_no_other() {
    let files = files("iam", ".json");
    let names: BTreeSet<&str> =
        POLICIES.iter().map(|(name, _)| *name).chain(TRUSTS.map(|(name, _)| name)).collect();
    assert!(files.keys().map(String::as_str).eq(names));
    let mut all = Vec::new();
    for (name, purpose) in POLICIES {
        for action in granted(&files[name]).into_keys() {
            let known = Action::ALL.into_iter().find(|known| known.name() == action);
            assert_eq!(known.map(Action::purpose), Some(purpose), "{name}: {action}");
            all.push(action);
        }
    }
    all.sort();
    let needed = Action::ALL.into_iter().filter(|action| action.purpose() != Purpose::Identity);
    let mut needed: Vec<&str> = needed.map(Action::name).collect();
    needed.sort_unstable();
    assert_eq!(all, needed);
    for (name, actions) in TRUSTS {
        let trust = filled(&files[name]);
        let [statement] = trust["Statement"].as_array().unwrap().as_slice() else { panic!("{trust}") };
        assert_eq!(
            (statement["Effect"].as_str(), strings(statement, "Action").as_slice()),
            (Some("Allow"), actions)
        );
        assert_eq!(statement["Principal"]["AWS"], format!("arn:aws:iam::{ACCOUNT}:role/tollgate"));
    }
}

#[test]
fn operations_that_every_service_may_use_need_the_data_plane_alone() {
    use tollgate::domain::Operation;
    let granted = granted(&files("iam", ".json")["data-plane.json"]);
    let by_default = Operation::ALL.into_iter().filter(|operation| operation.is_allowed_by_default());
    let needed: BTreeSet<&str> = by_default.map(|operation| Action::from(operation).name()).collect();
    assert!(granted.keys().map(String::as_str).eq(needed));
    // A call with a profile is checked against the profile and all that it leads to.
    for action in ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"] {
        let resources = [
            "arn:aws:bedrock:*:123456789012:application-inference-profile/*",
            "arn:aws:bedrock:*:123456789012:inference-profile/*",
            "arn:aws:bedrock:*::foundation-model/*",
        ];
        assert!(granted[action].iter().map(String::as_str).eq(resources), "{granted:?}");
    }
}

#[test]
fn what_an_error_tells_to_add_is_in_the_policies() {
    let files = files("iam", ".json");
    let granted: BTreeMap<String, BTreeSet<String>> =
        POLICIES.iter().flat_map(|(name, _)| granted(&files[*name])).collect();
    for action in Action::ALL.into_iter().filter(|action| action.purpose() != Purpose::Identity) {
        let resource = if matches!(action.purpose(), Purpose::Roles | Purpose::Sessions) {
            "arn:aws:iam::210987654321:role/tollgate".to_owned()
        } else {
            format!("arn:aws:bedrock:us-west-2:{ACCOUNT}:application-inference-profile/abc")
        };
        let error = AwsError {
            action,
            site: Site::own(Region::default()),
            resource: Some(resource),
            kind: ErrorKind::AccessDenied { message: "no policy allows it".to_owned() },
        };
        let hint = error.hint();
        let statement = hint[hint.find('{').unwrap()..].split("; ").next().unwrap();
        let statement: Value = serde_json::from_str(statement).unwrap();
        let told: BTreeSet<String> = strings(&statement, "Resource").into_iter().map(str::to_owned).collect();
        // Of calls an error cannot tell on what; the policies are narrower.
        if told != BTreeSet::from(["*".to_owned()]) {
            assert_eq!(granted[action.name()], told, "{action}");
        }
    }
}

/// Returns every Terraform file, parsed, with its text.
fn terraform() -> BTreeMap<String, (Body, String)> {
    let parsed = files("terraform", ".tf").into_iter().map(|(name, text)| {
        let body = hcl::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, (body, text))
    });
    parsed.collect()
}

/// Returns the blocks of a module's files that begin with that word.
fn blocks<'a>(files: &'a BTreeMap<String, (Body, String)>, module: &str, kind: &str) -> Vec<&'a Block> {
    let prefix = format!("{module}/");
    let of_module = files.iter().filter(|(name, _)| name.starts_with(&prefix));
    of_module.flat_map(|(_, (body, _))| body.blocks()).filter(|block| block.identifier() == kind).collect()
}

fn labels(block: &Block) -> Vec<&str> {
    block.labels().iter().map(hcl::BlockLabel::as_str).collect()
}

fn attribute<'a>(block: &'a Block, key: &str) -> Option<&'a Expression> {
    block.body().attributes().find(|attribute| attribute.key() == key).map(hcl::Attribute::expr)
}

#[test]
fn the_gateway_module_gives_the_same_policies() {
    let files = terraform();
    let resources: Vec<Vec<&str>> = blocks(&files, "gateway", "resource").into_iter().map(labels).collect();
    assert_eq!(resources, [["aws_iam_role", "this"], ["aws_iam_role_policy", "this"]]);
    let (_, text) = &files["gateway/main.tf"];
    let used: BTreeSet<&str> = text
        .split("templatefile(")
        .skip(1)
        .map(|call| call.split('"').nth(1).unwrap().strip_prefix("${path.module}/../../iam/").unwrap())
        .collect();
    let there: BTreeSet<&str> =
        POLICIES.iter().map(|(name, _)| *name).chain(TRUSTS.map(|(name, _)| name)).collect();
    assert_eq!(used, there);
    // No action is granted beside them.
    for (name, (_, text)) in files.iter().filter(|(name, _)| name.starts_with("gateway/")) {
        for word in ["bedrock:", "ce:", "kms:Decrypt", "sts:", "Action"] {
            let is_word =
                |(at, _): (usize, &str)| !text[..at].ends_with(|before: char| before.is_alphanumeric());
            assert!(!text.match_indices(word).any(is_word), "{name}: {word}");
        }
    }
}

#[test]
fn the_service_module_tags_as_the_gateway_reads() {
    let files = terraform();
    let resources = blocks(&files, "service", "resource");
    let [profile] = resources.as_slice() else { panic!("{resources:?}") };
    assert_eq!(labels(profile), ["aws_bedrock_inference_profile", "this"]);
    let tags = attribute(profile, "tags").unwrap().to_string();
    for part in ["var.tags", "(var.service_tag) = var.service", &format!("\"{SOURCE_TAG}\" = each.key")] {
        assert!(tags.contains(part), "{tags}");
    }
    let variables = blocks(&files, "service", "variable");
    let key = variables.iter().find(|variable| labels(variable) == ["service_tag"]).unwrap();
    let default = Expression::String(CatalogSettings::default().service_tag);
    assert_eq!(attribute(key, "default"), Some(&default));
}

#[test]
fn variables_are_described_typed_and_checked() {
    let files = terraform();
    for module in ["gateway", "service"] {
        for variable in blocks(&files, module, "variable") {
            let name = labels(variable)[0];
            assert!(attribute(variable, "description").is_some(), "{module}: {name}");
            let kind = attribute(variable, "type").unwrap().to_string();
            let is_checked = variable.body().blocks().any(|block| block.identifier() == "validation");
            // Yes and no need no check, and AWS knows best what its roles' tags may be.
            let is_free = kind == "bool" || (module, name) == ("gateway", "tags");
            assert!(is_checked != is_free, "{module}: {name}: {kind}");
        }
        for output in blocks(&files, module, "output") {
            assert!(attribute(output, "description").is_some(), "{module}: {:?}", labels(output));
        }
    }
    // The example gives what has no default, and nothing that is not there.
    for call in blocks(&files, "example", "module") {
        let Some(Expression::String(source)) = attribute(call, "source") else { panic!("{call:?}") };
        let module = source.strip_prefix("../").unwrap();
        let variables = blocks(&files, module, "variable");
        let given: BTreeSet<&str> =
            call.body().attributes().map(hcl::Attribute::key).filter(|key| *key != "source").collect();
        let known: BTreeSet<&str> = variables.iter().map(|variable| labels(variable)[0]).collect();
        assert!(given.is_subset(&known), "{given:?}");
        let needed = variables.iter().filter(|variable| attribute(variable, "default").is_none());
        assert!(needed.map(|variable| labels(variable)[0]).all(|name| given.contains(name)), "{given:?}");
    }
}
