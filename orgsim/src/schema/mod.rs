//! What objects and fields an org has.

mod assignment;
mod describe;
mod duplicate;
mod field;
mod file;
mod record_type;
mod rule;
mod rule_file;
mod sales;
mod service;
mod sobject;
mod standard;
mod view;

pub use assignment::{AssignmentRule, AssignmentRuleSpec};
pub use describe::{describe, describe_global, sobject_summary};
pub use duplicate::{DuplicateRule, DuplicateRuleSpec, OnDuplicate};
pub use field::{Field, FieldType, Initial};
pub use file::{FieldSpec, ObjectSpec, SchemaFile, SchemaProblem};
pub(crate) use record_type::RECORD_TYPE_ID;
pub use record_type::{RecordType, RecordTypeSpec};
pub use rule::{Automation, Occasion, RollUp, Rules, Summary, ValidationRule};
pub use rule_file::{AutomationSpec, ParentSpec, ValidationRuleSpec, When};
pub use sobject::{ADDRESS_PARTS, Schema, Sobject, column};
pub use standard::{STAGES, Stage, standard_schema};
pub use view::{Access, Denied, Permissions};
