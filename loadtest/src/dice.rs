//! Seeded dice, so that the same seed makes the same plan of edits.

/// SplitMix64: small, quick, and good enough to choose records and fields.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice for one purpose: `lane` keeps two users of the same seed apart.
    pub fn new(seed: u64, lane: u64) -> Self {
        let mut dice = Self(seed ^ lane.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        dice.throw();
        dice
    }

    /// The next 64 bits.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 {
            0
        } else {
            (self.throw() % bound as u64) as usize
        }
    }

    /// True in `percent` of a hundred throws (fractions count).
    pub fn chance(&mut self, percent: f64) -> bool {
        ((self.throw() >> 11) as f64) < percent / 100.0 * (1u64 << 53) as f64
    }

    /// One of the items; `None` of an empty slice.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_throws_the_same_and_chance_is_near_its_percent() {
        let (mut a, mut b, mut c) = (Dice::new(7, 1), Dice::new(7, 1), Dice::new(7, 2));
        let throws: Vec<u64> = (0..50).map(|_| a.throw()).collect();
        assert_eq!(throws, (0..50).map(|_| b.throw()).collect::<Vec<_>>());
        assert_ne!(throws, (0..50).map(|_| c.throw()).collect::<Vec<_>>());
        let hits = (0..10_000).filter(|_| a.chance(5.0)).count();
        assert!((400..600).contains(&hits), "{hits} of 10000 at 5 %");
    }
}
