//! Values as Salesforce gives them, whatever way they came.

use std::fmt;
use std::sync::Arc;

/// A value as Salesforce gives it: by event, by REST or by Bulk. Can be personal: `Debug` shows the kind only.
#[derive(Clone, PartialEq)]
pub enum SalesforceValue {
    /// Cleared or empty.
    Null,
    /// Checkbox.
    Bool(bool),
    /// Integers, and dates and times as events carry them (milliseconds since 1970).
    Int(i64),
    /// Numbers, currencies, percents.
    Double(f64),
    /// Everything else, and numbers in JSON as written.
    Text(Arc<str>),
}

impl fmt::Debug for SalesforceValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Bool(_) => "Bool(…)",
            Self::Int(_) => "Int(…)",
            Self::Double(_) => "Double(…)",
            Self::Text(_) => "Text(…)",
        })
    }
}
