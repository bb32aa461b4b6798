//! What processes use, read from `/proc`: processor time, resident memory, and how busy the machine is with others.

use std::time::Instant;

use crate::error::LoadError;

/// Ticks a second in `/proc`: the kernel's USER_HZ, 100 on every Linux that this runs on.
const TICKS: f64 = 100.0;

/// Processor seconds that a process has used, all threads, user and system. Its resolution is 10 ms.
///
/// # Errors
/// When there is no such process.
pub fn cpu_seconds(pid: u32) -> Result<f64, LoadError> {
    let text = read(pid, "stat")?;
    ticks(&text)
        .map(|ticks| ticks as f64 / TICKS)
        .ok_or_else(|| LoadError::Stack(format!("/proc/{pid}/stat is not understood")))
}

/// `utime` and `stime`: the 12th and 13th word after the name, which is in brackets and may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut words = rest.split_ascii_whitespace().skip(11);
    let user: u64 = words.next()?.parse().ok()?;
    let system: u64 = words.next()?.parse().ok()?;
    Some(user + system)
}

/// Resident memory of a process in MiB.
///
/// # Errors
/// When there is no such process.
pub fn resident_mib(pid: u32) -> Result<f64, LoadError> {
    let text = read(pid, "status")?;
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse::<f64>().ok());
    kib.map(|kib| kib / 1024.0)
        .ok_or_else(|| LoadError::Stack(format!("/proc/{pid}/status tells no VmRSS")))
}

fn read(pid: u32, file: &str) -> Result<String, LoadError> {
    let path = format!("/proc/{pid}/{file}");
    std::fs::read_to_string(&path).map_err(LoadError::io(format!("reading {path}")))
}

/// Processor seconds that the whole machine was busy since it started.
fn machine_seconds() -> Result<f64, LoadError> {
    let text = std::fs::read_to_string("/proc/stat").map_err(LoadError::io("reading /proc/stat"))?;
    let line = text.lines().next().unwrap_or_default();
    let all: Vec<u64> = line
        .split_ascii_whitespace()
        .skip(1)
        .filter_map(|word| word.parse().ok())
        .collect();
    // user, nice, system, then idle and iowait, then irq, softirq, steal.
    let busy: u64 = [0, 1, 2, 5, 6, 7].iter().filter_map(|at| all.get(*at)).sum();
    Ok(busy as f64 / TICKS)
}

/// Processor time of the parts of a run over a span.
#[derive(Debug)]
pub struct Meter {
    engine: u32,
    redis: u32,
    /// Other processes that belong to the run.
    parts: Vec<u32>,
    from: Reading,
}

#[derive(Debug)]
struct Reading {
    at: Instant,
    engine: f64,
    redis: f64,
    own: f64,
    parts: f64,
    machine: f64,
}

/// What was used between two readings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Processor seconds of the engine.
    pub engine: f64,
    /// Of Redis.
    pub redis: f64,
    /// Of this process, in which the stub org runs.
    pub own: f64,
    /// Of everything else on the machine, in cores: what disturbed the run.
    pub others_cores: f64,
}

impl Meter {
    /// Begins a span.
    ///
    /// # Errors
    /// When a process is gone.
    pub fn start(engine: u32, redis: u32, parts: Vec<u32>) -> Result<Self, LoadError> {
        let from = Reading::take(engine, redis, &parts)?;
        Ok(Self {
            engine,
            redis,
            parts,
            from,
        })
    }

    /// What was used since the start.
    ///
    /// # Errors
    /// When a process is gone.
    pub fn used(&self) -> Result<Used, LoadError> {
        let now = Reading::take(self.engine, self.redis, &self.parts)?;
        let from = &self.from;
        let seconds = (now.at - from.at).as_secs_f64().max(1e-9);
        let (engine, redis, own) = (now.engine - from.engine, now.redis - from.redis, now.own - from.own);
        let ours = engine + redis + own + now.parts - from.parts;
        Ok(Used {
            seconds,
            engine,
            redis,
            own,
            others_cores: ((now.machine - from.machine - ours) / seconds).max(0.0),
        })
    }
}

impl Reading {
    fn take(engine: u32, redis: u32, parts: &[u32]) -> Result<Self, LoadError> {
        Ok(Self {
            at: Instant::now(),
            engine: cpu_seconds(engine)?,
            redis: cpu_seconds(redis)?,
            own: cpu_seconds(std::process::id())?,
            parts: parts.iter().map(|pid| cpu_seconds(*pid)).sum::<Result<f64, _>>()?,
            machine: machine_seconds()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_move_the_columns() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 99 1000 10 0";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("42 (a"), None);
    }

    #[test]
    fn work_is_seen_and_memory_is_more_than_nothing() {
        let pid = std::process::id();
        let (before, began) = (cpu_seconds(pid).expect("own times"), Instant::now());
        let mut sum = 0_u64;
        while cpu_seconds(pid).expect("own times") - before < 0.05 {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(1));
            assert!(began.elapsed().as_secs() < 60, "no time was counted");
        }
        assert!(resident_mib(pid).expect("own memory") > 0.5);
        assert!(cpu_seconds(u32::MAX).is_err());
    }
}
