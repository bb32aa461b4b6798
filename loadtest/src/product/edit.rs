//! What people do: the product's users here, and the same kind of edits for people in the org.

use serde_json::{Map, Value as Json};

use super::table::Product;
use crate::dice::Dice;
use crate::history::{Fields, Step};
use crate::shape::{Field, Policy, builtin_choices};
use crate::value::{Kind, Mark, Side, normal};

/// Optional fields left or made empty, percent.
const EMPTY_PERCENT: f64 = 3.0;
/// Edits that go to the few records both sides like, percent: there the conflicts are.
const HOT_PERCENT: f64 = 15.0;
/// One record in so many is hot.
const HOT_EVERY: usize = 50;
/// Changes of the product that delete, percent.
const DELETE_PERCENT: f64 = 1.5;
/// Edits in the org that delete, percent.
const ORG_DELETE_PERCENT: f64 = 2.0;
/// Edits in the org that are of a record which people made there, whether it has a key by now or not, percent.
const STRANGER_PERCENT: f64 = 10.0;
/// New records in the org that are of objects whose records the product is asked about, percent.
const ASKED_ABOUT_PERCENT: f64 = 75.0;
/// People in the org edit records that are at least so old, ms: they must have arrived.
const SETTLED_MS: u64 = 3_000;
/// Throws of the dice to find a record that suits.
const TRIES: usize = 20;

/// What may be deleted is a matter of the record's number, so that each rule of life and death is decided by one side:
/// 3 by people in the org or the product, 5 by the product, 7 by the product, which makes some of them again.
/// What people made in the org is of the first kind. No other record refers to these.
fn class(product: &Product, record: usize) -> usize {
    if product.is_taken_in(record) {
        3
    } else {
        (record / super::LANES) % 10
    }
}

fn deletable(product: &Product, record: usize) -> bool {
    matches!(class(product, record), 3 | 5 | 7)
}

/// One edit for people in the org to make.
#[derive(Debug, Clone)]
pub struct OrgEdit {
    /// The record it is for; `None`: a new record without a key, or one that people made before.
    pub record: Option<usize>,
    /// Index of its object.
    pub object: usize,
    /// Salesforce name of the object.
    pub entity: String,
    /// `create`, `update` or `delete`.
    pub op: &'static str,
    /// The record's key, for a record that the product knows by it.
    pub key: Option<String>,
    /// The record's Salesforce id, for one that people made.
    pub id: Option<String>,
    /// Salesforce fields.
    pub fields: Map<String, Json>,
    /// The same in the product's terms.
    pub plain: Fields,
}

/// Chooses edits for one tenant.
#[derive(Debug)]
pub struct Plan {
    dice: Dice,
    tenant: usize,
    records: usize,
    by_object: Vec<Vec<usize>>,
    org_edits: u64,
    /// Records that people made in the org and the product is asked about: object and Salesforce id.
    strangers: Vec<(usize, String)>,
}

impl Plan {
    /// A plan for tenant number `tenant` that grows to `records` records.
    pub fn new(seed: u64, tenant: usize, records: usize, objects: usize) -> Self {
        let dice = Dice::new(seed, tenant as u64 + 1);
        Self {
            dice,
            tenant,
            records,
            by_object: vec![Vec::new(); objects],
            org_edits: 0,
            strangers: Vec::new(),
        }
    }

    /// One change by the product's users.
    pub fn change(&mut self, product: &mut Product, now_ms: u64) {
        let known = product.records.len();
        let grow = known < self.records && (known < 10 || self.dice.chance(30.0));
        let chosen = if grow {
            None
        } else {
            self.choose(known, |record| may_change(product, record))
        };
        match chosen {
            None => self.create(product, now_ms),
            Some(record) => self.change_row(product, record, now_ms),
        }
    }

    fn choose(&mut self, known: usize, suits: impl Fn(usize) -> bool) -> Option<usize> {
        for _ in 0..TRIES {
            let hot = self.dice.chance(HOT_PERCENT);
            let record = self.dice.below(known);
            let record = if hot { record / HOT_EVERY * HOT_EVERY } else { record };
            if record < known && suits(record) {
                return Some(record);
            }
        }
        None
    }

    fn create(&mut self, product: &mut Product, now_ms: u64) {
        // Parents first; then one in five.
        let objects = self.by_object.len();
        let roots = self.by_object.iter().position(|records| records.len() < 2);
        let object = match roots {
            Some(missing) => missing,
            None if self.dice.chance(20.0) => 0,
            None => self.dice.below(objects),
        };
        let Some(name) = product.shapes.objects.get(object).map(|object| object.name.clone()) else {
            return;
        };
        let record = product.make(object, format!("{name}-{}", product.records.len() + 1), now_ms);
        if let Some(records) = self.by_object.get_mut(object) {
            records.push(record);
        }
        self.fill(product, record, now_ms);
    }

    /// Gives a record a row with all of its fields.
    fn fill(&mut self, product: &mut Product, record: usize, now_ms: u64) {
        let mark = Mark {
            tenant: self.tenant,
            side: Side::Product,
            number: product.edit_number(),
        };
        let Some(object) = product.records.get(record).map(|history| history.object) else {
            return;
        };
        let shapes = product.shapes.clone();
        let Some(shape) = shapes.objects.get(object) else {
            return;
        };
        let mut data = Map::new();
        for field in &shape.fields {
            let empty = may_be_empty(field) && self.dice.chance(EMPTY_PERCENT);
            let value = if empty {
                Json::Null
            } else {
                self.value(product, field, mark)
            };
            data.insert(field.name.clone(), value);
        }
        product.upsert(record, &data, now_ms);
    }

    fn change_row(&mut self, product: &mut Product, record: usize, now_ms: u64) {
        let Some(history) = product.records.get(record) else {
            return;
        };
        if history.product_row.is_none() {
            return self.fill(product, record, now_ms);
        }
        if deletable(product, record) && self.dice.chance(DELETE_PERCENT * 10.0 / 3.0) {
            return product.delete(record, now_ms);
        }
        let object = history.object;
        let mark = Mark {
            tenant: self.tenant,
            side: Side::Product,
            number: product.edit_number(),
        };
        let data = self.some_fields(product, object, mark);
        product.upsert(record, &data, now_ms);
    }

    /// One or two fields (or groups) with new values, in the product's terms.
    fn some_fields(&mut self, product: &Product, object: usize, mark: Mark) -> Map<String, Json> {
        let shapes = product.shapes.clone();
        let mut data = Map::new();
        let Some(shape) = shapes.objects.get(object) else {
            return data;
        };
        for _ in 0..=usize::from(self.dice.chance(30.0)) {
            let at = self.dice.below(shape.fields.len());
            let Some(field) = shape.fields.get(at) else { continue };
            let members = field
                .group
                .and_then(|group| shape.groups.get(group))
                .cloned()
                .unwrap_or_else(|| vec![at]);
            let empty = may_be_empty(field) && self.dice.chance(EMPTY_PERCENT);
            for member in members.iter().filter_map(|&member| shape.fields.get(member)) {
                let value = if empty {
                    Json::Null
                } else {
                    self.value(product, member, mark)
                };
                data.insert(member.name.clone(), value);
            }
        }
        data
    }

    fn value(&mut self, product: &Product, field: &Field, mark: Mark) -> Json {
        let text = mark.text();
        match field.kind {
            Kind::Number => {
                let whole = mark.number * 2 + u64::from(mark.side == Side::Org);
                Json::from(whole as f64 / 4.0)
            }
            Kind::Date => Json::from(format!(
                "2027-{:02}-{:02}",
                1 + self.dice.below(12),
                1 + self.dice.below(28)
            )),
            Kind::Choice => {
                let ours: Vec<&str> = field.values.iter().map(|(ours, _)| ours.as_str()).collect();
                let choices = if ours.is_empty() {
                    builtin_choices(&field.salesforce).unwrap_or(&[])
                } else {
                    &ours
                };
                self.dice.pick(choices).map_or(Json::Null, |choice| Json::from(*choice))
            }
            Kind::Reference(parent) => self.parent(product, parent),
            Kind::Text => Json::from(match field.name.as_str() {
                name if name.contains("email") => format!("{text}@example.org"),
                name if name.contains("website") => format!("https://{text}.example.org"),
                name => format!("{} {text}", name.get(..1).unwrap_or("x").to_uppercase()),
            }),
        }
    }

    /// The key of a parent that nobody deletes.
    fn parent(&mut self, product: &Product, object: usize) -> Json {
        let Some(parents) = self.by_object.get(object) else {
            return Json::Null;
        };
        for _ in 0..TRIES {
            let Some(&record) = self.dice.pick(parents) else {
                return Json::Null;
            };
            if !deletable(product, record) {
                return product
                    .records
                    .get(record)
                    .map_or(Json::Null, |history| Json::from(history.key.clone()));
            }
        }
        Json::Null
    }

    /// One edit by people in the org: a new record without a key, or one of the records that have arrived; `None` when
    /// no record suits at present.
    pub fn org_edit(&mut self, product: &Product, now_ms: u64, create: bool) -> Option<OrgEdit> {
        self.org_edits += 1;
        let mark = Mark {
            tenant: self.tenant,
            side: Side::Org,
            number: self.org_edits,
        };
        if create {
            return self.org_create(product, mark);
        }
        let delete = self.dice.chance(ORG_DELETE_PERCENT);
        if self.dice.chance(STRANGER_PERCENT)
            && let Some((object, id)) = self.dice.pick(&self.strangers).cloned()
        {
            let edit = self.org_change(product, object, mark, delete)?;
            return Some(OrgEdit { id: Some(id), ..edit });
        }
        let record = self.choose(product.records.len(), |record| {
            product
                .records
                .get(record)
                .is_some_and(|history| history.product_row.is_some())
                && product.made_at(record) + SETTLED_MS <= now_ms
                && (!delete || class(product, record) == 3)
        })?;
        let history = product.records.get(record)?;
        let (object, key) = (history.object, history.key.clone());
        let edit = self.org_change(product, object, mark, delete)?;
        Some(OrgEdit {
            record: Some(record),
            key: Some(key),
            ..edit
        })
    }

    /// A change or the delete of some record of this object.
    fn org_change(&mut self, product: &Product, object: usize, mark: Mark, delete: bool) -> Option<OrgEdit> {
        if delete {
            return self.for_org(product, object, "delete", &Map::new());
        }
        let data = self.some_fields(product, object, mark);
        self.for_org(product, object, "update", &data)
    }

    /// Notes what came of an edit by people in the org.
    pub fn org_edited(&mut self, product: &Product, edit: &OrgEdit, id: Option<String>) {
        let asked = product
            .shapes
            .objects
            .get(edit.object)
            .is_some_and(|o| !o.matching.is_empty());
        match (edit.op, id) {
            ("create", Some(id)) if asked => self.strangers.push((edit.object, id)),
            ("delete", _) => self.strangers.retain(|(_, known)| Some(known) != edit.id.as_ref()),
            _ => {}
        }
    }

    fn org_create(&mut self, product: &Product, mark: Mark) -> Option<OrgEdit> {
        let shapes = product.shapes.clone();
        let asked_about = |at: &usize| {
            shapes
                .objects
                .get(*at)
                .is_some_and(|object| !object.matching.is_empty())
        };
        let asked_about: Vec<usize> = (0..self.by_object.len()).filter(asked_about).collect();
        let any = self.dice.below(self.by_object.len());
        let chosen = self.dice.pick(&asked_about).copied();
        let object = chosen.filter(|_| self.dice.chance(ASKED_ABOUT_PERCENT)).unwrap_or(any);
        let mut data = Map::new();
        for field in &shapes.objects.get(object)?.fields {
            data.insert(field.name.clone(), self.value(product, field, mark));
        }
        self.for_org(product, object, "create", &data)
    }

    /// The edit in Salesforce's terms. A parent whose Salesforce id is not yet known is left out.
    fn for_org(&self, product: &Product, object: usize, op: &'static str, data: &Map<String, Json>) -> Option<OrgEdit> {
        let shape = product.shapes.objects.get(object)?;
        let (mut fields, mut plain) = (Map::new(), Fields::new());
        for (name, value) in data {
            let at = shape.field(name)?;
            let field = shape.fields.get(at)?;
            let Some(theirs) = in_salesforce(product, field, value) else {
                continue;
            };
            fields.insert(field.salesforce.clone(), theirs);
            plain.push((at as u8, normal(field.kind, value)));
        }
        if op == "update" && fields.is_empty() {
            return None;
        }
        Some(OrgEdit {
            record: None,
            object,
            entity: shape.salesforce.clone(),
            op,
            key: None,
            id: None,
            fields,
            plain,
        })
    }
}

/// The record has a row, or may get one again.
fn may_change(product: &Product, record: usize) -> bool {
    let Some(history) = product.records.get(record) else {
        return false;
    };
    let by_product = matches!(history.steps.last(), Some(Step::Delete));
    history.product_row.is_some() || (class(product, record) == 7 && by_product)
}

fn may_be_empty(field: &Field) -> bool {
    let always_set = ["StageName", "CloseDate"].contains(&field.salesforce.as_str());
    !field.required && field.group.is_none() && !always_set && field.policy != Policy::Other
}

fn in_salesforce(product: &Product, field: &Field, value: &Json) -> Option<Json> {
    match (field.kind, value.as_str()) {
        (Kind::Reference(parent), Some(key)) => {
            let object = product.shapes.objects.get(parent)?;
            let record = product.find(&object.name, key)?;
            product.salesforce_id(record).map(Json::from)
        }
        (Kind::Choice, Some(ours)) => {
            let theirs = field
                .values
                .iter()
                .find(|(known, _)| known == ours)
                .map_or(ours, |(_, theirs)| theirs);
            Some(Json::from(theirs))
        }
        _ => Some(value.clone()),
    }
}

#[cfg(test)]
mod tests;
