//! The timed part: from the engine's start over a backlog until the logs are empty.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::time::Instant;

use crate::backlog::Fleet;
use crate::error::LoadError;
use crate::stack::Rig;
use crate::stub::Stub;
use crate::usage::{Meter, Used};

/// Pause between two looks for the beginning.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// An engine that has not begun by then never will.
const BEGINS_WITHIN: Duration = Duration::from_secs(60);

/// When the clock starts.
#[derive(Debug)]
pub enum From<'a> {
    /// When the engine takes the first tenant over.
    FirstOwner,
    /// When the first call reaches the stub.
    FirstCall(&'a Stub),
}

/// Starts the engine over what waits and measures until all logs are empty. `parts` are further processes of the run.
///
/// # Errors
/// When it does not begin, comes to a halt, or a process dies.
pub async fn drained(
    rig: &mut Rig,
    watch: &mut MultiplexedConnection,
    fleet: &Fleet,
    from: From<'_>,
    parts: Vec<u32>,
) -> Result<Used, LoadError> {
    let epochs = fleet.epochs(watch).await?;
    let calls = match &from {
        From::FirstOwner => 0,
        From::FirstCall(stub) => stub.counts().calls,
    };
    rig.start_engine()?;
    let until = Instant::now() + BEGINS_WITHIN;
    loop {
        let begun = match &from {
            From::FirstOwner => fleet.epochs(watch).await? != epochs,
            From::FirstCall(stub) => stub.counts().calls > calls,
        };
        if begun {
            break;
        }
        if Instant::now() > until {
            return Err(LoadError::Stack("the engine did not begin to drain".to_owned()));
        }
        rig.check()?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let meter = Meter::start(rig.engine_pid(), rig.redis_pid(), parts)?;
    fleet.until_empty(rig, watch).await?;
    meter.used()
}
