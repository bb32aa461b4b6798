//! The product: an ordinary SaaS with rows, an outbox whose trigger also fires while events are applied, two appenders
//! and one active consumer of the feed.

mod answer;
mod append;
mod edit;
mod feed;
mod outbox;
mod rfc3339;
mod table;

pub use answer::Identity;
pub use append::{Appender, Floor, stream_id};
pub use edit::{OrgEdit, Plan};
pub use feed::{Event, FEED, GROUP, Reader, Seen, apply, now_ms, parse};
pub use outbox::{BACKFILL, CHANGES, Entry, LANES};
pub use table::{Cause, Product};

use std::sync::{Mutex, MutexGuard};

/// One tenant's part of the product, shared by editors, appenders and the reader.
#[derive(Debug)]
pub struct Tenant {
    /// The tenant's name, as in its Redis keys.
    pub name: String,
    product: Mutex<Product>,
}

impl Tenant {
    /// A tenant around an empty product.
    pub fn new(name: &str, product: Product) -> Self {
        Self {
            name: name.to_owned(),
            product: Mutex::new(product),
        }
    }

    /// The product, for a short time: never held over an await.
    pub fn lock(&self) -> MutexGuard<'_, Product> {
        self.product.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
