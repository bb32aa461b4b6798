//! What a run can do to the processes it runs against.

use std::future::Future;

use crate::error::LoadError;
use crate::stack::Stack;

/// A part that can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The engine.
    Engine,
    /// Redis.
    Redis,
}

/// The processes of a run, seen from the driver.
pub trait Stage {
    /// Kills a part and starts it again at once.
    fn strike(&mut self, part: Part) -> impl Future<Output = Result<(), LoadError>>;

    /// Finds a part that died by itself.
    ///
    /// # Errors
    /// The part that died.
    fn check(&mut self) -> impl Future<Output = Result<(), LoadError>>;
}

impl Stage for Stack {
    async fn strike(&mut self, part: Part) -> Result<(), LoadError> {
        match part {
            Part::Engine => self.kill_engine().await,
            Part::Redis => self.kill_redis().await,
        }
    }

    async fn check(&mut self) -> Result<(), LoadError> {
        Stack::check(self)
    }
}

/// A stage on which nothing is killed.
#[derive(Debug, Default)]
pub struct Still;

impl Stage for Still {
    async fn strike(&mut self, part: Part) -> Result<(), LoadError> {
        Err(LoadError::Usage(format!("{part:?} cannot be killed here")))
    }

    async fn check(&mut self) -> Result<(), LoadError> {
        Ok(())
    }
}
