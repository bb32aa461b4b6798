//! The first line of an upload: which field each column is (contract 4.2).

use super::job::Operation;
use crate::schema::{FieldType, Schema, column};

/// Longest header in characters [V:D-CSV].
const HEADER_CHARS: usize = 32_000;
/// Most fields of a record [V:D-BULKLIM].
const MAX_FIELDS: usize = 5_000;

/// What one column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Column {
    /// A field of the object.
    Field {
        /// Its place.
        place: usize,
        /// Its name in small letters: rows look their fields up by it, and small letters are found at once.
        name: String,
    },
    /// A parent, named by an external id: `Account.Tandem_Key__c`, `Lead:Who.Email`.
    Parent {
        /// Relationship name in small letters.
        relationship: String,
        /// API name of the parent's object, where the reference may name several.
        object: Option<String>,
        /// API name of the parent's field.
        key: String,
    },
}

/// The columns of an upload, in its order.
///
/// # Errors
/// The `errorMessage` of the job.
pub(crate) fn columns(
    schema: &Schema,
    sobject: usize,
    operation: Operation,
    header: &str,
    names: &[&str],
) -> Result<Vec<Column>, String> {
    if header.chars().count() > HEADER_CHARS {
        return Err(format!(
            "InvalidBatch : The header is longer than {HEADER_CHARS} characters"
        ));
    }
    if names.len() > MAX_FIELDS {
        return Err(format!("InvalidBatch : A record has at most {MAX_FIELDS} fields"));
    }
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let column = column(schema, sobject, name)
            .filter(|column| !operation.deletes() || matches!(column, Column::Field { place: column::ID, .. }));
        // [C node-sf-bulk2#17] for the words; a delete with more than ids [from memory].
        let column = column.ok_or_else(|| format!("InvalidBatch : Field name not found : {name}"))?;
        if columns.contains(&column) {
            return Err(format!("InvalidBatch : Duplicate field name : {name}"));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn column(schema: &Schema, sobject: usize, name: &str) -> Option<Column> {
    let object = &schema.sobjects[sobject];
    let Some((parent, key)) = name.split_once('.') else {
        let place = object.field(name)?;
        return (object.fields[place].kind != FieldType::Address).then(|| Column::Field {
            place,
            name: name.to_ascii_lowercase(),
        });
    };
    let (named, relationship) = match parent.split_once(':') {
        Some((named, relationship)) => (Some(named), relationship),
        None => (None, parent),
    };
    let field = object.relationship(relationship)?;
    let targets = &object.fields[field].reference_to;
    let several = targets.len() > 1;
    let target = match named {
        Some(named) => targets.iter().find(|t| t.eq_ignore_ascii_case(named))?,
        // Without its type such a parent cannot be found [from memory].
        None if several => return None,
        None => targets.first()?,
    };
    let target = &schema.sobjects[schema.place(target)?];
    let key = &target.fields[target.field(key)?];
    key.finds_rows().then(|| Column::Parent {
        relationship: relationship.to_ascii_lowercase(),
        object: several.then(|| target.name.to_string()),
        key: key.name.to_string(),
    })
}
