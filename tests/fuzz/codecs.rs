//! What lies in Redis: rows, folds, intents, and ids of events as the product gives them back.

use bytes::Bytes;
use tandem_core::domain::event::{EventId, Says};
use tandem_core::domain::folded::{Folded, FoldedField};
use tandem_core::domain::ids::{BatchId, Epoch, FieldIdx, RecordKey, TenantName};
use tandem_core::domain::intent::{Intent, IntentRecord, Verb};
use tandem_core::domain::payload::RawJson;
use tandem_core::domain::row::{Asks, Base, FieldHash, Question, Row, SentWrite, Side, Stamp, Told, Tombstone};
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::domain::stream::StreamId;
use tandem_core::domain::time::Timestamp;
use tandem_core::domain::{fold_codec, intent_codec, row_codec};

use crate::mutate::Fuzz;

const CASES: u64 = 20_000;

fn fuzz(name: &str, corpus: Vec<Vec<u8>>) -> Fuzz<'_> {
    let (words, cases) = (&[][..], CASES);
    Fuzz {
        name,
        corpus,
        words,
        cases,
    }
}

fn id() -> Option<SalesforceId> {
    SalesforceId::parse("003000000000001AAA").ok()
}

#[test]
fn fuzz_rows() {
    let hashes = |n: u16| (0..n).map(|at| (FieldIdx(at), FieldHash([7; 6]))).collect::<Vec<_>>();
    let linked = Row {
        salesforce_id: id(),
        last_seq: 90_000_000_000_000,
        revision: 12,
        born: 3,
        base: Base {
            plan: 77,
            fields: vec![FieldHash([1; 6]); 10],
        },
        stamps: vec![Stamp {
            version: 5,
            packed: 90_000_000_000_000,
            fields: Vec::new(),
        }],
        ..Row::default()
    };
    let busy = Row {
        dead_letter: true,
        keyless: true,
        stamps: vec![
            Stamp::default(),
            Stamp {
                fields: vec![FieldIdx(2)],
                ..Stamp::default()
            },
        ],
        unconfirmed: vec![SentWrite {
            seq: 9,
            fields: hashes(3),
        }],
        told: vec![Told {
            revision: 11,
            at: Timestamp(5),
            fields: hashes(2),
            answered: true,
        }],
        question: Some(Question {
            asks: Asks::Values {
                plan: 77,
                fields: vec![FieldIdx(1), FieldIdx(300)],
            },
            revision: 10,
            since: Timestamp(9),
        }),
        ..linked.clone()
    };
    let dead = Row {
        tombstone: Some(Tombstone {
            by: Side::Salesforce,
            revision: 4,
            id: id(),
        }),
        salesforce_id: None,
        ..linked.clone()
    };
    let corpus = [Row::default(), linked, busy, dead]
        .iter()
        .map(row_codec::encode)
        .collect();
    fuzz("rows", corpus).run(|bytes| {
        let Ok(row) = row_codec::decode(bytes) else { return None };
        assert_eq!(
            row_codec::decode(&row_codec::encode(&row)),
            Ok(row.clone()),
            "it survives"
        );
        Some((
            row.stamps.len(),
            row.told.len(),
            row.unconfirmed.len(),
            row.base.fields.len(),
            row.question.is_some(),
        ))
    });
}

#[test]
fn fuzz_folds() {
    let field = |idx, value: &'static str| FoldedField {
        idx: FieldIdx(idx),
        value: RawJson::from_checked(Bytes::from_static(value.as_bytes())),
        version: u64::from(idx),
        packed: 90_000_000_000_000,
        engine: idx == 2,
    };
    let full = Folded {
        plan: 77,
        seq: 90_000_000_000_000,
        delete: true,
        upsert: true,
        fields: vec![field(1, "\"Ada\""), field(2, "null"), field(9, "[\"a\",\"b\"]")],
        delete_version: 3,
        packed: 90_000_000_000_001,
        oldest: Timestamp(1_790_000_000_000),
        newest: Timestamp(1_790_000_000_500),
        entries: 3,
        seen_revision: Some(12),
        idempotency_texts: vec!["row 7".into()],
        receipts: vec![
            StreamId {
                ms: 1_790_000_000_000,
                seq: 0,
            },
            StreamId {
                ms: 1_790_000_000_001,
                seq: 4,
            },
        ],
        traces: vec!["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()],
    };
    let corpus = [Folded::default(), full].iter().map(fold_codec::encode).collect();
    fuzz("folds", corpus).run(|bytes| {
        let Ok(fold) = fold_codec::decode(bytes) else {
            return None;
        };
        assert_eq!(
            fold_codec::decode(&fold_codec::encode(&fold)),
            Ok(fold.clone()),
            "it survives"
        );
        Some((
            fold.fields.len(),
            fold.receipts.len(),
            fold.traces.len(),
            fold.delete,
            fold.upsert,
        ))
    });
}

#[test]
fn fuzz_intents() {
    let record = |object: &str, verb| IntentRecord {
        record: RecordKey::new(object, "ключ 42"),
        seq: 90_000_000_000_000,
        verb,
        crashes: 1,
    };
    let intent = |records| Intent {
        batch: BatchId {
            epoch: Epoch(1_790_000_000_000),
            number: 7,
        },
        begun: Timestamp(1_790_000_000_000),
        records,
    };
    let all = vec![
        record("contact", Verb::Create),
        record("company", Verb::Update),
        record("contact", Verb::Delete),
    ];
    let corpus = [intent(Vec::new()), intent(all)]
        .iter()
        .map(intent_codec::encode)
        .collect();
    fuzz("intents", corpus).run(|bytes| {
        let Ok(intent) = intent_codec::decode(bytes) else {
            return None;
        };
        assert_eq!(
            intent_codec::decode(&intent_codec::encode(&intent)),
            Ok(intent.clone()),
            "it survives"
        );
        Some(intent.records.len())
    });
}

#[test]
fn fuzz_event_ids() {
    let id = |fields: u16| EventId {
        tenant: TenantName::new("acme").unwrap(),
        outbox: StreamId {
            ms: 1_790_000_000_000,
            seq: 3,
        },
        revision: 12,
        says: Says {
            plan: 77,
            fields: (0..fields).map(|at| (FieldIdx(at), FieldHash([7; 6]))).collect(),
        },
    };
    let corpus = [id(0), id(2), id(60)]
        .iter()
        .map(|id| id.encode().into_bytes())
        .collect();
    fuzz("event ids", corpus).run(|bytes| {
        let id = EventId::decode(std::str::from_utf8(bytes).ok()?).ok()?;
        assert_eq!(EventId::decode(&id.encode()), Ok(id.clone()), "it survives");
        Some(id.says.fields.len())
    });
}
