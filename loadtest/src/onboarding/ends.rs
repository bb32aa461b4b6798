//! One tenant's part: what it begins with on both sides, and what both sides hold at the end.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value as Json};

use super::judge::{Ends, Known, Record};
use super::people::Person;
use crate::error::LoadError;
use crate::mixed::{Seat, World};
use crate::shape::{Object, id15};
use crate::value::Value;

/// The field that holds the product's key.
const KEY: &str = "Tandem_Key__c";
/// Keys that the engine may use for rows of its own.
const RESERVED: &str = "tandem";

/// One tenant's people and where they are.
pub(super) struct Plot {
    pub(super) object: usize,
    pub(super) people: Vec<Person>,
    /// The person of each row, by key.
    pub(super) rows: HashMap<String, usize>,
    /// The person of each record and which of the person's it is, by Salesforce id (15 characters).
    records: HashMap<String, (usize, usize)>,
    pub(super) touched: HashMap<String, (usize, Value)>,
}

impl Plot {
    pub(super) fn new(object: usize, people: Vec<Person>) -> Self {
        Self {
            object,
            people,
            rows: HashMap::new(),
            records: HashMap::new(),
            touched: HashMap::new(),
        }
    }

    /// Puts the people's records into the org, before anybody listens.
    pub(super) async fn load(&mut self, world: &World, org: &str, rows_a_load: usize) -> Result<(), LoadError> {
        let Some(object) = world.shapes.objects.get(self.object) else {
            return Ok(());
        };
        let places = self.people.iter().enumerate();
        let places: Vec<(usize, usize)> = places
            .flat_map(|(at, person)| (0..person.records.len()).map(move |which| (at, which)))
            .collect();
        for places in places.chunks(rows_a_load) {
            let row = |(at, which): &(usize, usize)| {
                let values = self.people.get(*at).and_then(|person| person.records.get(*which));
                Json::Object(values.map(|values| in_salesforce(object, values)).unwrap_or_default())
            };
            let rows: Vec<Json> = places.iter().map(row).collect();
            let ids = world.admin.load(org, &object.salesforce, &rows).await?;
            let ids = ids.iter().map(|id| id15(id).to_owned());
            self.records.extend(ids.zip(places.iter().copied()));
        }
        Ok(())
    }

    /// What the judge has to know.
    pub(super) fn known(&self, seat: &Seat) -> Known<'_> {
        let product = seat.tenant.lock();
        let key = |record: &usize| product.records.get(*record).map(|history| history.key.clone());
        Known {
            people: &self.people,
            rows: self.rows.clone(),
            records: self.records.clone(),
            touched: self.touched.clone(),
            creates: product.identity.creates.iter().filter_map(key).collect(),
            asked: product.identity.asked.iter().filter_map(key).collect::<HashSet<_>>(),
        }
    }

    /// Both sides as they are.
    pub(super) async fn ends(&self, world: &World, org: &str, object: &Object, seat: &Seat) -> Result<Ends, LoadError> {
        let names = object.fields.iter().map(|field| field.salesforce.as_str());
        let columns: Vec<&str> = ["Id", KEY].into_iter().chain(names).collect();
        let mut ends = Ends::default();
        let parents = HashMap::new();
        for row in world.admin.columns(org, &object.salesforce, &columns).await? {
            let text = |name: &str| row.get(name).and_then(Json::as_str).unwrap_or_default();
            if text(KEY).starts_with(RESERVED) {
                continue;
            }
            let value = |field: &crate::shape::Field| {
                let value = row.get(&field.salesforce).unwrap_or(&Json::Null);
                world.shapes.from_salesforce(field, value, &parents)
            };
            ends.records.push(Record {
                id: id15(text("Id")).to_owned(),
                key: text(KEY).to_owned(),
                values: object.fields.iter().map(value).collect(),
            });
        }
        let product = seat.tenant.lock();
        let rows = product.records.iter();
        ends.rows = rows
            .filter_map(|history| Some((history.key.clone(), history.product_row.clone()?)))
            .collect();
        Ok(ends)
    }
}

/// Ids of the org's records that have no key.
pub(super) async fn keyless(world: &World, org: &str, object: &Object) -> Result<Vec<String>, LoadError> {
    let rows = world.admin.columns(org, &object.salesforce, &["Id", KEY]).await?;
    let keyless = rows.iter().filter(|row| row.get(KEY).is_none_or(Json::is_null));
    Ok(keyless
        .filter_map(|row| row.get("Id").and_then(Json::as_str))
        .map(str::to_owned)
        .collect())
}

fn in_salesforce(object: &Object, values: &[Value]) -> Map<String, Json> {
    let named = object.fields.iter().zip(values).filter(|(_, value)| !value.is_empty());
    named
        .map(|(field, value)| (field.salesforce.clone(), field.to_salesforce(value)))
        .collect()
}
