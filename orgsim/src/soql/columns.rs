//! What the columns of a query are: the undocumented `columns=true` that the `sf` CLI asks for (observed 2026; members as
//! the tooling API has them, from memory).

use serde_json::{Value, json};

use super::plan::{Plan, Shown};
use crate::schema::{FieldType, Schema};

/// The answer to a query with `columns=true`.
pub(crate) fn columns(schema: &Schema, plan: &Plan) -> Value {
    let object = &schema.sobjects[plan.sobject];
    let described = match &plan.grouping {
        Some(grouping) => grouping.columns.iter().map(|(name, _)| aggregate(name)).collect(),
        None => of(schema, plan.sobject, &plan.shown),
    };
    let id_selected = plan.shown.contains(&Shown::Field(crate::schema::column::ID));
    json!({
        "columnMetadata": described, "entityName": &*object.name, "groupBy": plan.grouping.is_some(),
        "idSelected": id_selected, "keyPrefix": *object.prefix,
    })
}

fn aggregate(name: &str) -> Value {
    json!({
        "aggregate": true, "apexType": "Double", "booleanType": false, "columnName": name, "custom": false,
        "displayName": name, "foreignKeyName": null, "insertable": false, "joinColumns": [], "numberType": true,
        "textType": false, "updatable": false,
    })
}

fn of(schema: &Schema, sobject: usize, shown: &[Shown]) -> Vec<Value> {
    let object = &schema.sobjects[sobject];
    let nested = |name: &str, inner: Vec<Value>, aggregate: bool| {
        json!({
            "aggregate": aggregate, "apexType": null, "booleanType": false, "columnName": name, "custom": false,
            "displayName": name, "foreignKeyName": null, "insertable": false, "joinColumns": inner,
            "numberType": false, "textType": false, "updatable": false,
        })
    };
    shown
        .iter()
        .map(|item| match item {
            Shown::Field(place) => {
                let field = &object.fields[*place];
                json!({
                    "aggregate": false, "apexType": apex(field.kind), "booleanType": field.kind == FieldType::Boolean,
                    "columnName": &*field.name, "custom": field.is_custom(), "displayName": &*field.label,
                    "foreignKeyName": field.relationship.as_deref(), "insertable": field.createable, "joinColumns": [],
                    "numberType": field.kind.is_number(), "textType": field.kind.is_text(),
                    "updatable": field.updateable,
                })
            }
            Shown::Parent { field, sobject, shown } => {
                let name = object.fields[*field].relationship.as_deref().unwrap_or_default();
                nested(name, of(schema, *sobject, shown), false)
            }
            Shown::Named { field, names } => {
                let name = object.fields[*field].relationship.as_deref().unwrap_or_default();
                nested(name, names.iter().map(|name| aggregate(name)).collect(), false)
            }
            // Which columns a row has, its parent decides.
            Shown::TypeOf { field, .. } => {
                let name = object.fields[*field].relationship.as_deref().unwrap_or_default();
                nested(name, Vec::new(), false)
            }
            Shown::Children { name, plan, .. } => nested(name, of(schema, plan.sobject, &plan.shown), true),
        })
        .collect()
}

fn apex(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Id | FieldType::Reference => "Id",
        FieldType::Boolean => "Boolean",
        FieldType::Double | FieldType::Currency | FieldType::Percent => "Double",
        FieldType::Int => "Integer",
        FieldType::Date => "Date",
        FieldType::DateTime => "Datetime",
        FieldType::Address => "System.Address",
        _ => "String",
    }
}
