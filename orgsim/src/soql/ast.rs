//! What a query says, before anything is looked up.

use jiff::civil::Date;

use super::dates::{DateFunction, DateLiteral};

/// A name with its parents, e.g. `Account.Owner.Name`, and its place in the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    pub(crate) names: Vec<String>,
    pub(crate) place: usize,
}

/// A value of a row, or of a group of rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Field(Path),
    /// `CALENDAR_YEAR(CreatedDate)`.
    Part(DateFunction, Path),
    /// `MAX(Amount)`; `COUNT()` has no path.
    Aggregate(Function, Option<Path>, usize),
    /// `GROUPING(LeadSource)`: whether a row is a subtotal over the field.
    Grouping(Path),
}

impl Expr {
    /// Its place in the text.
    pub(super) fn place(&self) -> usize {
        match self {
            Self::Field(path) | Self::Part(_, path) | Self::Grouping(path) => path.place,
            Self::Aggregate(_, _, place) => *place,
        }
    }
}

/// One item of the SELECT list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    Value {
        expr: Expr,
        alias: Option<String>,
    },
    /// `FIELDS(ALL)`, `FIELDS(STANDARD)`, `FIELDS(CUSTOM)`.
    Fields(Group),
    /// `(SELECT … FROM Contacts)`.
    Children(Box<Query>),
    /// `TYPEOF What WHEN Account THEN Phone ELSE Name END`.
    TypeOf(TypeOf),
}

/// What is shown of a parent, by the object that it is of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TypeOf {
    /// The relationship.
    pub(crate) path: Path,
    /// Objects with their fields.
    pub(crate) cases: Vec<(Path, Vec<Path>)>,
    /// Of parents of other objects; without it they are null.
    pub(crate) otherwise: Vec<Path>,
}

/// Which groups `GROUP BY` makes of its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Totals {
    /// One of each combination of values.
    #[default]
    None,
    /// With the subtotals over the last key, the last two, and so on, and all rows.
    Rollup,
    /// With the subtotals over every combination of keys.
    Cube,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    All,
    Standard,
    Custom,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Count,
    CountDistinct,
    Min,
    Max,
    Sum,
    Avg,
}

/// A value in the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Date(Date),
    Instant(i64),
    /// `TODAY`, `LAST_N_DAYS:30`.
    Days(DateLiteral),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Compare {
        expr: Expr,
        operator: Operator,
        value: Literal,
    },
    In {
        expr: Expr,
        values: Vec<Literal>,
        negated: bool,
    },
    /// `AccountId IN (SELECT Id FROM Account)`.
    InQuery {
        path: Path,
        query: Box<Query>,
        negated: bool,
    },
    /// `INCLUDES ('a;b', 'c')`, or `EXCLUDES`.
    Includes {
        path: Path,
        values: Vec<Literal>,
        negated: bool,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    pub(crate) expr: Expr,
    pub(crate) descending: bool,
    pub(crate) nulls_last: bool,
}

/// A whole query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    /// Empty for `SELECT count()`.
    pub(crate) items: Vec<Item>,
    pub(crate) from: String,
    pub(crate) from_place: usize,
    pub(crate) alias: Option<String>,
    pub(crate) condition: Option<Condition>,
    pub(crate) group: Vec<Expr>,
    pub(crate) totals: Totals,
    pub(crate) having: Option<Condition>,
    pub(crate) order: Vec<Order>,
    pub(crate) limit: Option<usize>,
    pub(crate) offset: usize,
}
