//! The tenants' logs as a scenario fills them and watches them run empty.

use std::time::Duration;

use futures::future::try_join_all;
use redis::aio::MultiplexedConnection;
use tokio::time::Instant;

use crate::error::LoadError;
use crate::sample;
use crate::stack::{Rig, connect};

/// Appends that one pipeline carries.
const APPENDS_AT_ONCE: usize = 500;
/// Connections that append at the same time.
const APPENDERS: usize = 4;
/// Pause between two looks at the logs.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A backlog that does not move for so long never will.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// The tenants of a run, and how many records each has.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// Names, in the order of their numbers.
    pub names: Vec<String>,
    /// Records of each: numbers 0 up.
    pub records: Vec<u32>,
}

impl Fleet {
    /// So many records over so many tenants, as even as can be.
    pub fn new(tenants: u16, records: u32) -> Self {
        let tenants = u32::from(tenants.max(1));
        Self {
            names: (1..=tenants).map(|tenant| format!("t{tenant:05}")).collect(),
            records: (0..tenants)
                .map(|tenant| records / tenants + u32::from(tenant < records % tenants))
                .collect(),
        }
    }

    /// All records.
    pub fn total(&self) -> u64 {
        self.records.iter().map(|records| u64::from(*records)).sum()
    }

    /// The least number of calls that can carry one change of each record.
    pub fn calls_floor(&self) -> u64 {
        self.records
            .iter()
            .map(|records| u64::from(records.div_ceil(200)))
            .sum()
    }

    /// Appends one change of each record. Answers how many entries that made.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn append(&self, redis_url: &str, round: u8) -> Result<u64, LoadError> {
        let made = (0..APPENDERS).map(|appender| async move {
            let mut connection = connect(redis_url).await?;
            let mut made = 0;
            let mine = self.names.iter().zip(&self.records).skip(appender).step_by(APPENDERS);
            for (name, records) in mine {
                let numbers: Vec<u32> = (0..*records).collect();
                for some in numbers.chunks(APPENDS_AT_ONCE) {
                    append(&mut connection, name, some, round).await?;
                    made += some.len() as u64;
                }
            }
            Ok::<u64, LoadError>(made)
        });
        Ok(try_join_all(made).await?.iter().sum())
    }

    /// Makes every record through the engine, and waits until each is linked and the engine has heard of its own
    /// writes.
    ///
    /// # Errors
    /// When it comes to a halt, or a process dies.
    pub async fn link(&self, rig: &mut Rig, watch: &mut MultiplexedConnection) -> Result<(), LoadError> {
        self.append(&rig.redis.url, 0).await?;
        self.until_linked(rig, watch).await
    }

    /// Waits until what was appended is written, and the engine has heard of the making of each record.
    ///
    /// # Errors
    /// When it comes to a halt, or a process dies.
    pub async fn until_linked(&self, rig: &mut Rig, watch: &mut MultiplexedConnection) -> Result<(), LoadError> {
        self.until_empty(rig, watch).await?;
        self.until(rig, watch, "the engine did not hear of its own writes", Self::unheard)
            .await
    }

    /// Waits until all logs are empty.
    ///
    /// # Errors
    /// When they come to a halt before, or a process dies.
    pub async fn until_empty(&self, rig: &mut Rig, watch: &mut MultiplexedConnection) -> Result<(), LoadError> {
        self.until(rig, watch, "the logs did not run empty", Self::waiting)
            .await
    }

    async fn until(
        &self,
        rig: &mut Rig,
        watch: &mut MultiplexedConnection,
        complaint: &str,
        count: impl AsyncFn(&Self, &mut MultiplexedConnection) -> Result<u64, LoadError>,
    ) -> Result<(), LoadError> {
        let (mut left, mut moved) = (u64::MAX, Instant::now());
        loop {
            let now = count(self, watch).await?;
            if now == 0 {
                return Ok(());
            }
            if now != left {
                (left, moved) = (now, Instant::now());
            }
            if moved.elapsed() > STUCK_AFTER {
                return Err(LoadError::Stack(format!(
                    "{complaint}: {left} are left, and nothing moved for {STUCK_AFTER:?}"
                )));
            }
            rig.check()?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Entries in all logs.
    async fn waiting(&self, connection: &mut MultiplexedConnection) -> Result<u64, LoadError> {
        let mut lengths = redis::pipe();
        for name in &self.names {
            lengths.cmd("XLEN").arg(format!("tandem:{{{name}}}:changes"));
        }
        let lengths: Vec<u64> = lengths.query_async(connection).await?;
        Ok(lengths.iter().sum())
    }

    /// Records whose making was not heard of on the change stream yet, by the engine's own count.
    async fn unheard(&self, connection: &mut MultiplexedConnection) -> Result<u64, LoadError> {
        let mut heard = redis::pipe();
        for name in &self.names {
            heard
                .cmd("HGET")
                .arg(format!("tandem:{{{name}}}:counters"))
                .arg("echoes");
        }
        let heard: Vec<Option<u64>> = heard.query_async(connection).await?;
        Ok(self.total().saturating_sub(heard.iter().flatten().sum()))
    }

    /// The owners' epochs: they rise when a tenant is taken over.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn epochs(&self, connection: &mut MultiplexedConnection) -> Result<Vec<Option<u64>>, LoadError> {
        let mut epochs = redis::pipe();
        for name in &self.names {
            epochs.cmd("HGET").arg(format!("tandem:{{{name}}}:owner")).arg("epoch");
        }
        Ok(epochs.query_async(connection).await?)
    }
}

/// Appends one change of each of these records.
///
/// # Errors
/// When Redis is away.
pub async fn append(
    connection: &mut MultiplexedConnection,
    tenant: &str,
    numbers: &[u32],
    round: u8,
) -> Result<(), LoadError> {
    let mut appends = redis::pipe();
    for number in numbers {
        appends
            .cmd("XADD")
            .arg(format!("tandem:{{{tenant}}}:changes"))
            .arg("*")
            .arg(("object", sample::OBJECT, "key", sample::key(*number), "op", "upsert"))
            .arg("data")
            .arg(sample::payload(*number, round))
            .ignore();
    }
    Ok(appends.query_async(connection).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_spread_and_the_floor_counts_each_tenants_calls() {
        let fleet = Fleet::new(3, 601);
        assert_eq!((fleet.records.as_slice(), fleet.total()), (&[201, 200, 200][..], 601));
        assert_eq!(fleet.calls_floor(), 4);
        assert_eq!(fleet.names[2], "t00003");
    }
}
