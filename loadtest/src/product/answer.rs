//! What the product says when it is asked who is who, and what it does about answers that were refused.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value as Json};

use super::feed::Event;
use super::outbox::Said;
use super::table::Product;
use crate::dice::Dice;
use crate::history::Step;
use crate::shape::id15;

/// What the product knows of who is who in Salesforce.
#[derive(Debug)]
pub struct Identity {
    /// The record of each question which Salesforce record it is.
    pub asked: Vec<usize>,
    /// Questions whose a Salesforce record is.
    pub offered: u64,
    /// Records of which the product said: create one.
    pub creates: BTreeSet<usize>,
    /// Second answers, given with another key on purpose.
    pub doubled: u64,
    /// Answers that were refused.
    pub refused: u64,
    /// So many questions in a hundred are answered a second time.
    pub doubles_percent: f64,
    dice: Dice,
    strangers: HashMap<String, Stranger>,
    rows: HashMap<(usize, Vec<String>), Vec<usize>>,
}

/// A Salesforce record that the product was asked about.
#[derive(Debug, Clone)]
struct Stranger {
    object: usize,
    data: Map<String, Json>,
}

impl Default for Identity {
    fn default() -> Self {
        Self::new(0, 0.0)
    }
}

impl Identity {
    /// Nobody is known. `lane` keeps the dice of tenants apart.
    pub fn new(lane: u64, doubles_percent: f64) -> Self {
        Self {
            asked: Vec::new(),
            offered: 0,
            creates: BTreeSet::new(),
            doubled: 0,
            refused: 0,
            doubles_percent,
            dice: Dice::new(lane, 4_000_000),
            strangers: HashMap::new(),
            rows: HashMap::new(),
        }
    }

    /// A row has got this likeness; rows that have another one by now are found too, and looked at again.
    pub(super) fn file(&mut self, object: usize, likeness: Vec<String>, record: usize) {
        let rows = self.rows.entry((object, likeness)).or_default();
        if !rows.contains(&record) {
            rows.push(record);
        }
    }

    fn meet(&mut self, salesforce_id: &str, object: usize, data: Option<&Map<String, Json>>) {
        let data = data.cloned().unwrap_or_default();
        let stranger = Stranger { object, data };
        self.strangers.entry(id15(salesforce_id).to_owned()).or_insert(stranger);
    }
}

/// Whose is this Salesforce record? Of a row that is like it and has none; else of a new row.
pub(super) fn whose(product: &mut Product, event: &Event, now_ms: u64) {
    let Some(object) = product.shapes.object(&event.object) else {
        return;
    };
    product.identity.offered += 1;
    product.identity.meet(&event.salesforce_id, object, Some(&event.data));
    if product.named_ids.contains_key(id15(&event.salesforce_id)) {
        // Linked meanwhile: the question is an old one.
        return;
    }
    let like = product.like(&event.salesforce_id);
    let record = like.or_else(|| product.take_in(&event.salesforce_id, now_ms));
    if let Some(record) = record {
        product.link(record, &event.salesforce_id, &event.id, now_ms);
    }
    double(product, &event.salesforce_id, &event.id, now_ms);
}

/// Which of these Salesforce records is this row's? One that is nobody's; else none.
pub(super) fn which(product: &mut Product, record: usize, event: &Event, now_ms: u64) {
    product.identity.asked.push(record);
    let Some(object) = product.records.get(record).map(|history| history.object) else {
        return;
    };
    let candidates = event.detail.get("candidates").and_then(Json::as_array);
    let mut chosen = "";
    for candidate in candidates.into_iter().flatten() {
        let Some(id) = candidate.get("salesforce_id").and_then(Json::as_str) else {
            continue;
        };
        let data = candidate.get("data").and_then(Json::as_object);
        product.identity.meet(id, object, data);
        if chosen.is_empty() && !product.named_ids.contains_key(id15(id)) {
            chosen = id;
        }
    }
    if product.has_row(record) {
        product.link(record, chosen, &event.id, now_ms);
    }
    if !chosen.is_empty() {
        double(product, chosen, &event.id, now_ms);
    }
}

/// A second answer with another key, as a product gives it that handles one question twice.
fn double(product: &mut Product, salesforce_id: &str, answers: &str, now_ms: u64) {
    let percent = product.identity.doubles_percent;
    if !product.identity.dice.chance(percent) {
        return;
    }
    if let Some(record) = product.take_in(salesforce_id, now_ms) {
        product.identity.doubled += 1;
        product.link(record, salesforce_id, answers, now_ms);
    }
}

/// Whether a `rejected` event is about an answer.
pub(super) fn was_refused(event: &Event) -> bool {
    let code = event.detail.get("code").and_then(Json::as_str);
    matches!(code, Some("already_linked" | "no_such_record"))
}

/// An answer was refused. A row that was made for the Salesforce record goes; one that has another record leaves it to a
/// new row; any other asks for a record of its own.
pub(super) fn refused(product: &mut Product, record: usize, event: &Event, now_ms: u64) {
    product.identity.refused += 1;
    if product.salesforce_id(record).is_some() {
        let winner = event.detail.get("winner").and_then(|winner| winner.get("key"));
        let stranger = event.detail.get("salesforce_id").and_then(Json::as_str);
        let stranger = stranger.filter(|id| !product.named_ids.contains_key(id15(id)));
        if winner.and_then(Json::as_str) == Some(event.key.as_str())
            && let Some(stranger) = stranger
            && let Some(other) = product.take_in(stranger, now_ms)
        {
            product.link(other, stranger, &event.id, now_ms);
        }
    } else if !product.has_row(record) {
    } else if product.is_taken_in(record) {
        product.drop_row(record, now_ms);
    } else {
        product.link(record, "", &event.id, now_ms);
    }
}

impl Product {
    fn has_row(&self, record: usize) -> bool {
        self.records
            .get(record)
            .is_some_and(|history| history.product_row.is_some())
    }

    /// A row like this Salesforce record that has none, and for which no answer is under way to another one.
    fn like(&self, salesforce_id: &str) -> Option<usize> {
        let stranger = self.identity.strangers.get(id15(salesforce_id))?;
        let object = self.shapes.objects.get(stranger.object)?;
        let likeness = |row: &[crate::value::Value]| object.likeness(row);
        let mut row = vec![crate::value::Value::default(); object.fields.len()];
        for (at, value) in object.normal_fields(&stranger.data) {
            if let Some(place) = row.get_mut(usize::from(at)) {
                *place = value;
            }
        }
        let wanted = likeness(&row)?;
        let rows = self.identity.rows.get(&(stranger.object, wanted.clone()))?;
        let free = |record: &&usize| {
            let (Some(history), Some(mark)) = (self.records.get(**record), self.marks.get(**record)) else {
                return false;
            };
            let answered = mark.answered.as_deref().is_none_or(|id| id == id15(salesforce_id));
            let same = history.product_row.as_deref().and_then(likeness).as_ref() == Some(&wanted);
            same && answered && mark.salesforce_id.is_none()
        };
        rows.iter().find(free).copied()
    }

    /// Makes a row with what is known of a Salesforce record.
    fn take_in(&mut self, salesforce_id: &str, now_ms: u64) -> Option<usize> {
        let Stranger { object, data } = self.identity.strangers.get(id15(salesforce_id))?.clone();
        let shapes = self.shapes.clone();
        let shape = shapes.objects.get(object)?;
        let record = self.make(object, format!("{}-{}", shape.name, self.records.len() + 1), now_ms);
        let fields = shape.normal_fields(&data);
        self.write(record, &fields);
        self.records.get_mut(record)?.steps.push(Step::TakenIn(fields));
        self.marks.get_mut(record)?.taken_in = true;
        Some(record)
    }

    /// Says which Salesforce record a row's is; none named: it wants one made.
    fn link(&mut self, record: usize, salesforce_id: &str, answers: &str, now_ms: u64) {
        if let Some(mark) = self.marks.get_mut(record) {
            mark.answered = Some(id15(salesforce_id).to_owned()).filter(|id| !id.is_empty());
        }
        if salesforce_id.is_empty() {
            self.identity.creates.insert(record);
        }
        let said = Said {
            op: "link",
            salesforce_id: Some(salesforce_id),
            answers: Some(answers),
            ..Said::default()
        };
        self.emit(record, &said, now_ms);
    }

    /// Takes back a row that was made for a Salesforce record which another row has.
    fn drop_row(&mut self, record: usize, now_ms: u64) {
        let Some(history) = self.records.get_mut(record) else {
            return;
        };
        history.steps.push(Step::Delete);
        history.product_row = None;
        let said = Said {
            op: "delete",
            ..Said::default()
        };
        self.emit(record, &said, now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::super::feed::apply;
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    const RECORD: &str = "003000000000001AAA";

    fn event(kind: &str, id: &str, key: &str, detail: Json) -> Event {
        Event {
            id: id.to_owned(),
            kind: kind.to_owned(),
            object: "contact".to_owned(),
            key: key.to_owned(),
            detail,
            ..Event::default()
        }
    }

    fn asked_whose(id: &str) -> Event {
        let data = json!({"last_name": "Lovelace", "email": "ADA@x.org"});
        Event {
            salesforce_id: RECORD.to_owned(),
            data: data.as_object().cloned().expect("an object"),
            ..event("link_wanted", id, "", Json::Null)
        }
    }

    fn refusal(key: &str, winner: &str) -> Event {
        let detail = json!({"code": "already_linked", "fields": [], "salesforce_id": RECORD,
            "winner": {"key": winner, "salesforce_id": "003000000000009AAA"}});
        event("rejected", "r", key, detail)
    }

    fn product() -> Product {
        Product::new(Arc::new(crate::shape::tests::shapes()), 0)
    }

    fn row(product: &mut Product, key: &str) -> usize {
        let record = product.make(1, key.to_owned(), 0);
        let data = json!({"last_name": "Own", "email": "ada@x.org"});
        product.upsert(record, data.as_object().expect("an object"), 0);
        record
    }

    /// Operation, key and Salesforce record of each outbox row.
    fn said(product: &Product) -> Vec<[String; 3]> {
        let get = |fields: &[(&str, String)], name: &str| {
            let found = fields.iter().find(|(field, _)| *field == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let mut entries: Vec<_> = product.outbox.iter().flatten().collect();
        entries.sort_by_key(|entry| entry.id);
        entries
            .iter()
            .map(|entry| ["op", "key", "salesforce_id"].map(|name| get(&entry.fields, name)))
            .collect()
    }

    #[test]
    fn a_stranger_gets_a_row_with_its_data_and_a_link() {
        let mut product = product();
        apply(&mut product, &asked_whose("q1"), 0);
        assert_eq!(said(&product), [["link", "contact-1", RECORD]]);
        let at = product.shapes.objects[1].field("last_name").expect("declared");
        assert_eq!(
            &*product.records[0].product_row.as_ref().expect("a row")[at],
            "Lovelace"
        );
        assert!(product.is_taken_in(0) && product.identity.offered == 1);
    }

    #[test]
    fn a_row_without_a_record_that_is_like_the_stranger_is_taken_and_a_linked_one_is_not() {
        let mut product = product();
        let record = row(&mut product, "42");
        apply(&mut product, &asked_whose("q1"), 0);
        assert_eq!(said(&product)[1], ["link", "42", RECORD]);
        let mut linked = self::product();
        let other = row(&mut linked, "42");
        linked.named(other, "003000000000002AAA");
        apply(&mut linked, &asked_whose("q1"), 0);
        assert_eq!(said(&linked)[1], ["link", "contact-2", RECORD]);
        assert_eq!(record, other);
    }

    #[test]
    fn of_several_candidates_one_that_is_nobodys_is_named_and_without_any_one_is_to_be_made() {
        let mut product = product();
        let record = row(&mut product, "42");
        product.named(99, "003000000000002AAA");
        let named = |ids: &[&str]| {
            let list: Vec<Json> = ids.iter().map(|id| json!({"salesforce_id": id, "data": {}})).collect();
            event("link_wanted", "q", "42", json!({"candidates": list}))
        };
        apply(&mut product, &named(&["003000000000002AAA", RECORD]), 0);
        apply(&mut product, &named(&["003000000000002AAA"]), 0);
        assert_eq!(said(&product)[1..], [["link", "42", RECORD], ["link", "42", ""]]);
        assert_eq!(product.identity.asked, [record, record]);
        assert!(product.identity.creates.contains(&record));
    }

    #[test]
    fn a_refused_row_is_dropped_kept_or_left_to_another_by_what_it_is() {
        let mut product = product();
        product.identity.doubles_percent = 100.0;
        apply(&mut product, &asked_whose("q1"), 0);
        assert_eq!(product.identity.doubled, 1);
        apply(&mut product, &refusal("contact-2", "contact-1"), 0);
        assert_eq!(said(&product)[2], ["delete", "contact-2", ""]);
        assert!(product.records[1].product_row.is_none());

        row(&mut product, "42");
        apply(&mut product, &refusal("42", "contact-1"), 0);
        assert_eq!(said(&product)[4], ["link", "42", ""]);

        let linked = row(&mut product, "43");
        product.named(linked, "003000000000009AAA");
        apply(&mut product, &refusal("43", "43"), 0);
        assert_eq!(said(&product)[6], ["link", "contact-5", RECORD]);
    }
}
