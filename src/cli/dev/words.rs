//! What is told when the stack runs: for people, for programs, for a shell.

use std::path::Path;

use serde_json::{Value, json};

use super::TENANTS;
use super::org::{Org, Ready};

/// The addresses of a running stack.
pub(super) struct Words<'a> {
    pub(super) redis_url: &'a str,
    pub(super) redis_pid: u32,
    pub(super) http_url: &'a str,
    pub(super) engine_pid: u32,
    pub(super) orgsim_pid: u32,
    pub(super) state_dir: &'a Path,
    pub(super) orgs: &'a Ready,
}

impl Words<'_> {
    /// One line for programs.
    pub(super) fn json(&self) -> Value {
        let orgs: Vec<Value> = self
            .orgs
            .orgs
            .iter()
            .map(|org| {
                json!({
                    "tenant": org.name, "org_id": org.org_id, "login_url": org.login_url,
                    "instance_url": org.instance_url, "pubsub": self.orgs.pubsub, "client_id": org.client_id,
                    "client_secret": org.client_secret, "username": org.username, "password": org.password,
                    "access_token": org.access_token, "admin": self.orgs.admin,
                })
            })
            .collect();
        json!({
            "redis_url": self.redis_url,
            "http_url": self.http_url,
            "state_dir": self.state_dir.display().to_string(),
            "pids": {"engine": [self.engine_pid], "redis": self.redis_pid, "orgsim": self.orgsim_pid},
            "tenants": TENANTS,
            "orgs": orgs,
        })
    }

    /// Variables for a shell: the commands of the README use them.
    pub(super) fn shell(&self) -> String {
        let mut text = format!(
            "# Written by `tandem dev`. In another terminal: . {}\n",
            self.state_dir.join("env").display()
        );
        let mut set = |name: &str, value: &str| text.push_str(&format!("export {name}={}\n", shell_quoted(value)));
        set("REDIS_URL", self.redis_url);
        set("TANDEM_URL", self.http_url);
        set("ORG_ADMIN", &self.orgs.admin);
        if let Some(org) = self.first() {
            set("ORG_URL", &org.instance_url);
            set("ORG_TOKEN", &org.access_token);
        }
        text
    }

    fn first(&self) -> Option<&Org> {
        self.orgs.orgs.iter().find(|org| org.name == TENANTS[0])
    }

    /// What to type next, ready to paste.
    pub(super) fn text(&self) -> String {
        let Some(org) = self.first() else { return String::new() };
        let (tenant, redis, admin) = (TENANTS[0], self.redis_url, &self.orgs.admin);
        let (url, token) = (&org.instance_url, &org.access_token);
        format!(
            r#"
Tandem runs: an engine, a Redis and two simulated Salesforce orgs ({tenants}). Ctrl-C ends all of it.
Paste these into a second terminal.

1. Change something in the product: append it to the tenant's stream.

   redis-cli -u {redis} XADD 'tandem:{{{tenant}}}:changes' '*' object contact key 42 op upsert data '{{"email":"ada@example.org","first_name":"Ada","last_name":"Lovelace"}}'

2. Look at it in Salesforce, through the org's own REST API, with SOQL.

   curl -sG {url}/services/data/v67.0/query -H 'Authorization: Bearer {token}' --data-urlencode "q=SELECT Id, FirstName, LastName, Email FROM Contact WHERE Tandem_Key__c = '42'"

3. Change it in Salesforce, as a person there would.

   curl -s {admin}/orgs/{tenant}/edit -d '{{"entity":"Contact","op":"update","key":"42","fields":{{"FirstName":"Augusta Ada"}},"as":"human"}}' -H 'Content-Type: application/json'

4. Read what happened, in the product: one stream for all tenants.

   redis-cli -u {redis} XRANGE 'tandem:events:{{0}}' - +
   redis-cli -u {redis} XREAD BLOCK 0 STREAMS 'tandem:events:{{0}}' '$'      # waits for what comes next

How the tenants are:   tandem status --url {http}
Variables for a shell: . {state}/env
Logs:                  {state}/logs/
"#,
            tenants = TENANTS.join(", "),
            http = self.http_url,
            state = self.state_dir.display(),
        )
    }
}

/// A word that a shell takes as it is.
fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
