//! Reads both ends of a tenant into the history, after the run has come to rest.

use std::collections::{BTreeSet, HashMap};

use futures::{StreamExt, stream};
use serde_json::Value as Json;

use super::admin::{Admin, OrgInfo};
use crate::error::LoadError;
use crate::history::{Commit, CommitKind, Fields, RecordHistory, TenantHistory};
use crate::shape::{Object, Shapes, id15};
use crate::value::Value;

/// The platform's field that holds the product's key.
const KEY: &str = "Tandem_Key__c";
/// Keys that the engine may use for rows of its own, such as the one that proves the fence.
const RESERVED: &str = "tandem";
/// The field that holds the sequence.
const SEQ: &str = "Tandem_Seq__c";
/// The admin port keeps so many commits of a row; older ones are gone.
const HISTORY_KEPT: usize = 1_000;
/// Histories fetched at the same time.
const FETCHES: usize = 8;

/// Fills rows and commits of every record of a tenant, and counts live rows without a key.
///
/// # Errors
/// When the org does not answer.
pub async fn collect(
    admin: &Admin,
    org: &OrgInfo,
    shapes: &Shapes,
    tenant: &mut TenantHistory,
) -> Result<(), LoadError> {
    let parents = parents(admin, org, shapes).await?;
    let places: HashMap<(usize, String), usize> = tenant
        .records
        .iter()
        .enumerate()
        .map(|(at, record)| ((record.object, record.key.clone()), at))
        .collect();
    for (at, object) in shapes.objects.iter().enumerate() {
        for row in admin.records(&org.name, &object.salesforce, false).await? {
            if row.get("IsDeleted").and_then(Json::as_bool) == Some(true) {
                continue;
            }
            let key = row.get(KEY).and_then(Json::as_str).unwrap_or_default();
            let place = places.get(&(at, key.to_owned())).copied();
            match place.and_then(|place| tenant.records.get_mut(place)) {
                Some(record) => record.org_rows.push(read_row(shapes, object, &row, &parents)),
                None if key.is_empty() && object.matching.is_empty() => tenant.unkeyed_rows += 1,
                None if key.is_empty() => tenant.unasked_rows += 1,
                None if key.starts_with(RESERVED) => {}
                None => tenant.unknown_keys += 1,
            }
        }
    }
    // A record can be deleted before the key of the row that was made for it is written to it.
    let mut ids: HashMap<usize, Vec<&str>> = HashMap::new();
    for (id, records) in &tenant.named_ids {
        for record in records {
            ids.entry(*record).or_default().push(id);
        }
    }
    let wanted: Vec<(usize, String, String, Vec<&str>)> = tenant
        .records
        .iter()
        .enumerate()
        .filter_map(|(at, record)| {
            let entity = shapes.objects.get(record.object)?.salesforce.clone();
            Some((at, entity, record.key.clone(), ids.remove(&at).unwrap_or_default()))
        })
        .collect();
    let mut histories = stream::iter(wanted)
        .map(|(at, entity, key, ids)| async move { (at, admin.history(&org.name, &entity, &key, &ids).await) })
        .buffer_unordered(FETCHES);
    while let Some((at, commits)) = histories.next().await {
        let commits = commits?;
        let Some(record) = tenant.records.get_mut(at) else {
            continue;
        };
        let Some(object) = shapes.objects.get(record.object) else {
            continue;
        };
        record.commits_cut = commits.len() >= HISTORY_KEPT;
        record.commits = commits
            .iter()
            .map(|commit| read_commit(shapes, object, commit, org, &parents))
            .collect();
        clean_commits(record, object.fields.len());
    }
    Ok(())
}

/// Salesforce ids of all rows that others may refer to, with their keys.
async fn parents(admin: &Admin, org: &OrgInfo, shapes: &Shapes) -> Result<HashMap<String, String>, LoadError> {
    let fields = shapes.objects.iter().flat_map(|object| &object.fields);
    let wanted: BTreeSet<usize> = fields
        .filter_map(|field| match field.kind {
            crate::value::Kind::Reference(parent) => Some(parent),
            _ => None,
        })
        .collect();
    let mut known = HashMap::new();
    for object in wanted.into_iter().filter_map(|at| shapes.objects.get(at)) {
        for deleted in [true, false] {
            for row in admin.records(&org.name, &object.salesforce, deleted).await? {
                let text = |name: &str| row.get(name).and_then(Json::as_str);
                if let (Some(id), Some(key)) = (text("Id"), text(KEY)) {
                    known.insert(id15(id).to_owned(), key.to_owned());
                }
            }
        }
    }
    Ok(known)
}

fn read_row(shapes: &Shapes, object: &Object, row: &Json, parents: &HashMap<String, String>) -> Vec<Value> {
    let nothing = Json::Null;
    let value = |name: &str| row.get(name).unwrap_or(&nothing);
    object
        .fields
        .iter()
        .map(|field| shapes.from_salesforce(field, value(&field.salesforce), parents))
        .collect()
}

fn read_commit(
    shapes: &Shapes,
    object: &Object,
    commit: &Json,
    org: &OrgInfo,
    parents: &HashMap<String, String>,
) -> Commit {
    let text = |name: &str| commit.get(name).and_then(Json::as_str).unwrap_or_default();
    let user = text("user");
    let engine = user == "integration" || id15(user) == id15(&org.user_id) || user == org.username;
    let kind = match text("kind").to_ascii_lowercase().as_str() {
        "create" | "insert" => CommitKind::Create,
        "delete" => CommitKind::Delete,
        "undelete" => CommitKind::Undelete,
        _ => CommitKind::Update,
    };
    let changed = commit.get("changed").and_then(Json::as_object);
    let fields: Fields = changed
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| {
            let at = object.salesforce_field(name)?;
            Some((at as u8, shapes.from_salesforce(object.fields.get(at)?, value, parents)))
        })
        .collect();
    let seq = changed
        .and_then(|changed| changed.get(SEQ))
        .and_then(Json::as_f64)
        .map(|seq| seq as u64);
    Commit {
        engine,
        kind,
        fields,
        seq,
    }
}

/// Leaves in each commit only what it truly changed, where the whole history is known.
pub fn clean_commits(record: &mut RecordHistory, width: usize) {
    if record.commits_cut {
        return;
    }
    let mut row = vec![Value::default(); width];
    for commit in &mut record.commits {
        if commit.kind == CommitKind::Create {
            row = vec![Value::default(); width];
        }
        commit.fields.retain(|(at, value)| match row.get_mut(usize::from(*at)) {
            Some(place) if place == value => false,
            Some(place) => {
                place.clone_from(value);
                true
            }
            None => false,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn commits_are_read_in_the_products_terms_and_lose_what_they_did_not_change() {
        let shapes = crate::shape::tests::shapes();
        let object = &shapes.objects[1];
        let org = OrgInfo {
            user_id: "005000000000001AAA".to_owned(),
            ..OrgInfo::default()
        };
        let parents = HashMap::new();
        let read = |commit: Json| read_commit(&shapes, object, &commit, &org, &parents);
        let made = read(json!({"user": "005000000000001", "kind": "CREATE",
            "changed": {"LastName": "A", "Status__c": "Former", "Tandem_Seq__c": 7.0, "OwnerId": "x", "Email": null}}));
        let touched = read(json!({"user": "005000000000002", "kind": "update", "changed": {"LastName": "A"}}));
        assert!(made.engine && !touched.engine);
        assert_eq!((made.kind, made.seq), (CommitKind::Create, Some(7)));
        let mut record = RecordHistory {
            object: 1,
            commits: vec![made, touched],
            ..RecordHistory::default()
        };
        clean_commits(&mut record, object.fields.len());
        let at = |name: &str| object.field(name).expect(name) as u8;
        let mut fields = record.commits[0].fields.clone();
        fields.sort();
        let mut expected = vec![
            (at("last_name"), Value::from("A")),
            (at("status"), Value::from("churned")),
        ];
        expected.sort();
        assert_eq!(fields, expected);
        assert!(record.commits[1].fields.is_empty());
    }
}
