//! When a node takes, renews, gives back and distrusts partition leases.
//!
//! A lease is trusted from the moment its last good request was *sent* until TTL − margin later, on a clock that runs
//! through a suspended machine: what this node believes always ends before Redis lets another node in. Times are
//! durations since boot. Requests are orders to the caller; each is answered once by `acquired`, `renewed` or
//! `released`, or never (a lost answer is treated as a failure after [`Rules::answer_within`]).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::placement::Members;
use super::supervise::jittered;
use crate::domain::ids::Epoch;

/// Times and bounds.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// How long Redis keeps a lease without renewal.
    pub ttl: Duration,
    /// How often leases are renewed.
    pub renew_every: Duration,
    /// A lease is distrusted this long before Redis would let it go.
    pub margin: Duration,
    /// How long a partition that another node holds is left alone at most.
    pub retry_after: Duration,
    /// An answer that has not come by then will not come.
    pub answer_within: Duration,
    /// How long tenants of a partition that moves, or of a node that stops, get to finish.
    pub drain_grace: Duration,
    /// Acquire requests in flight at once.
    pub asking_max: usize,
    /// Partitions that are handed over at once while the node goes on.
    pub giving_max: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(20),
            renew_every: Duration::from_secs(5),
            margin: Duration::from_secs(4),
            retry_after: Duration::from_secs(2),
            answer_within: Duration::from_secs(15),
            drain_grace: Duration::from_secs(60),
            asking_max: 64,
            giving_max: 32,
        }
    }
}

/// What the caller is to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Ask Redis for a partition; answer with `acquired`.
    Acquire {
        /// Which.
        partition: u16,
        /// The epoch must be above this one.
        above: Epoch,
        /// Comes back with the answer.
        sent: Duration,
    },
    /// Renew these in one pipeline; answer with `renewed`.
    Renew {
        /// Which, and the epochs they are held under.
        leases: Vec<(u16, Epoch)>,
        /// Comes back with the answer.
        sent: Duration,
    },
    /// Give one back; answer with `released`.
    Release {
        /// Which.
        partition: u16,
        /// Held under.
        epoch: Epoch,
        /// Hint of who should have it.
        next: String,
    },
    /// The partition's tenants may be worked on.
    Gained {
        /// Which.
        partition: u16,
        /// Under this epoch.
        epoch: Epoch,
    },
    /// The lease is gone or not trusted: drop its tenants now.
    Revoke(u16),
    /// The partition is to be given back: let its tenants finish, then call `drained`.
    Drain(u16),
}

/// What asking for a lease came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// It is ours.
    Held(Epoch),
    /// Another node's for this much longer.
    Taken(Duration),
    /// No answer.
    Failed,
}

#[derive(Debug, Clone)]
enum Row {
    /// Nobody here holds it; not asked for before `until`.
    Free {
        until: Duration,
        above: Epoch,
    },
    Asking {
        sent: Duration,
        above: Epoch,
    },
    Held {
        epoch: Epoch,
        trusted_until: Duration,
        giving: Option<Duration>,
    },
    /// Given back; `above` is what the next epoch must exceed.
    Releasing {
        sent: Duration,
        above: Epoch,
    },
}

/// All partitions that have tenants, and where this node stands with each.
#[derive(Debug, Clone)]
pub struct Leases {
    rules: Rules,
    rows: BTreeMap<u16, Row>,
    renewing: Option<(Duration, Vec<(u16, Epoch)>)>,
    renew_at: Duration,
    draining: bool,
}

impl Leases {
    /// For these partitions; nothing is held.
    pub fn new(rules: Rules, partitions: &BTreeSet<u16>) -> Self {
        let free = Row::Free {
            until: Duration::ZERO,
            above: Epoch(0),
        };
        let rows = partitions.iter().map(|p| (*p, free.clone())).collect();
        Self {
            rules,
            rows,
            renewing: None,
            renew_at: Duration::ZERO,
            draining: false,
        }
    }

    /// Time passed. Call about once a second; distrust is only as punctual as these calls.
    pub fn tick(&mut self, now: Duration, dice: u64, members: &Members, me: &str, out: &mut Vec<Order>) {
        self.distrust(now, dice, out);
        self.give(now, members, me, out);
        if !self.draining {
            self.ask(now, dice, members, me, out);
        }
        self.renew(now, out);
    }

    /// Answer of [`Order::Acquire`].
    pub fn acquired(
        &mut self,
        now: Duration,
        dice: u64,
        (partition, asked): (u16, Duration),
        tried: Tried,
        out: &mut Vec<Order>,
    ) {
        let Some(row) = self.rows.get_mut(&partition) else {
            return;
        };
        let (sent, above) = match row {
            Row::Asking { sent, .. } if *sent != asked => return,
            Row::Asking { sent, above } => (*sent, *above),
            // The answer was given up; what it gained lapses by itself, or is found held by us when asked again.
            Row::Free { .. } | Row::Held { .. } | Row::Releasing { .. } => return,
        };
        let trusted_until = sent + self.rules.ttl - self.rules.margin;
        match tried {
            Tried::Held(epoch) if self.draining || now >= trusted_until => {
                *row = Row::Releasing { sent: now, above };
                out.push(Order::Release {
                    partition,
                    epoch,
                    next: String::new(),
                });
            }
            Tried::Held(epoch) => {
                *row = Row::Held {
                    epoch,
                    trusted_until,
                    giving: None,
                };
                out.push(Order::Gained { partition, epoch });
            }
            Tried::Taken(left) => {
                let pause = left.min(jittered(self.rules.retry_after, dice));
                *row = Row::Free {
                    until: now + pause.max(Duration::from_millis(100)),
                    above,
                };
            }
            Tried::Failed => {
                *row = Row::Free {
                    until: now + jittered(self.rules.retry_after, dice),
                    above,
                }
            }
        }
    }

    /// Answer of [`Order::Renew`]: one word for each lease named there, or nothing when the request failed.
    pub fn renewed(
        &mut self,
        now: Duration,
        dice: u64,
        asked: Duration,
        answer: Option<&[bool]>,
        out: &mut Vec<Order>,
    ) {
        let Some((sent, asked)) = self.renewing.take_if(|(sent, _)| *sent == asked) else {
            return;
        };
        let Some(answer) = answer else {
            // Tried again soon; what is held is trusted no longer than before.
            self.renew_at = now + jittered(Duration::from_secs(1), dice);
            return;
        };
        for ((partition, asked_epoch), kept) in asked.into_iter().zip(answer) {
            let Some(Row::Held {
                epoch, trusted_until, ..
            }) = self.rows.get_mut(&partition)
            else {
                continue;
            };
            if *epoch != asked_epoch {
                continue;
            }
            if *kept {
                *trusted_until = (sent + self.rules.ttl - self.rules.margin).max(*trusted_until);
            } else {
                self.revoke(partition, now, dice, out);
            }
        }
    }

    /// Answer of [`Order::Release`].
    pub fn released(&mut self, now: Duration, partition: u16) {
        if let Some(row) = self.rows.get_mut(&partition)
            && let Row::Releasing { above, .. } = row
        {
            *row = Row::Free {
                until: now,
                above: *above,
            };
        }
    }

    /// The tenants of a partition that was asked to drain have finished.
    pub fn drained(&mut self, now: Duration, members: &Members, me: &str, partition: u16, out: &mut Vec<Order>) {
        if let Some(Row::Held {
            epoch, giving: Some(_), ..
        }) = self.rows.get(&partition)
        {
            let epoch = *epoch;
            self.release(now, members, me, partition, epoch, out);
        }
    }

    /// A tenant's `attach` was refused: it has seen partition epoch `seen`. The lease is taken anew above that.
    pub fn refused(&mut self, now: Duration, partition: u16, seen: Epoch, out: &mut Vec<Order>) {
        match self.rows.get_mut(&partition) {
            Some(row @ Row::Held { .. }) => {
                let Row::Held { epoch, .. } = row else { return };
                let held = *epoch;
                if held <= seen {
                    *row = Row::Releasing { sent: now, above: seen };
                    out.push(Order::Revoke(partition));
                    out.push(Order::Release {
                        partition,
                        epoch: held,
                        next: String::new(),
                    });
                }
            }
            Some(Row::Free { above, .. } | Row::Asking { above, .. } | Row::Releasing { above, .. }) => {
                *above = (*above).max(seen);
            }
            None => {}
        }
    }

    /// The node stops: nothing is asked for any more, everything is given back.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Whether another tick would ask for more, should there be more to ask for: at least half of the room is free.
    pub fn has_room(&self) -> bool {
        self.asking() * 2 <= self.rules.asking_max
    }

    fn asking(&self) -> usize {
        self.rows
            .values()
            .filter(|row| matches!(row, Row::Asking { .. }))
            .count()
    }

    /// Partitions held and trusted now, with their epochs.
    pub fn held(&self) -> impl Iterator<Item = (u16, Epoch)> {
        self.rows.iter().filter_map(|(p, row)| match row {
            Row::Held { epoch, .. } => Some((*p, *epoch)),
            Row::Free { .. } | Row::Asking { .. } | Row::Releasing { .. } => None,
        })
    }

    /// Whether everything is given back and no answer is awaited.
    pub fn is_empty(&self) -> bool {
        self.rows.values().all(|row| matches!(row, Row::Free { .. }))
    }

    /// Whether this node holds all that it should.
    pub fn is_settled(&self, members: &Members, me: &str) -> bool {
        self.rows
            .iter()
            .all(|(p, row)| matches!(row, Row::Held { .. }) || members.taker(*p) != me)
    }

    fn distrust(&mut self, now: Duration, dice: u64, out: &mut Vec<Order>) {
        let late: Vec<u16> = self
            .rows
            .iter()
            .filter(|(_, row)| matches!(row, Row::Held { trusted_until, .. } if now >= *trusted_until))
            .map(|(p, _)| *p)
            .collect();
        for partition in late {
            self.revoke(partition, now, dice, out);
        }
        let pause = jittered(self.rules.retry_after, dice);
        for row in self.rows.values_mut() {
            if let Row::Asking { sent, above } | Row::Releasing { sent, above } = row
                && now.saturating_sub(*sent) >= self.rules.answer_within
            {
                *row = Row::Free {
                    until: now + pause,
                    above: *above,
                };
            }
        }
        if self
            .renewing
            .as_ref()
            .is_some_and(|(sent, _)| now.saturating_sub(*sent) >= self.rules.answer_within)
        {
            self.renewing = None;
            self.renew_at = now;
        }
    }

    fn revoke(&mut self, partition: u16, now: Duration, dice: u64, out: &mut Vec<Order>) {
        let until = now + jittered(self.rules.retry_after, dice);
        self.rows.insert(partition, Row::Free { until, above: Epoch(0) });
        out.push(Order::Revoke(partition));
    }

    fn give(&mut self, now: Duration, members: &Members, me: &str, out: &mut Vec<Order>) {
        let mut giving = 0;
        let mut overdue = Vec::new();
        for (partition, row) in &mut self.rows {
            let Row::Held {
                epoch,
                giving: Some(until),
                ..
            } = row
            else {
                continue;
            };
            giving += 1;
            if now >= *until {
                overdue.push((*partition, *epoch));
            }
        }
        for (partition, epoch) in overdue {
            // Calls still in flight are left to their intents (design 8).
            out.push(Order::Revoke(partition));
            self.release(now, members, me, partition, epoch, out);
        }
        let room = if self.draining {
            usize::MAX
        } else {
            self.rules.giving_max.saturating_sub(giving)
        };
        let until = now + self.rules.drain_grace;
        let foreign = self.rows.iter_mut().filter_map(|(partition, row)| match row {
            Row::Held {
                giving: giving @ None, ..
            } if self.draining || members.holder(now, *partition) != me => Some((partition, giving)),
            Row::Free { .. } | Row::Asking { .. } | Row::Held { .. } | Row::Releasing { .. } => None,
        });
        for (partition, giving) in foreign.take(room) {
            *giving = Some(until);
            out.push(Order::Drain(*partition));
        }
    }

    fn release(&mut self, now: Duration, members: &Members, me: &str, p: u16, epoch: Epoch, out: &mut Vec<Order>) {
        self.rows.insert(
            p,
            Row::Releasing {
                sent: now,
                above: Epoch(0),
            },
        );
        let next = members
            .alive()
            .filter(|n| *n != me || !self.draining)
            .max_by_key(|n| super::placement::score(p, n));
        out.push(Order::Release {
            partition: p,
            epoch,
            next: next.unwrap_or_default().to_owned(),
        });
    }

    fn ask(&mut self, now: Duration, dice: u64, members: &Members, me: &str, out: &mut Vec<Order>) {
        let asking = self.asking();
        // Which are asked for first differs from tick to tick, so one that is refused for ever starves nobody.
        let start = u16::try_from(dice % 1024).unwrap_or(0);
        let order: Vec<u16> = self
            .rows
            .range(start..)
            .chain(self.rows.range(..start))
            .map(|(p, _)| *p)
            .collect();
        let mut room = self.rules.asking_max.saturating_sub(asking);
        for partition in order {
            let Some(row) = self.rows.get_mut(&partition) else {
                continue;
            };
            if let Row::Free { until, above } = row
                && room > 0
                && now >= *until
                && members.taker(partition) == me
            {
                let above = *above;
                *row = Row::Asking { sent: now, above };
                out.push(Order::Acquire {
                    partition,
                    above,
                    sent: now,
                });
                room -= 1;
            }
        }
    }

    fn renew(&mut self, now: Duration, out: &mut Vec<Order>) {
        if self.renewing.is_some() || now < self.renew_at {
            return;
        }
        let leases: Vec<_> = self.held().collect();
        if !leases.is_empty() {
            self.renew_at = now + self.rules.renew_every;
            self.renewing = Some((now, leases.clone()));
            out.push(Order::Renew { leases, sent: now });
        }
    }
}

#[cfg(test)]
mod tests;
