//! The script `link` against a real Redis.

use tandem::store::Linked;

use crate::fixture::*;

#[tokio::test]
async fn first_key_for_a_record_and_first_record_for_a_key_win() {
    let mut o = owned().await;
    let (one, two) = (contact("1"), contact("2"));
    let fence = o.step();
    let done = o
        .lane
        .link(&o.tenant, &fence, sfid(1), &one, None, &row(1))
        .await
        .unwrap();
    assert_eq!(done, Linked::Done);
    let before = o.everything().await;

    let fence = o.fence.clone();
    let held = o
        .lane
        .link(&o.tenant, &fence, sfid(1), &two, None, &row(1))
        .await
        .unwrap();
    assert_eq!(held, Linked::Held(one.clone()));
    let moved = o
        .lane
        .link(&o.tenant, &fence, sfid(2), &one, None, &row(2))
        .await
        .unwrap();
    assert_eq!(
        moved,
        Linked::RowMoved,
        "the key has a row by now, which the caller did not read"
    );
    assert_eq!(
        o.everything().await,
        before,
        "a refused link writes nothing and raises no step"
    );

    let again = o
        .lane
        .link(&o.tenant, &fence, sfid(1), &one, Some(&row(1)), &row(3))
        .await
        .unwrap();
    assert_eq!(again, Linked::Done, "the same link may be made again");
    assert_eq!(o.row_of(&one).await, Some(row(3)));
}
