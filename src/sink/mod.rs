//! Where events for the product go.

pub mod feed;
