//! Log lines: JSON with fields, and nothing of other crates below `warn`.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tandem::telemetry::Telemetry;
use tandem::telemetry::events::Totals;
use tandem::telemetry::log::{Format, LogError, subscriber};
use tandem::telemetry::panics;
use tandem_core::engine::tenant::{Lost, Note};
use tracing_subscriber::fmt::MakeWriter;

use crate::world::name;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = Self;
    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

#[test]
fn notes_become_json_lines_with_the_tenant_and_what_to_do() {
    let lines = Lines::default();
    let telemetry = Telemetry::new().unwrap();
    tracing::subscriber::with_default(subscriber(Format::Json, "info", lines.clone()).unwrap(), || {
        let mut totals = Totals::default();
        telemetry.note(&name("acme"), &Note::Trimmed { entries: 3 }, &mut totals);
        telemetry.restarted(&name("acme"), Lost::Fenced, &mut totals);
        tracing::info!(target: "hyper", "a library talks");
        assert_eq!(totals.restarts, 1);
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let parsed: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(parsed.len(), 2, "{text}");
    assert_eq!(
        (&parsed[0]["level"], &parsed[0]["tenant"], &parsed[0]["entries"]),
        (&"ERROR".into(), &"acme".into(), &3.into())
    );
    assert!(parsed[0]["message"].as_str().unwrap().contains("MAXLEN"));
    assert_eq!(parsed[1]["reason"], "fenced");
}

#[test]
fn a_panic_is_logged_by_its_place_and_never_by_what_it_was_given() {
    let lines = Lines::default();
    let given = format!("{}@example.org", "ada");
    tracing::subscriber::with_default(subscriber(Format::Json, "info", lines.clone()).unwrap(), || {
        panics::log_places();
        let at = |end: usize| {
            std::panic::catch_unwind(|| given[..end].len())
                .map_err(|payload| panics::words(payload.as_ref()))
                .unwrap_err()
        };
        assert_eq!(at(99), panics::WITHHELD);
        let fixed = std::panic::catch_unwind(|| panic!("the table is full")).unwrap_err();
        assert_eq!(panics::words(fixed.as_ref()), "the table is full");
        drop(std::panic::take_hook());
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let parsed: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(parsed.len(), 2, "{text}");
    assert!(!text.contains("ada@"), "{text}");
    assert!(parsed[0]["place"].as_str().unwrap().contains("logs.rs"), "{text}");
    assert_eq!(parsed[1]["words"], "the table is full");
}

#[test]
fn a_level_that_cannot_be_read_is_named() {
    let error = subscriber(Format::Text, "tandem=loud", io::sink).err().unwrap();
    assert!(matches!(error, LogError::Level(_)));
    assert!(error.to_string().contains("loud"));
}
