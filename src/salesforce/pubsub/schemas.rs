//! Schemas by id, kept for ever: a schema's id changes when the schema does (change-events.md 2).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::schema::EventSchema;

/// Schemas kept for one org; beyond it all are forgotten and fetched again as they are met.
const PER_ORG_MAX: usize = 1_000;
/// Shared texts after which the dead ones are swept out.
const SWEEP_AT: usize = 1_024;

/// Equal schema texts of different orgs, parsed once. An org's ids say nothing about another org's schemas, so what
/// is shared is found by content.
#[derive(Default)]
pub(super) struct SharedSchemas {
    by_content: Mutex<HashMap<[u8; 32], Weak<Known>>>,
}

/// What is known about a schema id.
#[derive(Debug)]
pub(super) enum Known {
    /// Events written with it can be read.
    Good(EventSchema),
    /// They cannot; the sObject that they are about is known.
    Bad { sobject: Arc<str>, why: String },
}

impl SharedSchemas {
    /// Parses a text, or finds what an equal text gave. `None`: it does not even tell what it is about.
    pub(super) fn parse(&self, text: &str) -> Option<Arc<Known>> {
        let content = *blake3::hash(text.as_bytes()).as_bytes();
        let mut shared = self.by_content.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shared.get(&content).and_then(Weak::upgrade) {
            return Some(known);
        }
        let known = Arc::new(match EventSchema::parse(text) {
            Ok(schema) => Known::Good(schema),
            Err(why) => Known::Bad {
                sobject: EventSchema::sobject_in(text)?,
                why: why.to_string(),
            },
        });
        if shared.len() >= SWEEP_AT {
            shared.retain(|_, weak| weak.strong_count() > 0);
        }
        shared.insert(content, Arc::downgrade(&known));
        Some(known)
    }
}

/// One org's schemas by id.
#[derive(Default)]
pub(super) struct OrgSchemas {
    by_id: Mutex<HashMap<String, Arc<Known>>>,
}

impl OrgSchemas {
    pub(super) fn get(&self, id: &str) -> Option<Arc<Known>> {
        self.by_id
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }

    pub(super) fn put(&self, id: &str, known: &Arc<Known>) {
        let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        if by_id.len() >= PER_ORG_MAX {
            by_id.clear();
        }
        by_id.insert(id.to_owned(), Arc::clone(known));
    }
}
