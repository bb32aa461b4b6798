//! The result of a scenario that measures: figures with stable names, some with a bound.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json};

/// What a figure must keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// Less than this.
    Below(f64),
    /// At least the one, at most the other.
    Within(f64, f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
            Self::Below(bound) => value < bound,
            Self::Within(least, most) => (least..=most).contains(&value),
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtLeast(bound) => format!(">= {bound}"),
            Self::AtMost(bound) => format!("<= {bound}"),
            Self::Below(bound) => format!("< {bound}"),
            Self::Within(least, most) => format!("{least} to {most}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Figure {
    name: &'static str,
    value: f64,
    /// Decimal places that mean anything.
    places: usize,
    bound: Option<Bound>,
}

/// The figures of one run.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    figures: Vec<Figure>,
    run: Vec<(String, String)>,
}

impl Figures {
    /// Adds a count.
    pub fn count(&mut self, name: &'static str, value: u64, bound: impl Into<Option<Bound>>) {
        self.measure(name, value as f64, 0, bound);
    }

    /// Adds a measured value, rounded to so many decimal places. A point in its name makes it a member of an object.
    pub fn measure(&mut self, name: &'static str, value: f64, places: usize, bound: impl Into<Option<Bound>>) {
        self.figures.push(Figure {
            name,
            value,
            places,
            bound: bound.into(),
        });
    }

    /// Adds a word on the run itself: shown, and part of `run` in the JSON.
    pub fn note(&mut self, name: &str, value: impl ToString) {
        self.run.push((name.to_owned(), value.to_string()));
    }

    /// Every bound is kept.
    pub fn clean(&self) -> bool {
        self.figures.iter().all(Figure::holds)
    }

    /// The JSON: the figures by their names, and `run`.
    pub fn json(&self) -> Json {
        let mut all = Map::new();
        for figure in &self.figures {
            let place = match figure.name.split_once('.') {
                None => all.entry(figure.name),
                Some((object, member)) => {
                    let object = all.entry(object).or_insert_with(|| Json::Object(Map::new()));
                    match object.as_object_mut() {
                        Some(object) => object.entry(member),
                        None => continue,
                    }
                }
            };
            place.or_insert_with(|| figure.json());
        }
        let run = self
            .run
            .iter()
            .map(|(name, value)| (name.clone(), Json::from(value.as_str())));
        all.insert("run".to_owned(), Json::Object(run.collect()));
        Json::Object(all)
    }

    /// The table for people.
    pub fn table(&self) -> String {
        let mut table = String::new();
        for (name, value) in &self.run {
            // Writing to a string cannot fail.
            writeln!(table, "{name:<26}{value:>14}").unwrap_or_default();
        }
        for figure in &self.figures {
            let value = format!("{:.*}", figure.places, figure.value);
            write!(table, "{:<26}{value:>14}", figure.name).unwrap_or_default();
            match figure.bound {
                Some(bound) => {
                    let verdict = if figure.holds() { "kept" } else { "MISSED" };
                    writeln!(table, "   {:<14}{verdict}", bound.words()).unwrap_or_default();
                }
                None => table.push('\n'),
            }
        }
        let verdict = if self.clean() {
            "every bound is kept"
        } else {
            "a bound is MISSED"
        };
        writeln!(table, "{verdict}").unwrap_or_default();
        table
    }
}

impl Figure {
    fn holds(&self) -> bool {
        self.bound.is_none_or(|bound| bound.holds(self.value))
    }

    fn json(&self) -> Json {
        if self.places == 0 && self.value >= 0.0 {
            return Json::from(self.value.round() as u64);
        }
        let unit = 10_f64.powi(i32::try_from(self.places).unwrap_or(0));
        Json::from((self.value * unit).round() / unit)
    }
}

/// A share of sorted values, by the nearest rank; NaN of none, which keeps no bound.
pub fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_bounds_and_the_verdict_are_in_table_and_json() {
        let mut figures = Figures::default();
        figures.count("records", 200, None);
        figures.measure("latency_ms.p50", 1.234_56, 2, Bound::Below(3.0));
        figures.measure("latency_ms.p99", 9.0, 2, Bound::Below(15.0));
        figures.note("org", "stub");
        assert!(figures.clean() && figures.table().ends_with("every bound is kept\n"));
        let json = figures.json();
        assert_eq!(
            (&json["records"], &json["latency_ms"]["p50"]),
            (&Json::from(200), &Json::from(1.23))
        );
        assert_eq!(json["run"]["org"], "stub");
        figures.measure("records_per_s", 10.0, 1, Bound::AtLeast(20.0));
        assert!(!figures.clean() && figures.table().ends_with("a bound is MISSED\n"));
        for (value, kept) in [(99, false), (100, true), (110, true), (111, false)] {
            figures = Figures::default();
            figures.count("asked", value, Bound::Within(100.0, 110.0));
            assert_eq!(figures.clean(), kept, "{value}");
        }
        figures = Figures::default();
        figures.measure("latency_ms.p50", f64::NAN, 2, Bound::Below(3.0));
        assert!(!figures.clean(), "no samples, no bound kept");
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!((percentile(&values, 50.0), percentile(&values, 99.0)), (100.0, 198.0));
        assert_eq!(percentile(&[7.0], 99.0), 7.0);
        assert!(percentile(&[], 50.0).is_nan());
    }
}
