//! Describes as JSON, with the keys of recorded ones.

use serde_json::{Map, Value, json};

use super::field::{Field, FieldType, Initial};
use super::sobject::{Schema, Sobject};
use crate::org::Cell;

/// Objects whose describe says so [R cci].
const MERGEABLE: [&str; 3] = ["Account", "Contact", "Lead"];
/// References that searches do not filter by [R cci].
const BOOKKEEPING: [&str; 4] = ["MasterRecordId", "OwnerId", "CreatedById", "LastModifiedById"];
/// Bytes that the platform counts for a character.
const BYTES_A_CHARACTER: u32 = 3;

/// `GET …/sobjects`. `base` is `/services/data/v67.0`.
#[must_use]
pub fn describe_global(schema: &Schema, base: &str) -> Value {
    let mut sobjects: Vec<&Sobject> = schema.named().collect();
    sobjects.sort_by(|a, b| a.name.cmp(&b.name));
    let sobjects: Vec<Value> = sobjects.into_iter().map(|s| sobject_summary(s, base)).collect();
    json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": sobjects})
}

/// One object of [`describe_global`].
#[must_use]
pub fn sobject_summary(sobject: &Sobject, base: &str) -> Value {
    let mut out = flags(sobject);
    let root = format!("{base}/sobjects/{}", sobject.name);
    out.insert(
        "urls".to_owned(),
        json!({"sobject": root, "describe": format!("{root}/describe"), "rowTemplate": format!("{root}/{{ID}}")}),
    );
    Value::Object(out)
}

fn flags(sobject: &Sobject) -> Map<String, Value> {
    let (w, denied) = (sobject.writable, sobject.denied);
    let value = json!({
        "activateable": false, "associateEntityType": null, "associateParentEntity": null, "createable": w && !denied.create,
        "custom": sobject.is_custom(), "customSetting": false, "deepCloneable": false, "deletable": w && !denied.delete, "deprecatedAndHidden": false,
        "feedEnabled": w, "hasSubtypes": false, "isInterface": false, "isSubtype": false, "keyPrefix": *sobject.prefix,
        "label": *sobject.label, "labelPlural": *sobject.plural, "layoutable": w, "mergeable": MERGEABLE.contains(&&*sobject.name), "mruEnabled": w,
        "name": *sobject.name, "queryable": true, "replicateable": true, "retrieveable": true, "searchable": w,
        "triggerable": w, "undeletable": w, "updateable": w && !denied.edit,
    });
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// `GET …/sobjects/{type}/describe`.
#[must_use]
pub fn describe(schema: &Schema, sobject: &Sobject, base: &str) -> Value {
    let mut out = flags(sobject);
    let fields: Vec<Value> = sobject
        .describe_order
        .iter()
        .map(|i| describe_field(&sobject.fields[*i]))
        .collect();
    let children: Vec<Value> = schema
        .children(&sobject.name)
        .map(|(child, field, cascade)| {
            let child = &schema.sobjects[child];
            let field = &child.fields[field];
            let name = field.child_relationship.as_ref().map(|(name, _)| &**name);
            let name = name.filter(|n| !n.is_empty());
            json!({"cascadeDelete": cascade, "childSObject": *child.name, "deprecatedAndHidden": false,
                "field": *field.name, "junctionIdListNames": [], "junctionReferenceTo": [],
                "relationshipName": name, "restrictedDelete": false})
        })
        .collect();
    let root = format!("{base}/sobjects/{}", sobject.name);
    let more = json!({
        "actionOverrides": [], "childRelationships": children, "compactLayoutable": true, "defaultImplementation": null,
        "extendedBy": null, "extendsInterfaces": null, "fields": fields, "implementedBy": null,
        "implementsInterfaces": null, "listviewable": null, "lookupLayoutable": null, "namedLayoutInfos": [],
        "networkScopeFieldName": null, "searchLayoutable": true, "sobjectDescribeOption": "FULL",
        "recordTypeInfos": record_types(sobject, &root),
        "supportedScopes": [{"label": format!("All {}", sobject.plural.to_lowercase()), "name": "everything"},
            {"label": format!("My {}", sobject.plural.to_lowercase()), "name": "mine"}],
        "urls": {"sobject": root, "describe": format!("{root}/describe"), "rowTemplate": format!("{root}/{{ID}}"),
            "layouts": format!("{root}/describe/layouts"), "compactLayouts": format!("{root}/describe/compactLayouts")},
    });
    if let Value::Object(more) = more {
        out.extend(more);
    }
    Value::Object(out)
}

/// The master is last, and the default where there is no other [R cci].
fn record_types(sobject: &Sobject, root: &str) -> Value {
    let info = |name: &str, developer_name: &str, id: &str, active: bool, default: bool, master: bool| {
        json!({"active": active, "available": active, "defaultRecordTypeMapping": default, "developerName": developer_name,
            "master": master, "name": name, "recordTypeId": id,
            "urls": {"layout": format!("{root}/describe/layouts/{id}")}})
    };
    let own = &sobject.record_types;
    let mut infos: Vec<Value> = own
        .iter()
        .map(|t| {
            info(
                &t.label,
                &t.developer_name,
                t.id.as_deref().unwrap_or_default(),
                t.active,
                t.default,
                false,
            )
        })
        .collect();
    let default = !own.iter().any(|t| t.default);
    infos.push(info("Master", "Master", "012000000000000AAA", true, default, true));
    Value::Array(infos)
}

fn describe_field(field: &Field) -> Value {
    let kind = field.kind;
    let relation = matches!(kind, FieldType::Reference);
    let long = kind == FieldType::LongText;
    let sortable = !long && kind != FieldType::Address;
    let groupable = sortable
        && field.auto_number.is_none()
        && !matches!(
            kind,
            FieldType::Double | FieldType::Currency | FieldType::Percent | FieldType::DateTime
        );
    let default = field.default.as_ref();
    let values: Vec<Value> = field
        .values
        .iter()
        .map(|v| json!({"active": true, "defaultValue": default.and_then(Cell::as_text) == Some(&**v), "label": **v, "validFor": null, "value": **v}))
        .collect();
    let targets: Vec<&str> = field.reference_to.iter().map(|target| &**target).collect();
    let mut out = json!({
        "aggregatable": sortable && kind != FieldType::Boolean, "aiPredictionField": false, "autoNumber": field.auto_number.is_some(),
        "byteLength": field.length.saturating_mul(if relation || kind == FieldType::Id { 1 } else { BYTES_A_CHARACTER }),
        "calculated": field.is_computed(), "calculatedFormula": field.formula.as_ref().map(|formula| &*formula.source), "cascadeDelete": field.master, "caseSensitive": field.case_sensitive,
        "compoundFieldName": field.compound, "controllerName": null, "createable": field.createable,
        "custom": field.is_custom(), "defaultValue": if kind == FieldType::Boolean { json!(default == Some(&Cell::Bool(true))) } else { json!(default.and_then(Cell::as_text)) },
        "defaultValueFormula": null, "defaultedOnCreate": field.initial == Initial::Platform,
        "dependentPicklist": false, "deprecatedAndHidden": false, "digits": if kind == FieldType::Int { 8 } else { 0 },
    });
    let more = json!({
        "displayLocationInDecimal": false, "encrypted": false, "externalId": field.external_id,
        "extraTypeInfo": field.extra, "filterable": !long, "filteredLookupInfo": null,
        "formulaTreatNullNumberAsZero": false, "groupable": groupable, "highScaleNumber": false, "htmlFormatted": false,
        "idLookup": field.id_lookup, "inlineHelpText": null, "label": *field.label, "length": field.length,
        "mask": null, "maskType": null, "name": *field.name, "nameField": field.name_field, "namePointing": field.reference_to.len() > 1,
        "nillable": field.nillable, "permissionable": kind == FieldType::Address || field.nillable && field.createable && field.compound != Some("Name"), "picklistValues": values,
        "polymorphicForeignKey": field.reference_to.len() > 1,
        "precision": if kind == FieldType::Int { 0 } else { field.precision }, "queryByDistance": kind == FieldType::Address,
        "referenceTargetField": null, "referenceTo": targets, "relationshipName": field.relationship.as_deref(),
        "relationshipOrder": if field.master { json!(0) } else { Value::Null }, "restrictedDelete": false, "restrictedPicklist": field.restricted,
        "scale": field.scale, "searchPrefilterable": relation && !BOOKKEEPING.contains(&&*field.name), "soapType": kind.soap(), "sortable": sortable,
        "type": kind.name(), "unique": field.unique, "updateable": field.updateable, "writeRequiresMasterRead": field.master,
    });
    if let (Value::Object(out), Value::Object(more)) = (&mut out, more) {
        out.extend(more);
    }
    out
}
