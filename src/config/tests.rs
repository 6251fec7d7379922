use super::*;
use std::path::Path;

const ARN: &str = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/";

/// A folder with a config file and a services file.
struct Files(tempfile::TempDir);

impl Files {
    fn new(config: &str, services: &str) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        std::fs::write(files.path("tollgate.toml"), config).unwrap();
        std::fs::write(files.path("services.toml"), services).unwrap();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, env: &[(&str, &str)]) -> Result<Loaded, Problems> {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        load(&self.path("tollgate.toml"), env)
    }

    /// Returns problems as text, without the folder.
    fn text(&self, problems: &[Problem]) -> Vec<String> {
        let folder = format!("{}/", self.0.path().display());
        problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
    }

    fn problems(&self, env: &[(&str, &str)]) -> Vec<String> {
        self.text(&self.load(env).unwrap_err().0)
    }
}

/// Asserts that a config leads to exactly one problem, which begins as expected.
fn refused(config: &str, services: &str, expected: &str) {
    let problems = Files::new(config, services).problems(&[]);
    assert_eq!(problems.len(), 1, "{config}\n{services}\n{problems:#?}");
    assert!(problems[0].starts_with(expected), "expected {expected}\nfound {}", problems[0]);
}

/// Returns the default of every key for a config file in a folder.
fn defaults(folder: &Path) -> Config {
    let mut config = Config::default();
    config.catalog.services = folder.join("services.toml");
    config.catalog.snapshot = folder.join("data/catalog.json");
    config.ledger.journal = folder.join("data/journal");
    config.ledger.store = StoreUrl::Sqlite(folder.join("data/ledger.db"));
    config
}

#[test]
fn the_shipped_files_state_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/tollgate.toml");
    let loaded = load(&path, []).unwrap();
    let expected = defaults(path.parent().unwrap());
    assert_eq!(loaded.config, expected);
    assert_eq!(loaded.warnings, []);
    assert!(loaded.files.iter().map(|file| &file.path).eq([&path, &expected.catalog.services]));
    assert!(loaded.files.iter().all(|file| file.state.is_some()));
    let sizes: Vec<_> =
        loaded.services.services.iter().map(|s| (s.name.as_str(), s.profiles.len())).collect();
    assert_eq!(sizes, [("service-1", 3), ("service-2", 3)]);
}

#[test]
fn an_empty_config_means_the_defaults() {
    let files = Files::new("", "");
    assert_eq!(files.load(&[]).unwrap().config, defaults(files.path("").as_path()));
}

#[test]
fn every_key_of_the_catalog_is_read() {
    let config = r#"
        [catalog]
        unmapped_model = "passthrough"
        discover = true
        service_tag = "team:service"
        refresh_seconds = 10
        snapshot = "/var/catalog.json"
        regions = ["eu-west-3"]
        [catalog.aliases]
        claude = "anthropic.claude"
    "#;
    let files = Files::new(config, "");
    let config = files.load(&[]).unwrap().config;
    let catalog = CatalogSettings {
        services: files.path("services.toml"),
        unmapped_model: UnmappedModel::Passthrough,
        aliases: BTreeMap::from([("claude".to_owned(), ModelId::parse("anthropic.claude").unwrap())]),
        discover: true,
        service_tag: "team:service".to_owned(),
        refresh: Duration::from_secs(10),
        snapshot: "/var/catalog.json".into(),
        regions: vec![Region::parse("eu-west-3").unwrap()],
    };
    assert_eq!(config.catalog, catalog);
}

#[test]
fn every_key_is_read() {
    let config = r#"
        upstream = { region = "eu-west-1", endpoint = "https://bedrock.test", idle_timeout = "90s" }
        identity.methods = ["header"]
        identity.header = "X-Team"
        [listen]
        data = "0.0.0.0:80"
        admin = "[::1]:0"
        max_connections = 1
        [ledger]
        enabled = false
        journal = "/var/journal"
        fsync = "always"
        on_journal_failure = "serve"
        journal_limit_bytes = 1048576
        store = "postgres://u@h/db"
        label_keys = ["feature"]
        keep_records = "2years"
        keep_rollups = "2years"
        [log]
        level = "warn,tollgate=debug"
        access = "log/access.jsonl"
    "#;
    let files = Files::new(config, "");
    let config = files.load(&[]).unwrap().config;
    assert_eq!(config.upstream.region.as_str(), "eu-west-1");
    assert_eq!(config.upstream.endpoint.unwrap().host(), Some("bedrock.test"));
    assert_eq!(config.upstream.idle_timeout, Duration::from_secs(90));
    assert_eq!(config.identity.methods, [Method::Header]);
    assert_eq!(config.identity.header, "x-team");
    assert_eq!(config.listen.data.to_string(), "0.0.0.0:80");
    assert_eq!(config.listen.max_connections, 1);
    let ledger = LedgerSettings {
        enabled: false,
        journal: "/var/journal".into(),
        fsync: Fsync::Always,
        on_journal_failure: OnJournalFailure::Serve,
        journal_limit_bytes: 1 << 20,
        store: StoreUrl::Postgres("postgres://u@h/db".to_owned()),
        label_keys: vec!["feature".to_owned()],
        keep_records: Some(Duration::from_hours(17_532)),
        keep_rollups: Some(Duration::from_hours(17_532)),
    };
    assert_eq!(config.ledger, ledger);
    assert_eq!(config.log.level, "warn,tollgate=debug");
    assert_eq!(config.log.access, AccessLog::File(files.path("log/access.jsonl")));
}

/// Configs with one mistake, and how the problem begins.
const CONFIG_MISTAKES: &[(&str, &str)] = &[
    ("[listen]\n\ndata = 1", "tollgate.toml:3: listen.data: expected a string, found integer"),
    ("listen = 1", "tollgate.toml:1: listen: expected a table, found integer"),
    ("[[listen]]", "tollgate.toml:1: listen: expected a table"),
    ("[listen]\ndata = 'localhost'", "tollgate.toml:2: listen.data: 'localhost' is no address"),
    ("listen.max_connections = 0", "tollgate.toml:1: listen.max_connections: 0 is out of range: use 1 to"),
    ("listen.body_limit_bytes = -1", "tollgate.toml:1: listen.body_limit_bytes: -1 is out of range"),
    ("listen.shutdown_grace = '0s'", "tollgate.toml:1: listen.shutdown_grace: '0s' is out of range"),
    ("listen.shutdown_grace = '10'", "tollgate.toml:1: listen.shutdown_grace: '10' is no duration"),
    (
        "ledger.fsync = 'sometimes'",
        "tollgate.toml:1: ledger.fsync: 'sometimes' is not one of always, interval",
    ),
    ("ledger.store = 'mysql://h/db'", "tollgate.toml:1: ledger.store: no such kind of store: write sqlite:"),
    ("ledger.journal_limit_bytes = 9", "tollgate.toml:1: ledger.journal_limit_bytes: 9 is too small"),
    ("ledger.label_keys = ['Feature']", "tollgate.toml:1: ledger.label_keys[0]: 'Feature' is no label's key"),
    ("ledger.keep_records = '1h'", "tollgate.toml:1: ledger.keep_records: '1h' is out of range: use 1day"),
    (
        "[ledger]\nkeep_records = '30days'\nkeep_rollups = '29days'",
        "tollgate.toml:3: ledger.keep_rollups: is shorter than keep_records: reports need hourly sums",
    ),
    (
        "[ledger]\nkeep_rollups = '1year'",
        "tollgate.toml:2: ledger.keep_rollups: is shorter than keep_records",
    ),
    ("listen.admin = '0.0.0.0:9090'", "tollgate.toml:1: listen.admin: the admin plane has no access control"),
    ("listen.data = '127.0.0.1:9090'", "tollgate.toml: listen.admin: listen.data takes the same port"),
    ("listen.data = '0.0.0.0:9090'", "tollgate.toml: listen.admin: listen.data takes the same port"),
    ("upstream.region = 'US'", "tollgate.toml:1: upstream.region: 'US' is no region's name"),
    ("upstream.use_fips = 1", "tollgate.toml:1: upstream.use_fips: expected true or false"),
    ("upstream.control_endpoint = 'a'", "tollgate.toml:1: upstream.control_endpoint: 'a' does not do"),
    (
        "[upstream]\ncontrol_endpoint = 'https://a'\nuse_dual_stack = true",
        "tollgate.toml:3: upstream.use_dual_stack: cannot hold together with upstream.control_endpoint",
    ),
    (
        "upstream.control_endpoint = 'http://localhost:8080'",
        "tollgate.toml:1: upstream.control_endpoint: 'http://localhost:8080/' is the gateway's own",
    ),
    (
        "upstream.roles = { prod = 'arn:aws:iam::210987654321:role/a' }",
        "tollgate.toml:1: upstream.roles.prod: 'prod' is no account: use its 12 digits",
    ),
    (
        "upstream.roles = { 210987654321 = 'tollgate' }",
        "tollgate.toml:1: upstream.roles.210987654321: 'tollgate' is not the ARN of a role",
    ),
    (
        "upstream.roles = { 123456789012 = 'arn:aws:iam::210987654321:role/a' }",
        "tollgate.toml:1: upstream.roles.123456789012: 'arn:aws:iam::210987654321:role/a' is a role of account 210987654321: \
         name one of 123456789012",
    ),
    ("upstream.endpoint = 'ftp://a'", "tollgate.toml:1: upstream.endpoint: 'ftp://a' does not do: use http"),
    ("upstream.endpoint = 'http://a/b'", "tollgate.toml:1: upstream.endpoint: 'http://a/b' does not do"),
    (
        "upstream.endpoint = 'http://u:p@a'",
        "tollgate.toml:1: upstream.endpoint: takes no user and no password: use",
    ),
    ("upstream.endpoint = 'a'", "tollgate.toml:1: upstream.endpoint: 'a' does not do"),
    (
        "upstream.on_client_disconnect = 'x'",
        "tollgate.toml:1: upstream.on_client_disconnect: 'x' is not one of drain, cancel",
    ),
    (
        "[upstream]\nendpoint = 'https://a'\nuse_fips = true",
        "tollgate.toml:3: upstream.use_fips: cannot hold together",
    ),
    (
        "upstream.endpoint = 'http://localhost:8080'",
        "tollgate.toml:1: upstream.endpoint: 'http://localhost:8080/' is the gateway's own",
    ),
    (
        "upstream.endpoint = 'http://[::1]:9090'",
        "tollgate.toml:1: upstream.endpoint: 'http://[::1]:9090/' is the gateway's own",
    ),
    ("identity.methods = []", "tollgate.toml:1: identity.methods: must hold at least one"),
    ("identity.methods = ['key',\n 'kye']", "tollgate.toml:2: identity.methods[1]: 'kye' is not one of"),
    ("identity.header = 'a b'", "tollgate.toml:1: identity.header: 'a b' is no header's name"),
    ("identity.header = 'Authorization'", "tollgate.toml:1: identity.header: 'authorization' has a meaning"),
    ("catalog.discover = 'yes'", "tollgate.toml:1: catalog.discover: expected true or false"),
    (
        "catalog.service_tag = 'a,b'",
        "tollgate.toml:1: catalog.service_tag: 'a,b' is no tag's key: use 1 to 128",
    ),
    ("catalog.service_tag = ''", "tollgate.toml:1: catalog.service_tag: '' is no tag's key"),
    ("catalog.service_tag = 'aws:x'", "tollgate.toml:1: catalog.service_tag: 'aws:x' is taken"),
    (
        "catalog.refresh_seconds = 9",
        "tollgate.toml:1: catalog.refresh_seconds: 9 is too short: use at least 10",
    ),
    ("catalog.refresh_seconds = -1", "tollgate.toml:1: catalog.refresh_seconds: -1 is out of range"),
    ("catalog.snapshot = ''", "tollgate.toml:1: catalog.snapshot: must name a file"),
    ("catalog.regions = ['EU']", "tollgate.toml:1: catalog.regions[0]: 'EU' is no region's name"),
    ("catalog.services = ''", "tollgate.toml:1: catalog.services: must name a file"),
    (
        "[catalog.aliases]\n\"a b\" = 'm'",
        "tollgate.toml:2: catalog.aliases.\"a b\": 'a b' cannot be asked for",
    ),
    ("[catalog.aliases]\na = 'm'", "tollgate.toml:2: catalog.aliases.a: no service has a profile for 'm'"),
    (
        "catalog.aliases.default = 'm'",
        "tollgate.toml:1: catalog.aliases.default: 'default' cannot be an alias",
    ),
    ("log.level = 'inof'", "tollgate.toml:1: log.level: 'inof' is no log filter"),
    ("log.level = 'a=b=c'", "tollgate.toml:1: log.level: 'a=b=c' is no log filter"),
    ("[upstream]\nregoin = 'x'", "tollgate.toml:2: upstream.regoin: unknown key; did you mean 'region'?"),
    ("[log]\ncolour = 'x'", "tollgate.toml:2: log.colour: unknown key; use level, access"),
    ("[upstreams]", "tollgate.toml:1: upstreams: unknown key; did you mean 'upstream'?"),
    ("\n\n[listen", "tollgate.toml:3: not TOML: "),
    ("log.level = 'info'\nlog.level = 'info'", "tollgate.toml:2: not TOML: duplicate key"),
];

#[test]
fn each_mistake_of_the_config_is_placed() {
    for (config, expected) in CONFIG_MISTAKES {
        refused(config, "", expected);
    }
}

/// Services files with one mistake, and how the problem begins; `ARN/` and `HASH` stand for legal values.
const SERVICES_MISTAKES: &[(&str, &str)] = &[
    (
        "[services.a]\nprofiles = { 'm.x' = 'ARN/p' }\n[services.b]\nprofiles = { 'm.x' = 'ARN/p' }",
        "services.toml:4: services.b.profiles.\"m.x\": the profile is services.a.profiles.\"m.x\" already",
    ),
    (
        "[services.a.profiles]\n'm.x' = 'ARN/p'\n'm.y' = 'ARN/p'",
        "services.toml:3: services.a.profiles.\"m.y\": the profile is",
    ),
    (
        "[services.a.profiles]\n'm.x' = 'ARN/p'\n'arn:aws:bedrock:us-west-2::foundation-model/m.x' = 'ARN/q'",
        "services.toml:3: services.a.profiles.\"arn:aws:bedrock:us-west-2::foundation-model/m.x\": is the same model as m.x",
    ),
    (
        "[services.a]\nkey_sha256 = ['HASH']\n[services.b]\nkey_sha256 = ['HASH']",
        "services.toml:4: services.b.key_sha256[0]: the key is services.a.key_sha256[0] already",
    ),
    (
        "[services.a]\ndefault_model = 'n'\nprofiles = { 'm.x' = 'ARN/p' }",
        "services.toml:2: services.a.default_model: service 'a' has no profile for 'n'; it has m.x",
    ),
    (
        "[services.a]\ndefault_model = 'n'",
        "services.toml:2: services.a.default_model: service 'a' has no profile for 'n'; it has none",
    ),
    (
        "[services.a]\naliases = { n = 'n' }",
        "services.toml:2: services.a.aliases.n: service 'a' has no profile",
    ),
    (
        "[services.a]\naliases = { default = 'n' }",
        "services.toml:2: services.a.aliases.default: 'default' cannot be",
    ),
    (
        "[services.a]\naliases = { n = 1 }",
        "services.toml:2: services.a.aliases.n: expected a string, found integer",
    ),
    ("[services.Abc]", "services.toml:1: services.Abc: 'Abc' is not a service name"),
    ("[services.other]", "services.toml:1: services.other: 'other' is not a service name"),
    ("[services.a]\n[services.a]", "services.toml:2: not TOML: duplicate key"),
    ("services.a = 1", "services.toml:1: services.a: expected a table"),
    ("[service.a]", "services.toml:1: service: unknown key; did you mean 'services'?"),
    ("[services.a]\nbudget = 1", "services.toml:2: services.a.budget: unknown key; use "),
    (
        "[services.a]\nprofile = 1",
        "services.toml:2: services.a.profile: unknown key; did you mean 'profiles'?",
    ),
    ("[services.a]\ntags = { a = 1 }", "services.toml:2: services.a.tags.a: expected a string"),
    (
        "[services.a]\nprofiles = { m = 'arn:x' }",
        "services.toml:2: services.a.profiles.m: 'arn:x' is not the ARN of",
    ),
    (
        "[services.a]\nkey_sha256 = [\n'9f86d0']",
        "services.toml:3: services.a.key_sha256[0]: must be 64 hexadecimal digits",
    ),
    (
        "[services.a]\nkey_sha256 = 'x'",
        "services.toml:2: services.a.key_sha256: expected an array of strings",
    ),
    (
        "[services.a]\nclient_certificates = ['checkout']",
        "services.toml:2: services.a.client_certificates[0]: 'checkout' is no name of a certificate: use a URI",
    ),
    (
        "[services.a]\nclient_certificates = ['dns:a.x']\n[services.b]\nclient_certificates = ['urn:a', 'dns:A.x']",
        "services.toml:4: services.b.client_certificates[1]: the name is services.a.client_certificates[0] already",
    ),
    (
        "[services.a]\nallowed_operations = ['Converze']",
        "services.toml:2: services.a.allowed_operations[0]: 'Converze' is no operation; use Converse, ",
    ),
    (
        "[services.a]\nmodels = ['v.m', 'v.m']",
        "services.toml:2: services.a.models[1]: 'v.m' is there already",
    ),
    ("[services.a]\nmodels = ['v m']", "services.toml:2: services.a.models[0]: 'v m': a model id is"),
    (
        "[services.a]\nmodels = ['ARN/p']",
        "services.toml:2: services.a.models[0]: 'arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/p' is no model's id: name a foundation model or",
    ),
    (
        "[services.a]\nmodels = ['v.m']\ntags = { 'a,b' = 'x' }",
        "services.toml:3: services.a.tags.\"a,b\": its profiles could not be tagged: 'a,b' is no tag's key: use 1 to 128",
    ),
    (
        "[services.a]\nmodels = ['v.m']\ntags = { team = 'a&b' }",
        "services.toml:3: services.a.tags.team: its profiles could not be tagged: 'a&b' is no tag's value: use up to 256",
    ),
    (
        "[services.a]\nmodels = ['v.m']\ntags = { 'aws:team' = 'a' }",
        "services.toml:3: services.a.tags.\"aws:team\": its profiles could not be tagged: 'aws:team' is taken",
    ),
    (
        "[services.a]\nmodels = ['v.m']\ntags = { 'tollgate:source' = 'a' }",
        "services.toml:3: services.a.tags.\"tollgate:source\": its profiles could not be tagged: 'tollgate:source' is taken",
    ),
    (
        "[services.a]\nmodels = ['v.m']\ntags = { Service = 'b' }",
        "services.toml:3: services.a.tags.Service: its profiles could not be tagged: 'Service' is the tag that names",
    ),
    (
        "[services.a]\nsession_role_arn = 'tollgate'",
        "services.toml:2: services.a.session_role_arn: 'tollgate' is not the ARN of a role: arn:aws:iam::<12-digit account>",
    ),
    (
        "[services.a]\nsession_role_arn = 'arn:aws:iam::210987654321:role/r'\nprofiles = { 'm.x' = 'ARN/p' }",
        "services.toml:2: services.a.session_role_arn: the role is of account 210987654321, and the profile of m.x of account 123456789012: name",
    ),
    (
        "[services.a]\nsession_role_arn = 'arn:aws:iam::123456789012:role/r'\ntags = { 'a,b' = 'x' }",
        "services.toml:3: services.a.tags.\"a,b\": its session could not be tagged: 'a,b' is no tag's key: use 1 to 128",
    ),
    (
        "[services.a]\nsession_role_arn = 'arn:aws:iam::123456789012:role/r'\ntags = { team = 'a&b' }",
        "services.toml:3: services.a.tags.team: its session could not be tagged: 'a&b' is no tag's value",
    ),
    (
        "[services.a]\nsession_role_arn = 'arn:aws:iam::123456789012:role/r'\ntags = { service = 'b' }",
        "services.toml:3: services.a.tags.service: its session could not be tagged: 'service' is the tag that names the service itself",
    ),
    (
        "[services.a]\nsession_role_arn = 'arn:aws:iam::123456789012:role/r'\ntags = { Team = 'b', team = 'b' }",
        "services.toml:3: services.a.tags.team: its session could not be tagged: 'team' and 'Team' are the same to STS",
    ),
    (
        "[services.a]\nstamp_request_metadata = 'yes'",
        "services.toml:2: services.a.stamp_request_metadata: expected true or false, found string",
    ),
    (
        "[services.a]\nprofiles = { 'm m' = 'ARN/p' }",
        "services.toml:2: services.a.profiles.\"m m\": 'm m': a model id is",
    ),
];

#[test]
fn each_mistake_of_the_services_is_placed() {
    let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    for (services, expected) in SERVICES_MISTAKES {
        refused("", &services.replace("ARN/", ARN).replace("HASH", hash), expected);
    }
}

#[test]
fn a_session_has_as_many_tags_as_sts_takes() {
    let services = |count: usize| {
        let tags: Vec<String> = (0..count).map(|n| format!("t{n} = 'x'")).collect();
        let role = "session_role_arn = 'arn:aws:iam::123456789012:role/r'";
        format!("[services.a]\n{role}\ntags = {{ {} }}\nprofiles = {{ 'm.x' = '{ARN}p' }}", tags.join(", "))
    };
    let loaded = Files::new("", &services(49)).load(&[]).unwrap();
    let session = loaded.services.services[0].session("Service").unwrap();
    assert_eq!((session.tags.len(), session.tags["Service"].as_str()), (50, "a"));
    refused(
        "",
        &services(50),
        "services.toml:3: services.a.tags: 50 tags are too many: with the one that names the service",
    );
}

#[test]
fn what_stands_for_a_model_may_lead_to_it_in_every_way() {
    let services = format!(
        "[services.a]
        default_model = 'smart'
        aliases = {{ smart = 'us.m.x', chained = 'smart', base = 'm.x', by_id = 'p1', shared = 'all' }}
        profiles = {{ 'us.m.x' = '{ARN}p1' }}"
    );
    let files = Files::new("catalog.aliases.all = 'us.m.x'", &services);
    assert_eq!(files.load(&[]).unwrap().warnings, []);
}

#[test]
fn passthrough_leaves_models_without_profiles_alone() {
    let config = "catalog = { unmapped_model = 'passthrough', aliases = { a = 'm' } }";
    let files = Files::new(config, "[services.a]\ndefault_model = 'n'\naliases = { b = 'm' }");
    assert!(files.load(&[]).is_ok());
}

#[test]
fn what_is_odd_but_legal_is_a_warning() {
    let services = format!(
        "[services.a]\n[services.b.profiles]\n'eu.m.x' = '{ARN}p1'\n'us.m.x' = '{ARN}p2'\n'global.m.x' = '{ARN}p3'"
    );
    let files = Files::new("", &services);
    let warnings = files.text(&files.load(&[]).unwrap().warnings);
    assert_eq!(
        warnings,
        [
            "services.toml:1: services.a: has no profiles: every model is unmapped for it",
            "services.toml:3: services.b.profiles.\"eu.m.x\": the profile's region, us-west-2, is outside the model's geography",
        ]
    );
}

#[test]
fn what_a_service_has_and_may_not_use_is_a_warning() {
    let services = format!(
        "[services.a]\nallowed_models = ['us.m.*']\nmodels = ['us.m.x', 'v.y']\n[services.a.profiles]\n\
         'us.m.x' = '{ARN}p1'\n'm.x' = '{ARN}p2'\n'arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.m.z' = '{ARN}p3'"
    );
    let files = Files::new("", &services);
    let warnings = files.text(&files.load(&[]).unwrap().warnings);
    assert_eq!(
        warnings,
        [
            "services.toml:6: services.a.profiles.\"m.x\": the service's allowed_models do not take it: its calls are refused",
            "services.toml:3: services.a.models[1]: the service's allowed_models do not take v.y: its calls are refused",
        ]
    );
}

#[test]
fn all_mistakes_of_both_files_are_reported_at_once() {
    let config = "[listen]\ndata = 1\nadmin = '0.0.0.0:1'\n[log]\nlevle = 'info'";
    let files = Files::new(config, "[services.A]\n[services.b]\ntags = 1\nx = 2");
    let problems = files.problems(&[("TOLLGATE__UPSTREAM__REGION", "?")]);
    let places: Vec<&str> = problems.iter().map(|text| text.split(": ").next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "services.toml:1",
            "services.toml:3",
            "services.toml:4",
            "tollgate.toml:2",
            "tollgate.toml:3",
            "tollgate.toml:5",
            "TOLLGATE__UPSTREAM__REGION",
        ],
        "{problems:#?}"
    );
}

#[test]
fn the_environment_wins_over_the_file() {
    let files = Files::new("[upstream]\nregion = 1\nuse_fips = false", "");
    let env = [
        ("TOLLGATE__UPSTREAM__REGION", "eu-west-1"),
        ("tollgate__log__level", "ignored: the prefix is in capitals"),
        ("TOLLGATE__UPSTREAM__USE_FIPS", "true"),
        ("TOLLGATE__LISTEN__MAX_CONNECTIONS", "7"),
        ("TOLLGATE__IDENTITY__METHODS", "['key']"),
        ("TOLLGATE__CATALOG__UNMAPPED_MODEL", "\"passthrough\""),
        ("TOLLGATE__CATALOG__ALIASES", "{ a = 'm' }"),
        ("TOLLGATE_CONFIG", "not ours"),
    ];
    let config = files.load(&env).unwrap().config;
    assert_eq!(config.upstream.region.as_str(), "eu-west-1");
    assert!(config.upstream.use_fips);
    assert_eq!(config.listen.max_connections, 7);
    assert_eq!(config.identity.methods, [Method::Key]);
    assert_eq!(config.catalog.aliases["a"].as_str(), "m");
}

#[test]
fn a_mistake_of_the_environment_names_the_variable() {
    let files = Files::new("", "");
    for (name, value, expected) in [
        (
            "TOLLGATE__UPSTREAM__REGOIN",
            "x",
            "TOLLGATE__UPSTREAM__REGOIN: upstream.regoin: unknown key; did you mean 'upstream.region'?",
        ),
        (
            "TOLLGATE__LISTEN__MAX_CONNECTIONS",
            "0",
            "TOLLGATE__LISTEN__MAX_CONNECTIONS: listen.max_connections: 0 is out of range",
        ),
        (
            "TOLLGATE__LISTEN__MAX_CONNECTIONS",
            "x",
            "TOLLGATE__LISTEN__MAX_CONNECTIONS: listen.max_connections: expected an integer, found string",
        ),
        (
            "TOLLGATE__LISTEN__SHUTDOWN_GRACE",
            "10",
            "TOLLGATE__LISTEN__SHUTDOWN_GRACE: listen.shutdown_grace: '10' is no duration",
        ),
        ("TOLLGATE__LISTEN__ADMIN", "10.0.0.1:1", "TOLLGATE__LISTEN__ADMIN: listen.admin: the admin plane"),
        (
            "TOLLGATE__CATALOG__ALIASES",
            "{ a = 'm' }",
            "TOLLGATE__CATALOG__ALIASES: catalog.aliases.a: no service",
        ),
    ] {
        let problems = files.problems(&[(name, value)]);
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(problems[0].starts_with(expected), "{problems:#?}");
    }
    let twice = [("TOLLGATE__LOG__LEVEL", "info"), ("TOLLGATE__log__level", "info")];
    assert_eq!(
        files.problems(&twice),
        ["TOLLGATE__log__level: log.level: TOLLGATE__LOG__LEVEL sets the same key: keep one of them"]
    );
}

#[test]
fn a_missing_file_says_what_to_do() {
    let files = Files::new("catalog.services = 'none.toml'", "");
    assert_eq!(files.problems(&[]), ["none.toml: no such services file"]);
    let missing = files.load(&[]).unwrap_err();
    assert!(missing.hints()[0].starts_with("an empty file will do"), "{missing:?}");
    let missing = load(Path::new("no/tollgate.toml"), []).unwrap_err();
    assert_eq!(missing.to_string(), "no/tollgate.toml: no such config file");
    assert!(missing.hints()[0].starts_with("`tollgate init` writes one"), "{missing:?}");
}

#[test]
fn a_file_that_cannot_be_read_says_what_to_do() {
    let files = Files::new("catalog.services = '.'", "");
    let problems = files.load(&[]).unwrap_err();
    assert!(problems.to_string().contains("cannot read the services file: Is a directory"), "{problems}");
    assert_eq!(problems.hints(), ["name the services file itself, not its folder"]);
    std::fs::write(files.path("tollgate.toml"), b"\xff").unwrap();
    assert_eq!(files.load(&[]).unwrap_err().hints(), ["save it as UTF-8 text"]);
}

#[test]
fn no_services_are_no_mistake_but_worth_a_word() {
    for services in ["", "# None yet.\n", "[services]\n"] {
        let files = Files::new("", services);
        let warnings = files.load(&[]).unwrap().warnings;
        assert_eq!(files.text(&warnings), ["services.toml: has no services: every call is refused"]);
        assert!(warnings[0].hint.as_ref().unwrap().contains("`tollgate services add "));
    }
}

#[test]
fn what_the_services_file_lacks_may_come_from_aws() {
    let config = "catalog.discover = true\n[catalog.aliases]\nfast = 'm'";
    let services = "[services.a]\ndefault_model = 'n'\naliases = { b = 'o' }";
    assert_eq!(Files::new(config, services).load(&[]).unwrap().warnings, []);
    assert_eq!(Files::new(config, "").load(&[]).unwrap().warnings, []);
}

#[test]
fn models_are_read_and_need_no_profile_yet() {
    let services = "[services.a]
        models = ['v.m', 'us.v.m']
        tags = { team = 'a b', empty = '' }
        default_model = 'v.m'
        aliases = { fast = 'us.v.m' }
        [services.free]
        tags = { 'any,key' = 'of those that report alone & know' }";
    let files = Files::new("catalog.aliases.all = 'v.m'", services);
    let loaded = files.load(&[]).unwrap();
    let model = |id| ModelId::parse(id).unwrap();
    assert_eq!(loaded.services.services[0].models, [model("v.m"), model("us.v.m")]);
    assert_eq!(
        files.text(&loaded.warnings),
        [
            "services.toml:1: services.a: has no profiles yet, though it has models: every model is unmapped for it",
            "services.toml:6: services.free: has no profiles: every model is unmapped for it",
        ]
    );
}

#[test]
fn no_more_tags_than_aws_takes() {
    let tags =
        |count: usize| (0..count).map(|number| format!("t{number} = ''")).collect::<Vec<_>>().join("\n");
    let services = |count| format!("[services.a]\nmodels = ['v.m']\n[services.a.tags]\n{}", tags(count));
    assert!(Files::new("", &services(48)).load(&[]).is_ok());
    let expected =
        "services.toml:3: services.a.tags: 49 tags are too many: with those that name service and source";
    refused("", &services(49), expected);
}
