use proptest::prelude::*;

use super::*;

const ME: &str = "me";

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn one_held(epoch: u64) -> (Leases, Members) {
    let members = Members::new(ME);
    let mut leases = Leases::new(Rules::default(), &BTreeSet::from([7]));
    let mut out = Vec::new();
    leases.tick(secs(0), 0, &members, ME, &mut out);
    assert_eq!(
        out,
        [Order::Acquire {
            partition: 7,
            above: Epoch(0),
            sent: secs(0)
        }]
    );
    out.clear();
    leases.acquired(secs(1), 0, (7, secs(0)), Tried::Held(Epoch(epoch)), &mut out);
    assert_eq!(
        out,
        [Order::Gained {
            partition: 7,
            epoch: Epoch(epoch)
        }]
    );
    (leases, members)
}

#[test]
fn trust_ends_sixteen_seconds_after_the_last_good_request_was_sent() {
    let (mut leases, members) = one_held(5);
    let mut out = Vec::new();
    leases.tick(secs(1), 0, &members, ME, &mut out);
    assert_eq!(
        out,
        [Order::Renew {
            leases: vec![(7, Epoch(5))],
            sent: secs(1)
        }]
    );
    out.clear();
    leases.renewed(secs(4), 0, secs(1), Some(&[true]), &mut out);
    leases.tick(secs(6), 0, &members, ME, &mut out);
    assert_eq!(
        out,
        [Order::Renew {
            leases: vec![(7, Epoch(5))],
            sent: secs(6)
        }]
    );
    out.clear();
    leases.renewed(secs(6), 0, secs(6), None, &mut out);
    leases.tick(Duration::from_millis(16_999), 0, &members, ME, &mut out);
    assert!(!out.contains(&Order::Revoke(7)));
    leases.tick(secs(17), 0, &members, ME, &mut out);
    assert!(out.contains(&Order::Revoke(7)), "1 s + 20 s − 4 s");
    assert_eq!(leases.held().count(), 0);
}

#[test]
fn one_lost_lease_is_revoked_at_once() {
    let (mut leases, members) = one_held(5);
    let mut out = Vec::new();
    leases.tick(secs(2), 0, &members, ME, &mut out);
    out.clear();
    leases.renewed(secs(2), 0, secs(2), Some(&[false]), &mut out);
    assert_eq!(out, [Order::Revoke(7)]);
}

#[test]
fn a_refused_attach_takes_the_lease_anew_above_what_was_seen() {
    let (mut leases, members) = one_held(5);
    let mut out = Vec::new();
    leases.refused(secs(2), 7, Epoch(4), &mut out);
    assert_eq!(out, [], "an old refusal means nothing");
    leases.refused(secs(2), 7, Epoch(90), &mut out);
    let released = Order::Release {
        partition: 7,
        epoch: Epoch(5),
        next: String::new(),
    };
    assert_eq!(out, [Order::Revoke(7), released]);
    out.clear();
    leases.released(secs(2), 7);
    leases.tick(secs(3), 0, &members, ME, &mut out);
    assert_eq!(
        out,
        [Order::Acquire {
            partition: 7,
            above: Epoch(90),
            sent: secs(3)
        }]
    );
}

#[test]
fn a_draining_node_gives_everything_back_and_asks_for_nothing() {
    let (mut leases, members) = one_held(5);
    let mut out = Vec::new();
    leases.drain();
    leases.tick(secs(2), 0, &members, ME, &mut out);
    assert_eq!(out[0], Order::Drain(7));
    out.clear();
    leases.drained(secs(3), &members, ME, 7, &mut out);
    assert!(matches!(&out[..], [Order::Release { partition: 7, .. }]));
    leases.released(secs(3), 7);
    assert!(leases.is_empty());
    out.clear();
    leases.tick(secs(30), 0, &members, ME, &mut out);
    assert_eq!(out, []);
}

#[test]
fn a_drain_that_takes_too_long_is_cut_off() {
    let (mut leases, members) = one_held(5);
    let mut out = Vec::new();
    leases.drain();
    for second in 2..70 {
        leases.tick(secs(second), 0, &members, ME, &mut out);
        if let Some(Order::Renew { sent, .. }) = out.iter().rfind(|o| matches!(o, Order::Renew { .. })) {
            let sent = *sent;
            leases.renewed(secs(second), 0, sent, Some(&[true]), &mut out);
        }
    }
    let revoked = out.iter().position(|o| *o == Order::Revoke(7)).unwrap();
    assert!(matches!(out[revoked + 1], Order::Release { partition: 7, .. }));
}

proptest! {
    /// Against a Redis that keeps leases by its own clock and loses or delays any answer: what this node trusts,
    /// Redis has not given away; gains and losses alternate.
    #[test]
    fn what_is_trusted_is_held(steps in prop::collection::vec((0_u64..4_000, 0_u8..8, any::<u64>()), 1..200)) {
        let members = Members::new(ME);
        let rules = Rules::default();
        let mut leases = Leases::new(rules, &(0..4).collect());
        let mut now = Duration::ZERO;
        let mut expires: BTreeMap<u16, Duration> = BTreeMap::new();
        let mut epoch = 0;
        let mut working: BTreeSet<u16> = BTreeSet::new();
        let mut late: Vec<((u16, Duration), Tried)> = Vec::new();
        for (gap, fate, dice) in steps {
            now += Duration::from_millis(gap);
            let mut out = Vec::new();
            if fate == 7 {
                for (asked, tried) in late.drain(..) { leases.acquired(now, dice, asked, tried, &mut out); }
            }
            leases.tick(now, dice, &members, ME, &mut out);
            let mut at = 0;
            while let Some(order) = out.get(at).cloned() {
                at += 1;
                match order {
                    Order::Acquire { partition, sent, .. } => {
                        epoch += 1;
                        expires.insert(partition, now + rules.ttl);
                        let tried = Tried::Held(Epoch(epoch));
                        let asked = (partition, sent);
                        if fate < 5 { leases.acquired(now, dice, asked, tried, &mut out) } else { late.push((asked, tried)) }
                    }
                    Order::Renew { leases: asked, sent } => {
                        let kept: Vec<bool> = asked.iter().map(|(p, _)| expires.get(p).is_some_and(|at| *at > now)).collect();
                        if fate < 6 {
                            for ((p, _), kept) in asked.iter().zip(&kept) { if *kept { expires.insert(*p, now + rules.ttl); } }
                        }
                        if fate < 4 { leases.renewed(now, dice, sent, Some(&kept), &mut out) }
                        else if fate == 4 { leases.renewed(now, dice, sent, None, &mut out) }
                    }
                    Order::Release { partition, .. } => { expires.remove(&partition); leases.released(now, partition); }
                    Order::Gained { partition, .. } => prop_assert!(working.insert(partition)),
                    Order::Revoke(partition) => prop_assert!(working.remove(&partition)),
                    Order::Drain(_) => prop_assert!(false, "nothing moves"),
                }
            }
            for partition in &working {
                prop_assert!(expires.get(partition).is_some_and(|at| *at > now), "partition {partition} is not ours");
            }
        }
    }
}
