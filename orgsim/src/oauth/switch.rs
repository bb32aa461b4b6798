//! Refusals on purpose: rules that strike the OAuth and SOAP endpoints by chance.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::refusal::Refusal;
use crate::org::Stream;

/// Where a rule strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum At {
    /// The token endpoint.
    Token,
    /// The authorize endpoint, when the user says yes: the refusal arrives at the redirect URI.
    Authorize,
    /// The SOAP login.
    Soap,
    /// The revoke endpoint.
    Revoke,
}

/// One rule of `POST /orgs/{org}/oauth-faults`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OAuthFaultRule)]
pub(crate) struct Rule {
    /// Where.
    pub(crate) at: At,
    /// Only this `grant_type` of the token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) grant: Option<String>,
    /// The row of the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<Refusal>,
    /// HTTP status; 400 when missing, 503 where there is no refusal either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// Body instead of the refusal's; a page of HTML where there is no refusal either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
    /// Chance in percent; 100 when missing.
    #[serde(default = "always")]
    pub(crate) percent: f64,
    /// How often it strikes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) times: Option<u64>,
}

fn always() -> f64 {
    100.0
}

/// The rules of one org and how often each struck.
#[derive(Debug)]
pub(crate) struct Switches {
    rules: Vec<(Rule, u64)>,
    dice: Stream,
}

impl Switches {
    /// No rules.
    #[must_use]
    pub(crate) fn new(dice: Stream) -> Self {
        Self {
            rules: Vec::new(),
            dice,
        }
    }

    /// Replaces all rules.
    pub(crate) fn set(&mut self, rules: Vec<Rule>) {
        self.rules = rules.into_iter().map(|r| (r, 0)).collect();
    }

    /// The first rule that strikes a request; `grant` is its grant type, where it has one.
    pub(crate) fn strike(&mut self, at: At, grant: Option<&str>) -> Option<Rule> {
        for (rule, struck) in &mut self.rules {
            let meant = rule.at == at && rule.grant.as_deref().is_none_or(|g| Some(g) == grant);
            if meant && rule.times.is_none_or(|n| *struck < n) && self.dice.happens(rule.percent) {
                *struck += 1;
                return Some(rule.clone());
            }
        }
        None
    }

    /// The rules and how often each struck.
    #[must_use]
    pub(crate) fn report(&self) -> Value {
        let rules: Vec<Value> = self
            .rules
            .iter()
            .map(|(rule, struck)| {
                let mut value = serde_json::to_value(rule).unwrap_or_default();
                value["struck"] = json!(struck);
                value
            })
            .collect();
        json!({ "rules": rules })
    }
}
