//! A fake org directory and the commits of its rows.

use std::sync::{Arc, Mutex};

use orgsim::commit::{ChangeKind, Commit, RowChange};
use orgsim::directory::{Directory, EntityField, EntitySchema};
use orgsim::org::Row;
use serde_json::{Value, json};

pub(crate) const ORG: &str = "00D000000000001AAA";
pub(crate) const TOKEN: &str = "00D000000000001!token";
pub(crate) const OTHER_ORG: &str = "00D000000000009AAA";
pub(crate) const OTHER_TOKEN: &str = "00D000000000009!token";
/// 2024-04-26T22:21:42Z, the commit time of the guide's examples.
pub(crate) const COMMIT_MS: i64 = 1_714_170_102_000;

/// Two orgs with Contact, Account and Visit__c, all captured, and Task, which is not.
pub(crate) struct Orgs {
    pub(crate) entities: Mutex<Vec<EntitySchema>>,
}

impl Orgs {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            entities: Mutex::new(vec![contact(), account(), visit(), task()]),
        })
    }
}

impl Directory for Orgs {
    fn authorise(&self, org_id: &str, token: &str) -> Option<String> {
        [(ORG, TOKEN), (OTHER_ORG, OTHER_TOKEN)]
            .into_iter()
            .find(|(id, live)| id.starts_with(org_id) && org_id.len() >= 15 && token == *live)
            .map(|(id, _)| id.to_owned())
    }

    fn entity(&self, _: &str, entity: &str) -> Option<EntitySchema> {
        let entities = self.entities.lock().unwrap();
        let known = entities.iter().find(|known| known.name == entity)?;
        Some(known.clone())
    }

    fn captured(&self, _: &str) -> Vec<String> {
        ["Contact", "Account", "Visit__c"].map(str::to_owned).to_vec()
    }
}

/// `name type [compound]`, one a line; custom fields get an id.
pub(crate) fn entity(name: &str, lines: &str) -> EntitySchema {
    let fields = lines
        .lines()
        .filter(|line| !line.trim().is_empty())
        .enumerate()
        .map(|(index, line)| {
            let mut words = line.split_whitespace();
            let field = words.next().unwrap();
            EntityField {
                name: field.to_owned(),
                sf_type: words.next().unwrap().to_owned(),
                custom_field_id: field.ends_with("__c").then(|| format!("00N0000000000{index:02}AAA")),
                compound: words.next().map(str::to_owned),
                place: index,
            }
        })
        .collect();
    EntitySchema {
        name: name.to_owned(),
        fields,
    }
}

/// A describe's order: parts before their compound field.
pub(crate) fn contact() -> EntitySchema {
    entity(
        "Contact",
        "Id id
         IsDeleted boolean
         AccountId reference
         LastName string Name
         FirstName string Name
         Salutation picklist Name
         Name string
         OtherStreet textarea OtherAddress
         OtherCity string OtherAddress
         OtherAddress address
         MailingStreet textarea MailingAddress
         MailingCity string MailingAddress
         MailingState string MailingAddress
         MailingPostalCode string MailingAddress
         MailingCountry string MailingAddress
         MailingLatitude double MailingAddress
         MailingLongitude double MailingAddress
         MailingGeocodeAccuracy picklist MailingAddress
         MailingAddress address
         Phone phone
         Email email
         Birthdate date
         Description textarea
         HasOptedOutOfEmail boolean
         OwnerId reference
         CreatedDate datetime
         CreatedById reference
         LastModifiedDate datetime
         LastModifiedById reference
         SystemModstamp datetime
         Tandem_Key__c string
         Tandem_Seq__c double
         Status__c picklist",
    )
}

pub(crate) fn account() -> EntitySchema {
    entity(
        "Account",
        "Id id
         IsDeleted boolean
         Name string
         BillingStreet textarea BillingAddress
         BillingCity string BillingAddress
         BillingStateCode picklist BillingAddress
         BillingCountryCode picklist BillingAddress
         BillingAddress address
         Website url
         AnnualRevenue currency
         NumberOfEmployees int
         LastModifiedDate datetime
         IsPersonAccount boolean
         Tandem_Key__c string",
    )
}

pub(crate) fn visit() -> EntitySchema {
    entity(
        "Visit__c",
        "Id id
         Name string
         CreatedDate datetime
         LastModifiedDate datetime
         Place__Latitude__s double Place__c
         Place__Longitude__s double Place__c
         Place__c location
         At__c time
         Levels__c multipicklist
         Rate__c percent
         Secret__c encryptedstring",
    )
}

fn task() -> EntitySchema {
    entity("Task", "Id id\nSubject string")
}

/// A commit of these changes with number `number`.
pub(crate) fn commit(number: i64, changes: Vec<RowChange>) -> Commit {
    Commit {
        org_id: ORG.to_owned(),
        transaction_key: format!("00065380-d1a9-a64a-9341-{number:012x}"),
        commit_ms: COMMIT_MS,
        commit_number: number,
        commit_user: "005000000000001AAA".to_owned(),
        change_origin: "com/salesforce/api/rest/67.0;client=tandem".to_owned(),
        changes,
    }
}

/// None without a field.
fn row(entity: &EntitySchema, value: &Value) -> Option<Arc<Row>> {
    let members = value.as_object().filter(|members| !members.is_empty())?;
    Some(Arc::new(entity.row(members).unwrap()))
}

pub(crate) fn change(entity: &str, id: &str, kind: ChangeKind, before: Value, after: Value) -> RowChange {
    let known = [contact(), account(), visit(), task()];
    let schema = known.iter().find(|known| known.name == entity).unwrap();
    RowChange {
        entity: entity.into(),
        id: id.into(),
        kind,
        before: row(schema, &before),
        after: row(schema, &after),
    }
}

/// The `number`-th contact comes into being.
pub(crate) fn created(number: u32) -> RowChange {
    let row = json!({"Id": id(number), "LastName": format!("Person {number}"), "Tandem_Key__c": format!("k{number}")});
    change("Contact", &id(number), ChangeKind::Create, json!({}), row)
}

/// 18-character id of the `number`-th contact.
pub(crate) fn id(number: u32) -> String {
    format!("003{number:012}AAA")
}
