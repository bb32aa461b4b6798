//! `tandem check`: settings and mappings, alone or against an org.

use std::path::PathBuf;

use serde_json::json;
use tandem_core::domain::ids::TenantName;

use super::{Failure, Outcome, runtime};
use crate::app;
use crate::settings::mapping::describe::{Describe, Mismatch, check_describe};
use crate::settings::{Place, Problem, Reading, Settings, Tenant, load};

/// Check settings and mappings, alone or against an org.
///
/// Without --org nothing is called and no secret is read: it can run in CI. With --org the tenant's mapping is held
/// against what the org says of its objects: fields that are missing or hidden, types, edit permissions, picklist
/// values, the external id.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tandem check\n  tandem check --org acme\n  \
                        tandem check --org acme --describe saved/    (reads saved/Contact.json, …; calls nobody)\n\n\
                        Exit codes: 0 nothing found; 1 problems, one a line, each with file and line.")]
pub(super) struct Args {
    /// The settings file
    #[arg(
        long,
        value_name = "FILE",
        env = "TANDEM_CONFIG",
        default_value = "config/tandem.toml"
    )]
    config: PathBuf,
    /// Hold this tenant's mapping against its org
    #[arg(long, value_name = "TENANT")]
    org: Option<String>,
    /// Take the org's describe answers from files in this directory: SOBJECT.json
    #[arg(long, value_name = "DIR", requires = "org")]
    describe: Option<PathBuf>,
    /// Print {"ok", "problems"} as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Outcome {
    let reading = if args.org.is_some() && args.describe.is_none() {
        Reading::Full
    } else {
        Reading::WithoutSecrets
    };
    let settings = match load(&args.config, reading) {
        Ok(settings) => settings,
        Err(problems) => return report(args, &problems.0, ""),
    };
    let Some(name) = &args.org else {
        return report(args, &[], &summary(&settings));
    };
    let tenant = TenantName::new(name)
        .ok()
        .and_then(|name| settings.tenants.get(&name))
        .ok_or_else(|| {
            let known = settings
                .tenants
                .keys()
                .map(TenantName::as_str)
                .collect::<Vec<_>>()
                .join(", ");
            Failure::wrong(format!(
                "there is no tenant '{name}' in {}; there are: {known}",
                args.config.display()
            ))
        })?;
    let problems = against_org(args, &settings, tenant)?;
    report(
        args,
        &problems,
        &format!("the org of {name} fits {} objects", tenant.plan.objects.len()),
    )
}

fn against_org(args: &Args, settings: &Settings, tenant: &Tenant) -> Result<Vec<Problem>, Failure> {
    let mut problems = Vec::new();
    for object in &tenant.plan.objects {
        let body = match &args.describe {
            Some(dir) => {
                let path = dir.join(format!("{}.json", object.sobject));
                std::fs::read(&path)
                    .map_err(|why| Failure::failed(format!("{} cannot be read: {why}", path.display())))?
            }
            None => runtime()?
                .block_on(app::describe(settings, tenant, object.sobject.clone()))
                .map_err(|error| Failure::failed(error.to_string()))?
                .to_vec(),
        };
        let describe = Describe::parse(&object.sobject, &body).map_err(|error| Failure::failed(error.to_string()))?;
        let parent = |name: &str| tenant.plan.object(name).map(|parent| parent.sobject.as_ref());
        let found = check_describe(object, &describe, parent);
        problems.extend(found.into_iter().map(|mismatch| located(settings, &mismatch)));
    }
    Ok(problems)
}

/// Puts the file and line of the mapping to what was found in the org.
fn located(settings: &Settings, found: &Mismatch) -> Problem {
    let file = settings.mapping.objects.get(&found.object);
    let field = found.field.as_deref().unwrap_or_default();
    let place = file.map(|file| file.fields.get(field).map_or(&file.place, |field| &field.place));
    let unknown = Place::File {
        file: "?".into(),
        line: 0,
    };
    let name = if field.is_empty() {
        found.object.clone()
    } else {
        format!("{}.{field}", found.object)
    };
    Problem::name(
        place.unwrap_or(&unknown),
        &name,
        format!("{} {}", found.salesforce, found.what),
    )
}

fn summary(settings: &Settings) -> String {
    let objects = settings.mapping.objects.len();
    let fields: usize = settings.mapping.objects.values().map(|file| file.fields.len()).sum();
    format!(
        "{objects} objects, {fields} fields, {} tenants: nothing wrong",
        settings.tenants.len()
    )
}

fn report(args: &Args, problems: &[Problem], fine: &str) -> Outcome {
    if args.json {
        let listed: Vec<_> = problems.iter().map(as_json).collect();
        println!("{}", json!({"ok": problems.is_empty(), "problems": listed}));
    } else if problems.is_empty() {
        println!("{fine}");
    } else {
        for problem in problems {
            println!("{problem}");
        }
    }
    match problems.len() {
        0 => Ok(()),
        _ if args.json => Err(Failure::failed("")),
        1 => Err(Failure::failed("1 problem found")),
        n => Err(Failure::failed(format!("{n} problems found"))),
    }
}

fn as_json(problem: &Problem) -> serde_json::Value {
    let (file, line) = match &problem.place {
        Place::File { file, line } => (Some(file.to_string()), Some(*line)),
        Place::Environment(_) => (None, None),
    };
    let variable = match &problem.place {
        Place::Environment(name) => Some(name),
        Place::File { .. } => None,
    };
    json!({
        "file": file, "line": line, "variable": variable, "name": problem.name, "value": problem.value,
        "message": problem.allowed,
    })
}
