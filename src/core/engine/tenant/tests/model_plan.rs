//! The mapping of the simulated tenant: one object, one group, both policies.

use std::sync::Arc;

use crate::domain::ids::FieldIdx;
use crate::domain::plan::{Direction, FieldPlan, Kind, MatchPlan, ObjectPlan, Policy, TenantPlan};

pub fn plan() -> Arc<TenantPlan> {
    plan_with(None)
}

pub fn plan_with(matching: Option<MatchPlan>) -> Arc<TenantPlan> {
    let field = |idx: u16, name: &str, salesforce: &str, policy, group| FieldPlan {
        idx: FieldIdx(idx),
        name: name.into(),
        salesforce: salesforce.into(),
        kind: Kind::Text,
        direction: Direction::Both,
        on_conflict: policy,
        personal: false,
        required: false,
        references: None,
        values: Default::default(),
        scale: None,
        group,
    };
    let object = ObjectPlan {
        object: "contact".into(),
        sobject: "Contact".into(),
        external_id: "Tandem_Key__c".into(),
        sequence: Some("Tandem_Seq__c".into()),
        direction: Direction::Both,
        fields: vec![
            field(0, "city", "MailingCity", Policy::Salesforce, Some(0)),
            field(1, "email", "Email", Policy::Product, None),
            field(2, "first_name", "FirstName", Policy::Salesforce, None),
            field(3, "last_name", "LastName", Policy::Salesforce, None),
            field(4, "street", "MailingStreet", Policy::Salesforce, Some(0)),
        ],
        groups: vec![vec![FieldIdx(0), FieldIdx(4)]],
        matching,
        version: 77,
        rank: 0,
    };
    Arc::new(TenantPlan {
        objects: vec![Arc::new(object)],
    })
}

#[rustfmt::skip]
pub const PAIRS: [(&str, &str); 5] = [
    ("city", "MailingCity"),
    ("email", "Email"),
    ("first_name", "FirstName"),
    ("last_name", "LastName"),
    ("street", "MailingStreet"),
];
