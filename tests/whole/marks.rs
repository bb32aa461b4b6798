//! What must not be found: random texts, each with what it stands for.

use std::cell::RefCell;

/// What a mark stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A person's data: travels through streams, rests nowhere.
    Value,
    /// A record's key, an e-mail address say: beside that the store's index needs it, in names of fields.
    Key,
    /// Words of an answer of the org, and credentials: nowhere.
    Secret,
}

/// One mark.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) kind: Kind,
}

/// All marks of a run.
#[derive(Default)]
pub(crate) struct Marks(RefCell<Vec<Mark>>);

impl Marks {
    fn make(&self, name: &str, kind: Kind) -> String {
        // Small letters and digits only: it stays itself in JSON, URLs, quotes and lower case.
        let text = format!("zq{}", uuid::Uuid::new_v4().simple());
        self.add(name, kind, text.as_bytes());
        text
    }

    /// Remembers something that is secret already.
    pub(crate) fn add(&self, name: &str, kind: Kind, bytes: &[u8]) {
        assert!(bytes.len() >= 12, "{name} is too short to be found by");
        let (name, bytes) = (name.to_owned(), bytes.to_vec());
        self.0.borrow_mut().push(Mark { name, bytes, kind });
    }

    /// A new personal value.
    pub(crate) fn value(&self, name: &str) -> String {
        self.make(name, Kind::Value)
    }

    /// A new key that is an e-mail address.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}@key.example", self.make(name, Kind::Key))
    }

    /// New words of the org's.
    pub(crate) fn words(&self, name: &str) -> String {
        self.make(name, Kind::Secret)
    }

    pub(crate) fn all(&self) -> Vec<Mark> {
        self.0.borrow().clone()
    }
}
