//! Why a value cannot cross.

/// A value that its field's kind does not take. Never says the value itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Another JSON type, or another type of event value.
    #[error("{expected} is expected, but the value is {got}")]
    WrongType {
        /// What the kind takes.
        expected: &'static str,
        /// What came.
        got: &'static str,
    },
    /// A text with half a character (a lone surrogate) or other than JSON allows.
    #[error("the text is not valid Unicode")]
    BadText,
    /// A text that is no number.
    #[error("the text is not a number as JSON writes it")]
    BadNumber,
    /// More than a Salesforce number can hold.
    #[error("the number is too large, too small or too long")]
    NumberOutOfRange,
    /// A fraction where a whole number is expected.
    #[error("a whole number is expected, but the value has a fraction")]
    NotWhole,
    /// No date, or no such day.
    #[error("the value is not a date like 2026-01-31")]
    BadDate,
    /// No RFC 3339 time, or no such time.
    #[error("the value is not a time like 2026-01-31T10:00:00Z")]
    BadDatetime,
    /// Outside the years that Salesforce keeps.
    #[error("the year is not between 1700 and 4000")]
    YearOutOfRange,
    /// More choices than a multi-picklist holds.
    #[error("more than 100 values are chosen")]
    TooManyChoices,
    /// A choice that would be read as two.
    #[error("a chosen value contains a semicolon")]
    SemicolonInChoice,
    /// No key of a record.
    #[error("the reference is not a key: 1 to 255 characters, no blank at either end")]
    BadKey,
    /// No Salesforce id.
    #[error("the reference is not a Salesforce id")]
    BadId,
}

impl ValueError {
    /// Machine-readable name, for rejections.
    pub fn code(self) -> &'static str {
        match self {
            Self::WrongType { .. } => "wrong_type",
            Self::BadText => "bad_text",
            Self::BadNumber => "bad_number",
            Self::NumberOutOfRange => "number_out_of_range",
            Self::NotWhole => "not_whole",
            Self::BadDate => "bad_date",
            Self::BadDatetime => "bad_datetime",
            Self::YearOutOfRange => "year_out_of_range",
            Self::TooManyChoices => "too_many_choices",
            Self::SemicolonInChoice => "semicolon_in_choice",
            Self::BadKey => "bad_reference",
            Self::BadId => "bad_salesforce_id",
        }
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::WrongType { .. } => {
                "Send the JSON type that the field's kind takes, or change the kind in the mapping."
            }
            Self::BadText => "Send well-formed UTF-8; write characters outside the basic plane as surrogate pairs.",
            Self::BadNumber => "Send a JSON number, or a string that holds one.",
            Self::NumberOutOfRange => "Send a number with at most 400 characters and below 1e308.",
            Self::NotWhole => "Send a whole number, or change the field's kind to decimal.",
            Self::BadDate => "Send an existing day as YYYY-MM-DD, without a time.",
            Self::BadDatetime => "Send RFC 3339 with an offset, best in UTC, like 2026-01-31T10:00:00Z.",
            Self::YearOutOfRange => "Send a year that Salesforce can hold.",
            Self::TooManyChoices => "Choose at most 100 values.",
            Self::SemicolonInChoice => "Map the value to one without a semicolon (`values` in the mapping).",
            Self::BadKey => "Send the parent's key as it is used in the parent's own changes.",
            Self::BadId => "Check that the mapped Salesforce field is a lookup.",
        }
    }
}
