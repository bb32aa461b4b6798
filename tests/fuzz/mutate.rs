//! Structure-aware noise: seeds of a corpus, damaged, spliced and grown; what behaves in a new way joins the corpus.
//!
//! In the normal suite a target runs a fixed number of cases from a fixed seed, so that it finds the same today and
//! tomorrow. With `TANDEM_FUZZ_SECONDS` (see `just fuzz`) it runs as long as told, from a seed that it prints and takes
//! back as `TANDEM_FUZZ_SEED`. Results guide it, not coverage: cargo-fuzz asks for a nightly compiler.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Inputs grow to so many bytes at most.
const BYTES_MAX: usize = 1 << 16;
/// Inputs that joined the corpus, at most.
const JOINED_MAX: usize = 4_096;

/// Random numbers that a seed makes again (SplitMix64).
pub struct Dice(u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % n as u64).unwrap()
    }
}

/// A target: what it is fed with at first, and words that its inputs are made of.
pub struct Fuzz<'a> {
    pub name: &'a str,
    pub corpus: Vec<Vec<u8>>,
    pub words: &'a [&'a str],
    /// Cases in the normal suite.
    pub cases: u64,
}

impl Fuzz<'_> {
    /// Runs the target. It panics on a fault and returns what the input came to: a result not seen before keeps the
    /// input for further damage.
    pub fn run<R: Hash>(self, target: impl Fn(&[u8]) -> R) {
        let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
        let time = number("TANDEM_FUZZ_SECONDS").map(Duration::from_secs);
        let fresh = || {
            let since = std::time::UNIX_EPOCH.elapsed().unwrap();
            since.as_secs() ^ u64::from(since.subsec_nanos())
        };
        let seed = number("TANDEM_FUZZ_SEED").unwrap_or_else(|| time.map_or(1, |_| fresh()));
        let (mut dice, mut corpus, mut seen) = (Dice(seed), self.corpus.clone(), HashSet::new());
        let (own, start) = (corpus.len(), Instant::now());
        let (mut case, mut slowest) = (0_u64, Duration::ZERO);
        loop {
            let input = match corpus.get(usize::try_from(case).unwrap()) {
                Some(first) if case < own as u64 => first.clone(),
                _ => self.damaged(&corpus, &mut dice),
            };
            let began = Instant::now();
            let Ok(came_to) = catch_unwind(AssertUnwindSafe(|| target(&input))) else {
                let shown: String = input.escape_ascii().to_string();
                panic!("{}: seed {seed}, case {case}, input:\nb\"{shown}\"", self.name);
            };
            slowest = slowest.max(began.elapsed());
            let mut hash = DefaultHasher::new();
            came_to.hash(&mut hash);
            if seen.insert(hash.finish()) && corpus.len() < own + JOINED_MAX && case >= own as u64 {
                corpus.push(input);
            }
            case += 1;
            let done = match time {
                Some(time) => case.is_multiple_of(64) && start.elapsed() >= time,
                None => case >= self.cases.max(own as u64),
            };
            if done {
                break;
            }
        }
        let took = start.elapsed().as_secs_f64();
        println!(
            "{}: {case} cases in {took:.1} s, {:.0} a second, the slowest {} ms, {} behaviours, seed {seed}",
            self.name,
            case as f64 / took,
            slowest.as_millis(),
            seen.len()
        );
        assert!(seen.len() > 1, "{} does the same with everything", self.name);
    }

    fn damaged(&self, corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
        let mut input = corpus[dice.below(corpus.len())].clone();
        for _ in 0..=dice.below(6) {
            self.damage(&mut input, corpus, dice);
            input.truncate(BYTES_MAX);
        }
        input
    }

    fn damage(&self, input: &mut Vec<u8>, corpus: &[Vec<u8>], dice: &mut Dice) {
        let at = dice.below(input.len() + 1);
        let end = at + dice.below(input.len() - at + 1).min(1 + dice.below(24));
        match dice.below(11) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
            1 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = [0, 1, 0x7f, 0x80, 0xff, b'"', b'\\', b'{', b'[', b'9', b'-', b'\n'][dice.below(12)];
                }
            }
            2 => {
                input.drain(at..end);
            }
            3 => input.truncate(at),
            4 => {
                let part = input[at..end].to_vec();
                let times = 1 << dice.below(8);
                input.splice(at..at, part.repeat(times));
            }
            5 => {
                let other = &corpus[dice.below(corpus.len())];
                let from = dice.below(other.len() + 1);
                let to = from + dice.below(other.len() - from + 1);
                input.splice(at..end, other[from..to].iter().copied());
            }
            6 | 7 if !self.words.is_empty() => {
                let word = self.words[dice.below(self.words.len())];
                input.splice(at..end, word.bytes());
            }
            8 => {
                let bytes: Vec<u8> = (0..dice.below(9)).map(|_| dice.roll() as u8).collect();
                input.splice(at..end, bytes);
            }
            9 => {
                let c = char::from_u32(u32::try_from(dice.below(0x11_0000)).unwrap()).unwrap_or('\u{feff}');
                input.splice(at..at, c.to_string().bytes());
            }
            _ => {
                // A number where there was one.
                let from = input[at..].iter().position(u8::is_ascii_digit).map_or(at, |n| at + n);
                let digits = input[from..].iter().take_while(|b| b.is_ascii_digit()).count();
                let number = match dice.below(4) {
                    0 => u64::MAX.to_string(),
                    1 => "9".repeat(dice.below(400)),
                    2 => i64::MIN.to_string(),
                    _ => (dice.roll() >> dice.below(64)).to_string(),
                };
                input.splice(from..from + digits, number.bytes());
            }
        }
    }
}
