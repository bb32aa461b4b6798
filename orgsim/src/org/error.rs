//! Why a row was refused, in Salesforce's words.

use std::sync::Arc;

/// Error codes that the simulator gives (contract 6).
pub mod code {
    #![expect(
        missing_docs,
        reason = "each constant is its own text; the contract's catalogue explains them"
    )]
    pub const ALL_OR_NONE: &str = "ALL_OR_NONE_OPERATION_ROLLED_BACK";
    pub const CROSS_REFERENCE: &str = "INVALID_CROSS_REFERENCE_KEY";
    pub const CROSS_REFERENCE_ACCESS: &str = "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY";
    pub const DELETED: &str = "ENTITY_IS_DELETED";
    pub const DUPLICATE_EXTERNAL_ID: &str = "DUPLICATE_EXTERNAL_ID";
    pub const DUPLICATE_VALUE: &str = "DUPLICATE_VALUE";
    pub const EMAIL: &str = "INVALID_EMAIL_ADDRESS";
    pub const EXCEEDED_ID_LIMIT: &str = "EXCEEDED_ID_LIMIT";
    pub const FIELD: &str = "INVALID_FIELD";
    pub const FIELD_FOR_WRITE: &str = "INVALID_FIELD_FOR_INSERT_UPDATE";
    pub const INVALID_INPUT: &str = "INVALID_INPUT";
    pub const JSON: &str = "JSON_PARSER_ERROR";
    pub const LIMIT: &str = "LIMIT_EXCEEDED";
    pub const LOCK: &str = "UNABLE_TO_LOCK_ROW";
    pub const MALFORMED_ID: &str = "MALFORMED_ID";
    pub const MALFORMED_QUERY: &str = "MALFORMED_QUERY";
    pub const MISSING_ARGUMENT: &str = "MISSING_ARGUMENT";
    pub const NOT_FOUND: &str = "NOT_FOUND";
    pub const NUMBER_RANGE: &str = "NUMBER_OUTSIDE_VALID_RANGE";
    pub const PICKLIST: &str = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST";
    pub const REQUIRED: &str = "REQUIRED_FIELD_MISSING";
    pub const TOO_LONG: &str = "STRING_TOO_LONG";
    pub const TYPE: &str = "INVALID_TYPE";
    pub const TYPE_ON_FIELD: &str = "INVALID_TYPE_ON_FIELD_IN_RECORD";
    pub const UNDELETE: &str = "UNDELETE_FAILED";
    pub const VALIDATION: &str = "FIELD_CUSTOM_VALIDATION_EXCEPTION";
}

/// One refused row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// One of [`code`].
    pub code: &'static str,
    /// For humans, in Salesforce's words.
    pub message: String,
    /// API names of the fields at fault.
    pub fields: Vec<Arc<str>>,
    /// The rows that are there already, of `DUPLICATES_DETECTED`.
    pub duplicates: Option<Box<Duplicates>>,
    /// What else is wrong with the row: errors come in lists [V:D-ERR].
    pub also: Vec<RowError>,
}

/// What a duplicate rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicates {
    /// The rule.
    pub rule: String,
    /// API name of its object.
    pub object: String,
    /// Whether `allowSave` helps.
    pub allow_save: bool,
    /// 18-character ids.
    pub ids: Vec<String>,
}

impl RowError {
    /// An error of no field.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            fields: Vec::new(),
            duplicates: None,
            also: Vec::new(),
        }
    }

    /// The same with a field at fault.
    #[must_use]
    pub fn at(mut self, field: &Arc<str>) -> Self {
        self.fields.push(Arc::clone(field));
        self
    }

    /// A row that was soft-deleted [R rfdb].
    #[must_use]
    pub fn deleted() -> Self {
        Self::new(code::DELETED, "entity is deleted")
    }

    /// A resource that is not there [R cci].
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(code::NOT_FOUND, "The requested resource does not exist")
    }

    /// An id that names no row of the org [R nango].
    #[must_use]
    pub fn cross_reference() -> Self {
        Self::new(code::CROSS_REFERENCE, "invalid cross reference id")
    }

    /// The external-id field of an upsert is not one [F restforce].
    #[must_use]
    pub fn no_external_id(field: &str) -> Self {
        let message = format!("Provided external ID field does not exist or is not accessible: {field}");
        Self::new(code::NOT_FOUND, message)
    }

    /// A column that the object does not have [F restforce].
    #[must_use]
    pub fn no_column(field: &str, sobject: &str) -> Self {
        Self::new(
            code::FIELD,
            format!("No such column '{field}' on sobject of type {sobject}"),
        )
    }
}
