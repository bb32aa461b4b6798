//! Kills at intervals.

use std::time::{Duration, Instant};

use super::stage::{Part, Stage};
use crate::cli::Kills;
use crate::error::LoadError;
use crate::stack::Stack;

/// When which part is killed next.
#[derive(Debug)]
pub(crate) struct Rhythm {
    started: Instant,
    parts: [Beat; 2],
}

#[derive(Debug)]
struct Beat {
    part: Part,
    every: Option<Duration>,
    next: Option<Duration>,
    struck: u64,
}

impl Rhythm {
    /// Kills as they are asked for, the first ones after one interval.
    pub(crate) fn new(kills: &Kills) -> Self {
        let beat = |part, every| Beat {
            part,
            every,
            next: every,
            struck: 0,
        };
        Self {
            started: Instant::now(),
            parts: [beat(Part::Engine, kills.engine), beat(Part::Redis, kills.redis)],
        }
    }

    /// Kills what is due.
    pub(crate) async fn keep(&mut self, stage: &mut impl Stage) -> Result<(), LoadError> {
        let elapsed = self.started.elapsed();
        for beat in &mut self.parts {
            if let (Some(at), Some(every)) = (beat.next, beat.every)
                && elapsed >= at
            {
                stage.strike(beat.part).await?;
                beat.next = Some(elapsed + every);
                beat.struck += 1;
            }
        }
        Ok(())
    }

    /// Kills of a part so far.
    pub(crate) fn struck(&self, part: Part) -> u64 {
        let of_it = self.parts.iter().filter(|beat| beat.part == part);
        of_it.map(|beat| beat.struck).sum()
    }
}

/// A stack on which parts are killed as long as it is watched.
#[derive(Debug)]
pub(crate) struct Struck<'a> {
    pub(crate) stack: &'a mut Stack,
    pub(crate) rhythm: Rhythm,
}

impl Stage for Struck<'_> {
    async fn strike(&mut self, part: Part) -> Result<(), LoadError> {
        self.stack.strike(part).await
    }

    async fn check(&mut self) -> Result<(), LoadError> {
        self.rhythm.keep(self.stack).await?;
        Stack::check(self.stack)
    }
}
