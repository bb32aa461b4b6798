//! `[tenants.NAME]`: one tenant's switches, its org and its overrides of single fields.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretString;
use tandem_core::domain::ids::TenantName;
use tandem_core::domain::salesforce_id::SalesforceId;

use super::address::{SHARED_LOGIN_HOSTS, check_org_url, host_of};
use super::mapping::{Mapping, Overrides};
use super::model::{Changes, Fence, Flow, Org, Tenant};
use super::problem::Problem;
use super::reader::{Report, Section};
use super::secret::{Asked, Vault};
use super::sections::any;

/// Reads all tenants.
pub(super) fn tenants(
    report: &Report,
    mut section: Section<'_>,
    mapping: &Mapping,
    allow_hosts: &[String],
    vault: &Vault<'_>,
) -> BTreeMap<TenantName, Tenant> {
    let mut tenants = BTreeMap::new();
    for (name, node) in section.chosen() {
        match TenantName::new(name) {
            Ok(tenant) => {
                let read = tenant_of(report, &tenant, section.entry(name, node), mapping, allow_hosts, vault);
                tenants.insert(tenant, read);
            }
            Err(why) => report.add(Problem::name(&node.place, &format!("tenants.{name}"), why.to_string())),
        }
    }
    tenants
}

fn tenant_of(
    report: &Report,
    name: &TenantName,
    mut section: Section<'_>,
    mapping: &Mapping,
    allow_hosts: &[String],
    vault: &Vault<'_>,
) -> Tenant {
    let enabled = section.boolean("enabled", true);
    let fence = section
        .choice("fence", "strict", &[("strict", Fence::Strict), ("soft", Fence::Soft)])
        .unwrap_or(Fence::Strict);
    let receipts = section.boolean("receipts", false);
    let polls = section.choice("changes", "events", &[("events", false), ("poll", true)]);
    let every = section.duration("poll_every", "15m", "1m", "24h");
    if polls == Some(true) && fence == Fence::Soft {
        let why = "\"poll\" needs fence = \"strict\": a poll tells by the sequence which of Tandem's writes it shows";
        section.unfit("changes", why);
    }
    let changes = if polls == Some(true) {
        Changes::Poll(every)
    } else {
        Changes::Events
    };
    let chosen = section.list("objects", None);
    let overrides = Overrides::read(report, section.child("fields"), mapping);
    let (plan, problems) = mapping.plan(
        chosen.as_deref(),
        &overrides,
        fence,
        &section.place,
        &format!("tenants.{name}"),
    );
    for problem in problems {
        report.add(problem);
    }
    if !section.has("org") {
        section.missing(
            "org",
            "the tenant's org: a table [tenants.NAME.org] with flow, login_url and client_id",
        );
    }
    let has_org = section.has("org");
    let org = section.child("org");
    let org = if has_org {
        org_of(org, allow_hosts, vault)
    } else {
        nowhere(org)
    };
    section.finish();
    Tenant {
        name: name.clone(),
        enabled,
        fence,
        receipts,
        changes,
        plan: Arc::new(plan),
        org,
    }
}

/// Stands in for an org that is missing; a problem was noted, so it never gets out.
fn nowhere(_: Section<'_>) -> Org {
    Org {
        login_url: String::new(),
        pubsub_url: String::new(),
        org_id: None,
        client_id: String::new(),
        flow: Flow::ClientCredentials {
            client_secret: SecretString::from(String::new()),
        },
    }
}

#[derive(Clone, Copy, PartialEq)]
enum FlowName {
    ClientCredentials,
    Jwt,
}

fn org_of(mut section: Section<'_>, allow_hosts: &[String], vault: &Vault<'_>) -> Org {
    let words = [
        ("client_credentials", FlowName::ClientCredentials),
        ("jwt", FlowName::Jwt),
    ];
    if !section.has("flow") {
        section.missing("flow", "how tokens are got, \"client_credentials\" or \"jwt\"");
    }
    let flow = section
        .choice("flow", "", &words)
        .unwrap_or(FlowName::ClientCredentials);
    let login_what = "where tokens come from, e.g. \"https://acme.my.salesforce.com\"";
    let login_url = section.required("login_url", login_what, |text| {
        check_org_url(text, allow_hosts)?;
        let shared = host_of(text).is_some_and(|host| SHARED_LOGIN_HOSTS.contains(&host.as_str()));
        if shared && flow == FlowName::ClientCredentials {
            return Err(
                "client_credentials work only on the org's own host: https://MYDOMAIN.my.salesforce.com".to_owned(),
            );
        }
        Ok(())
    });
    let pubsub_url = section.text("pubsub_url", "https://api.pubsub.salesforce.com:7443", |text| {
        check_org_url(text, allow_hosts)
    });
    let org_id = section.optional("org_id", |text| match SalesforceId::parse(text) {
        Ok(id) if id.key_prefix() == "00D" => Ok(()),
        Ok(_) => Err("is no organisation id: those begin with 00D".to_owned()),
        Err(why) => Err(why.to_string()),
    });
    let client_id = section.required("client_id", "the consumer key of the app in the org", |text| {
        if text.trim().is_empty() {
            Err("must not be empty".to_owned())
        } else {
            Ok(())
        }
    });
    let flow = flow_of(&mut section, flow, allow_hosts, vault);
    section.finish();
    Org {
        login_url,
        pubsub_url,
        org_id: org_id.and_then(|text| SalesforceId::parse(&text).ok()),
        client_id,
        flow,
    }
}

const SECRET: Asked<'static> = Asked {
    inline: "client_secret",
    file: "client_secret_file",
    variable: Some("client_secret_env"),
    what: "the client secret",
};
const PRIVATE_KEY: Asked<'static> = Asked {
    inline: "private_key",
    file: "private_key_file",
    variable: None,
    what: "the private key",
};

/// Reads what the flow needs and refuses what only the other one does: a setting without effect misleads.
fn flow_of(section: &mut Section<'_>, flow: FlowName, allow_hosts: &[String], vault: &Vault<'_>) -> Flow {
    let empty = || SecretString::from(String::new());
    match flow {
        FlowName::ClientCredentials => {
            foreign(
                section,
                &["username", "private_key", "private_key_file", "audience"],
                "jwt",
            );
            Flow::ClientCredentials {
                client_secret: vault.secret(section, &SECRET, true).unwrap_or_else(empty),
            }
        }
        FlowName::Jwt => {
            foreign(
                section,
                &["client_secret", "client_secret_file", "client_secret_env"],
                "client_credentials",
            );
            Flow::Jwt {
                username: section.required("username", "the user that the app acts as", any),
                private_key: vault.secret(section, &PRIVATE_KEY, true).unwrap_or_else(empty),
                audience: section.text("audience", "https://login.salesforce.com", |text| {
                    check_org_url(text, allow_hosts)
                }),
            }
        }
    }
}

fn foreign(section: &mut Section<'_>, keys: &[&'static str], flow: &str) {
    for key in keys {
        if let Some(node) = section.node(key, None) {
            let why = format!("has a meaning only with flow = \"{flow}\": take it out or change the flow");
            section.wrong_secret(key, &node.place, why);
        }
    }
}
