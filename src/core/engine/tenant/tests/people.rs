//! What people do in the product and in the org.

use serde_json::{Map, Value, json};

use super::model_plan::PAIRS;
use super::world::World;
use crate::domain::stream::Log;
use crate::engine::tenant::io::Input;

impl World {
    fn values(&mut self, side: &str) -> Map<String, Value> {
        self.edits += 1;
        let text = format!("{side}{}", self.edits);
        match self.dice.of(5) {
            0 => json!({ "city": format!("C{text}"), "street": format!("S{text}") }),
            1 => json!({ "email": format!("{text}@x.org") }),
            2 if self.faults.bad_values && self.dice.of(6) == 0 => json!({ "last_name": "BAD" }),
            2 => json!({ "last_name": text }),
            3 => json!({ "first_name": null, "email": format!("{text}@y.org") }),
            _ => json!({ "first_name": text }),
        }
        .as_object()
        .cloned()
        .unwrap()
    }

    pub fn product_edits(&mut self) {
        let key = format!("k{}", self.dice.of(12));
        let deletes = self.dice.of(14) == 0;
        // An import makes rows and fills them; it deletes none.
        let imports = self.faults.imports && !deletes && self.dice.of(5) < 2;
        self.product.lane = imports.then_some(Log::Backfill);
        self.trace.push(format!(
            "{key:?} product edits{}, entry after {}",
            if imports { " by import" } else { "" },
            self.store.last
        ));
        if deletes {
            self.product.delete(&mut self.store, self.now, &key);
        } else {
            let values = self.values("p");
            if self.faults.revive {
                self.product.deleted_by_org.retain(|k| *k != key);
            }
            self.trace.push(format!("{key:?} product sets {values:?}"));
            self.product.edit(&mut self.store, self.now, &key, values);
        }
        self.inputs.push_back(Input::Wake);
    }

    pub fn org_edits(&mut self) {
        let ids: Vec<_> = self.org.live.keys().copied().collect();
        if ids.is_empty() {
            return;
        }
        let id = ids[self.dice.of(ids.len() as u64) as usize];
        if self.dice.of(25) == 0 {
            self.org.delete(id, self.now);
            return;
        }
        if self.faults.revive && self.dice.of(25) == 0 {
            let bin: Vec<_> = self.org.bin.keys().copied().collect();
            if !bin.is_empty() {
                let id = bin[self.dice.of(bin.len() as u64) as usize];
                self.trace
                    .push(format!("\"*\" person undeletes {id}, {}", self.org.events.len() + 1));
                self.org.undelete(id, self.now);
            }
            return;
        }
        if self.faults.strangers && self.dice.of(8) == 0 {
            self.stranger_comes();
            return;
        }
        let values = self.values("s");
        let fields = values
            .into_iter()
            .filter(|(_, v)| v != "BAD")
            .map(|(n, v)| (PAIRS.iter().find(|(p, _)| *p == n).unwrap().1.to_owned(), v))
            .collect();
        self.trace
            .push(format!("\"*\" person edits {}", self.org.events.len() + 1));
        self.org.update(id, fields, self.now);
    }

    /// A person makes a record: of somebody whom the product knows too, or not.
    fn stranger_comes(&mut self) {
        self.edits += 1;
        let emails: Vec<Value> = self
            .product
            .rows
            .values()
            .filter_map(|row| row.get("email").cloned())
            .collect();
        let known = self.dice.of(2) == 0 && !emails.is_empty();
        let email = if known {
            emails[self.dice.of(emails.len() as u64) as usize].clone()
        } else {
            Value::from(format!("s{}@x.org", self.edits))
        };
        let mut fields = json!({ "LastName": format!("s{}", self.edits), "Email": email });
        if self.dice.of(2) == 0 {
            let part = |letter: char| Value::from(format!("{letter}s{}", self.edits));
            fields["MailingCity"] = part('C');
            fields["MailingStreet"] = part('S');
        }
        self.trace
            .push(format!("\"*\" stranger {fields} {}", self.org.events.len() + 1));
        self.org.person_makes(&fields, self.now);
    }
}
