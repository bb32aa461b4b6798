//! Who is in the product, who is in the org, and who is in both, as far as a mapping can tell.

use crate::dice::Dice;
use crate::shape::{Object, builtin_choices};
use crate::value::{Kind, Value};

/// Of a hundred rows of the product: those whose person is in the org too.
const SAME_PERCENT: usize = 80;
/// Of a hundred rows of the product: those whose person is in the org twice. They are among the former.
const AMBIGUOUS_PERCENT: usize = 2;
/// E-mail addresses and the like that the org writes in other case, percent.
const OTHER_CASE_PERCENT: f64 = 20.0;
/// Of each field (or group): values that differ, that the org lacks, that the product lacks; percent each.
const DIFFERS_PERCENT: f64 = 10.0;

/// One person.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// The product's row: a value a field, in normal form.
    pub row: Option<Vec<Value>>,
    /// The org's records, in the product's terms.
    pub records: Vec<Vec<Value>>,
}

impl Person {
    /// The product has the person, the org has several.
    pub fn is_ambiguous(&self) -> bool {
        self.row.is_some() && self.records.len() > 1
    }
}

/// So many rows in the product and as many records in the org.
pub fn people(object: &Object, records: usize, seed: u64, tenant: usize) -> Vec<Person> {
    let mut dice = Dice::new(seed, 5_000_000 + tenant as u64);
    let (same, ambiguous) = (records * SAME_PERCENT / 100, records * AMBIGUOUS_PERCENT / 100);
    let only_there = records.saturating_sub(same + ambiguous);
    let mut people: Vec<Person> = (0..records + only_there)
        .map(|number| {
            let copies = match number {
                number if number < ambiguous => 2,
                number if number < same || number >= records => 1,
                _ => 0,
            };
            let (row, record) = both(object, number, &mut dice);
            Person {
                row: (number < records).then_some(row),
                records: vec![record; copies],
            }
        })
        .collect();
    // Nobody's place says what becomes of them.
    for at in (1..people.len()).rev() {
        people.swap(at, dice.below(at + 1));
    }
    people
}

/// What the product and the org have of one person.
fn both(object: &Object, number: usize, dice: &mut Dice) -> (Vec<Value>, Vec<Value>) {
    let mut row = vec![Value::default(); object.fields.len()];
    let mut record = row.clone();
    for unit in units(object) {
        let matched = unit.iter().any(|at| object.matching.contains(at));
        let required = unit
            .iter()
            .any(|at| object.fields.get(*at).is_some_and(|field| field.required));
        let differs = !matched && dice.chance(DIFFERS_PERCENT);
        let lacking =
            [dice.chance(DIFFERS_PERCENT), dice.chance(DIFFERS_PERCENT)].map(|lacks| lacks && !matched && !required);
        let other_case = matched && dice.chance(OTHER_CASE_PERCENT);
        for at in unit {
            let value = |there: bool| value(object, at, number, there).unwrap_or_default();
            let (ours, theirs) = (value(false), value(differs));
            if let Some(place) = row.get_mut(at).filter(|_| !lacking[0]) {
                *place = ours;
            }
            if let Some(place) = record.get_mut(at).filter(|_| !lacking[1]) {
                *place = if other_case {
                    theirs.to_uppercase().into()
                } else {
                    theirs
                };
            }
        }
    }
    (row, record)
}

/// Fields that are decided on together.
pub fn units(object: &Object) -> Vec<Vec<usize>> {
    let alone = (0..object.fields.len()).filter(|at| object.fields.get(*at).is_some_and(|field| field.group.is_none()));
    alone.map(|at| vec![at]).chain(object.groups.iter().cloned()).collect()
}

/// The person's value of a field, or the other one that only the org has.
fn value(object: &Object, at: usize, number: usize, other: bool) -> Option<Value> {
    let field = object.fields.get(at)?;
    let mark = if other { "b" } else { "a" };
    Some(match field.kind {
        Kind::Reference(_) => return None,
        Kind::Number => (number * 2 + usize::from(other)).to_string().into(),
        Kind::Date => format!("2027-{:02}-{:02}", 1 + number % 12, 1 + usize::from(other)).into(),
        Kind::Choice => {
            let ours: Vec<&str> = field.values.iter().map(|(ours, _)| ours.as_str()).collect();
            let choices = if ours.is_empty() {
                builtin_choices(&field.salesforce)?
            } else {
                &ours
            };
            (*choices.get((number + usize::from(other)) % choices.len())?).into()
        }
        Kind::Text if field.salesforce.contains("Email") => format!("p{number}{mark}@example.org").into(),
        Kind::Text => format!("{} {number}{mark}", field.name.get(..1).unwrap_or("x").to_uppercase()).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_have_as_many_and_most_are_the_same_people() {
        let shapes = crate::shape::tests::shapes();
        let object = &shapes.objects[1];
        let people = people(object, 1_000, 7, 0);
        let count = |wanted: fn(&Person) -> bool| people.iter().filter(|person| wanted(person)).count();
        assert_eq!(count(|person| person.row.is_some()), 1_000);
        assert_eq!(people.iter().map(|person| person.records.len()).sum::<usize>(), 1_000);
        assert_eq!(count(|person| person.row.is_some() && !person.records.is_empty()), 800);
        assert_eq!(count(Person::is_ambiguous), 20);
        let (mut other_case, mut differ, mut blank) = (0, 0, 0);
        for person in &people {
            let (Some(row), Some(record)) = (&person.row, person.records.first()) else {
                continue;
            };
            assert_eq!(object.likeness(row), object.likeness(record));
            let email = object.matching[0];
            other_case += usize::from(row[email] != record[email]);
            let others = |at: &usize| *at != email;
            differ += usize::from((0..row.len()).filter(others).any(|at| row[at] != record[at]));
            blank += usize::from((0..row.len()).any(|at| row[at].is_empty() != record[at].is_empty()));
        }
        assert!((100..300).contains(&other_case), "{other_case}");
        assert!(differ > 200 && blank > 100 && differ < 700, "{differ} {blank}");
        let again = super::people(object, 1_000, 7, 0);
        assert_eq!(people, again, "one seed, the same people");
    }
}
