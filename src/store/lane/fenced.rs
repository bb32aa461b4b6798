//! The steps of an owner: attach, begin, settle, compact, emit and link.

use std::sync::{Arc, PoisonError};

use tandem_core::domain::change_parse::AHEAD_MAX;
use tandem_core::domain::ids::{Epoch, Fence, ReplayId, TenantName};
use tandem_core::domain::intent_codec;
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::engine::commit::{BatchIdList, Commit, Intent, Script};
use tandem_core::engine::state::{Attached, Committed};

use crate::port::Answer;
use crate::port::store::StoreError;
use crate::store::reply::Reader;
use crate::store::script::{self, Call, ScriptName};
use crate::store::{commit, keys};

use super::{RedisLane, failed, today};

impl RedisLane {
    /// Takes a tenant over.
    pub(super) fn take_over(
        &self,
        tenant: &TenantName,
        node: &str,
        partition_epoch: Epoch,
    ) -> Answer<Attached, StoreError> {
        let doing = "attach";
        let nonce: Arc<str> = uuid::Uuid::new_v4().simple().to_string().into();
        let mut call = Call::new(
            ScriptName::Attach,
            &[
                keys::owner(tenant),
                keys::batches(tenant),
                keys::cursors(tenant),
                keys::changes(tenant),
                keys::backfill(tenant),
            ],
        );
        call.arg(node)
            .arg(nonce.as_ref())
            .arg(partition_epoch.0)
            .arg(self.record_buckets)
            .arg(script::FORMAT)
            .arg(u64::try_from(AHEAD_MAX.as_millis()).unwrap_or(u64::MAX));
        let (of, layout) = (tenant.clone(), Arc::clone(&self.buckets));
        self.ask(doing, tenant, call.into_cmd(), move |read, answer| {
            let [epoch, now, buckets, batches, cursors] = read.exactly(answer)?;
            let buckets = u32::try_from(read.number(buckets)?).map_err(|_| read.unexpected("too many buckets"))?;
            layout
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(of, buckets);
            let intents = read.pairs(batches)?.into_iter().map(|(_, intent)| {
                intent_codec::decode(&intent).map_err(|_| read.unexpected("an intent does not decode"))
            });
            let cursors = read.pairs(cursors)?.into_iter().map(|(topic, place)| {
                let topic = String::from_utf8(topic).map_err(|_| read.unexpected("a topic is no text"))?;
                Ok((topic.into(), ReplayId(place.into())))
            });
            Ok(Attached {
                fence: Fence {
                    nonce,
                    epoch: Epoch(read.number(epoch)?),
                    step: 0,
                },
                intents: intents.collect::<Result<_, _>>()?,
                cursors: cursors.collect::<Result<_, StoreError>>()?,
                redis_ms: read.number(now)?,
            })
        })
    }

    /// Stores an intent.
    pub(super) fn store_intent(
        &self,
        tenant: &TenantName,
        fence: &Fence,
        intent: Intent,
        done: BatchIdList,
    ) -> Answer<(), StoreError> {
        let doing = "begin";
        let mut call = Call::new(ScriptName::Begin, &[keys::owner(tenant), keys::batches(tenant)]);
        call.arg(fence.nonce.as_ref()).arg(fence.epoch.0).arg(fence.step);
        call.arg(intent.batch.to_string()).arg(intent_codec::encode(&intent));
        for batch in done {
            call.arg(batch.to_string());
        }
        self.ask(doing, tenant, call.into_cmd(), |read, answer| {
            read.number(answer).map(drop)
        })
    }

    /// Runs settle, compact or emit.
    pub(super) fn carry_out(
        &self,
        tenant: &TenantName,
        fence: &Fence,
        script: Script,
        commit: Box<Commit>,
    ) -> Answer<Committed, StoreError> {
        let doing = match script {
            Script::Settle => "settle",
            Script::Compact => "compact",
            Script::Emit => "emit",
        };
        let buckets = match self.buckets_of(tenant, doing) {
            Ok(buckets) => buckets,
            Err(error) => return failed(error),
        };
        let (of, fence, sealer) = (tenant.clone(), fence.clone(), Arc::clone(&self.sealer));
        let make = move || {
            let reader = Reader::of(doing, &of);
            let around = commit::Around {
                tenant: &of,
                buckets,
                day: today(),
                sealer: sealer.as_ref(),
            };
            let call = commit::call(&around, &fence, script, &commit).map_err(|e| reader.unexpected(e.to_string()))?;
            let (has, max) = (call.arguments(), script::ARGUMENTS_MAX);
            if has > max {
                return Err(reader.unexpected(format!("a commit of {has} arguments; at most {max} go in one step")));
            }
            let mut commands = redis::pipe();
            commands.add_command(call.into_cmd());
            Ok(commands)
        };
        self.read_one(tenant, doing, self.pipe.send_made(doing, make), |read, answer| {
            let [deleted, refused] = read.exactly(answer)?;
            let refused_links = read.pairs(refused)?.into_iter().map(|(id, holder)| {
                SalesforceId::from_packed(&id)
                    .zip(keys::record_of_field(&holder))
                    .ok_or_else(|| read.unexpected("the id index names no record"))
            });
            Ok(Committed {
                deleted: read.number(deleted)?,
                refused_links: refused_links.collect::<Result<_, _>>()?,
            })
        })
    }
}
