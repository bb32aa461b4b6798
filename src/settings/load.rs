//! Puts the settings together: file, environment, object files.

use std::path::Path;

use super::mapping::Mapping;
use super::model::Settings;
use super::problem::{Place, Problem, Problems};
use super::reader::{Known, Report, Section};
use super::secret::{Reading, Vault};
use super::tree::{self, Node};
use super::{sections, tenant};

/// Reads settings from a file and the process's environment. All problems are told, not just the first.
pub fn load(path: &Path, reading: Reading) -> Result<Settings, Problems> {
    let environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    load_with(path, &environment, reading)
}

/// As [`load`], with a given environment.
pub fn load_with(path: &Path, environment: &[(String, String)], reading: Reading) -> Result<Settings, Problems> {
    let (root, problems) = tree::read(path);
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let base = path.parent().unwrap_or_else(|| Path::new(""));
    settled(root, base, environment, reading).0
}

/// All settings there are, with their defaults, in the order of their names.
pub fn known() -> Vec<Known> {
    // Two tenants, so that the settings of both flows are asked for; one field, so that overrides are.
    let text = "[tenants.a.org]\nflow = \"client_credentials\"\n[tenants.b.org]\nflow = \"jwt\"\n\
                [tenants.a.fields.object.field]\n";
    let (root, _) = tree::parse(&"known".into(), text);
    let (_, mut known) = settled(root, Path::new(""), &[], Reading::WithoutSecrets);
    known.sort();
    // A setting that both flows look at is known twice, once with its default.
    known.dedup_by(|later, earlier| {
        let same = later.name == earlier.name;
        if same && earlier.default.is_none() {
            earlier.default = later.default.take();
        }
        same
    });
    known
}

fn settled(
    mut root: Node,
    base: &Path,
    environment: &[(String, String)],
    reading: Reading,
) -> (Result<Settings, Problems>, Vec<Known>) {
    let report = Report::default();
    near_misses(&report, &root, environment);
    tree::overlay(&mut root, environment.iter().cloned());
    let lookup = |name: &str| {
        environment
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    let vault = Vault {
        reading,
        base,
        environment: &lookup,
    };
    let mut top = Section::over(&report, "", "", Some(&root), &root.place);

    let salesforce = sections::salesforce(top.child("salesforce"));
    let objects = top.child("objects");
    let objects_place = objects.place.clone();
    let (mapping, problems) = Mapping::read(&vault.path(&sections::objects(objects)), &objects_place);
    for problem in problems {
        report.add(problem);
    }
    let settings = Settings {
        node: sections::node(top.child("node"), base),
        redis: sections::redis(top.child("redis"), &vault),
        http: sections::http(top.child("http")),
        log: sections::log(top.child("log")),
        secrets: sections::secrets(top.child("secrets"), &vault),
        sync: sections::sync(top.child("sync")),
        tenants: tenant::tenants(&report, top.child("tenants"), &mapping, &salesforce.allow_hosts, &vault),
        salesforce,
        mapping,
    };
    top.finish();
    let known = report.known.take();
    let mut problems = report.problems.take();
    problems.sort();
    problems.dedup();
    (
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(Problems(problems))
        },
        known,
    )
}

/// `TANDEM_REDIS_URL` sets nothing: one underscore is missing. Say so instead of starting with the default.
fn near_misses(report: &Report, root: &Node, environment: &[(String, String)]) {
    let named = named_variables(root);
    for (variable, _) in environment {
        let Some(rest) = variable.strip_prefix("TANDEM_") else {
            continue;
        };
        if rest.contains("__") || named.contains(variable) {
            continue;
        }
        // Only true settings: a cluster's services put variables such as TANDEM_HTTP_SERVICE_PORT here.
        let meant = rest.split_once('_').filter(|(section, key)| {
            let name = format!("{section}.{key}").to_ascii_lowercase();
            known().iter().any(|setting| setting.name == name)
        });
        if let Some((section, key)) = meant {
            report.add(Problem::name(
                &Place::Environment(variable.clone()),
                "",
                format!("sets nothing; did you mean TANDEM_{section}__{key}, with two underscores after the section?"),
            ));
        }
    }
}

/// Variables that `…_env` settings name: theirs is any name.
fn named_variables(node: &Node) -> Vec<String> {
    let Some(table) = super::reader::table_of(node) else {
        return Vec::new();
    };
    table
        .iter()
        .flat_map(|(key, child)| match super::reader::as_text(child) {
            Some(text) if key.ends_with("_env") => vec![text.to_owned()],
            _ => named_variables(child),
        })
        .collect()
}
