//! A folded change as bytes: what `tandem:{t}:compacted` holds and what dead letters seal. Values byte for byte.
//!
//! Layout: format, flags, plan (4), seq, packed, delete version, times, entries, seen revision, then the lists of
//! fields, idempotency keys, receipts and traces.

use super::ids::FieldIdx;
use super::pack::{Pack, Unpack};
use super::payload::RawJson;
use super::stream::StreamId;
use super::time::Timestamp;
use crate::domain::folded::Folded;
use crate::domain::folded::FoldedField;

/// The bytes are no folded change that this version can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the folded change in Redis cannot be read: it is damaged, or a newer version of Tandem wrote it")]
pub struct CorruptFold;

const FORMAT: u8 = 1;

const DELETE: u8 = 1;
const UPSERT: u8 = 1 << 1;
const SEEN: u8 = 1 << 2;

/// The folded change as bytes.
pub fn encode(folded: &Folded) -> Vec<u8> {
    let values: usize = folded.fields.iter().map(|field| field.value.expose().len() + 8).sum();
    let mut out = Vec::with_capacity(64 + values + folded.receipts.len() * 4);
    out.push(FORMAT);
    let flags = [
        (DELETE, folded.delete),
        (UPSERT, folded.upsert),
        (SEEN, folded.seen_revision.is_some()),
    ];
    out.push(
        flags
            .into_iter()
            .fold(0, |all, (flag, on)| if on { all | flag } else { all }),
    );
    out.extend_from_slice(&folded.plan.to_le_bytes());
    out.put_uint(folded.seq);
    out.put_near(folded.packed, folded.seq);
    out.put_uint(folded.delete_version);
    out.put_uint(folded.newest.0);
    out.put_near(folded.oldest.0, folded.newest.0);
    out.put_uint(folded.entries);
    if let Some(revision) = folded.seen_revision {
        out.put_uint(revision);
    }
    out.put_uint(folded.fields.len() as u64);
    for field in &folded.fields {
        out.put_uint(u64::from(field.idx.0) << 1 | u64::from(field.engine));
        out.put_uint(field.version);
        out.put_near(field.packed, folded.packed);
        out.put_block(field.value.expose());
    }
    out.put_uint(folded.idempotency_texts.len() as u64);
    folded
        .idempotency_texts
        .iter()
        .for_each(|text| out.put_block(text.as_bytes()));
    out.put_uint(folded.receipts.len() as u64);
    let mut before = folded.newest.0;
    for id in &folded.receipts {
        out.put_near(id.ms, before);
        out.put_uint(id.seq);
        before = id.ms;
    }
    out.put_uint(folded.traces.len() as u64);
    folded.traces.iter().for_each(|text| out.put_block(text.as_bytes()));
    out
}

/// The folded change again.
pub fn decode(bytes: &[u8]) -> Result<Folded, CorruptFold> {
    let mut read = Unpack::new(bytes);
    read_fold(&mut read).filter(|_| read.is_empty()).ok_or(CorruptFold)
}

fn read_fold(read: &mut Unpack<'_>) -> Option<Folded> {
    if read.byte()? != FORMAT {
        return None;
    }
    let flags = read.byte()?;
    if flags & !(DELETE | UPSERT | SEEN) != 0 {
        return None;
    }
    let plan = u32::from_le_bytes(read.array()?);
    let seq = read.uint()?;
    let packed = read.near(seq)?;
    let delete_version = read.uint()?;
    let newest = read.uint()?;
    let oldest = read.near(newest)?;
    let entries = read.uint()?;
    let seen_revision = if flags & SEEN != 0 { Some(read.uint()?) } else { None };
    let fields = read.list(|read| {
        let place = read.uint()?;
        let version = read.uint()?;
        let packed = read.near(packed)?;
        let value = RawJson::from_checked(read.owned()?);
        let idx = FieldIdx((place >> 1).try_into().ok()?);
        Some(FoldedField {
            idx,
            value,
            version,
            packed,
            engine: place & 1 == 1,
        })
    })?;
    let idempotency_texts = read.list(|read| read.text().map(Into::into))?;
    let mut before = newest;
    let receipts = read.list(|read| {
        before = read.near(before)?;
        Some(StreamId {
            ms: before,
            seq: read.uint()?,
        })
    })?;
    let traces = read.list(|read| read.text().map(Into::into))?;
    Some(Folded {
        plan,
        seq,
        delete: flags & DELETE != 0,
        upsert: flags & UPSERT != 0,
        fields,
        delete_version,
        packed,
        oldest: Timestamp(oldest),
        newest: Timestamp(newest),
        entries,
        seen_revision,
        idempotency_texts,
        receipts,
        traces,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    fn field() -> impl Strategy<Value = FoldedField> {
        (
            any::<u16>(),
            vec(any::<u8>(), 0..40),
            any::<u64>(),
            any::<u64>(),
            any::<bool>(),
        )
            .prop_map(|(idx, value, version, packed, engine)| FoldedField {
                idx: FieldIdx(idx),
                value: RawJson::from_checked(value),
                version,
                packed,
                engine,
            })
    }

    fn texts() -> impl Strategy<Value = Vec<std::sync::Arc<str>>> {
        vec(".{0,12}".prop_map(Into::into), 0..4)
    }

    fn folded() -> impl Strategy<Value = Folded> {
        let ids = vec(
            (any::<u64>(), any::<u64>()).prop_map(|(ms, seq)| StreamId { ms, seq }),
            0..5,
        );
        (
            (
                any::<u32>(),
                any::<u64>(),
                any::<bool>(),
                any::<bool>(),
                vec(field(), 0..6),
                any::<u64>(),
                any::<u64>(),
            ),
            (
                any::<u64>(),
                any::<u64>(),
                any::<u64>(),
                option::of(any::<u64>()),
                texts(),
                ids,
                texts(),
            ),
        )
            .prop_map(|((plan, seq, delete, upsert, fields, delete_version, packed), rest)| {
                let (oldest, newest, entries, seen_revision, idempotency_texts, receipts, traces) = rest;
                let (oldest, newest) = (Timestamp(oldest), Timestamp(newest));
                Folded {
                    plan,
                    seq,
                    delete,
                    upsert,
                    fields,
                    delete_version,
                    packed,
                    oldest,
                    newest,
                    entries,
                    seen_revision,
                    idempotency_texts,
                    receipts,
                    traces,
                }
            })
    }

    proptest! {
        #[test]
        fn folds_survive(folded in folded()) {
            prop_assert_eq!(decode(&encode(&folded)).unwrap(), folded);
        }

        #[test]
        fn any_bytes_are_a_fold_or_corrupt(folded in folded(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
            let whole = encode(&folded);
            let mut bytes = whole.clone();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(other) = decode(&bytes) {
                prop_assert_eq!(decode(&encode(&other)).unwrap(), other);
            }
            prop_assert!(decode(&whole[..cut.index(whole.len())]).is_err());
        }

        #[test]
        fn noise_never_panics(mut bytes in vec(any::<u8>(), 0..200)) {
            if let [first, flags, ..] = &mut bytes[..] {
                *first = FORMAT;
                *flags &= DELETE | UPSERT | SEEN;
            }
            if let Ok(other) = decode(&bytes) {
                prop_assert_eq!(decode(&encode(&other)).unwrap(), other);
            }
        }
    }

    #[test]
    fn a_typical_fold_costs_little_beside_its_values() {
        let id = StreamId {
            ms: 1_795_417_200_123,
            seq: 0,
        };
        let value = "\"forty-one bytes of a value, more or less\"";
        let field = |at| FoldedField {
            idx: FieldIdx(at),
            value: RawJson::from_checked(value),
            version: 20,
            packed: id.packed(),
            engine: false,
        };
        let folded = Folded {
            plan: 77,
            seq: id.packed(),
            upsert: true,
            fields: (0..10).map(field).collect(),
            packed: id.packed(),
            oldest: Timestamp(id.ms),
            newest: Timestamp(id.ms),
            entries: 1,
            receipts: vec![id],
            ..Folded::default()
        };
        let overhead = encode(&folded).len() - 10 * value.len();
        assert!(overhead <= 75, "{overhead} bytes");
    }
}
