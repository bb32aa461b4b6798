//! What happened in a world, in words, for a failed seed's message.

use super::world::World;
use crate::engine::inbound::SalesforceValue;

/// Lines of a run's ending that are told.
const ENDING_LINES: usize = 60;

impl World {
    /// What happened to one record, also in the org.
    pub fn story(&self, key: &str) -> String {
        let quoted = format!("{key:?}");
        let mut lines: Vec<String> = self
            .trace
            .iter()
            .filter(|l| l.contains(&quoted) || l.contains("\"*\""))
            .cloned()
            .collect();
        let ids: Vec<_> = self
            .org
            .events
            .iter()
            .filter(|e| e.field("Tandem_Key__c") == Some(&SalesforceValue::Text(key.into())))
            .flat_map(|e| e.ids.clone())
            .collect();
        for event in self.org.events.iter().filter(|e| ids.contains(&e.ids[0])) {
            let fields: Vec<String> = event
                .fields
                .iter()
                .map(|(n, v)| match v {
                    SalesforceValue::Text(t) => format!("{n}={t}"),
                    SalesforceValue::Double(d) => format!("{n}={d}"),
                    _ => format!("{n}=null"),
                })
                .collect();
            lines.push(format!("org #{} {:?} {fields:?}", event.commit_number, event.kind));
        }
        lines.push(format!(
            "compacted {:?}",
            self.store
                .compacted
                .keys()
                .map(|k| k.key.to_string())
                .collect::<Vec<_>>()
        ));
        lines.push(format!("machine {:?}", self.machine.snapshot()));
        lines.join("\n")
    }

    /// The last things that happened.
    pub fn ending(&self) -> String {
        let skip = self.trace.len().saturating_sub(ENDING_LINES);
        let mut lines = self.trace[skip..].to_vec();
        lines.push(format!("machine {:?}", self.machine.snapshot()));
        lines.join("\n")
    }
}
