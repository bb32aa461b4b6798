use proptest::prelude::*;

use super::*;

fn name(n: u8) -> TenantName {
    TenantName::new(&format!("t{n}")).unwrap()
}

#[test]
fn tenants_take_turns_however_many_one_asks_for() {
    let mut fair = Fair::default();
    for _ in 0..10 {
        assert!(fair.want(&name(0)));
    }
    for n in 1..4 {
        assert!(fair.want(&name(n)));
    }
    let first: Vec<_> = (0..5).filter_map(|_| fair.grant()).collect();
    assert_eq!(first, [name(0), name(1), name(2), name(3), name(0)]);
}

#[test]
fn a_slow_org_gets_fewer_turns() {
    let mut fair = Fair::default();
    let (slow, quick) = (name(0), name(1));
    let mut turns = BTreeMap::new();
    for _ in 0..8 {
        fair.want(&slow);
        fair.want(&quick);
    }
    for _ in 0..200 {
        let tenant = fair.grant().unwrap();
        fair.want(&tenant);
        fair.charge(&tenant, if tenant == slow { 1_000 } else { 100 });
        *turns.entry(tenant).or_insert(0) += 1;
    }
    assert!(turns[&quick] > 5 * turns[&slow], "{turns:?}");
    assert!(turns[&slow] >= 10, "but it is never shut out: {turns:?}");
}

proptest! {
    #[test]
    fn grants_are_asked_for_and_no_worker_idles(ops in prop::collection::vec((0_u8..4, 0_u8..6, 0_u64..5_000), 1..300)) {
        let mut fair = Fair::default();
        let mut asked: BTreeMap<TenantName, u32> = BTreeMap::new();
        for (op, who, millis) in ops {
            let tenant = name(who);
            match op {
                0 => if fair.want(&tenant) { *asked.entry(tenant).or_default() += 1; },
                1 => { fair.forget(&tenant); asked.remove(&tenant); }
                2 => fair.charge(&tenant, millis),
                _ => match fair.grant() {
                    Some(t) => {
                        let left = asked.get_mut(&t).filter(|n| **n > 0);
                        prop_assert!(left.is_some(), "{t} was granted what it did not ask for");
                        *left.unwrap() -= 1;
                    }
                    None => prop_assert_eq!(asked.values().sum::<u32>(), 0),
                },
            }
            prop_assert_eq!(fair.waiting() as u32, asked.values().sum::<u32>());
        }
    }

    #[test]
    fn everyone_who_waits_is_served(costs in prop::collection::vec(1_u64..20_000, 2..12), rounds in 1_usize..6) {
        let mut fair = Fair::default();
        for n in 0..costs.len() { for _ in 0..rounds { fair.want(&name(n as u8)); } }
        let mut last_seen: BTreeMap<TenantName, usize> = BTreeMap::new();
        let k = costs.len();
        for turn in 0.. {
            let Some(t) = fair.grant() else { break };
            let n: usize = t.as_str()[1..].parse().unwrap();
            fair.charge(&t, costs[n]);
            last_seen.insert(t, turn);
        }
        prop_assert_eq!(last_seen.len(), k);
        prop_assert_eq!(fair.waiting(), 0);
    }
}
