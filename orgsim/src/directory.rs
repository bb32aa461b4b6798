//! What the event bus asks of the orgs: who may listen, and how an object looks.

use std::sync::Arc;

use crate::bus::Channel;

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
