//! Uploads of any bytes: read in every dialect, and taken in by an org (see `tests/fuzz`).
#![allow(clippy::indexing_slicing, clippy::panic, reason = "a test may end by panicking")]

use std::sync::Arc;

use super::dialect::{Delimiter, Dialect, LineEnding};
use super::job::{Ingest, Operation, Outcome};
use super::{CHUNK_ROWS, Work, refused, unprocessed, written};
use crate::commit::{Commit, CommitSink, Disturbance};
use crate::mutate::Fuzz;
use crate::org::{Batch, Caller, Org};
use crate::schema::standard_schema;

struct Deaf;

impl CommitSink for Deaf {
    fn publish(&self, _commit: Commit) {}
    fn disturb(&self, _org_id: &str, _disturbance: Disturbance) {}
}

/// Feeds a Contact job; what came of it, without values.
fn ingest(text: &str, operation: Operation, dialect: Dialect) -> String {
    let schema = Arc::new(standard_schema());
    let mut org = Org::new("fuzz", Arc::clone(&schema), Arc::new(Deaf), 1, true, 0);
    let caller = Caller {
        user: (*org.identity.integration.id).into(),
        bypass: false,
        origin: "".into(),
        manner: Default::default(),
    };
    let sobject = schema.place("Contact").unwrap_or_default();
    let key = schema.sobjects[sobject].field("Tandem_Key__c").unwrap_or_default();
    let mut job = Ingest {
        operation,
        sobject,
        external: (operation == Operation::Upsert).then(|| (key, "Tandem_Key__c".into())),
        assignment_rule: None,
        caller,
        upload: Some(Arc::new(text.to_owned())),
        done: Vec::new(),
        refused: 0,
        next: None,
    };
    let came_to = match Work::begin(&mut job, dialect, &schema) {
        Err(error) => error.chars().take(40).collect(),
        Ok(mut work) => {
            let caller = job.caller.clone();
            loop {
                let lines = work.lines(CHUNK_ROWS);
                if lines.is_empty() {
                    break;
                }
                let batch = Batch {
                    caller: &caller,
                    now: 0,
                    all_or_none: false,
                    refused: &[],
                };
                let done = work.write(&mut org, batch, &lines);
                job.record(done, &work);
            }
            let codes = job.done.iter().map(|row| match &row.outcome {
                Outcome::Written(_, created) => created.to_string(),
                Outcome::Refused(told) => told.split(':').next().unwrap_or_default().to_owned(),
            });
            codes.take(4).collect::<Vec<_>>().join(" ")
        }
    };
    let files = [
        written(&job, dialect, &org.id_space(), "003", "750"),
        refused(&job, dialect, "750"),
        unprocessed(&job, dialect),
    ];
    // A row of a result is what was sent, a message that may repeat some of it, and quotes.
    let most = 10 * text.len() + 400 * job.done.len() + 4_096;
    assert!(files.iter().all(|file| file.len() <= most), "more than was sent");
    came_to
}

#[test]
fn fuzz_uploads() {
    let words = [
        "LastName",
        "Id",
        "Tandem_Key__c",
        "Tandem_Seq__c",
        "Account.Tandem_Key__c",
        "Contact:ReportsTo.Email",
        "Birthdate",
        "Status__c",
        "#N/A",
        "\"",
        "\"\"",
        "\r\n",
        "\n",
        ",",
        "\t",
        "|",
        ";",
        "^",
        "`",
        "true",
        "1e400",
        "2024-02-30",
        "00300000000000AAAA",
        "\u{feff}",
    ];
    let corpus = [
        "LastName,Tandem_Key__c,Tandem_Seq__c\na,1,1\nb,2,2\nb,2,1\n",
        "LastName|Email\r\n\"x \"\"y\"\"\"|a@b.example\r\n",
        "\"LastName\"\t\"Birthdate\"\n\"line\nbreak\"\t\"2024-02-29\"\n",
        "Id\n003000000000000\n",
        "LastName,Account.Tandem_Key__c\n\"a\", \"b\"\n#N/A,\n",
    ];
    let fuzz = Fuzz {
        name: "uploads",
        corpus: corpus.map(|text| text.as_bytes().to_vec()).to_vec(),
        words: &words,
        cases: 1_000,
    };
    fuzz.run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let operations = [
            Operation::Insert,
            Operation::Update,
            Operation::Upsert,
            Operation::Delete,
            Operation::HardDelete,
        ];
        let dice = bytes
            .iter()
            .fold(bytes.len(), |a, b| a.wrapping_mul(31).wrapping_add(usize::from(*b)));
        let dialect = Dialect {
            delimiter: Delimiter::ALL
                .into_iter()
                .find(|d| bytes.contains(&d.byte()))
                .unwrap_or_default(),
            ending: if text.contains("\r\n") {
                LineEnding::CrLf
            } else {
                LineEnding::Lf
            },
        };
        ingest(&text, operations[dice % operations.len()], dialect)
    });
}
