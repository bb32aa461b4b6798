//! What people do in the product, and in which proportion.

use super::*;
use std::sync::Arc;

fn run(seed: u64, changes: usize) -> Product {
    let shapes = Arc::new(crate::shape::tests::shapes());
    let mut product = Product::new(shapes, 0);
    let mut plan = Plan::new(seed, 0, 60, 2);
    for now in 0..changes {
        plan.change(&mut product, now as u64);
    }
    product
}

#[test]
fn one_seed_makes_the_same_edits() {
    let steps = |seed| {
        run(seed, 500)
            .records
            .iter()
            .map(|record| record.steps.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(steps(1), steps(1));
    assert_ne!(steps(1), steps(2));
}

#[test]
fn changes_are_as_many_as_asked_and_of_every_kind() {
    let product = run(3, 3_000);
    assert_eq!(product.changes, 3_000);
    let count = |wanted: fn(&Step) -> bool| {
        product
            .records
            .iter()
            .flat_map(|record| &record.steps)
            .filter(|step| wanted(step))
            .count()
    };
    assert!(count(|step| matches!(step, Step::Delete)) > 10);
    assert!(
        count(|step| matches!(step, Step::Create(_))) > product.records.len(),
        "some are made again"
    );
    assert!(count(|step| matches!(step, Step::Edit(_))) > 2_000);
}

#[test]
fn every_text_is_unique_and_a_group_is_written_whole() {
    let product = run(4, 2_000);
    let mut seen = std::collections::HashSet::new();
    for record in &product.records {
        let shape = &product.shapes.objects[record.object];
        for step in &record.steps {
            let (Step::Create(fields) | Step::Edit(fields)) = step else {
                continue;
            };
            let grouped = fields
                .iter()
                .filter(|(at, _)| shape.fields[usize::from(*at)].group.is_some())
                .count();
            assert!(grouped == 0 || grouped == 2, "{fields:?}");
            for (at, value) in fields {
                let field = &shape.fields[usize::from(*at)];
                assert!(!field.required || !value.is_empty());
                assert!(!field.unique() || value.is_empty() || seen.insert((record.object, *at, value.clone())));
            }
        }
    }
}

#[test]
fn people_in_the_org_edit_live_old_records_and_make_some_without_a_key() {
    let product = run(5, 2_000);
    let mut plan = Plan::new(5, 0, 60, 2);
    let edits: Vec<OrgEdit> = (0..500)
        .filter_map(|turn| plan.org_edit(&product, 100_000, turn % 10 == 0))
        .collect();
    assert!(edits.iter().any(|edit| edit.op == "create" && edit.key.is_none()));
    for edit in edits.iter().filter(|edit| edit.op == "delete") {
        assert_eq!(class(&product, edit.record.expect("a record")), 3);
    }
    let updates = edits.iter().filter(|edit| edit.op == "update").count();
    assert!(updates > 300, "{updates}");
    assert!(run(5, 5).records.iter().all(|record| record.org_attempts.is_empty()));

    let made = edits
        .iter()
        .find(|edit| edit.op == "create" && edit.object == 1)
        .expect("a contact");
    plan.org_edited(&product, made, Some("003000000000001AAA".to_owned()));
    let again = |plan: &mut Plan| {
        let edits = (0..500).filter_map(|_| plan.org_edit(&product, 100_000, false));
        edits.filter(|edit| edit.id.is_some()).collect::<Vec<_>>()
    };
    let of_it = again(&mut plan);
    assert!(of_it.len() > 20 && of_it.iter().all(|edit| edit.entity == "Contact" && edit.key.is_none()));
    let gone = of_it.iter().find(|edit| edit.op == "delete");
    let gone = gone.cloned().unwrap_or(OrgEdit {
        op: "delete",
        ..of_it[0].clone()
    });
    plan.org_edited(&product, &gone, None);
    assert!(again(&mut plan).is_empty());
}
