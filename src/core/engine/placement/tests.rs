use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::engine::place::TENANT_PARTITIONS as PARTITIONS;

const LATER: Duration = Duration::from_secs(100);

fn view(me: &str, all: &BTreeSet<String>) -> Members {
    let mut members = Members::new(me);
    members.seen(Duration::ZERO, all.iter().map(|n| (n.as_str(), Duration::ZERO)));
    members
}

proptest! {
    #[test]
    fn all_nodes_agree_and_a_lost_node_moves_only_its_own(names in prop::collection::btree_set("[a-z]{1,8}", 2..8)) {
        let gone = names.iter().next().unwrap().clone();
        let rest: BTreeSet<String> = names.iter().filter(|n| **n != gone).cloned().collect();
        let me = rest.iter().next().unwrap();
        let other = rest.iter().next_back().unwrap();
        let (before, after, theirs) = (view(me, &names), view(me, &rest), view(other, &names));
        for partition in 0..PARTITIONS {
            let owner = before.taker(partition);
            prop_assert_eq!(owner, theirs.taker(partition));
            if owner != gone {
                prop_assert_eq!(owner, after.taker(partition));
            }
        }
    }
}

#[test]
fn partitions_spread_evenly() {
    let names: BTreeSet<String> = (0..5).map(|n| format!("node-{n}")).collect();
    let members = view("node-0", &names);
    for name in &names {
        let held = (0..PARTITIONS).filter(|p| members.taker(*p) == name).count();
        assert!((150..260).contains(&held), "{name} holds {held} of 1024, fair is 205");
    }
}

#[test]
fn a_newcomer_takes_what_is_free_at_once_but_is_handed_leases_only_when_it_stays() {
    let mut a = Members::new("a");
    a.seen(LATER, [("a", Duration::ZERO), ("b", Duration::ZERO)]);
    let theirs = (0..PARTITIONS).find(|p| a.taker(*p) == "b").unwrap();
    assert_eq!(a.holder(LATER, theirs), "a");
    assert_eq!(a.holder(LATER + JOIN_AFTER, theirs), "b");
    // It was away for a moment: its time begins anew.
    a.seen(
        LATER + JOIN_AFTER,
        [("a", Duration::ZERO), ("b", MISSING_AFTER + Duration::from_millis(1))],
    );
    assert_eq!(a.taker(theirs), "a");
    a.seen(LATER + JOIN_AFTER, [("a", Duration::ZERO), ("b", Duration::ZERO)]);
    assert_eq!(a.holder(LATER + JOIN_AFTER, theirs), "a");
}

#[test]
fn a_node_that_is_not_on_the_list_still_counts_itself() {
    let members = Members::new("me");
    assert_eq!(members.taker(7), "me");
    assert_eq!(members.alive().collect::<Vec<_>>(), ["me"]);
}
