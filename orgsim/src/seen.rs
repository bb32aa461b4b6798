//! An org as one of its users sees it: permissions hide objects and fields.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, MutexGuard, PoisonError, RwLock};

use crate::org::Org;
use crate::schema::{Access, Permissions, Schema};

/// The org for as long as this lives, with the schema that a user sees in the place of its own.
pub(crate) struct Seen<'o> {
    org: MutexGuard<'o, Org>,
    full: Option<Arc<Schema>>,
}

impl<'o> Seen<'o> {
    /// `now` is the time of formula fields, seconds since 1970.
    pub(crate) fn new(mut org: MutexGuard<'o, Org>, view: Option<Arc<Schema>>, now: i64) -> Self {
        org.read_at = now;
        org.commit_due(now.saturating_mul(1_000));
        org.expire_bin(now);
        let full = view.map(|view| std::mem::replace(&mut org.schema, view));
        Self { org, full }
    }
}

impl Deref for Seen<'_> {
    type Target = Org;
    fn deref(&self) -> &Org {
        &self.org
    }
}

impl DerefMut for Seen<'_> {
    fn deref_mut(&mut self) -> &mut Org {
        &mut self.org
    }
}

impl Drop for Seen<'_> {
    fn drop(&mut self) {
        if let Some(full) = self.full.take() {
            self.org.schema = full;
        }
    }
}

/// The schema for whom it is shown without the org's lock, and what each user with restrictions sees of it.
#[derive(Debug)]
pub(crate) struct Views(RwLock<Inner>);

#[derive(Debug)]
struct Inner {
    full: Arc<Schema>,
    /// By the users' 18-character ids.
    restricted: HashMap<Arc<str>, (Permissions, Arc<Schema>)>,
}

impl Views {
    pub(crate) fn new(full: Arc<Schema>) -> Self {
        let restricted = HashMap::new();
        Self(RwLock::new(Inner { full, restricted }))
    }

    fn read<T>(&self, look: impl FnOnce(&Inner) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The whole schema.
    pub(crate) fn full(&self) -> Arc<Schema> {
        self.read(|inner| Arc::clone(&inner.full))
    }

    /// What a user sees; None for all of it.
    pub(crate) fn of(&self, user: &str) -> Option<Arc<Schema>> {
        self.read(|inner| inner.restricted.get(user).map(|(_, schema)| Arc::clone(schema)))
    }

    /// What a user may do, where it is less than everything.
    pub(crate) fn permissions(&self, user: &str) -> Permissions {
        self.read(|inner| {
            inner
                .restricted
                .get(user)
                .map(|(permissions, _)| permissions.clone())
                .unwrap_or_default()
        })
    }

    /// The org has another schema from now on.
    pub(crate) fn replace(&self, full: Arc<Schema>) {
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (permissions, seen) in inner.restricted.values_mut() {
            *seen = Arc::new(full.seen_with(permissions));
        }
        inner.full = full;
    }

    /// What a user may do with an object from now on; everything takes the entry away.
    pub(crate) fn permit(&self, user: &Arc<str>, object: &str, access: Access) {
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut permissions = inner
            .restricted
            .remove(user)
            .map(|(permissions, _)| permissions)
            .unwrap_or_default();
        if access == Access::default() {
            permissions.remove(object);
        } else {
            permissions.insert(object.to_owned(), access);
        }
        if !permissions.is_empty() {
            let seen = Arc::new(inner.full.seen_with(&permissions));
            inner.restricted.insert(Arc::clone(user), (permissions, seen));
        }
    }
}
