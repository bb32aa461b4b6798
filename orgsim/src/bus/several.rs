//! One thing, or several: most events are of one record.

/// At least one; a single one without a place of its own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Several<T> {
    One(T),
    Many(Box<[T]>),
}

impl<T> Several<T> {
    pub(crate) fn of(mut items: Vec<T>) -> Self {
        match items.pop() {
            Some(only) if items.is_empty() => Self::One(only),
            Some(last) => {
                items.push(last);
                Self::Many(items.into_boxed_slice())
            }
            None => Self::Many(Box::default()),
        }
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Self::One(only) => std::slice::from_ref(only),
            Self::Many(items) => items,
        }
    }
}
