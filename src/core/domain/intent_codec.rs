//! A batch's intent as bytes, as it lies in `tandem:{t}:batches`.
//!
//! Layout: format, epoch, number, time, then the records: object (by place among the objects named so far, or new),
//! key, seq, verb and crashes. Batches are of one sObject, so the object's name is written once.

use std::sync::Arc;

use super::ids::{BatchId, Epoch, RecordKey};
use super::pack::{Pack, Unpack};
use super::time::Timestamp;
use crate::domain::intent::Intent;
use crate::domain::intent::IntentRecord;
use crate::domain::intent::Verb;

/// The bytes are no intent that this version can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the batch's intent in Redis cannot be read: it is damaged, or a newer version of Tandem wrote it")]
pub struct CorruptIntent;

const FORMAT: u8 = 1;

/// The intent as bytes.
pub fn encode(intent: &Intent) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + intent.records.len() * 24);
    out.push(FORMAT);
    out.put_uint(intent.batch.epoch.0);
    out.put_uint(intent.batch.number);
    out.put_uint(intent.begun.0);
    out.put_uint(intent.records.len() as u64);
    let mut objects: Vec<&Arc<str>> = Vec::new();
    let mut before = 0;
    for record in &intent.records {
        let object = &record.record.object;
        let place = objects.iter().position(|known| *known == object);
        out.put_uint(place.unwrap_or(objects.len()) as u64);
        if place.is_none() {
            out.put_block(object.as_bytes());
            objects.push(object);
        }
        out.put_block(record.record.key.as_bytes());
        out.put_near(record.seq, before);
        before = record.seq;
        out.push(match record.verb {
            Verb::Create => 0,
            Verb::Update => 1,
            Verb::Delete => 2,
        });
        out.push(record.crashes);
    }
    out
}

/// The intent again.
pub fn decode(bytes: &[u8]) -> Result<Intent, CorruptIntent> {
    let mut read = Unpack::new(bytes);
    read_intent(&mut read).filter(|_| read.is_empty()).ok_or(CorruptIntent)
}

fn read_intent(read: &mut Unpack<'_>) -> Option<Intent> {
    if read.byte()? != FORMAT {
        return None;
    }
    let batch = BatchId {
        epoch: Epoch(read.uint()?),
        number: read.uint()?,
    };
    let begun = Timestamp(read.uint()?);
    let mut objects: Vec<Arc<str>> = Vec::new();
    let mut before = 0;
    let records = read.list(|read| {
        let place: usize = read.small()?;
        if place == objects.len() {
            objects.push(read.text()?.into());
        }
        let record = RecordKey::new(objects.get(place)?.clone(), read.text()?);
        let seq = read.near(before)?;
        before = seq;
        let verb = match read.byte()? {
            0 => Verb::Create,
            1 => Verb::Update,
            2 => Verb::Delete,
            _ => return None,
        };
        Some(IntentRecord {
            record,
            seq,
            verb,
            crashes: read.byte()?,
        })
    })?;
    Some(Intent { batch, begun, records })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn record() -> impl Strategy<Value = IntentRecord> {
        let verb = prop_oneof![Just(Verb::Create), Just(Verb::Update), Just(Verb::Delete)];
        ("[a-c]{0,2}", ".{0,10}", any::<u64>(), verb, any::<u8>()).prop_map(|(object, key, seq, verb, crashes)| {
            IntentRecord {
                record: RecordKey::new(object, key),
                seq,
                verb,
                crashes,
            }
        })
    }

    fn intent() -> impl Strategy<Value = Intent> {
        (any::<u64>(), any::<u64>(), any::<u64>(), vec(record(), 0..8)).prop_map(|(epoch, number, begun, records)| {
            Intent {
                batch: BatchId {
                    epoch: Epoch(epoch),
                    number,
                },
                begun: Timestamp(begun),
                records,
            }
        })
    }

    proptest! {
        #[test]
        fn intents_survive(intent in intent()) {
            prop_assert_eq!(decode(&encode(&intent)), Ok(intent));
        }

        #[test]
        fn any_bytes_are_an_intent_or_corrupt(intent in intent(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
            let whole = encode(&intent);
            let mut bytes = whole.clone();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(other) = decode(&bytes) {
                prop_assert_eq!(decode(&encode(&other)), Ok(other));
            }
            prop_assert!(decode(&whole[..cut.index(whole.len())]).is_err());
        }

        #[test]
        fn noise_never_panics(mut bytes in vec(any::<u8>(), 0..100)) {
            if let Some(first) = bytes.first_mut() {
                *first = FORMAT;
            }
            if let Ok(other) = decode(&bytes) {
                prop_assert_eq!(decode(&encode(&other)), Ok(other));
            }
        }
    }
}
