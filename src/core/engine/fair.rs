//! Who gets the next free worker: deficit round robin over the tenants that asked.
//!
//! Tenants take turns. What a turn costs is the worker time that the batch took, so an org that answers slowly gets
//! fewer turns, not more workers. A worker never stays free while somebody waits.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::ids::TenantName;

/// Worker time that a tenant earns each round, in milliseconds.
pub const QUANTUM_MS: i64 = 100;
/// A tenant's debt never grows beyond this many rounds, so that one slow answer does not shut it out for long.
pub const DEBT_ROUNDS_MAX: i64 = 20;
/// Workers that one tenant can wait for; more asks are refused.
pub const WAITING_MAX: u32 = 64;

/// One tenant's place.
#[derive(Debug, Clone, Default)]
struct Line {
    /// Workers it waits for.
    waiting: u32,
    /// Milliseconds it may still use (negative: used in advance).
    credit: i64,
}

/// The tenants that wait for workers. Holds a line for each tenant that waits or is in debt.
#[derive(Debug, Clone, Default)]
pub struct Fair {
    lines: BTreeMap<TenantName, Line>,
    /// Tenants that wait, each once, in turn.
    turns: VecDeque<TenantName>,
}

impl Fair {
    /// A tenant asks for one worker. `false` when it waits for `WAITING_MAX` already.
    pub fn want(&mut self, tenant: &TenantName) -> bool {
        let line = self.lines.entry(tenant.clone()).or_default();
        if line.waiting >= WAITING_MAX {
            return false;
        }
        line.waiting += 1;
        if line.waiting == 1 {
            self.turns.push_back(tenant.clone());
        }
        true
    }

    /// A tenant wants nothing any more. Its debt is kept: asking anew must not pay off.
    pub fn forget(&mut self, tenant: &TenantName) {
        if let Some(line) = self.lines.get_mut(tenant) {
            line.waiting = 0;
        }
        self.turns.retain(|t| t != tenant);
        self.tidy();
    }

    /// Whose turn it is; call once for each free worker.
    pub fn grant(&mut self) -> Option<TenantName> {
        self.skip_rounds();
        for _ in 0..=self.turns.len() {
            let tenant = self.turns.pop_front()?;
            let Some(line) = self.lines.get_mut(&tenant) else {
                continue;
            };
            if line.credit < 0 {
                line.credit += QUANTUM_MS;
                self.turns.push_back(tenant);
                continue;
            }
            line.waiting = line.waiting.saturating_sub(1);
            if line.waiting > 0 {
                self.turns.push_back(tenant.clone());
            }
            self.tidy();
            return Some(tenant);
        }
        None
    }

    /// A granted worker came back after so many milliseconds.
    pub fn charge(&mut self, tenant: &TenantName, millis: u64) {
        let cost = i64::try_from(millis).unwrap_or(i64::MAX).max(1);
        let line = self.lines.entry(tenant.clone()).or_default();
        line.credit = line.credit.saturating_sub(cost).max(-QUANTUM_MS * DEBT_ROUNDS_MAX);
        self.tidy();
    }

    /// How many workers are waited for.
    pub fn waiting(&self) -> usize {
        self.lines.values().map(|l| l.waiting as usize).sum()
    }

    /// When all who wait are in debt, the rounds until the first is out of it are given at once.
    fn skip_rounds(&mut self) {
        let waiting = || self.turns.iter().filter_map(|t| self.lines.get(t));
        let Some(best) = waiting().map(|l| l.credit).max() else {
            return;
        };
        if best < 0 {
            let rounds = (-best + QUANTUM_MS - 1) / QUANTUM_MS;
            for line in self.lines.values_mut() {
                line.credit = (line.credit + rounds * QUANTUM_MS).min(0);
            }
        }
    }

    /// Forgets tenants that neither wait nor owe. Those that do not wait pay their debt off when nobody waits.
    fn tidy(&mut self) {
        if self.turns.is_empty() {
            self.lines.clear();
        } else {
            self.lines.retain(|_, l| l.waiting > 0 || l.credit < 0);
        }
    }
}

#[cfg(test)]
mod tests;
