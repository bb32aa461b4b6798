//! Links of the id index, as `emit` makes them: first key for a record wins, and a stand-in gives way to a key.

use tandem::port::store::Lane;
use tandem_core::domain::ids::RecordKey;
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::commit::{Commit, Script};

use crate::fixture::*;

async fn emit(o: &mut Owned, commit: Commit) -> Vec<(SalesforceId, RecordKey)> {
    let fence = o.step();
    let done = o.lane.commit(&o.tenant, &fence, Script::Emit, Box::new(commit)).await;
    done.unwrap().refused_links
}

fn linked(id: SalesforceId, key: &RecordKey) -> Commit {
    Commit {
        links: vec![(id, key.clone())],
        rows: vec![(key.clone(), row(1))],
        ..Commit::default()
    }
}

#[tokio::test]
async fn the_first_key_for_a_record_wins_and_the_second_hears_whose_it_is() {
    let mut o = owned().await;
    let (one, two) = (contact("1"), contact("2"));
    assert_eq!(emit(&mut o, linked(sfid(1), &one)).await, []);
    assert_eq!(emit(&mut o, linked(sfid(1), &two)).await, [(sfid(1), one.clone())]);
    assert_eq!(
        emit(&mut o, linked(sfid(1), &one)).await,
        [],
        "the same link may be made again"
    );
    let holders = o.lane.resolve(&o.tenant, vec![sfid(1), sfid(2)]).await.unwrap();
    assert_eq!(holders, [Some(one), None]);
}

#[tokio::test]
async fn a_record_without_a_key_has_a_stand_in_until_one_step_gives_it_its_key() {
    let mut o = owned().await;
    let (stand_in, key) = (RecordKey::keyless("contact", sfid(1)), contact("42"));
    let asked = Commit {
        questions: vec![(stand_in.clone(), Timestamp(1_000))],
        ..linked(sfid(1), &stand_in)
    };
    assert_eq!(emit(&mut o, asked).await, []);
    let holders = o.lane.resolve(&o.tenant, vec![sfid(1)]).await.unwrap();
    assert_eq!(holders, [Some(stand_in.clone())]);
    let due = |before| o.lane.due_questions(&o.tenant, Timestamp(before), 10);
    assert_eq!(due(999).await.unwrap(), []);
    assert_eq!(due(1_000).await.unwrap(), std::slice::from_ref(&stand_in));
    assert_eq!(o.lane.lengths(&o.tenant).await.unwrap().open_questions, 1);

    let answered = Commit {
        unlinks: vec![sfid(1)],
        rows_remove: vec![stand_in.clone()],
        questions_remove: vec![stand_in.clone()],
        ..linked(sfid(1), &key)
    };
    assert_eq!(emit(&mut o, answered).await, []);
    let holders = o.lane.resolve(&o.tenant, vec![sfid(1)]).await.unwrap();
    assert_eq!(holders, [Some(key.clone())]);
    assert_eq!(o.row_of(&stand_in).await, None);
    assert_eq!(o.row_of(&key).await, Some(row(1)));
    assert_eq!(o.lane.lengths(&o.tenant).await.unwrap().open_questions, 0);
}
