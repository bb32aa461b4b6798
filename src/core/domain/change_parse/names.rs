//! The names of an entry's fields: each known, each at most once.

use bytes::Bytes;

use super::Op;
use super::refusal::Refusal;

/// What an entry may hold (design 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Object,
    Key,
    Op,
    Data,
    SalesforceId,
    Reason,
    Version,
    At,
    SeenRevision,
    CausedBy,
    Answers,
    IdempotencyKey,
    Traceparent,
    Origin,
}

const NAMES: [Name; 14] = [
    Name::Object,
    Name::Key,
    Name::Op,
    Name::Data,
    Name::SalesforceId,
    Name::Reason,
    Name::Version,
    Name::At,
    Name::SeenRevision,
    Name::CausedBy,
    Name::Answers,
    Name::IdempotencyKey,
    Name::Traceparent,
    Name::Origin,
];

impl Name {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Key => "key",
            Self::Op => "op",
            Self::Data => "data",
            Self::SalesforceId => "salesforce_id",
            Self::Reason => "reason",
            Self::Version => "version",
            Self::At => "at",
            Self::SeenRevision => "seen_revision",
            Self::CausedBy => "caused_by",
            Self::Answers => "answers",
            Self::IdempotencyKey => "idempotency_key",
            Self::Traceparent => "traceparent",
            Self::Origin => "origin",
        }
    }
}

/// An entry's values by name.
pub(super) struct Names<'a>([Option<&'a Bytes>; NAMES.len()]);

impl<'a> Names<'a> {
    /// Sorts an entry's fields. With a problem the names are still there, as far as they could be read.
    pub(super) fn collect(fields: &'a [(Bytes, Bytes)]) -> (Self, Option<Refusal>) {
        let mut names = Self([None; NAMES.len()]);
        let mut problem = None;
        for (name, value) in fields {
            let known = NAMES
                .iter()
                .position(|known| known.as_str().as_bytes() == name.as_ref());
            match known.and_then(|at| names.0.get_mut(at)) {
                Some(slot @ None) => *slot = Some(value),
                Some(Some(_)) => problem = problem.or_else(|| Some(Refusal::duplicate_name(name))),
                None => problem = problem.or_else(|| Some(Refusal::unknown_name(name))),
            }
        }
        (names, problem)
    }

    /// Refuses names that mean nothing with this operation.
    pub(super) fn allow(&self, op: Op) -> Result<(), Refusal> {
        let goes_with = [
            (Name::Data, Op::Upsert),
            (Name::SalesforceId, Op::Link),
            (Name::Reason, Op::Refuse),
        ];
        match goes_with
            .into_iter()
            .find(|(name, only)| self.get(*name).is_some() && *only != op)
        {
            Some((name, _)) => Err(Refusal::unexpected_name(name)),
            None => Ok(()),
        }
    }

    pub(super) fn required(&self, name: Name) -> Result<&'a Bytes, Refusal> {
        self.get(name).ok_or_else(|| Refusal::missing_name(name))
    }

    pub(super) fn required_text(&self, name: Name) -> Result<&'a str, Refusal> {
        text(name, self.required(name)?)
    }

    pub(super) fn text(&self, name: Name) -> Result<Option<&'a str>, Refusal> {
        self.get(name).map(|value| text(name, value)).transpose()
    }

    fn get(&self, name: Name) -> Option<&'a Bytes> {
        self.0.get(name as usize).copied().flatten()
    }
}

fn text(name: Name, value: &Bytes) -> Result<&str, Refusal> {
    std::str::from_utf8(value).map_err(|_| Refusal::bad_utf8(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_at_their_places() {
        for (at, name) in NAMES.into_iter().enumerate() {
            assert_eq!(name as usize, at);
        }
    }
}
