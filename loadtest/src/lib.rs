//! t
pub mod dice;
pub mod error;
pub mod history;
pub mod oracle;
pub mod shape;
pub mod value;
