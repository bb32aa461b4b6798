//! What the event bus asks of the orgs: who may listen, and how an object looks.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::bus::Channel;
use crate::org::{Cell, Row, parse_date, parse_instant};

/// What the event bus asks of the orgs.
pub trait Directory: Send + Sync {
    /// Whether `token` is a live access token of the org with this 15- or 18-character id; the org's 18-character id if so.
    fn authorise(&self, org_id: &str, token: &str) -> Option<String>;
    /// Schema of one sObject for its change-event schema, or None when the org has no such object.
    fn entity(&self, org_id: &str, entity: &str) -> Option<EntitySchema>;
    /// API names of the objects whose changes are captured.
    fn captured(&self, org_id: &str) -> Vec<String>;
    /// 18-character id of the user whose token this is.
    fn user(&self, _org_id: &str, _token: &str) -> Option<Arc<str>> {
        None
    }
    /// Whether a user is told of the changes of an object's rows: without the permission the events just do not come.
    fn may_receive(&self, _org_id: &str, _user: &str, _entity: &str) -> bool {
        true
    }
    /// Places of the fields of an object that are hidden from a user.
    fn hidden(&self, _org_id: &str, _user: &str, _entity: &str) -> Vec<usize> {
        Vec::new()
    }
    /// The custom channel with this name, e.g. `Orders__chn`.
    fn channel(&self, _org_id: &str, _name: &str) -> Option<Arc<Channel>> {
        None
    }
}

/// One object as its change-event schema needs it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EntitySchema {
    /// sObject API name, e.g. `Contact`.
    pub name: String,
    /// In describe order.
    pub fields: Vec<EntityField>,
}

impl EntitySchema {
    /// A row of the object with values as the REST API shows them: for a bus without an org behind it. None for an unknown
    /// field, and for a value that is none of its type.
    #[must_use]
    pub fn row(&self, members: &Map<String, Value>) -> Option<Row> {
        let size = self.fields.iter().map(|field| field.place + 1).max().unwrap_or(0);
        let mut cells = vec![Cell::Null; size];
        for (name, value) in members {
            let field = self.fields.iter().find(|field| field.name == *name)?;
            cells[field.place] = match (field.sf_type.as_str(), value) {
                (_, Value::Null) => Cell::Null,
                (_, Value::Bool(flag)) => Cell::Bool(*flag),
                (_, Value::Number(number)) => Cell::Number(number.as_f64()?),
                ("date", Value::String(text)) => Cell::Date(parse_date(text)?),
                ("datetime", Value::String(text)) => Cell::Instant(parse_instant(text)?),
                (_, Value::String(text)) => Cell::text(text),
                (_, Value::Array(_) | Value::Object(_)) => return None,
            };
        }
        Some(Row::of(&cells))
    }
}

/// One field of an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EntityField {
    /// API name.
    pub name: String,
    /// Type as describe names it: `string`, `picklist`, `reference`, `double`, …
    pub sf_type: String,
    /// 15-character id (`00N…`) of a custom field.
    pub custom_field_id: Option<String>,
    /// `compoundFieldName`, e.g. `MailingAddress` or `Name`.
    pub compound: Option<String>,
    /// Where rows have its value; it never moves.
    pub place: usize,
}
