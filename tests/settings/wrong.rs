//! Every wrong setting is told with file, line, name, value and what is allowed.

use crate::files::{Files, TENANT};

/// The settings must have exactly one problem, which reads so.
#[track_caller]
fn told(settings: &str, expected: &str) {
    assert_eq!(Files::new(settings).problems(), [expected], "for {settings:?}");
}

#[test]
fn values_out_of_range() {
    told(
        "\n[redis]\npool_size = 0",
        "tandem.toml:3: redis.pool_size = 0: allowed is a whole number from 1 to 256 (connections)",
    );
    told(
        "[node]\nworkers = \"8\"",
        "tandem.toml:2: node.workers = \"8\": allowed is a whole number from 1 to 256 (batches in flight an arbiter)",
    );
    told(
        "[node]\ndrain_grace = \"60\"",
        "tandem.toml:2: node.drain_grace = \"60\": allowed is 0s to 10m: a whole number and one of ms, s, m, h, d, \
         e.g. \"250ms\" or \"10m\"",
    );
    told(
        "[sync]\ntable_bytes = \"64MB\"",
        "tandem.toml:2: sync.table_bytes = \"64MB\": allowed is 1MiB to 16GiB: a whole number and one of B, KiB, MiB, \
         GiB, e.g. \"64MiB\"",
    );
    told(
        "[log]\nformat = \"xml\"",
        "tandem.toml:2: log.format = \"xml\": allowed are \"json\", \"text\"",
    );
    told(
        "[http]\nlisten = \"8080\"",
        "tandem.toml:2: http.listen = \"8080\": allowed is ADDRESS:PORT, e.g. \"127.0.0.1:8080\"; port 0 takes a free one",
    );
    told(
        "[salesforce]\napi_version = 67.0",
        "tandem.toml:2: salesforce.api_version = 67.0: allowed is text in quotes",
    );
    told(
        "[salesforce]\nallow_hosts = [\"http://x.example\"]",
        "tandem.toml:2: salesforce.allow_hosts = \"http://x.example\": allowed are HOST and HOST:PORT, without scheme or path",
    );
}

#[test]
fn names_that_do_not_exist() {
    told(
        "[http]\nlisten_on = \"127.0.0.1:80\"",
        "tandem.toml:2: http.listen_on: is no setting (allowed here: listen)",
    );
    told(
        "[log]\nlevl = \"info\"",
        "tandem.toml:2: log.levl: is no setting; did you mean 'level'? (allowed here: format, level)",
    );
    told(
        "[rdis]\nurl = \"redis://x:1\"",
        "tandem.toml:1: rdis: is no setting; did you mean 'redis'? (allowed here: http, log, node, objects, redis, \
         salesforce, secrets, sync, tenants)",
    );
    told(
        "node = 3",
        "tandem.toml:1: node = 3: this must be a table: [name] or { … }",
    );
}

#[test]
fn all_problems_are_told_at_once() {
    let problems = Files::new("[node]\nworkers = 0\n[log]\nformat = \"xml\"\nlevl = 1\n").problems();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(
        problems[0].starts_with("tandem.toml:2: ") && problems[2].starts_with("tandem.toml:5: "),
        "{problems:?}"
    );
}

#[test]
fn text_that_is_not_toml() {
    let problems = Files::new("[node]\nname = \"a\nworkers = = 2\n").problems();
    assert!(
        problems
            .iter()
            .any(|line| line.starts_with("tandem.toml:2: this is not TOML: ")),
        "{problems:?}"
    );
    assert!(
        problems
            .iter()
            .any(|line| line.starts_with("tandem.toml:3: this is not TOML: ")),
        "{problems:?}"
    );
}

#[test]
fn a_file_that_is_not_there() {
    let files = Files::new("");
    std::fs::remove_file(files.path()).unwrap();
    let problems = files.problems();
    assert_eq!(
        problems,
        ["tandem.toml:1: the file cannot be read: No such file or directory (os error 2)"]
    );
}

#[test]
fn a_file_that_is_no_text() {
    let files = Files::new("");
    std::fs::write(files.path(), b"[node]\nname = \"\xff\"\n").unwrap();
    assert_eq!(
        files.problems(),
        ["tandem.toml:1: the file cannot be read: stream did not contain valid UTF-8"]
    );
}

#[test]
fn the_environment_is_checked_too() {
    let problem = Files::new("").variable("TANDEM_NODE__WORKERS", "many").problems();
    assert_eq!(
        problem,
        [
            "environment variable TANDEM_NODE__WORKERS: node.workers = \"many\": allowed is a whole number from 1 to 256 \
          (batches in flight an arbiter)"
        ]
    );
    let problem = Files::new("").variable("TANDEM_REDIS_URL", "redis://x:1").problems();
    assert_eq!(
        problem,
        [
            "environment variable TANDEM_REDIS_URL: sets nothing; did you mean TANDEM_REDIS__URL, with two underscores \
          after the section?"
        ]
    );
    let problem = Files::new("").variable("TANDEM_NODE__WORKRS", "1").problems();
    assert!(
        problem[0].contains("node.workrs: is no setting; did you mean 'workers'?"),
        "{problem:?}"
    );
}

#[test]
fn secrets_in_the_file_are_refused_and_not_repeated() {
    let inline = TENANT.replace("client_secret_file = \"secret\"", "client_secret = \"hunter2\"");
    let cases = [
        (
            inline.as_str(),
            "tandem.toml:5: tenants.acme.org.client_secret: the client secret never stands in the settings",
        ),
        (
            "[secrets]\nregional_key = \"hunter2\"",
            "tandem.toml:2: secrets.regional_key: the regional key never stands",
        ),
        (
            "[redis]\nurl = \"redis://:hunter2@x:1/0\"",
            "tandem.toml:2: redis.url: holds a password",
        ),
        (
            "[redis]\npassword = \"hunter2\"",
            "tandem.toml:2: redis.password: the Redis password never stands",
        ),
        (
            "[redis]\nurl = \"http://:hunter2@x:1/0\"",
            "tandem.toml:2: redis.url: allowed is redis://HOST:PORT/DB",
        ),
    ];
    for (settings, expected) in cases {
        let files = if settings.starts_with("[secrets]") {
            Files::new(settings).bare()
        } else {
            Files::new(settings)
        };
        let problems = files.problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(expected), "{problems:?}");
        assert!(!problems[0].contains("hunter2"), "{problems:?}");
    }
}

#[test]
fn secrets_that_cannot_be_read() {
    let problems = Files::new("").bare().problems();
    assert!(
        problems[0].starts_with("tandem.toml:1: secrets.regional_key_file: is missing: "),
        "{problems:?}"
    );
    let problems = Files::new("[secrets]\nregional_key_file = \"k\"").bare().problems();
    assert!(
        problems[0].starts_with("tandem.toml:2: secrets.regional_key_file: names k, which cannot"),
        "{problems:?}"
    );
    let problems = Files::new("[secrets]\nregional_key_file = \"k\"")
        .bare()
        .with("k", "c2hvcnQ=")
        .problems();
    assert!(
        problems[0].contains("is no key: 32 random bytes in base64"),
        "{problems:?}"
    );
    let named = TENANT.replace("client_secret_file = \"secret\"", "client_secret_env = \"ACME_SECRET\"");
    let problems = Files::new(&named).problems();
    assert_eq!(
        problems,
        ["tandem.toml:5: tenants.acme.org.client_secret_env: names ACME_SECRET, which is not set in the environment"]
    );
    let both = format!("{TENANT}client_secret_env = \"ACME_SECRET\"\n");
    let problems = Files::new(&both).problems();
    assert!(
        problems[0].contains("client_secret_file: stands beside client_secret_env: keep one"),
        "{problems:?}"
    );
}

#[test]
fn tenants_and_their_orgs() {
    told(
        "[tenants.Acme]\n",
        "tandem.toml:1: tenants.Acme: 'Acme' is not a tenant name: use 1 to 63 characters of a-z, 0-9, '_' and '-', \
         beginning with a letter or a digit",
    );
    told(
        "[tenants.acme]\n",
        "tandem.toml:1: tenants.acme.org: is missing: the tenant's org: a table [tenants.NAME.org] with flow, \
         login_url and client_id",
    );
    told(
        &TENANT.replace("https://acme.my.salesforce.com", "https://acme.example.org"),
        "tandem.toml:3: tenants.acme.org.login_url = \"https://acme.example.org\": the host acme.example.org is not \
         Salesforce's; to allow it, name it in salesforce.allow_hosts",
    );
    told(
        &TENANT.replace("https://acme.my.salesforce.com", "https://login.salesforce.com"),
        "tandem.toml:3: tenants.acme.org.login_url = \"https://login.salesforce.com\": client_credentials work only on \
         the org's own host: https://MYDOMAIN.my.salesforce.com",
    );
    told(
        &format!("{TENANT}org_id = \"001000000000001\"\n"),
        "tandem.toml:6: tenants.acme.org.org_id = \"001000000000001\": is no organisation id: those begin with 00D",
    );
    told(
        &format!("{TENANT}username = \"x\"\n"),
        "tandem.toml:6: tenants.acme.org.username: has a meaning only with flow = \"jwt\": take it out or change the flow",
    );
    told(
        &format!("[tenants.acme]\nobjects = [\"company\", \"compny\"]\n{TENANT}"),
        "tandem.toml:2: tenants.acme.objects = \"compny\": no object file has this object; there are: company",
    );
    let jwt = "[tenants.acme.org]\nflow = \"jwt\"\nlogin_url = \"https://login.salesforce.com\"\nclient_id = \"c\"\n";
    let problems = Files::new(jwt).problems();
    assert!(problems[0].contains("private_key_file: is missing"), "{problems:?}");
    assert!(
        problems[1].contains("username: is missing: the user that the app acts as"),
        "{problems:?}"
    );
}

#[test]
fn polling_wants_the_strict_fence_and_sane_intervals() {
    told(
        &format!("[tenants.acme]\nfence = \"soft\"\nchanges = \"poll\"\n{TENANT}"),
        "tandem.toml:1: tenants.acme.changes: \"poll\" needs fence = \"strict\": a poll tells by the sequence which of \
         Tandem's writes it shows",
    );
    told(
        &format!("[tenants.acme]\nchanges = \"poll\"\npoll_every = \"5s\"\n{TENANT}"),
        "tandem.toml:3: tenants.acme.poll_every = \"5s\": allowed is 1m to 24h: a whole number and one of ms, s, m, h, \
         d, e.g. \"250ms\" or \"10m\"",
    );
}
