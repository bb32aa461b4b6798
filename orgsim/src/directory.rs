//! What the event bus asks of the orgs: who may listen, and what the objects look like.

/// What the event bus asks of the orgs.
pub trait Directory: Send + Sync {
    /// Whether `token` is a live access token of the org with this 15- or 18-character id; the org's 18-character id if so.
    fn authorise(&self, org_id: &str, token: &str) -> Option<String>;
    /// Schema of one sObject for its change-event schema, or None when the org has no such object.
    fn entity(&self, org_id: &str, entity: &str) -> Option<EntitySchema>;
    /// API names of the objects whose changes are captured.
    fn captured(&self, org_id: &str) -> Vec<String>;
}

/// One sObject as its change-event schema needs it; fields in describe order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntitySchema {
    /// sObject API name, e.g. `Contact`.
    pub name: String,
    /// Fields in describe order.
    pub fields: Vec<EntityField>,
}

/// One field of an sObject as its change-event schema needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityField {
    /// API name, e.g. `MailingCity`.
    pub name: String,
    /// The describe's `type`: string, picklist, reference, double, …
    pub sf_type: String,
    /// 15-character id of the custom field (`00N…`), or None for a standard field.
    pub custom_field_id: Option<String>,
    /// The describe's `compoundFieldName`: the compound field that this one is a part of, e.g. `MailingAddress`, `Name`.
    pub compound: Option<String>,
}
