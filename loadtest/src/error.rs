//! What can stop a run before it is judged.

use std::io;

/// A failure of the harness itself: exit code 1, not a finding.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A setting on the command line is wrong.
    #[error("{0}")]
    Usage(String),
    /// A file or process of the stack could not be used.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A part of the stack did not start, or died.
    #[error("{0}")]
    Stack(String),
    /// The declared objects cannot be read.
    #[error("objects in {path}: {why}")]
    Shape {
        /// File or folder.
        path: String,
        /// What is wrong there.
        why: String,
    },
    /// Redis did not answer as expected.
    #[error("redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// The org's admin port did not answer.
    #[error("org admin port: {0}")]
    Http(#[from] reqwest::Error),
    /// The org's admin port answered something else.
    #[error("org admin port: {0}")]
    Admin(String),
    /// Ctrl-C.
    #[error("stopped by the user")]
    Stopped,
}

impl LoadError {
    /// An I/O failure with what was tried.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
