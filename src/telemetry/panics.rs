//! What is told of a panic: where it happened, and its words only where they are fixed text of the program.
//!
//! A panic made with arguments may repeat what it was given: the slicing of a text quotes the text, an `unwrap` prints
//! the error. Those words are for nobody, so the standard hook, which prints them, is replaced.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;

/// Stands for words that are not told.
pub const WITHHELD: &str = "its words may hold record data and are withheld; the log has the place";

/// Logs panics of all threads from here on: place, thread, and the stack where `RUST_BACKTRACE` asks for it.
pub fn log_places() {
    std::panic::set_hook(Box::new(log));
}

fn log(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let here = std::thread::current();
    let thread = here.name().unwrap_or_default();
    let words = words(panic.payload());
    let stack = Backtrace::capture();
    if stack.status() == BacktraceStatus::Captured {
        tracing::error!(place, thread, words, %stack, "a panic");
    } else {
        tracing::error!(place, thread, words, "a panic");
    }
}

/// A panic's words, if they cannot hold data.
#[must_use]
pub fn words(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or(WITHHELD)
}
