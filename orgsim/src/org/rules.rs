//! What the org does with a row by itself: automations, validation rules, roll-ups.
//!
//! In Salesforce's order of execution: automations before the save, validation rules, automations after it, roll-ups. What
//! an automation of either kind sets is a part of the same save: one version of the row, one event.

use std::borrow::Cow;
use std::sync::Arc;

use super::cell::Cell;
use super::error::{RowError, code};
use super::input::Json;
use super::organisation::{Org, RecordRef};
use super::row::{Cells, Row};
use super::transaction::Transaction;
use crate::commit::ChangeKind;
use crate::formula::{Formula, Now, Scope};
use crate::schema::{AssignmentRule, Automation, Occasion, RollUp, Schema, Summary, column};

/// Masters of masters that a roll-up may reach [from memory: details are at most three levels deep].
const MAX_LEVELS: usize = 5;

/// What one row's rules have decided for other rows.
pub(super) type ParentUpdates = Vec<(RecordRef, Vec<(usize, Cell)>)>;

impl Transaction<'_> {
    /// Runs automations and validation rules of a row that is about to be saved; gives what is to be done to its parents
    /// afterwards.
    pub(super) fn run_rules(
        &mut self,
        schema: &Schema,
        sobject: usize,
        before: Option<&Cells>,
        cells: &mut [Cell],
    ) -> Result<ParentUpdates, RowError> {
        let rules = &schema.rules[sobject];
        if rules.automations.is_empty() {
            return self.validate(schema, sobject, before, cells).map(|()| Vec::new());
        }
        let occasion = if before.is_none() {
            Occasion::Insert
        } else {
            Occasion::Update
        };
        let mut parents = Vec::new();
        let called = |after: bool| {
            rules
                .automations
                .iter()
                .filter(move |a| a.after == after && a.on.contains(&occasion))
        };
        for automation in called(false) {
            self.automate(schema, sobject, automation, before, cells, &mut parents)?;
        }
        self.validate(schema, sobject, before, cells)?;
        for automation in called(true) {
            self.automate(schema, sobject, automation, before, cells, &mut parents)?;
        }
        Ok(parents)
    }

    /// Lets automations refuse that a row goes to the recycle bin.
    pub(super) fn run_delete_rules(&self, schema: &Schema, record: RecordRef, cells: &Cells) -> Result<(), RowError> {
        let automations = &schema.rules[record.sobject].automations;
        for automation in automations.iter().filter(|a| a.on.contains(&Occasion::Delete)) {
            let scope = self.scope(Now::Kept(cells), Some(cells));
            if holds(automation.condition.as_ref(), &scope) {
                thrown(automation, "Delete")?;
            }
        }
        Ok(())
    }

    fn scope<'a>(&'a self, row: Now<'a>, before: Option<&'a Cells>) -> Scope<'a> {
        Scope {
            org: self.org,
            row,
            is_new: before.is_none(),
            before,
            now: self.now,
            user: &self.caller.user,
            bypass: self.caller.bypass,
        }
    }

    /// Gives a row the owner that the first rule says whose criteria hold, unless the caller wants none of it.
    pub(super) fn assign_owner(&self, schema: &Schema, sobject: usize, before: Option<&Cells>, cells: &mut [Cell]) {
        let rules = &schema.rules[sobject].assignments;
        if rules.is_empty() || !self.caller.manner.auto_assign {
            return;
        }
        let holds = |rule: &&AssignmentRule| holds(rule.criteria.as_ref(), &self.scope(Now::Open(cells), before));
        let owner = rules.iter().find(holds).and_then(|rule| self.org.user_id(&rule.owner));
        if let Some(owner) = owner {
            cells[column::OWNER] = owner;
        }
    }

    fn validate(
        &mut self,
        schema: &Schema,
        sobject: usize,
        before: Option<&Cells>,
        cells: &[Cell],
    ) -> Result<(), RowError> {
        let (mut refusal, mut fenced) = (None::<RowError>, false);
        for rule in &schema.rules[sobject].validation {
            let off = rule.fence && !self.org.fence;
            if off || !rule.formula.holds(&self.scope(Now::Open(cells), before)) {
                continue;
            }
            fenced |= rule.fence;
            let mut error = RowError::new(code::VALIDATION, &*rule.message);
            if let Some(field) = rule.field {
                error = error.at(&schema.sobjects[sobject].fields[field].name);
            }
            match &mut refusal {
                None => refusal = Some(error),
                Some(first) => first.also.push(error),
            }
        }
        self.org.fence_refusals += u64::from(fenced);
        refusal.map_or(Ok(()), Err)
    }

    fn automate(
        &self,
        schema: &Schema,
        sobject: usize,
        automation: &Automation,
        before: Option<&Cells>,
        cells: &mut [Cell],
        parents: &mut ParentUpdates,
    ) -> Result<(), RowError> {
        if !holds(automation.condition.as_ref(), &self.scope(Now::Open(cells), before)) {
            return Ok(());
        }
        thrown(automation, if before.is_none() { "Insert" } else { "Update" })?;
        for (place, formula) in &automation.set {
            let value = formula.evaluate(&self.scope(Now::Open(cells), before));
            cells[*place] = self.fitted(schema, sobject, *place, value)?;
        }
        if let Some((reference, set)) = &automation.parent
            && let Some(parent) = cells[*reference].as_text().and_then(|id| self.org.locate(id))
        {
            let values = set
                .iter()
                .map(|(place, formula)| {
                    let value = formula.evaluate(&self.scope(Now::Open(cells), before));
                    Ok((*place, self.fitted(schema, parent.sobject, *place, value)?))
                })
                .collect::<Result<Vec<_>, RowError>>()?;
            parents.push((parent, values));
        }
        Ok(())
    }

    /// A text must fit its field, as if a caller had written it.
    fn fitted(&self, schema: &Schema, sobject: usize, place: usize, value: Cell) -> Result<Cell, RowError> {
        match value {
            Cell::Text(text) => {
                let field = &schema.sobjects[sobject].fields[place];
                self.org.coerce(field, &Json::Text(text.as_str().into()))
            }
            Cell::Null if schema.sobjects[sobject].fields[place].kind == crate::schema::FieldType::Boolean => {
                Ok(Cell::Bool(false))
            }
            other => Ok(other),
        }
    }

    /// Does to parents what their children's automations decided.
    pub(super) fn update_parents(&mut self, schema: &Schema, parents: ParentUpdates) {
        for (parent, values) in parents {
            self.overwrite(schema, parent, &values);
        }
    }

    /// Writes values past all rules, with fresh stamps; a row that has them all stays as it is.
    pub(super) fn overwrite(&mut self, schema: &Schema, record: RecordRef, values: &[(usize, Cell)]) {
        let Some(row) = self.org.row(record).filter(|row| !row.is_deleted()) else {
            return;
        };
        if values.iter().all(|(place, value)| row.cells[*place] == *value) {
            return;
        }
        let mut cells = row.cells.unpack(schema.sobjects[record.sobject].fields.len());
        for (place, value) in values {
            cells[*place] = value.clone();
        }
        self.stamp(&mut cells);
        self.put(record, ChangeKind::Update, Row::of(&cells));
    }

    /// Brings the roll-ups of all masters right whose details this transaction changed. Their stamps move [from memory].
    pub(super) fn roll_up(&mut self) {
        let schema = Arc::clone(&self.org.schema);
        if schema.rules.iter().all(|rules| rules.roll_ups.is_empty()) {
            return;
        }
        let mut next = 0;
        for _ in 0..MAX_LEVELS {
            let mut masters = Vec::new();
            let changed = self.changed();
            for (record, before) in &changed[next..] {
                for roll_up in &schema.rules[record.sobject].roll_ups {
                    let after = self.org.row(*record);
                    for row in before.iter().chain(after) {
                        let id = row.cells[roll_up.reference].as_text();
                        if let Some(master) = id.and_then(|id| self.org.locate(id))
                            && !masters
                                .iter()
                                .any(|(m, r): &(RecordRef, &RollUp)| *m == master && r.field == roll_up.field)
                        {
                            masters.push((master, roll_up));
                        }
                    }
                }
            }
            for (master, roll_up) in &masters {
                let child = schema
                    .rules
                    .iter()
                    .position(|rules| rules.roll_ups.iter().any(|r| std::ptr::eq(r, *roll_up)));
                if let Some(child) = child {
                    let value = self.summary(child, *master, roll_up);
                    self.overwrite(&schema, *master, &[(roll_up.field, value)]);
                }
            }
            next = changed.len();
            if masters.is_empty() {
                return;
            }
        }
    }

    fn summary(&self, child: usize, master: RecordRef, roll_up: &RollUp) -> Cell {
        let Some(id) = self.org.row(master).map(|row| row.cells[column::ID].clone()) else {
            return Cell::Null;
        };
        let table = self.org.table(child);
        let slots = id
            .as_text()
            .and_then(|id| table.find(roll_up.reference, id))
            .unwrap_or_default();
        let rows = slots
            .iter()
            .filter_map(|slot| table.get(*slot))
            .filter(|row| !row.is_deleted());
        let numbers = || rows.clone().filter_map(|row| row.cells[roll_up.of?].as_number());
        let number = match roll_up.summary {
            Summary::Count => u32::try_from(rows.count()).ok().map(f64::from),
            Summary::Sum => Some(numbers().sum()),
            Summary::Min => numbers().reduce(f64::min),
            Summary::Max => numbers().reduce(f64::max),
        };
        number.map_or(Cell::Null, Cell::Number)
    }
}

fn holds(condition: Option<&Formula>, scope: &Scope<'_>) -> bool {
    condition.is_none_or(|formula| formula.holds(scope))
}

/// The words of an uncaught exception of a trigger [V:D-CODES for the code; the rest from memory].
fn thrown(automation: &Automation, event: &str) -> Result<(), RowError> {
    let Some(words) = &automation.throw else { return Ok(()) };
    let when = if automation.after { "After" } else { "Before" };
    let name = &automation.name;
    Err(RowError::new(
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        format!("{name}: execution of {when}{event}\n\ncaused by: System.DmlException: {words}\n\n(System Code)"),
    ))
}

impl Org {
    /// The value of a field of a row, formula fields too; null for a place that the row's object does not have.
    #[must_use]
    pub(crate) fn value<'o>(&'o self, sobject: usize, row: &'o Row, place: usize) -> Cow<'o, Cell> {
        let fields = &self.schema.sobjects[sobject].fields;
        match fields.get(place).and_then(|field| field.formula.as_ref()) {
            None => Cow::Borrowed(&row.cells[place]),
            Some(formula) => Cow::Owned(formula.evaluate(&Scope {
                org: self,
                row: Now::Kept(&row.cells),
                before: None,
                is_new: false,
                now: self.read_at,
                user: "",
                bypass: false,
            })),
        }
    }
}
