//! One multi-thread tokio runtime for all I/O, and arbiters that share it.
//!
//! A connection's driver lives on the runtime that opened it. On plain arbiters one tenant's blocked thread would
//! stall another's HTTP call; over one shared runtime every `tokio::spawn` goes to the pool, and only actors stay on
//! their arbiter.

use std::io;
use std::sync::Arc;

use actix_rt::{Arbiter, System};
use tokio::runtime::Runtime;

/// The shared runtime. `main` keeps the last handle: dropping a runtime inside async code panics.
///
/// # Errors
/// When the operating system gives no threads.
pub fn io_runtime(threads: usize) -> io::Result<Arc<Runtime>> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.max(1))
        .thread_name("tandem-io")
        .enable_all()
        .build()
        .map(Arc::new)
}

/// Runs a future with actors on this thread, the system arbiter, until it ends.
pub fn run<T>(io: &Arc<Runtime>, main: impl Future<Output = T>) -> T {
    let shared = Arc::clone(io);
    System::with_tokio_rt(move || shared).block_on(main)
}

/// Starts `count` arbiters (0: one fewer than there are cores, at least one). Call it inside [`run`].
///
/// # Errors
/// When the operating system gives no threads.
pub fn arbiters(io: &Arc<Runtime>, count: usize) -> io::Result<Vec<Arbiter>> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let count = if count == 0 {
        cores.saturating_sub(1).max(1)
    } else {
        count
    };
    (0..count)
        .map(|_| {
            let shared = Arc::clone(io);
            Arbiter::try_with_tokio_rt(move || Ok(shared))
        })
        .collect()
}
