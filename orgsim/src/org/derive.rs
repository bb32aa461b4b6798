//! Values that follow from other values of the row: a person's name, an opportunity's stage.

use super::cell::Cell;
use super::row::Cells;
use crate::schema::{STAGES, Sobject};

/// Sets what follows from the values; `before` are the values before the change, `named` tells which fields the caller named.
pub(super) fn derive(sobject: &Sobject, cells: &mut [Cell], before: Option<&Cells>, named: &dyn Fn(usize) -> bool) {
    if let Some((first, last, name)) = sobject.person
        && !named(name)
    {
        let part = |place: usize| cells[place].as_text().unwrap_or_default();
        let full = format!("{} {}", part(first), part(last));
        let full = full.trim();
        if cells[name].as_text() != Some(full) {
            cells[name] = Cell::text(full);
        }
    }
    if let Some(stage) = sobject.field("StageName") {
        stage_values(sobject, cells, before, named, stage);
    }
}

/// A changed stage sets probability and forecast category, unless the caller named them [from memory].
fn stage_values(
    sobject: &Sobject,
    cells: &mut [Cell],
    before: Option<&Cells>,
    named: &dyn Fn(usize) -> bool,
    stage: usize,
) {
    let known = cells[stage]
        .as_text()
        .and_then(|name| STAGES.iter().find(|s| s.name == name));
    let mut set = |name: &str, value: Cell, unless_named: bool| {
        if let Some(place) = sobject.field(name)
            && !(unless_named && named(place))
        {
            cells[place] = value;
        }
    };
    set("IsClosed", Cell::Bool(known.is_some_and(|s| s.closed)), false);
    set("IsWon", Cell::Bool(known.is_some_and(|s| s.won)), false);
    set(
        "ForecastCategory",
        Cell::text(known.map_or("Pipeline", |s| s.forecast)),
        false,
    );
    if before.is_none_or(|b| b[stage] != cells[stage]) {
        let mut set = |name: &str, value: Cell| {
            if let Some(place) = sobject.field(name)
                && !named(place)
            {
                cells[place] = value;
            }
        };
        set("Probability", Cell::Number(known.map_or(0.0, |s| s.probability)));
        set(
            "ForecastCategoryName",
            Cell::text(known.map_or("Pipeline", |s| s.forecast_name)),
        );
    }
    let number = |name: &str| sobject.field(name).and_then(|p| cells[p].as_number());
    let expected = number("Amount")
        .zip(number("Probability"))
        .map(|(a, p)| (a * p).round() / 100.0);
    if let Some(place) = sobject.field("ExpectedRevenue") {
        cells[place] = expected.map_or(Cell::Null, Cell::Number);
    }
}
