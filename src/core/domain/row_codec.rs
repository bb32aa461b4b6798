//! A record's row as bytes, as it lies in `tandem:{t}:records`.
//!
//! A billion rows may be kept, so each byte counts: a linked record at rest with ten mapped fields takes at most
//! 95 bytes. What is nearly always the same is a flag, what is near another number is kept as the difference.
//!
//! Layout: format, flags, then what the flags name, in this order: Salesforce id (12), `last_seq`, `revision`, `born`,
//! tombstone's revision and id (12), stamps, base (plan 4, count, 6 each), unconfirmed writes and told events. The
//! second format ends with what few rows have: whether the key is missing in Salesforce, as of when the record was read to
//! be linked, and the question.

use super::ids::FieldIdx;
use super::pack::{Pack, Unpack};
use super::row::{Asks, Base, FieldHash, Question, Row, SentWrite, Side, Stamp, Told, Tombstone};
use super::salesforce_id::SalesforceId;
use super::stream::StreamId;
use super::time::Timestamp;

/// The bytes are no row that this version can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the record's row in Redis cannot be read: it is damaged, or a newer version of Tandem wrote it")]
pub struct CorruptRow;

const FORMAT: u8 = 1;
/// With a question, or a key that Salesforce lacks.
const FORMAT_RARE: u8 = 2;

const LINKED: u8 = 1;
const TOMBSTONE: u8 = 1 << 1;
const BY_SALESFORCE: u8 = 1 << 2;
const DEAD_LETTER: u8 = 1 << 3;
const ONE_STAMP: u8 = 1 << 4;
const STAMPS: u8 = 1 << 5;
const BASE: u8 = 1 << 6;
/// Unconfirmed writes or told events, or both.
const RECENT: u8 = 1 << 7;

/// The row as bytes.
pub fn encode(row: &Row) -> Vec<u8> {
    let one_stamp = matches!(&row.stamps[..], [stamp] if stamp.fields.is_empty());
    let stamps = !one_stamp && (!row.stamps.is_empty() || row.stamped_s != 0);
    let flags = [
        (LINKED, row.salesforce_id.is_some()),
        (TOMBSTONE, row.tombstone.is_some()),
        (BY_SALESFORCE, row.tombstone.is_some_and(|t| t.by == Side::Salesforce)),
        (DEAD_LETTER, row.dead_letter),
        (ONE_STAMP, one_stamp),
        (STAMPS, stamps),
        (BASE, row.base != Base::default()),
        (RECENT, !(row.unconfirmed.is_empty() && row.told.is_empty())),
    ];
    let flags = flags
        .into_iter()
        .fold(0, |all, (flag, on)| if on { all | flag } else { all });

    let mut out = Vec::with_capacity(96);
    let rare = row.keyless || row.question.is_some() || row.read_as_of_s != 0;
    out.push(if rare { FORMAT_RARE } else { FORMAT });
    out.push(flags);
    if let Some(id) = row.salesforce_id {
        out.extend_from_slice(&id.to_packed());
    }
    out.put_uint(row.last_seq);
    out.put_uint(row.revision);
    out.put_uint(row.born);
    if let Some(tombstone) = row.tombstone {
        out.put_uint(tombstone.revision);
        out.extend_from_slice(&tombstone.id.map_or([0; 12], SalesforceId::to_packed));
    }
    if stamps {
        out.put_uint(row.stamps.len() as u64);
    }
    for stamp in &row.stamps {
        out.put_uint(stamp.version);
        out.put_near(stamp.packed, row.last_seq);
        if stamps {
            out.put_uint(stamp.fields.len() as u64);
            stamp.fields.iter().for_each(|field| out.put_uint(field.0.into()));
        }
    }
    if one_stamp || stamps {
        out.put_near(row.stamped_s.into(), seconds_of(row.last_seq));
    }
    if flags & BASE != 0 {
        out.extend_from_slice(&row.base.plan.to_le_bytes());
        out.put_uint(row.base.fields.len() as u64);
        row.base.fields.iter().for_each(|hash| out.extend_from_slice(&hash.0));
    }
    if flags & RECENT != 0 {
        out.put_uint(row.unconfirmed.len() as u64);
        for write in &row.unconfirmed {
            out.put_near(write.seq, row.last_seq);
            put_hashes(&mut out, &write.fields);
        }
        out.put_uint(row.told.len() as u64);
        for told in &row.told {
            out.put_near(told.revision, row.revision);
            out.put_uint(told.at.0);
            out.put_uint(told.answered.into());
            put_hashes(&mut out, &told.fields);
        }
    }
    if rare {
        out.put_uint(row.keyless.into());
        out.put_uint(row.read_as_of_s.into());
        put_question(&mut out, row.question.as_ref(), row.revision);
    }
    out
}

const NOTHING: u8 = 0;
const WHICH: u8 = 1;
const WHOSE: u8 = 2;
const VALUES: u8 = 3;
const CREATE: u8 = 4;
const EXPIRED: u8 = 5;

fn put_question(out: &mut Vec<u8>, question: Option<&Question>, revision: u64) {
    let Some(question) = question else {
        return out.push(NOTHING);
    };
    out.push(match question.asks {
        Asks::Which => WHICH,
        Asks::Whose => WHOSE,
        Asks::Values { .. } => VALUES,
        Asks::Create => CREATE,
        Asks::Expired => EXPIRED,
    });
    out.put_near(question.revision, revision);
    out.put_uint(question.since.0);
    if let Asks::Values { plan, fields } = &question.asks {
        out.extend_from_slice(&plan.to_le_bytes());
        out.put_uint(fields.len() as u64);
        fields.iter().for_each(|field| out.put_uint(field.0.into()));
    }
}

/// Twin of [`put_question`]; the outer `None` means that the bytes make no sense.
fn read_question(read: &mut Unpack<'_>, revision: u64) -> Option<Option<Question>> {
    let kind = read.byte()?;
    if kind == NOTHING {
        return Some(None);
    }
    let (asked, since) = (read.near(revision)?, Timestamp(read.uint()?));
    let asks = match kind {
        WHICH => Asks::Which,
        WHOSE => Asks::Whose,
        VALUES => Asks::Values {
            plan: u32::from_le_bytes(read.array()?),
            fields: read.list(|read| read.small().map(FieldIdx))?,
        },
        CREATE => Asks::Create,
        EXPIRED => Asks::Expired,
        _ => return None,
    };
    Some(Some(Question {
        asks,
        revision: asked,
        since,
    }))
}

/// The row again.
pub fn decode(bytes: &[u8]) -> Result<Row, CorruptRow> {
    let mut read = Unpack::new(bytes);
    read_row(&mut read).filter(|_| read.is_empty()).ok_or(CorruptRow)
}

fn read_row(read: &mut Unpack<'_>) -> Option<Row> {
    let rare = match read.byte()? {
        FORMAT => false,
        FORMAT_RARE => true,
        _ => return None,
    };
    let flags = read.byte()?;
    let on = |flag| flags & flag != 0;
    let mut row = Row {
        dead_letter: on(DEAD_LETTER),
        ..Row::default()
    };
    if on(LINKED) {
        row.salesforce_id = Some(SalesforceId::from_packed(read.take(12)?)?);
    }
    row.last_seq = read.uint()?;
    row.revision = read.uint()?;
    row.born = read.uint()?;
    if on(TOMBSTONE) {
        let by = if on(BY_SALESFORCE) {
            Side::Salesforce
        } else {
            Side::Product
        };
        row.tombstone = Some(Tombstone {
            by,
            revision: read.uint()?,
            id: Some(read.take(12)?)
                .filter(|packed| packed.iter().any(|b| *b != 0))
                .map(SalesforceId::from_packed)
                .unwrap_or_default(),
        });
    }
    let last_seq = row.last_seq;
    if on(ONE_STAMP) {
        row.stamps = vec![Stamp {
            version: read.uint()?,
            packed: read.near(last_seq)?,
            fields: Vec::new(),
        }];
    } else if on(STAMPS) {
        row.stamps = read.list(|read| {
            let (version, packed) = (read.uint()?, read.near(last_seq)?);
            let fields = read.list(|read| read.small().map(FieldIdx))?;
            Some(Stamp {
                version,
                packed,
                fields,
            })
        })?;
    }
    if on(ONE_STAMP | STAMPS) {
        row.stamped_s = read.near(seconds_of(last_seq))?.try_into().ok()?;
    }
    if on(BASE) {
        let plan = u32::from_le_bytes(read.array()?);
        row.base = Base {
            plan,
            fields: read.list(|read| read.array().map(FieldHash))?,
        };
    }
    if on(RECENT) {
        row.unconfirmed = read.list(|read| {
            Some(SentWrite {
                seq: read.near(last_seq)?,
                fields: read_hashes(read)?,
            })
        })?;
        let revision = row.revision;
        row.told = read.list(|read| {
            Some(Told {
                revision: read.near(revision)?,
                at: Timestamp(read.uint()?),
                answered: read.uint()? != 0,
                fields: read_hashes(read)?,
            })
        })?;
    }
    if rare {
        row.keyless = read.uint()? != 0;
        row.read_as_of_s = read.uint()?.try_into().ok()?;
        row.question = read_question(read, row.revision)?;
        // One row has one form: without anything rare it would be of the first format.
        if !row.keyless && row.question.is_none() && row.read_as_of_s == 0 {
            return None;
        }
    }
    Some(row)
}

/// Position and hash of some fields.
pub(crate) fn put_hashes(out: &mut Vec<u8>, hashes: &[(FieldIdx, FieldHash)]) {
    out.put_uint(hashes.len() as u64);
    for (field, hash) in hashes {
        out.put_uint(field.0.into());
        out.extend_from_slice(&hash.0);
    }
}

/// Twin of [`put_hashes`].
pub(crate) fn read_hashes(read: &mut Unpack<'_>) -> Option<Vec<(FieldIdx, FieldHash)>> {
    read.list(|read| Some((FieldIdx(read.small()?), FieldHash(read.array()?))))
}

/// About when a sequence was made: what stamps' times are near to.
fn seconds_of(seq: u64) -> u64 {
    StreamId::PACK_EPOCH_MS / 1000 + seq / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    fn hash() -> impl Strategy<Value = FieldHash> {
        any::<[u8; 6]>().prop_map(FieldHash)
    }

    fn stamp() -> impl Strategy<Value = Stamp> {
        (any::<u64>(), any::<u64>(), vec(any::<u16>().prop_map(FieldIdx), 0..4)).prop_map(
            |(version, packed, fields)| Stamp {
                version,
                packed,
                fields,
            },
        )
    }

    fn sent() -> impl Strategy<Value = SentWrite> {
        (any::<u64>(), vec((any::<u16>().prop_map(FieldIdx), hash()), 0..4))
            .prop_map(|(seq, fields)| SentWrite { seq, fields })
    }

    fn told() -> impl Strategy<Value = Told> {
        (
            any::<(u64, u64, bool)>(),
            vec((any::<u16>().prop_map(FieldIdx), hash()), 0..4),
        )
            .prop_map(|((revision, at, answered), fields)| Told {
                revision,
                at: Timestamp(at),
                fields,
                answered,
            })
    }

    fn question() -> impl Strategy<Value = Question> {
        let asks = prop_oneof![
            Just(Asks::Which),
            Just(Asks::Whose),
            Just(Asks::Create),
            Just(Asks::Expired),
            (any::<u32>(), vec(any::<u16>().prop_map(FieldIdx), 0..4))
                .prop_map(|(plan, fields)| Asks::Values { plan, fields }),
        ];
        (asks, any::<(u64, u64)>()).prop_map(|(asks, (revision, since))| Question {
            asks,
            revision,
            since: Timestamp(since),
        })
    }

    fn row() -> impl Strategy<Value = Row> {
        let gone = option::of("[1-9][0-9A-Za-z]{14}".prop_map(|text| SalesforceId::parse(&text).unwrap()));
        let tombstone = (any::<bool>(), any::<u64>(), gone).prop_map(|(ours, revision, id)| Tombstone {
            by: if ours { Side::Product } else { Side::Salesforce },
            revision,
            id,
        });
        let base = (any::<u32>(), vec(hash(), 0..12)).prop_map(|(plan, fields)| Base { plan, fields });
        let id = "[0-9A-Za-z]{15}".prop_map(|text| SalesforceId::parse(&text).unwrap());
        (
            (option::of(id), any::<u64>(), vec(stamp(), 0..4), any::<u32>()),
            (
                base,
                any::<(u64, u64)>(),
                option::of(tombstone),
                any::<bool>(),
                vec(sent(), 0..5),
                vec(told(), 0..5),
            ),
            (option::of(question()), any::<bool>(), any::<u32>()),
        )
            .prop_map(
                |((salesforce_id, last_seq, stamps, stamped_s), rest, (question, keyless, read_as_of_s))| {
                    let (base, (revision, born), tombstone, dead_letter, unconfirmed, told) = rest;
                    Row {
                        salesforce_id,
                        last_seq,
                        stamps,
                        stamped_s,
                        base,
                        revision,
                        born,
                        tombstone,
                        dead_letter,
                        unconfirmed,
                        told,
                        question,
                        keyless,
                        read_as_of_s,
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn rows_survive(row in row()) {
            prop_assert_eq!(decode(&encode(&row)), Ok(row));
        }

        #[test]
        fn any_bytes_are_a_row_or_corrupt(mut bytes in vec(any::<u8>(), 0..200)) {
            if let Some(first) = bytes.first_mut() {
                *first = if *first % 2 == 0 { FORMAT } else { FORMAT_RARE };
            }
            if let Ok(row) = decode(&bytes) {
                prop_assert_eq!(decode(&encode(&row)), Ok(row));
            }
        }

        #[test]
        fn a_changed_byte_never_panics(row in row(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
            let mut bytes = encode(&row);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(other) = decode(&bytes) {
                prop_assert_eq!(decode(&encode(&other)), Ok(other));
            }
            let cut = cut.index(bytes.len());
            prop_assert!(decode(&encode(&row)[..cut]).is_err());
        }
    }

    #[test]
    fn a_linked_record_at_rest_takes_95_bytes() {
        let id = StreamId {
            ms: 1_795_417_200_123,
            seq: 7,
        };
        let mut base = Base::default();
        for at in 0..10 {
            base.set(0x9e37_79b9, FieldIdx(at), FieldHash([at as u8 + 1; 6]));
        }
        let row = Row {
            salesforce_id: SalesforceId::parse("0031a000005hwVaAAI").ok(),
            last_seq: id.packed(),
            stamps: vec![Stamp {
                version: 2_000_000,
                packed: id.packed(),
                fields: Vec::new(),
            }],
            stamped_s: 1_795_417_200 + 3_600,
            base,
            revision: 16_383,
            ..Row::default()
        };
        let bytes = encode(&row);
        assert!(bytes.len() <= 95, "{} bytes", bytes.len());
        assert_eq!(decode(&bytes), Ok(row));
    }

    #[test]
    fn other_formats_are_refused() {
        assert_eq!(decode(&[]), Err(CorruptRow));
        let mut bytes = encode(&Row::default());
        assert_eq!(decode(&bytes), Ok(Row::default()));
        bytes[0] = FORMAT_RARE;
        assert_eq!(decode(&bytes), Err(CorruptRow), "nothing rare is in it");
        bytes[0] = FORMAT_RARE + 1;
        assert_eq!(decode(&bytes), Err(CorruptRow));
        bytes[0] = FORMAT;
        bytes.push(0);
        assert_eq!(decode(&bytes), Err(CorruptRow));
    }
}
