//! A row's change as an event body, and the field sets that its header names.

use std::ops::Range;

use super::avro::Datum;
use super::bitmap::FieldSet;
use super::compound::{Child, Compound};
use super::diff;
use super::kind::{Kind, Scalar};
use super::schema::{EventSchema, Field, KEY_FIELD, Shape};
use crate::org::{Cell, Row};

/// The body of one event and what the header says about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) bytes: Datum,
    pub(crate) changed: FieldSet,
    pub(crate) nulled: FieldSet,
    pub(crate) diff: FieldSet,
    /// Where in `bytes` the key field's union is.
    pub(crate) key: Option<Range<usize>>,
}

/// Which values a body carries (Change Data Capture guide, "Change event body").
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carries {
    /// Creates and undeletes: every field.
    All,
    /// Updates: changed fields only; the rest is null even where it has a value.
    Changed,
    /// Deletes and gap events: nothing.
    Nothing,
}

impl Body {
    /// The body that tells what is different between two versions of a row.
    pub(crate) fn change(schema: &EventSchema, before: &Row, after: &Row) -> Self {
        Self::carrying(schema, Carries::Changed, before, after)
    }

    /// How many fields are different, the date of the change among them.
    pub(crate) fn changes(schema: &EventSchema, before: &Row, after: &Row) -> usize {
        let differs = |place: usize| usize::from(before.cells[place] != after.cells[place]);
        let fields = schema.fields.iter().map(|field| match &field.shape {
            Shape::Plain(_) if field.name == "LastModifiedDate" => 1,
            Shape::Plain(_) => differs(field.place),
            Shape::Compound(compound) => compound
                .children
                .iter()
                .filter_map(|child| child.source)
                .map(differs)
                .sum::<usize>(),
        });
        fields.sum()
    }

    /// Whether two changes have the same body.
    pub(crate) fn same_change(schema: &EventSchema, one: (&Row, &Row), other: (&Row, &Row)) -> bool {
        let same = |place: usize| {
            let (before, after) = (&one.0.cells[place], &one.1.cells[place]);
            let (other_before, other_after) = (&other.0.cells[place], &other.1.cells[place]);
            match (before != after, other_before != other_after) {
                (false, false) => true,
                // A diff of a large text tells what was before, too.
                (true, true) => after == other_after && before == other_before,
                _ => false,
            }
        };
        // The date and the user are told even where they are the same as before.
        let stamps = |place: usize| one.1.cells[place] == other.1.cells[place];
        schema.fields.iter().all(|field| {
            let parts = match &field.shape {
                Shape::Plain(_) => &[][..],
                Shape::Compound(compound) => &compound.children,
            };
            let dated = field.name != "LastModifiedDate" || stamps(field.place);
            dated && same(field.place) && parts.iter().filter_map(|child| child.source).all(same)
        })
    }

    /// The body with all values of a row.
    pub(crate) fn whole(schema: &EventSchema, row: &Row) -> Self {
        Self::carrying(schema, Carries::All, row, row)
    }

    /// Whether two rows have the same body.
    pub(crate) fn same(schema: &EventSchema, one: &Row, other: &Row) -> bool {
        schema.fields.iter().all(|field| {
            let parts = match &field.shape {
                Shape::Plain(_) => &[][..],
                Shape::Compound(compound) => &compound.children,
            };
            one.cells[field.place] == other.cells[field.place]
                && parts.iter().all(|child| part(one, child) == part(other, child))
        })
    }

    /// A body of nulls.
    pub(crate) fn empty(schema: &EventSchema) -> Self {
        let none = Row::default();
        Self::carrying(schema, Carries::Nothing, &none, &none)
    }

    fn carrying(schema: &EventSchema, carries: Carries, before: &Row, after: &Row) -> Self {
        let mut body = Self::default();
        let converted = schema
            .converted
            .is_some_and(|place| before.cells[place] != after.cells[place]);
        for (index, field) in schema.fields.iter().enumerate() {
            let start = body.bytes.len();
            // The header is position 0 of the schema.
            let position = index + 1;
            match (&field.shape, carries) {
                (_, Carries::Nothing) => body.bytes.branch(0),
                // The event of a lead's conversion is the one update without it [V:S6].
                (_, Carries::Changed) if converted && field.name == "LastModifiedDate" => body.bytes.branch(0),
                (Shape::Plain(kind), _) => body.plain(field, *kind, position, carries, before, after),
                (Shape::Compound(compound), _) if compound.switchable() && !is_person(schema, after) => {
                    body.plain(field, Kind::Text, position, carries, before, after);
                }
                (Shape::Compound(compound), _) => body.compound(compound, position, carries, before, after),
            }
            if field.name == KEY_FIELD {
                body.key = Some(start..body.bytes.len());
            }
        }
        body
    }

    fn plain(&mut self, field: &Field, kind: Kind, position: usize, carries: Carries, before: &Row, after: &Row) {
        let change = Change::between(kind, &before.cells[field.place], &after.cells[field.place]);
        let value = match carries {
            Carries::All => change.new,
            Carries::Nothing => None,
            // Every update moves this date, also when two of them fall in the same second.
            Carries::Changed if change.differs || field.name == "LastModifiedDate" => {
                self.changed.add(position);
                if change.differs && change.new.is_none() {
                    self.nulled.add(position);
                }
                match change.as_diff(kind) {
                    Some(text) => {
                        self.diff.add(position);
                        Some(Scalar::Text(text.into()))
                    }
                    None => change.new,
                }
            }
            Carries::Changed => None,
        };
        self.write(value.as_ref());
    }

    /// Only the children that changed have values; without any value the whole field is null.
    fn compound(&mut self, compound: &Compound, position: usize, carries: Carries, before: &Row, after: &Row) {
        let mut values = Vec::with_capacity(compound.children.len());
        for (index, child) in compound.children.iter().enumerate() {
            let change = Change::between(child.kind, part(before, child), part(after, child));
            let told = carries == Carries::All || change.differs;
            if carries == Carries::Changed && change.differs {
                self.changed.add_nested(position, index);
                if change.new.is_none() {
                    self.nulled.add_nested(position, index);
                }
            }
            values.push(change.new.filter(|_| told));
        }
        if values.iter().all(Option::is_none) {
            return self.bytes.branch(0);
        }
        self.bytes.branch(if compound.switchable() { 2 } else { 1 });
        for value in &values {
            self.write(value.as_ref());
        }
    }

    fn write(&mut self, value: Option<&Scalar<'_>>) {
        match value {
            Some(value) => {
                self.bytes.branch(1);
                value.write(&mut self.bytes);
            }
            None => self.bytes.branch(0),
        }
    }
}

/// What happened to one value.
struct Change<'a> {
    old: Option<Scalar<'a>>,
    new: Option<Scalar<'a>>,
    differs: bool,
}

impl<'a> Change<'a> {
    fn between(kind: Kind, before: &'a Cell, after: &'a Cell) -> Self {
        let new = kind.read(after);
        if before == after {
            return Self {
                old: None,
                new,
                differs: false,
            };
        }
        let old = kind.read(before);
        Self {
            differs: old != new,
            old,
            new,
        }
    }

    /// The diff text of an updated large text.
    fn as_diff(&self, kind: Kind) -> Option<String> {
        let (Kind::LongText, Some(Scalar::Text(old)), Some(Scalar::Text(new))) = (kind, &self.old, &self.new) else {
            return None;
        };
        (new.chars().nth(diff::DIFF_FROM_CHARS - 1).is_some()).then(|| diff::unified(old, new))
    }
}

fn part<'a>(row: &'a Row, child: &Child) -> &'a Cell {
    child.source.map_or(&Cell::Null, |place| &row.cells[place])
}

/// Person accounts have a record as their name, business accounts a string.
fn is_person(schema: &EventSchema, row: &Row) -> bool {
    schema.person.is_some_and(|place| row.cells[place] == Cell::Bool(true))
}
