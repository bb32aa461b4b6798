//! Supervision: children that are watched, with the reason of their end and a generation number.
//!
//! `actix::Supervisor` does not do it: after a panic it never restarts, after a stop it re-uses the same value. Here a
//! child is built by a factory, its task's handle is watched, and its end is told exactly once. Whoever owns the
//! [`Watched`] owns the life: dropping it ends the child, so a parent that panics takes its children along.

use std::fmt;

use actix::{Actor, Addr, Context};
use tokio::task::AbortHandle;

use crate::telemetry::panics;

/// Counts the lives of one place in the tree; messages of an earlier life are dropped by comparing it.
pub type Generation = u64;

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It stopped by itself.
    Stopped,
    /// It panicked; what may be told of it.
    Panicked(&'static str),
    /// It was aborted.
    Killed,
}

/// A child's end, told once.
#[derive(Debug, Clone)]
pub struct ChildExited<I> {
    /// Which child.
    pub id: I,
    /// Which of its lives.
    pub generation: Generation,
    /// Why.
    pub exit: Exit,
}

impl<I: 'static> actix::Message for ChildExited<I> {
    type Result = ();
}

/// A running child. Dropping it ends the child.
pub struct Watched<A: Actor> {
    /// Its address.
    pub addr: Addr<A>,
    /// Which life this is.
    pub generation: Generation,
    abort: AbortHandle,
}

impl<A: Actor> Watched<A> {
    /// Ends the child where it next waits. A child that blocks its thread cannot be ended.
    pub fn abort(&self) {
        self.abort.abort();
    }
}

impl<A: Actor> Drop for Watched<A> {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

impl<A: Actor> fmt::Debug for Watched<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watched(generation {})", self.generation)
    }
}

/// Starts what `make` builds on this arbiter and tells its end to `on_exit`, once, with the reason. `make` runs in the
/// child's own task: if it panics, that is the child's end, not the parent's.
/// Must be called on an arbiter or inside a `LocalSet`.
pub fn spawn_watched<A, I>(
    id: I,
    generation: Generation,
    on_exit: impl FnOnce(ChildExited<I>) + 'static,
    make: impl FnOnce(&mut Context<A>) -> A + 'static,
) -> Watched<A>
where
    A: Actor<Context = Context<A>>,
    I: 'static,
{
    let mut ctx = Context::new();
    let addr = actix::AsyncContext::address(&ctx);
    let task = actix_rt::spawn(async move {
        let actor = make(&mut ctx);
        ctx.into_future(actor).await;
    });
    let abort = task.abort_handle();
    actix_rt::spawn(async move {
        let exit = match task.await {
            Ok(()) => Exit::Stopped,
            Err(end) => match end.try_into_panic() {
                Ok(payload) => Exit::Panicked(panics::words(payload.as_ref())),
                Err(_) => Exit::Killed,
            },
        };
        on_exit(ChildExited { id, generation, exit });
    });
    Watched {
        addr,
        generation,
        abort,
    }
}
