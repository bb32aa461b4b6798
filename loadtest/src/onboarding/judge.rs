//! Judges the end: one record a row, one row a record, nobody made who was there, and the values that the policies name.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::people::{Person, units};
use crate::shape::{Object, Policy};
use crate::value::Value;

/// Findings kept in words.
const KEPT: usize = 30;

/// What a tenant was given, and what was done there.
#[derive(Debug, Default)]
pub struct Known<'a> {
    /// Everybody.
    pub people: &'a [Person],
    /// The person of each row that the product began with, by key.
    pub rows: HashMap<String, usize>,
    /// The person of each record that the org began with, and which of the person's, by Salesforce id (15 characters).
    pub records: HashMap<String, (usize, usize)>,
    /// What people wrote into a record since: index of the field, value.
    pub touched: HashMap<String, (usize, Value)>,
    /// Keys of which the product said that a record is to be made.
    pub creates: HashSet<String>,
    /// Keys that the product was asked about.
    pub asked: HashSet<String>,
}

/// One record of the org at the end.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Its Salesforce id (15 characters).
    pub id: String,
    /// The key it holds; empty without one.
    pub key: String,
    /// A value a field, in the product's terms.
    pub values: Vec<Value>,
}

/// Both sides at the end.
#[derive(Debug, Default)]
pub struct Ends {
    /// The product's rows by key.
    pub rows: HashMap<String, Vec<Value>>,
    /// The org's records.
    pub records: Vec<Record>,
}

/// What is found.
#[derive(Debug, Default)]
pub struct Judgement {
    /// Pairs of a row and a record that have each other and nobody else.
    pub pairs: u64,
    /// Of these: rows that the product began with, and records that the org began with.
    pub linked: u64,
    /// Records and rows that are there once too often.
    pub duplicates: u64,
    /// Rows, records and fields that differ from what they should be.
    pub divergences: u64,
    /// By promise: C1 one and the same on both sides, C5 no duplicates.
    pub violations: BTreeMap<&'static str, u64>,
    /// The first of them, in words and without values.
    pub findings: Vec<String>,
    /// Salesforce ids (15 characters) of the first records that differ, each once.
    pub records: Vec<String>,
    /// What happened to them in the org, a line of JSON each.
    pub histories: Vec<String>,
}

impl Judgement {
    fn diverges(&mut self, what: impl FnOnce() -> String) {
        self.divergences += 1;
        self.violates("C1", what);
    }

    fn repeats(&mut self, what: impl FnOnce() -> String) {
        self.duplicates += 1;
        self.violates("C5", what);
    }

    fn violates(&mut self, promise: &'static str, what: impl FnOnce() -> String) {
        *self.violations.entry(promise).or_insert(0) += 1;
        if self.findings.len() < KEPT {
            self.findings.push(format!("{promise} {}", what()));
        }
    }

    /// Nothing was found.
    pub fn clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// Adds another tenant's.
    pub fn add(&mut self, other: Self) {
        self.pairs += other.pairs;
        self.linked += other.linked;
        self.duplicates += other.duplicates;
        self.divergences += other.divergences;
        for (promise, count) in other.violations {
            *self.violations.entry(promise).or_insert(0) += count;
        }
        self.findings.extend(other.findings);
        self.findings.truncate(KEPT);
        self.records.extend(other.records);
        self.records.truncate(KEPT);
    }
}

/// Judges one tenant.
pub fn judge(object: &Object, known: &Known<'_>, ends: &Ends) -> Judgement {
    let mut found = Judgement::default();
    let mut by_key: HashMap<&str, Vec<&Record>> = HashMap::new();
    for record in &ends.records {
        if record.key.is_empty() {
            found.diverges(|| format!("record {} has no key", record.id));
        } else if ends.rows.contains_key(&record.key) {
            by_key.entry(&record.key).or_default().push(record);
        } else {
            found.diverges(|| format!("record {} has the key {} of no row", record.id, record.key));
        }
    }
    let live: HashSet<&str> = ends.records.iter().map(|record| record.id.as_str()).collect();
    for id in known.records.keys().filter(|id| !live.contains(id.as_str())) {
        found.diverges(|| format!("record {id} is gone"));
    }
    for (key, row) in &ends.rows {
        match by_key.get(key.as_str()).map(Vec::as_slice).unwrap_or_default() {
            [] => found.diverges(|| format!("row {key} has no record")),
            [record] => {
                found.pairs += 1;
                pair(object, known, (key, row), record, &mut found);
            }
            [_, others @ ..] => {
                for other in others {
                    found.repeats(|| format!("record {} is another one of row {key}", other.id));
                }
            }
        }
    }
    for (key, person) in &known.rows {
        let ambiguous = known.people.get(*person).is_some_and(Person::is_ambiguous);
        if ambiguous && !known.asked.contains(key) {
            found.violates("C5", || {
                format!("nobody was asked which of several records is that of row {key}")
            });
        }
    }
    found
}

fn pair(object: &Object, known: &Known<'_>, (key, row): (&str, &[Value]), record: &Record, found: &mut Judgement) {
    let begun = known.rows.get(key).copied();
    let there = known.records.get(&record.id).copied();
    let person = |at: usize| known.people.get(at);
    let own = || begun.and_then(person).and_then(|person| person.row.clone());
    let expected = match there {
        Some((at, which)) => {
            let Some(mut theirs) = person(at).and_then(|person| person.records.get(which)).cloned() else {
                return;
            };
            if let Some((field, value)) = known.touched.get(&record.id)
                && let Some(place) = theirs.get_mut(*field)
            {
                place.clone_from(value);
            }
            found.linked += u64::from(begun.is_some());
            if begun.is_some_and(|begun| begun != at) {
                found.violates("C5", || format!("row {key} has record {} of somebody else", record.id));
                return;
            }
            own().map_or_else(|| theirs.clone(), |ours| merged(object, &ours, &theirs))
        }
        None => {
            let had_partner = begun.and_then(person).is_none_or(|person| !person.records.is_empty());
            if had_partner && !known.creates.contains(key) {
                found.repeats(|| format!("record {} was made for row {key}, whose record was there", record.id));
            }
            own().unwrap_or_else(|| row.to_vec())
        }
    };
    for (at, field) in object.fields.iter().enumerate() {
        let wanted = expected.get(at);
        for (side, values) in [("row", row), ("record", &record.values)] {
            if values.get(at) != wanted {
                found.diverges(|| format!("{} of the {side} of pair {key} {} is wrong", field.name, record.id));
                if found.records.len() < KEPT && !found.records.contains(&record.id) {
                    found.records.push(record.id.clone());
                }
            }
        }
    }
}

/// Unit by unit: a blank gives way to a value, else the policy's side wins.
fn merged(object: &Object, ours: &[Value], theirs: &[Value]) -> Vec<Value> {
    let mut merged = theirs.to_vec();
    for unit in units(object) {
        let blank = |values: &[Value]| {
            unit.iter()
                .all(|at| values.get(*at).is_none_or(|value| value.is_empty()))
        };
        let field = unit.first().and_then(|at| object.fields.get(*at));
        let product_wins = field.is_some_and(|field| field.policy == Policy::Product);
        if blank(theirs) || (product_wins && !blank(ours)) {
            for at in unit {
                if let (Some(place), Some(value)) = (merged.get_mut(at), ours.get(at)) {
                    place.clone_from(value);
                }
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::tests::shapes;

    const ID: &str = "003000000000001";

    struct Case {
        people: Vec<Person>,
        ends: Ends,
    }

    fn values(object: &Object, given: &[(&str, &str)]) -> Vec<Value> {
        let mut values = vec![Value::default(); object.fields.len()];
        for (name, value) in given {
            values[object.field(name).expect(name)] = Value::from(*value);
        }
        values
    }

    /// A row and a record of one person, linked and merged.
    fn linked() -> Case {
        let shapes = shapes();
        let object = &shapes.objects[1];
        let row = values(
            object,
            &[("email", "ada@x.org"), ("last_name", "Own"), ("first_name", "Ada")],
        );
        let record = values(object, &[("email", "ADA@x.org"), ("last_name", "There"), ("city", "C")]);
        let both = values(
            object,
            &[
                ("email", "ada@x.org"),
                ("last_name", "There"),
                ("first_name", "Ada"),
                ("city", "C"),
            ],
        );
        let end = Record {
            id: ID.to_owned(),
            key: "1".to_owned(),
            values: both.clone(),
        };
        Case {
            people: vec![Person {
                row: Some(row),
                records: vec![record],
            }],
            ends: Ends {
                rows: [("1".to_owned(), both)].into(),
                records: vec![end],
            },
        }
    }

    fn known(people: &[Person]) -> Known<'_> {
        Known {
            people,
            rows: [("1".to_owned(), 0)].into(),
            records: [(ID.to_owned(), (0, 0))].into(),
            ..Known::default()
        }
    }

    fn found(case: &Case) -> Judgement {
        judge(&shapes().objects[1], &known(&case.people), &case.ends)
    }

    #[test]
    fn a_pair_that_is_merged_by_policy_is_clean() {
        let found = found(&linked());
        assert!(found.clean(), "{:?}", found.findings);
        assert_eq!((found.pairs, found.linked), (1, 1));
    }

    #[test]
    fn values_that_no_policy_names_diverge_on_each_side() {
        let mut case = linked();
        let at = shapes().objects[1].field("last_name").expect("declared");
        case.ends.records[0].values[at] = "Own".into();
        case.ends.rows.get_mut("1").expect("the row")[at] = "Own".into();
        let found = found(&case);
        assert_eq!((found.divergences, found.violations["C1"]), (2, 2));
    }

    #[test]
    fn a_record_made_for_somebody_who_was_there_is_a_duplicate() {
        let mut case = linked();
        case.ends.records[0].key.clear();
        let made = Record {
            id: "003000000000002".to_owned(),
            key: "1".to_owned(),
            values: case.people[0].row.clone().expect("a row"),
        };
        case.ends.records.push(made.clone());
        case.ends.rows.insert("1".to_owned(), made.values.clone());
        let verdict = found(&case);
        assert_eq!(
            (verdict.duplicates, verdict.divergences),
            (1, 1),
            "and one without a key"
        );
        let mut known = known(&case.people);
        known.creates.insert("1".to_owned());
        let verdict = judge(&shapes().objects[1], &known, &case.ends);
        assert_eq!(verdict.duplicates, 0, "the product said so");
        case.ends.records[0].key = "1".to_owned();
        assert_eq!(found(&case).duplicates, 1, "two of one key");
    }

    #[test]
    fn rows_and_records_without_each_other_and_unasked_questions_are_found() {
        let mut case = linked();
        case.ends.rows.insert("2".to_owned(), case.ends.rows["1"].clone());
        assert_eq!(found(&case).divergences, 1);
        case = linked();
        case.ends.records.clear();
        assert_eq!(found(&case).divergences, 2, "the record is gone, the row has none");
        case = linked();
        let second = case.people[0].records[0].clone();
        case.people[0].records.push(second);
        let found = found(&case);
        assert_eq!((found.violations.get("C5"), found.duplicates), (Some(&1), 0));
    }
}
