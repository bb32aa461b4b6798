//! Each promise's violation is found in a small history, and the same history without it is clean.

mod whole;

use std::sync::Arc;

use super::*;
use crate::history::{Commit, CommitKind, Fields, LogCounts, RecordHistory, Step, TenantHistory};
use crate::shape::tests::shapes;
use crate::value::{Side, Value};

/// A contact with every field given by one edit.
struct Contact;

fn at(field: &str) -> u8 {
    let shapes = shapes();
    shapes.objects[1].field(field).expect(field) as u8
}

fn fields(values: &[(&str, &str)]) -> Fields {
    values
        .iter()
        .map(|(field, value)| (at(field), Value::from(*value)))
        .collect()
}

impl Contact {
    const FULL: [(&'static str, &'static str); 4] = [
        ("email", "q0p1z@example.org"),
        ("last_name", "Last q0p1z"),
        ("street", "S q0p1z"),
        ("city", "C q0p1z"),
    ];

    fn row(changes: &[(&str, &str)]) -> Vec<Value> {
        let mut row = vec![Value::default(); shapes().objects[1].fields.len()];
        for (field, value) in Self::FULL.iter().chain(changes) {
            row[usize::from(at(field))] = Value::from(*value);
        }
        row
    }

    /// Made by the product and written to the org; both sides equal.
    fn synced() -> RecordHistory {
        RecordHistory {
            object: 1,
            key: "contact-1".to_owned(),
            steps: vec![Step::Create(fields(&Self::FULL))],
            product_row: Some(Self::row(&[])),
            commits: vec![commit(true, CommitKind::Create, &Self::FULL, 10)],
            org_rows: vec![Self::row(&[])],
            ..RecordHistory::default()
        }
    }

    /// `synced`, then one more edit of the product that the org has.
    fn edited(field: &str, value: &str) -> RecordHistory {
        let mut record = Self::synced();
        record.steps.push(Step::Edit(fields(&[(field, value)])));
        record
            .commits
            .push(commit(true, CommitKind::Update, &[(field, value)], 20));
        both(&mut record, &[(field, value)]);
        record
    }

    /// `synced`, then one edit of a person in the org that the product has.
    fn imported(field: &str, value: &str) -> RecordHistory {
        let mut record = Self::synced();
        record.commits.push(Commit {
            seq: None,
            ..commit(false, CommitKind::Update, &[(field, value)], 0)
        });
        record.steps.push(Step::Changed(fields(&[(field, value)])));
        both(&mut record, &[(field, value)]);
        record
    }
}

fn both(record: &mut RecordHistory, changes: &[(&str, &str)]) {
    record.product_row = Some(Contact::row(changes));
    record.org_rows = vec![Contact::row(changes)];
}

fn commit(engine: bool, kind: CommitKind, values: &[(&str, &str)], seq: u64) -> Commit {
    Commit {
        engine,
        kind,
        fields: fields(values),
        seq: Some(seq),
    }
}

fn run(record: RecordHistory) -> History {
    let counters = [("settled".to_owned(), 5), ("duplicate".to_owned(), 1)].into();
    let tenant = TenantHistory {
        name: "t01".to_owned(),
        records: vec![record],
        log: LogCounts {
            added: 8,
            length: 2,
            last_id: (9, 0),
        },
        counters,
        acknowledged: 8,
        last_acknowledged: (9, 0),
        rested: true,
        ..TenantHistory::default()
    };
    History {
        shapes: Arc::new(shapes()),
        tenants: vec![tenant],
    }
}

/// The promises broken by this record, with counts.
fn broken(record: RecordHistory) -> Vec<(Promise, u64)> {
    found(&judge(&run(record)))
}

fn found(verdict: &Verdict) -> Vec<(Promise, u64)> {
    Promise::ALL
        .iter()
        .map(|&promise| (promise, verdict.of(promise)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

#[test]
fn right_histories_are_clean() {
    let clean = [
        Contact::synced(),
        Contact::edited("first_name", "First q0p2z"),
        Contact::edited("status", "active"),
        Contact::imported("first_name", "First q0h1z"),
        Contact::imported("status", "churned"),
    ];
    for record in clean {
        let verdict = judge(&run(record));
        assert_eq!(found(&verdict), [], "{:?}", verdict.findings);
        assert!(verdict.clean());
    }
}

/// Made by a person, asked about, taken in, and given its key.
fn taken_in() -> RecordHistory {
    RecordHistory {
        object: 1,
        key: "contact-1".to_owned(),
        steps: vec![Step::TakenIn(fields(&Contact::FULL))],
        product_row: Some(Contact::row(&[])),
        commits: vec![
            Commit {
                seq: None,
                ..commit(false, CommitKind::Create, &Contact::FULL, 0)
            },
            commit(true, CommitKind::Update, &[], 10),
        ],
        org_rows: vec![Contact::row(&[])],
        ..RecordHistory::default()
    }
}

#[test]
fn a_record_that_people_made_and_the_product_took_in_is_clean() {
    assert_eq!(broken(taken_in()), []);
    let mut record = taken_in();
    record.steps.push(Step::Changed(fields(&Contact::FULL)));
    record.steps.push(Step::Edit(fields(&[("first_name", "First q0p2z")])));
    let edit = [("first_name", "First q0p2z")];
    record.commits.push(commit(true, CommitKind::Update, &edit, 20));
    both(&mut record, &edit);
    assert_eq!(broken(record), []);
    let mut dropped = taken_in();
    dropped.steps.push(Step::Delete);
    dropped.product_row = None;
    dropped.commits.clear();
    dropped.org_rows.clear();
    assert_eq!(broken(dropped), []);
}

#[test]
fn c1_c3_c5_c6_a_record_taken_in_is_judged_like_any_other() {
    let mut unheard = taken_in();
    let edit = [("first_name", "First q0h2z")];
    let by_hand = commit(false, CommitKind::Update, &edit, 0);
    unheard.commits.insert(1, Commit { seq: None, ..by_hand });
    unheard.org_rows = vec![Contact::row(&edit)];
    assert_eq!(broken(unheard), [(Promise::C1, 1), (Promise::C3, 1)]);
    let mut twice = taken_in();
    twice.commits.push(commit(true, CommitKind::Create, &Contact::FULL, 20));
    twice.org_rows.push(Contact::row(&[]));
    assert_eq!(broken(twice), [(Promise::C5, 2)]);
    let mut touched = taken_in();
    touched.commits.push(commit(true, CommitKind::Update, &[], 20));
    assert_eq!(broken(touched), [(Promise::C7, 1)], "the key is written once");
}

#[test]
fn c1_a_record_that_people_made_and_nobody_was_asked_about_is_found() {
    let mut history = run(Contact::synced());
    history.tenants[0].unasked_rows = 2;
    let verdict = judge(&history);
    assert_eq!(found(&verdict), [(Promise::C1, 2)]);
    assert_eq!((verdict.divergences, verdict.unlinked), (2, 2));
}

#[test]
fn a_value_replaced_before_it_was_sent_is_not_lost() {
    let mut record = Contact::edited("first_name", "First q0p3z");
    record
        .steps
        .insert(1, Step::Edit(fields(&[("first_name", "First q0p2z")])));
    assert_eq!(broken(record), []);
}

#[test]
fn c1_a_field_that_differs_and_a_row_on_one_side_only_are_divergences() {
    let mut record = Contact::edited("status", "active");
    record.org_rows = vec![Contact::row(&[("status", "churned")])];
    record.commits.push(Commit {
        seq: None,
        ..commit(false, CommitKind::Update, &[("status", "churned")], 0)
    });
    assert_eq!(broken(record), [(Promise::C1, 1)]);
    let mut record = Contact::synced();
    record.org_rows.clear();
    assert_eq!(broken(record), [(Promise::C1, 1)]);
    let mut record = Contact::synced();
    record.product_row = None;
    assert_eq!(broken(record), [(Promise::C1, 1)]);
}

#[test]
fn c1_a_tenant_that_does_not_rest_or_writes_on_is_found() {
    let mut history = run(Contact::synced());
    history.tenants[0].rested = false;
    history.tenants[0].written_at_rest = 3;
    assert_eq!(found(&judge(&history)), [(Promise::C1, 2)]);
}

#[test]
fn c2_a_value_that_nobody_wrote_is_found() {
    let mut record = Contact::synced();
    both(&mut record, &[("first_name", "Somebody")]);
    assert_eq!(broken(record), [(Promise::C2, 2)], "once a side");
}

#[test]
fn c2_a_key_that_the_product_never_gave_is_found() {
    let mut history = run(Contact::synced());
    history.tenants[0].unknown_keys = 2;
    assert_eq!(found(&judge(&history)), [(Promise::C2, 2)]);
}

#[test]
fn c2_an_address_of_two_edits_is_found() {
    let mut record = Contact::synced();
    record
        .steps
        .push(Step::Edit(fields(&[("street", "S q0p2z"), ("city", "C q0p2z")])));
    record
        .commits
        .push(commit(true, CommitKind::Update, &[("street", "S q0p2z")], 20));
    both(&mut record, &[("street", "S q0p2z")]);
    assert_eq!(broken(record), [(Promise::C2, 3)], "both rows, and the write itself");
}

#[test]
fn c3_an_edit_of_the_product_that_never_arrives_is_lost() {
    let mut record = Contact::synced();
    record.steps.push(Step::Edit(fields(&[("first_name", "First q0p2z")])));
    record.product_row = Some(Contact::row(&[("first_name", "First q0p2z")]));
    let verdict = judge(&run(record));
    assert_eq!(found(&verdict), [(Promise::C1, 1), (Promise::C3, 1)]);
    assert_eq!(verdict.lost, 1);
}

#[test]
fn c3_an_edit_that_an_older_one_overwrites_on_both_sides_is_lost() {
    let mut record = Contact::edited("last_name", "Last q0p2z");
    let back = [("last_name", "Last q0p1z")];
    record.commits.push(commit(true, CommitKind::Update, &back, 20));
    record.steps.push(Step::Changed(fields(&back)));
    both(&mut record, &[]);
    let found = broken(record.clone());
    assert!(found.contains(&(Promise::C3, 1)), "{found:?}");
    record.steps.push(Step::Conflict {
        fields: vec![at("last_name")],
        winner: Some(Side::Org),
    });
    let found = broken(record);
    assert!(found.iter().all(|(promise, _)| *promise != Promise::C3), "{found:?}");
}

#[test]
fn c3_an_edit_of_the_org_that_never_arrives_is_lost() {
    let mut record = Contact::imported("first_name", "First q0h1z");
    record.steps.truncate(1);
    record.product_row = Some(Contact::row(&[]));
    let verdict = judge(&run(record));
    assert_eq!(found(&verdict), [(Promise::C1, 1), (Promise::C3, 1)]);
    assert_eq!(verdict.lost, 1);
}

/// A person edits, and the product's concurrent value is written over it.
fn overwritten_in_org(conflict: Option<Step>) -> RecordHistory {
    let mut record = Contact::edited("email", "q0p2z@example.org");
    let edit = commit(false, CommitKind::Update, &[("email", "q0h1z@example.org")], 0);
    record.commits.insert(1, Commit { seq: None, ..edit });
    record.steps.extend(conflict);
    record
}

#[test]
fn c3_an_overwritten_edit_needs_a_conflict_event_that_names_its_field_and_the_right_winner() {
    assert_eq!(broken(overwritten_in_org(None)), [(Promise::C3, 1)]);
    let named = |field: &str, winner| Step::Conflict {
        fields: vec![at(field)],
        winner: Some(winner),
    };
    assert_eq!(broken(overwritten_in_org(Some(named("email", Side::Product)))), []);
    assert_eq!(
        broken(overwritten_in_org(Some(named("first_name", Side::Org)))),
        [(Promise::C3, 1)]
    );
    assert_eq!(
        broken(overwritten_in_org(Some(named("email", Side::Org)))),
        [(Promise::C3, 1)],
        "wrong winner"
    );
}

#[test]
fn c3_a_delete_in_the_org_that_the_product_never_hears_of_is_lost() {
    let mut record = Contact::synced();
    record.commits.push(Commit {
        seq: None,
        ..commit(false, CommitKind::Delete, &[], 0)
    });
    record.org_rows.clear();
    assert_eq!(broken(record), [(Promise::C1, 1), (Promise::C3, 1)]);
}

#[test]
fn c4_a_deleted_record_that_lives_on_is_found() {
    let mut record = Contact::synced();
    record.steps.push(Step::Delete);
    record.product_row = None;
    assert_eq!(broken(record), [(Promise::C1, 1), (Promise::C4, 1)]);
    let mut record = Contact::synced();
    record.commits.push(Commit {
        seq: None,
        ..commit(false, CommitKind::Delete, &[], 0)
    });
    record
        .commits
        .push(commit(true, CommitKind::Create, &Contact::FULL, 30));
    record.steps.push(Step::Deleted);
    record.product_row = None;
    assert_eq!(broken(record), [(Promise::C1, 1), (Promise::C4, 2)]);
}

#[test]
fn c4_a_record_that_the_product_makes_again_is_legal() {
    let mut record = Contact::synced();
    record
        .steps
        .extend([Step::Delete, Step::Create(fields(&Contact::FULL))]);
    record.commits.push(commit(true, CommitKind::Delete, &[], 20));
    record
        .commits
        .push(commit(true, CommitKind::Create, &Contact::FULL, 30));
    assert_eq!(broken(record), []);
}

#[test]
fn c5_two_rows_of_one_key_two_creates_and_shared_ids_are_found() {
    let mut record = Contact::synced();
    record.org_rows.push(Contact::row(&[]));
    record
        .commits
        .push(commit(true, CommitKind::Create, &Contact::FULL, 11));
    let mut history = run(record);
    history.tenants[0].named_ids = [("003000000000001".to_owned(), vec![0, 1, 0])].into();
    history.tenants[0].unkeyed_rows = 3;
    history.tenants[0].retries_allowed = 1;
    history.tenants[0].unlinked = 2;
    let verdict = judge(&history);
    assert_eq!(found(&verdict), [(Promise::C5, 4)]);
    assert_eq!(verdict.duplicates, 4);
}

#[test]
fn c6_a_falling_sequence_and_older_content_after_newer_are_found() {
    let mut record = Contact::edited("first_name", "First q0p2z");
    record.commits[1].seq = Some(9);
    assert_eq!(broken(record), [(Promise::C6, 1)]);

    let mut record = Contact::edited("first_name", "First q0p3z");
    record
        .steps
        .insert(1, Step::Edit(fields(&[("first_name", "First q0p2z")])));
    for (value, seq) in [("First q0p2z", 30), ("First q0p3z", 40)] {
        record
            .commits
            .push(commit(true, CommitKind::Update, &[("first_name", value)], seq));
    }
    let mut history = run(record);
    history.tenants[0].retries_allowed = 9;
    assert_eq!(found(&judge(&history)), [(Promise::C6, 1)]);
}

#[test]
fn c6_events_in_the_wrong_order_are_found() {
    let mut record = Contact::imported("first_name", "First q0h2z");
    let edit = commit(false, CommitKind::Update, &[("first_name", "First q0h1z")], 0);
    record.commits.insert(1, Commit { seq: None, ..edit });
    record
        .steps
        .push(Step::Changed(fields(&[("first_name", "First q0h1z")])));
    record
        .steps
        .push(Step::Changed(fields(&[("first_name", "First q0h2z")])));
    assert_eq!(broken(record), [(Promise::C6, 1)]);
}

#[test]
fn c7_an_event_that_tells_the_product_its_own_value_is_an_echo() {
    let mut record = Contact::edited("first_name", "First q0p2z");
    record
        .steps
        .push(Step::Changed(fields(&[("first_name", "First q0p2z")])));
    let verdict = judge(&run(record));
    assert_eq!(found(&verdict), [(Promise::C7, 1)]);
    assert_eq!(verdict.echoes, 1);
    let mut record = Contact::edited("status", "active");
    record.steps.push(Step::Changed(fields(&[("status", "active")])));
    assert_eq!(broken(record), [], "a person may choose the same value of a list");
}

#[test]
fn c7_a_deleted_event_for_the_products_own_delete_is_an_echo() {
    let mut record = Contact::synced();
    record.steps.extend([Step::Delete, Step::Deleted]);
    record.commits.push(commit(true, CommitKind::Delete, &[], 20));
    record.product_row = None;
    record.org_rows.clear();
    assert_eq!(broken(record), [(Promise::C7, 1)]);
}

#[test]
fn c7_writes_beyond_edits_and_retries_and_writes_that_change_nothing_are_echoes() {
    let mut record = Contact::imported("first_name", "First q0h1z");
    record.commits.push(commit(true, CommitKind::Update, &[], 20));
    let mut history = run(record);
    assert_eq!(found(&judge(&history)), [(Promise::C7, 1)]);
    history.tenants[0].retries_allowed = 1;
    assert_eq!(found(&judge(&history)), [], "a retry explains it");
    let mut record = Contact::edited("status", "active");
    record
        .commits
        .push(commit(true, CommitKind::Update, &[("status", "active")], 21));
    assert_eq!(broken(record), [(Promise::C7, 1)]);
}
