//! Parameters of a request, from its body and its query.

use crate::http::request::{Call, decode_form};

/// Parameters in order: the body's before the query's.
#[derive(Debug)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// All parameters of a request.
    pub(super) fn of(call: &Call) -> Self {
        let mut form = decode_form(&String::from_utf8_lossy(&call.body));
        form.extend(call.query.iter().cloned());
        Self(form)
    }

    /// The first value under a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// As [`Self::get`], where an empty value is none.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|v| !v.is_empty())
    }

    /// As [`Self::get`], empty where there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }
}
