//! From the outbox to the product's feed.

use std::collections::BTreeMap;

use tandem_core::domain::ids::{Epoch, Fence, TenantName};
use tandem_core::domain::stream::StreamId;
use tandem_core::engine::place;

use crate::port::Answer;
use crate::port::store::{OutboxEntry, StoreError};
use crate::store::reply::Reader;
use crate::store::script::{self, Call, ScriptName};
use crate::store::{keys, outbox};

use super::{RedisLane, page_of};

/// Events that one `forward` appends: 25 arguments each at most.
const EVENTS_IN_ONE: usize = script::ARGUMENTS_MAX / 25 - 1;

impl RedisLane {
    /// Entries of the outbox.
    pub(super) fn outbox_after(
        &self,
        tenant: &TenantName,
        after: StreamId,
        count: usize,
    ) -> Answer<Vec<OutboxEntry>, StoreError> {
        let doing = "read_outbox";
        let page = page_of(keys::outbox(tenant), after, count);
        self.ask(doing, tenant, page, move |read, answer| {
            let entries = read.array(answer)?.into_iter().map(|entry| {
                let (id, fields) = read.entry(entry)?;
                outbox::parse(id, fields)
                    .map_err(|field| read.unexpected(format!("field '{field}' of outbox entry {id} is not valid")))
            });
            entries.collect()
        })
    }

    /// Appends to the feed.
    pub(super) fn append_to_feed(
        &self,
        tenant: &TenantName,
        epoch: Epoch,
        entries: Vec<OutboxEntry>,
    ) -> Answer<(), StoreError> {
        let doing = "forward";
        let mut by: BTreeMap<u16, Vec<&OutboxEntry>> = BTreeMap::new();
        for entry in &entries {
            let partition = place::feed_partition(tenant, entry.event.record.as_ref(), self.feed_partitions);
            by.entry(partition).or_default().push(entry);
        }
        let mut commands = redis::pipe();
        let calls = by
            .iter()
            .flat_map(|(partition, entries)| entries.chunks(EVENTS_IN_ONE).map(|some| (*partition, some)));
        for (partition, entries) in calls {
            let mut call = Call::new(ScriptName::Forward, &[keys::events(partition), keys::marks(partition)]);
            call.arg(tenant.as_str()).arg(epoch.0);
            for entry in entries {
                let fields = outbox::feed_fields(tenant, entry);
                call.arg(entry.id.ms).arg(entry.id.seq).arg(fields.len());
                for (name, value) in fields {
                    call.arg(name).arg(value.as_ref());
                }
            }
            commands.add_command(call.into_cmd());
        }
        let answer = self.pipe.send(doing, commands);
        let tenant = tenant.clone();
        Box::pin(async move {
            let read = Reader::of(doing, &tenant);
            for value in answer.await? {
                read.number(value)?;
            }
            Ok(())
        })
    }

    /// Deletes from the outbox.
    pub(super) fn delete_forwarded(
        &self,
        tenant: &TenantName,
        fence: &Fence,
        entries: Vec<StreamId>,
    ) -> Answer<(), StoreError> {
        let doing = "forwarded";
        let mut call = Call::new(ScriptName::Forwarded, &[keys::owner(tenant), keys::outbox(tenant)]);
        call.arg(fence.nonce.as_ref()).arg(fence.epoch.0);
        for id in entries {
            call.arg(id.to_string());
        }
        self.ask(doing, tenant, call.into_cmd(), |read, answer| {
            read.number(answer).map(drop)
        })
    }
}
