//! The declared objects, read from the same files the product's engineers write (`config/objects/*.toml`).

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value as Json};

use crate::error::LoadError;
use crate::history::Fields;
use crate::value::{Kind, Value, normal};

/// Which side wins a field that both changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The product's value stays.
    Product,
    /// Salesforce's value stays.
    Salesforce,
    /// Decided by time or by a person: the oracle does not judge who won.
    Other,
}

/// One field that travels both ways.
#[derive(Debug, Clone)]
pub struct Field {
    /// Name in the product.
    pub name: String,
    /// API name in Salesforce.
    pub salesforce: String,
    /// How its values compare.
    pub kind: Kind,
    /// A record without it is refused.
    pub required: bool,
    /// Who wins a conflict.
    pub policy: Policy,
    /// Product value to Salesforce value, where the two differ.
    pub values: Vec<(String, String)>,
    /// Number of its group, for fields that travel together.
    pub group: Option<usize>,
}

impl Field {
    /// Edits of this field carry a value that no other edit carries.
    pub fn unique(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Number)
    }

    /// A value in normal form as people write it in Salesforce; of a reference nothing, its id is not known here.
    pub fn to_salesforce(&self, value: &str) -> Json {
        match self.kind {
            Kind::Reference(_) => Json::Null,
            _ => {
                let theirs = self.values.iter().find(|(ours, _)| ours == value);
                self.to_json(theirs.map_or(value, |(_, theirs)| theirs))
            }
        }
    }

    /// A value in normal form as the product writes it to the log.
    pub fn to_json(&self, value: &str) -> Json {
        match self.kind {
            _ if value.is_empty() => Json::Null,
            Kind::Number => serde_json::from_str(value).unwrap_or_else(|_| Json::from(value)),
            _ => Json::from(value),
        }
    }
}

/// One object and its fields.
#[derive(Debug, Clone)]
pub struct Object {
    /// Name in the product.
    pub name: String,
    /// API name in Salesforce.
    pub salesforce: String,
    /// Fields both ways, in the order of their names.
    pub fields: Vec<Field>,
    /// Members of each group, as indexes into `fields`.
    pub groups: Vec<Vec<usize>>,
    /// The fields that records of both sides are known by, as indexes into `fields`; without any, those that people make
    /// in Salesforce are left alone.
    pub matching: Vec<usize>,
}

impl Object {
    /// Index of a field by product name.
    pub fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// Declared fields of stream data, in normal form.
    pub fn normal_fields(&self, data: &Map<String, Json>) -> Fields {
        let known = data.iter().filter_map(|(name, value)| Some((self.field(name)?, value)));
        known
            .filter_map(|(at, value)| Some((at as u8, normal(self.fields.get(at)?.kind, value))))
            .collect()
    }

    /// What a row is known by, without regard to case; nothing where a field of the match has no value.
    pub fn likeness(&self, row: &[Value]) -> Option<Vec<String>> {
        let value = |&at: &usize| row.get(at).filter(|value| !value.is_empty());
        let values: Option<Vec<String>> = self
            .matching
            .iter()
            .map(|at| value(at).map(|value| value.to_lowercase()))
            .collect();
        values.filter(|values| !values.is_empty())
    }

    /// Index of a field by Salesforce name.
    pub fn salesforce_field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.salesforce == name)
    }
}

/// All objects of a run.
#[derive(Debug, Clone, Default)]
pub struct Shapes {
    /// Parents before children, so that references can be made.
    pub objects: Vec<Object>,
}

impl Shapes {
    /// Index of an object by product name.
    pub fn object(&self, name: &str) -> Option<usize> {
        self.objects.iter().position(|object| object.name == name)
    }

    /// Index of an object by Salesforce name.
    pub fn entity(&self, name: &str) -> Option<usize> {
        self.objects.iter().position(|object| object.salesforce == name)
    }

    /// A value as Salesforce holds it, in the product's terms and normal form. `parents` knows Salesforce ids.
    pub fn from_salesforce(&self, field: &Field, value: &Json, parents: &HashMap<String, String>) -> Value {
        let plain = normal(field.kind, value);
        if plain.is_empty() {
            return plain;
        }
        if matches!(field.kind, Kind::Reference(_)) {
            return match parents.get(id15(&plain)) {
                Some(key) => key.as_str().into(),
                None => format!("id:{plain}").into(),
            };
        }
        match field.values.iter().find(|(_, theirs)| **theirs == *plain) {
            Some((ours, _)) => ours.as_str().into(),
            None => plain,
        }
    }

    /// Reads every `*.toml` of a folder.
    ///
    /// # Errors
    /// [`LoadError::Shape`] with the file that cannot be read or understood.
    pub fn load(folder: &Path) -> Result<Self, LoadError> {
        let wrong = |path: &Path, why: String| LoadError::Shape {
            path: path.display().to_string(),
            why,
        };
        let mut texts = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|error| wrong(folder, error.to_string()))? {
            let path = entry.map_err(|error| wrong(folder, error.to_string()))?.path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                texts.push(std::fs::read_to_string(&path).map_err(|error| wrong(&path, error.to_string()))?);
            }
        }
        Self::parse(&texts).map_err(|why| wrong(folder, why))
    }

    /// Understands the texts of object files.
    ///
    /// # Errors
    /// A plain sentence saying which object is wrong and how.
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        let mut tables = Vec::new();
        for text in texts {
            tables.push(text.parse::<toml::Table>().map_err(|error| error.to_string())?);
        }
        let name = |table: &toml::Table| {
            table
                .get("object")
                .and_then(toml::Value::as_str)
                .unwrap_or("")
                .to_owned()
        };
        tables.sort_by_key(|table| (table_has_references(table), name(table)));
        let names: Vec<String> = tables.iter().map(name).collect();
        if names.is_empty() {
            return Err("no objects are declared".to_owned());
        }
        let objects = tables
            .iter()
            .map(|table| object(table, &names))
            .collect::<Result<_, _>>()?;
        Ok(Self { objects })
    }
}

/// The first 15 characters of a Salesforce id: the rest is a checksum.
pub fn id15(id: &str) -> &str {
    id.get(..15).unwrap_or(id)
}

fn table_has_references(table: &toml::Table) -> bool {
    table
        .get("fields")
        .and_then(toml::Value::as_table)
        .is_some_and(|fields| {
            fields
                .values()
                .any(|field| field.as_table().is_some_and(|field| field.contains_key("references")))
        })
}

fn object(table: &toml::Table, names: &[String]) -> Result<Object, String> {
    let text = |key: &str| table.get(key).and_then(toml::Value::as_str);
    let name = text("object").ok_or("an object has no `object`")?.to_owned();
    let salesforce = text("salesforce")
        .ok_or_else(|| format!("{name} has no `salesforce`"))?
        .to_owned();
    let default = policy(text("on_conflict").unwrap_or("salesforce"));
    let declared = table
        .get("fields")
        .and_then(toml::Value::as_table)
        .ok_or_else(|| format!("{name} has no fields"))?;
    let mut fields = Vec::new();
    for (field_name, declaration) in declared {
        if let Some(field) = field(field_name, declaration, default, names)? {
            fields.push(field);
        }
    }
    let mut groups = Vec::new();
    for group in table.get("group").and_then(toml::Value::as_array).into_iter().flatten() {
        let members = group
            .get("fields")
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten();
        let members: Vec<usize> = members
            .filter_map(toml::Value::as_str)
            .filter_map(|member| fields.iter().position(|field: &Field| field.name == member))
            .collect();
        for &member in &members {
            if let Some(field) = fields.get_mut(member) {
                field.group = Some(groups.len());
            }
        }
        groups.push(members);
    }
    let matching = table.get("match").and_then(|matching| matching.get("fields"));
    let matching = matching.and_then(toml::Value::as_array).into_iter().flatten();
    let matching = matching
        .filter_map(toml::Value::as_str)
        .map(|name| fields.iter().position(|field: &Field| field.name == name))
        .collect::<Option<_>>()
        .ok_or_else(|| format!("{name} is matched by a field that does not go both ways"))?;
    Ok(Object {
        name,
        salesforce,
        fields,
        groups,
        matching,
    })
}

fn field(name: &str, declaration: &toml::Value, default: Policy, names: &[String]) -> Result<Option<Field>, String> {
    let empty = toml::Table::new();
    let table = declaration.as_table().unwrap_or(&empty);
    let text = |key: &str| table.get(key).and_then(toml::Value::as_str);
    let salesforce = declaration
        .as_str()
        .or_else(|| text("salesforce"))
        .unwrap_or(name)
        .to_owned();
    if text("direction").is_some_and(|direction| direction != "both") {
        return Ok(None);
    }
    let values: Vec<(String, String)> = table
        .get("values")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flatten()
        .filter_map(|(ours, theirs)| Some((ours.clone(), theirs.as_str()?.to_owned())))
        .collect();
    let kind = match (text("references"), text("kind").unwrap_or("text")) {
        (Some(parent), _) => {
            let parent = names.iter().position(|known| known == parent);
            Kind::Reference(parent.ok_or_else(|| format!("field {name} references an object that is not declared"))?)
        }
        (None, "currency" | "number" | "decimal" | "percent" | "double" | "int" | "integer") => Kind::Number,
        (None, "date") => Kind::Date,
        (None, "picklist") => Kind::Choice,
        (None, _) if !values.is_empty() || builtin_choices(&salesforce).is_some() => Kind::Choice,
        (None, _) => match salesforce.as_str() {
            "Amount" => Kind::Number,
            "CloseDate" => Kind::Date,
            _ => Kind::Text,
        },
    };
    Ok(Some(Field {
        name: name.to_owned(),
        salesforce,
        kind,
        required: table.get("required").and_then(toml::Value::as_bool).unwrap_or(false),
        policy: text("on_conflict").map_or(default, policy),
        values,
        group: None,
    }))
}

fn policy(name: &str) -> Policy {
    match name {
        "product" => Policy::Product,
        "salesforce" => Policy::Salesforce,
        _ => Policy::Other,
    }
}

/// Values of standard picklists that a mapping may pass through unchanged.
pub fn builtin_choices(salesforce: &str) -> Option<&'static [&'static str]> {
    match salesforce {
        "StageName" => Some(&["Prospecting", "Qualification", "Closed Won", "Closed Lost"]),
        "Industry" => Some(&["Banking", "Energy", "Technology", "Other"]),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn shapes() -> Shapes {
        let texts = [
            include_str!("../tests/objects/contact.toml").to_owned() + "\n[match]\nfields = [\"email\"]\n",
            include_str!("../tests/objects/company.toml").to_owned(),
        ];
        Shapes::parse(&texts).expect("the test objects are right")
    }

    #[test]
    fn parents_come_first_and_policies_groups_and_values_are_read() {
        let shapes = shapes();
        assert_eq!(
            shapes
                .objects
                .iter()
                .map(|object| object.name.as_str())
                .collect::<Vec<_>>(),
            ["company", "contact"]
        );
        let contact = &shapes.objects[1];
        let field = |name: &str| &contact.fields[contact.field(name).expect(name)];
        assert_eq!(field("email").policy, Policy::Product);
        assert_eq!(field("first_name").policy, Policy::Salesforce);
        assert_eq!(field("company").kind, Kind::Reference(0));
        assert!(field("last_name").required && field("street").group == Some(0));
        assert!(contact.field("full_name").is_none(), "one-way fields are not compared");
        assert_eq!(contact.matching, [contact.field("email").expect("email")]);
        let mut row = vec![Value::default(); contact.fields.len()];
        assert_eq!(contact.likeness(&row), None);
        row[contact.matching[0]] = "Ada@x.org".into();
        assert_eq!(contact.likeness(&row), Some(vec!["ada@x.org".to_owned()]));
        assert!(shapes.objects[0].matching.is_empty());
        let parents = HashMap::from([("001000000000001".to_owned(), "company-1".to_owned())]);
        let read = |name: &str, value: Json| shapes.from_salesforce(field(name), &value, &parents);
        assert_eq!(&*read("status", json!("Former")), "churned");
        assert_eq!(&*read("company", json!("001000000000001AAA")), "company-1");
        assert_eq!(&*read("email", json!(null)), "");
    }
}
