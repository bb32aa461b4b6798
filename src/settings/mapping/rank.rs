//! Which objects come first: parents have lower ranks than their children.

use std::collections::BTreeMap;

use tandem_core::domain::plan::ObjectPlan;

/// Gives each object the length of its longest chain of parents. Only references that are written count: a reference
/// that only comes from Salesforce waits for nobody. A circle is told as the names along it, the first one repeated at
/// the end.
pub(super) fn rank(plans: &mut [ObjectPlan]) -> Result<(), Vec<String>> {
    let parents: BTreeMap<String, Vec<String>> = plans
        .iter()
        .map(|plan| {
            let written = plan.fields.iter().filter(|field| field.direction.writes_salesforce());
            let parents = written
                .filter_map(|field| field.references.as_deref().map(str::to_owned))
                .collect();
            (plan.object.to_string(), parents)
        })
        .collect();
    let mut ranks = BTreeMap::new();
    for plan in plans.iter() {
        visit(&plan.object, &parents, &mut ranks, &mut Vec::new())?;
    }
    for plan in plans {
        plan.rank = ranks.get(plan.object.as_ref()).copied().unwrap_or_default();
    }
    Ok(())
}

/// Depth is bounded by the number of objects: a name met twice on the way down is a circle.
fn visit(
    object: &str,
    parents: &BTreeMap<String, Vec<String>>,
    ranks: &mut BTreeMap<String, u16>,
    way: &mut Vec<String>,
) -> Result<u16, Vec<String>> {
    if let Some(rank) = ranks.get(object) {
        return Ok(*rank);
    }
    if let Some(at) = way.iter().position(|name| name == object) {
        let mut circle = way.split_off(at);
        circle.push(object.to_owned());
        return Err(circle);
    }
    way.push(object.to_owned());
    let mut rank = 0;
    // A parent that is not mapped here is told elsewhere.
    for parent in parents
        .get(object)
        .into_iter()
        .flatten()
        .filter(|parent| parents.contains_key(*parent))
    {
        rank = rank.max(visit(parent, parents, ranks, way)? + 1);
    }
    way.pop();
    ranks.insert(object.to_owned(), rank);
    Ok(rank)
}
