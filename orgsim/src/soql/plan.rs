//! A query that can be run: names are places in the schema, values have the fields' types.

use std::collections::HashSet;
use std::sync::Arc;

use super::ast::{Function, Operator, Totals};
use super::dates::DateFunction;
use crate::org::Cell;

/// A field, reached over parents.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BoundPath {
    /// Reference fields on the way, each of the object before.
    pub(super) hops: Vec<usize>,
    pub(super) field: usize,
    /// The field's name where the last parent may be of several objects: each row's own object has its place.
    pub(super) named: Option<Arc<str>>,
    /// The object that has the field, where it is a formula.
    pub(super) computed: Option<usize>,
    /// Whether text is compared with its case.
    pub(super) exact: bool,
}

/// A value of a row, or of a group of rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum BoundExpr {
    Field(BoundPath),
    Part(DateFunction, BoundPath),
    Aggregate(Function, Option<BoundPath>),
    /// Whether a group is a subtotal over the key with this place.
    Grouping(usize),
}

impl BoundExpr {
    /// Whether text is compared with its case.
    pub(super) fn exact(&self) -> bool {
        matches!(self, Self::Field(path) if path.exact)
    }
}

/// What is shown of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shown {
    Field(usize),
    Parent {
        field: usize,
        sobject: usize,
        shown: Vec<Shown>,
    },
    /// A parent of one of several objects, by names that they share.
    Named {
        field: usize,
        names: Vec<Arc<str>>,
    },
    /// A parent of one of several objects, by the object that it is of.
    TypeOf {
        field: usize,
        /// Objects with what is shown of them.
        cases: Vec<(usize, Vec<Shown>)>,
        /// Names that are shown of the others; without any they are null.
        otherwise: Vec<Arc<str>>,
    },
    /// Rows that name this one in a field of theirs.
    Children {
        name: String,
        field: usize,
        plan: Box<Plan>,
    },
}

/// What a value is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wanted {
    Cell(Cell),
    /// From the first one up to, but not including, the second.
    Span(Cell, Cell),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum BoundCondition {
    And(Vec<BoundCondition>),
    Or(Vec<BoundCondition>),
    Not(Box<BoundCondition>),
    Compare {
        expr: BoundExpr,
        operator: Operator,
        value: Wanted,
    },
    In {
        expr: BoundExpr,
        values: Vec<Cell>,
        /// The texts among them; in lower case where case does not count.
        texts: HashSet<String>,
        negated: bool,
    },
    /// Whether the value is one of those that another query finds in one of its fields.
    InQuery {
        path: BoundPath,
        plan: Box<Plan>,
        column: BoundPath,
        negated: bool,
    },
    /// Whether a list of values has all of one of these lists.
    Includes {
        path: BoundPath,
        lists: Vec<Vec<String>>,
        negated: bool,
    },
}

/// Rows that are shown as groups.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grouping {
    /// Empty when all rows are one group.
    pub(super) keys: Vec<BoundExpr>,
    pub(super) totals: Totals,
    /// What is shown of a group, with its name.
    pub(super) columns: Vec<(String, BoundExpr)>,
    pub(super) having: Option<BoundCondition>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BoundOrder {
    pub(super) expr: BoundExpr,
    pub(super) descending: bool,
    pub(super) nulls_last: bool,
}

/// A query that can be run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// Place of the object.
    pub(crate) sobject: usize,
    pub(super) shown: Vec<Shown>,
    /// Whether only the number of rows is asked for.
    pub(crate) count_only: bool,
    /// Then groups are shown, not rows.
    pub(crate) grouping: Option<Grouping>,
    /// Whether a long text is selected: pages are smaller then (observed 2026).
    pub(crate) long_text: bool,
    pub(super) condition: Option<BoundCondition>,
    pub(super) order: Vec<BoundOrder>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
}
