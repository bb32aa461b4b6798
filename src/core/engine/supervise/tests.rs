use proptest::prelude::*;

use super::*;

#[test]
fn the_fifth_crash_within_ten_minutes_parks() {
    let mut crashes = Crashes::default();
    let mut now = Timestamp(1_000_000);
    for n in 1..CRASHES_MAX {
        let Verdict::Again(at) = crashes.crashed(now, 0) else {
            panic!("parked after {n} crashes")
        };
        assert_eq!(at.since(now), Duration::from_millis(500 << (n - 1)));
        now = at;
    }
    assert_eq!(crashes.crashed(now, 0), Verdict::Park(now.after(PARKED_FOR)));
    assert_eq!(crashes.total(), 5);
    crashes.pardon();
    assert!(matches!(crashes.crashed(now, 0), Verdict::Again(_)));
}

proptest! {
    #[test]
    fn pauses_are_bounded_and_parking_means_five_in_the_window(
        gaps in prop::collection::vec((0_u64..900_000, any::<u64>()), 1..40)
    ) {
        let mut crashes = Crashes::default();
        let mut now = Timestamp(1);
        let mut times: Vec<Timestamp> = Vec::new();
        for (gap, dice) in gaps {
            now = now.after(Duration::from_millis(gap));
            times.push(now);
            let recent = times.iter().filter(|t| now.since(**t) <= WINDOW).count();
            match crashes.crashed(now, dice) {
                Verdict::Park(_) => prop_assert!(recent >= CRASHES_MAX),
                Verdict::Again(at) => {
                    prop_assert!(recent < CRASHES_MAX);
                    let pause = at.since(now);
                    prop_assert!(pause >= PAUSE_MIN / 2 && pause <= PAUSE_MAX);
                }
            }
        }
    }
}
