//! A schema as one user sees it: without what permissions hide.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::sobject::{Schema, Sobject};

/// What a user may do with an object and its fields. What is not said is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    /// Whether the user may make rows.
    pub create: bool,
    /// Whether the object is there for the user.
    pub read: bool,
    /// Whether the user may change rows.
    pub edit: bool,
    /// Whether the user may delete rows.
    pub delete: bool,
    /// Whether the user is told of all rows' changes.
    pub view_all: bool,
    /// API names of fields that are not there for the user.
    pub hidden: Vec<String>,
    /// API names of fields that the user may not write.
    pub read_only: Vec<String>,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            create: true,
            read: true,
            edit: true,
            delete: true,
            view_all: true,
            hidden: Vec::new(),
            read_only: Vec::new(),
        }
    }
}

/// What a user may do, by the objects' API names.
pub type Permissions = BTreeMap<String, Access>;

/// What a user may not do with the rows of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Denied {
    /// Making rows.
    pub create: bool,
    /// Changing them.
    pub edit: bool,
    /// Deleting them.
    pub delete: bool,
}

impl Schema {
    /// The schema as a user with these permissions sees it. Objects and fields keep their places: only their names are gone.
    #[must_use]
    pub fn seen_with(&self, permissions: &Permissions) -> Self {
        let mut seen = self.clone();
        for (name, access) in permissions {
            let Some(place) = self.place(name) else { continue };
            seen.sobjects[place].restrict(access);
            if !access.read {
                seen.forget(name);
            }
        }
        seen
    }
}

impl Sobject {
    fn restrict(&mut self, access: &Access) {
        self.denied = Denied {
            create: !access.create,
            edit: !access.edit,
            delete: !access.delete,
        };
        for name in &access.read_only {
            if let Some(place) = self.field(name) {
                self.fields[place].createable = false;
                self.fields[place].updateable = false;
            }
        }
        for name in &access.hidden {
            self.forget(name);
        }
    }
}
