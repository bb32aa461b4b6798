//! One object, and all objects of an org.

use std::collections::HashMap;
use std::sync::Arc;

use super::duplicate::DuplicateRule;
use super::field::{Field, FieldType};
use super::record_type::RecordType;
use super::rule::{Rules, fence};
use super::view::Denied;

/// Places of the fields that every object has, in that order, before its own.
pub mod column {
    #![expect(missing_docs, reason = "each constant names its field")]
    pub const ID: usize = 0;
    pub const IS_DELETED: usize = 1;
    pub const OWNER: usize = 2;
    pub const CREATED_DATE: usize = 3;
    pub const CREATED_BY: usize = 4;
    pub const MODIFIED_DATE: usize = 5;
    pub const MODIFIED_BY: usize = 6;
    pub const MODSTAMP: usize = 7;
    pub const FIRST_OWN: usize = 8;
}

/// One object.
#[derive(Debug, Clone)]
pub struct Sobject {
    /// API name.
    pub name: Arc<str>,
    /// Label.
    pub label: Arc<str>,
    /// Label of many.
    pub plural: Arc<str>,
    /// First three characters of its ids.
    pub prefix: Arc<str>,
    /// Whether callers may write rows.
    pub writable: bool,
    /// What the user who sees it may not do.
    pub denied: Denied,
    /// Kinds of its rows.
    pub record_types: Vec<RecordType>,
    /// What finds rows that are there already.
    pub duplicate_rules: Vec<DuplicateRule>,
    /// Whether changes of its rows are told on the event bus: the objects that an admin has selected.
    pub captured: bool,
    /// Fields; the first ones are at [`column`].
    pub fields: Vec<Field>,
    /// Places in `fields` in describe order.
    pub describe_order: Vec<usize>,
    /// Places in `fields` in the order of their names: maps are built fastest so.
    pub name_order: Vec<usize>,
    /// Key and sequence field of the fence, when the object has both.
    pub fence: Option<(usize, usize)>,
    /// Whether the name is made of first and last name.
    pub person: Option<(usize, usize, usize)>,
    /// Each compound address: its place, prefix of its parts, places of the parts in the order of [`ADDRESS_PARTS`].
    pub addresses: Vec<(usize, [Option<usize>; 8])>,
    by_name: HashMap<String, usize>,
    by_relationship: HashMap<String, usize>,
}

/// JSON names of an address's parts, and the end of the component fields' names.
pub const ADDRESS_PARTS: [(&str, &str); 8] = [
    ("city", "City"),
    ("country", "Country"),
    ("geocodeAccuracy", "GeocodeAccuracy"),
    ("latitude", "Latitude"),
    ("longitude", "Longitude"),
    ("postalCode", "PostalCode"),
    ("state", "State"),
    ("street", "Street"),
];

impl Sobject {
    /// An object of these own fields.
    #[must_use]
    pub fn new(name: &str, label: &str, plural: &str, prefix: &str, writable: bool, own: Vec<Field>) -> Self {
        let audit = |name: &str, label: &str| {
            Field::new(name, label, FieldType::DateTime)
                .read_only()
                .required()
                .defaulted()
        };
        let by = |name: &str, label: &str, rel: &str| {
            Field::lookup(name, label, "User", rel)
                .read_only()
                .required()
                .defaulted()
        };
        let id = Field {
            length: 18,
            id_lookup: true,
            ..Field::new("Id", &format!("{label} ID"), FieldType::Id)
        };
        let owner = Field::lookup("OwnerId", "Owner ID", "User", "Owner")
            .required()
            .defaulted();
        let mut fields = vec![
            id.read_only().required().defaulted(),
            Field::new("IsDeleted", "Deleted", FieldType::Boolean).read_only(),
            owner,
            audit("CreatedDate", "Created Date"),
            by("CreatedById", "Created By ID", "CreatedBy"),
            audit("LastModifiedDate", "Last Modified Date"),
            by("LastModifiedById", "Last Modified By ID", "LastModifiedBy"),
            audit("SystemModstamp", "System Modstamp"),
        ];
        let owns = own.len();
        fields.extend(own);
        // As recorded describes have it: id and deletion, standard fields, the audit block, custom fields.
        let first = column::FIRST_OWN;
        let standard = (first..first + owns).filter(|i| !fields[*i].is_custom());
        let custom = (first..first + owns).filter(|i| fields[*i].is_custom());
        let describe_order = [column::ID, column::IS_DELETED]
            .into_iter()
            .chain(standard)
            .chain(column::OWNER..first)
            .chain(custom)
            .collect();
        let by_name = fields
            .iter()
            .enumerate()
            .map(|(i, f)| (f.name.to_ascii_lowercase(), i))
            .collect();
        let mut name_order: Vec<usize> = (0..fields.len()).collect();
        name_order.sort_by(|a, b| fields[*a].name.cmp(&fields[*b].name));
        let by_relationship = fields
            .iter()
            .enumerate()
            .filter_map(|(i, f)| f.relationship.as_ref().map(|r| (r.to_ascii_lowercase(), i)))
            .collect();
        let mut sobject = Self {
            name: name.into(),
            label: label.into(),
            plural: plural.into(),
            prefix: prefix.into(),
            writable,
            denied: Denied::default(),
            record_types: Vec::new(),
            duplicate_rules: Vec::new(),
            captured: false,
            fields,
            describe_order,
            name_order,
            fence: None,
            person: None,
            addresses: Vec::new(),
            by_name,
            by_relationship,
        };
        sobject.fence = sobject.field("Tandem_Key__c").zip(sobject.field("Tandem_Seq__c"));
        if let (Some(first), Some(last), Some(name)) = (
            sobject.field("FirstName"),
            sobject.field("LastName"),
            sobject.field("Name"),
        ) {
            sobject.person = Some((first, last, name));
        }
        sobject.addresses = (0..sobject.fields.len())
            .filter(|i| sobject.fields[*i].kind == FieldType::Address)
            .map(|i| {
                let stem = sobject.fields[i].name.trim_end_matches("Address").to_owned();
                (i, ADDRESS_PARTS.map(|(_, end)| sobject.field(&format!("{stem}{end}"))))
            })
            .collect();
        sobject
    }

    /// The same with one more field.
    #[must_use]
    pub fn with(&self, field: Field) -> Self {
        let mut own: Vec<Field> = self.fields[column::FIRST_OWN..].to_vec();
        own.push(field);
        let mut grown = Self::new(&self.name, &self.label, &self.plural, &self.prefix, self.writable, own);
        let master = grown.fields.iter().any(|field| field.master);
        if self.fields[column::OWNER].hidden || master {
            grown = grown.ownerless();
        }
        grown.captured = self.captured;
        grown.record_types.clone_from(&self.record_types);
        grown.duplicate_rules.clone_from(&self.duplicate_rules);
        grown
    }

    /// The same, its changes told on the event bus.
    #[must_use]
    pub fn captured(mut self) -> Self {
        self.captured = true;
        self
    }

    /// The same without an owner.
    #[must_use]
    pub fn ownerless(mut self) -> Self {
        self.fields[column::OWNER].hidden = true;
        self.describe_order.retain(|place| *place != column::OWNER);
        self.name_order.retain(|place| *place != column::OWNER);
        self.by_name.remove("ownerid");
        self.by_relationship.remove("owner");
        self
    }

    /// Places of the fields that rows hold, in describe order: all but formulas.
    pub fn kept(&self) -> impl Iterator<Item = usize> {
        let order = self.describe_order.iter().copied();
        order.filter(|place| self.fields[*place].formula.is_none())
    }

    /// The field's name is nobody's any more; its values and place stay.
    pub(super) fn forget(&mut self, name: &str) {
        let Some(place) = self.field(name) else { return };
        self.fields[place].hidden = true;
        self.describe_order.retain(|p| *p != place);
        self.name_order.retain(|p| *p != place);
        self.by_name.retain(|_, p| *p != place);
        self.by_relationship.retain(|_, p| *p != place);
    }

    /// Whether the API name is a custom object's.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        self.name.ends_with("__c")
    }

    /// Place of the field with this name; names have no case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<usize> {
        self.by_name
            .get(name)
            .or_else(|| self.by_name.get(&name.to_ascii_lowercase()))
            .copied()
    }

    /// Place of the reference field with this relationship name.
    #[must_use]
    pub fn relationship(&self, name: &str) -> Option<usize> {
        self.by_relationship.get(&name.to_ascii_lowercase()).copied()
    }
}

/// All objects of an org.
#[derive(Debug, Clone)]
pub struct Schema {
    /// The objects; a row knows its object by its place here.
    pub sobjects: Vec<Sobject>,
    /// What is done with their rows, by the same places.
    pub rules: Vec<Rules>,
    by_name: HashMap<String, usize>,
    by_prefix: HashMap<Arc<str>, usize>,
}

impl Schema {
    /// A schema of these objects.
    #[must_use]
    pub fn new(sobjects: Vec<Sobject>) -> Self {
        let by_name = sobjects
            .iter()
            .enumerate()
            .map(|(i, s)| (s.name.to_ascii_lowercase(), i))
            .collect();
        let by_prefix = sobjects
            .iter()
            .enumerate()
            .map(|(i, s)| (Arc::clone(&s.prefix), i))
            .collect();
        let mut schema = Self {
            rules: vec![Rules::default(); sobjects.len()],
            sobjects,
            by_name,
            by_prefix,
        };
        for place in 0..schema.sobjects.len() {
            schema.rules[place].validation = fence(&schema, place);
        }
        schema
    }

    /// Takes over the rules that the objects had before they were extended: places stay the same. The fence is made anew.
    pub(super) fn keep_rules(&mut self, rules: Vec<Rules>) {
        for (new, old) in self.rules.iter_mut().zip(rules) {
            new.validation
                .extend(old.validation.into_iter().filter(|rule| !rule.fence));
            new.automations = old.automations;
            new.roll_ups = old.roll_ups;
            new.assignments = old.assignments;
        }
    }

    /// The object's name is nobody's any more; its rows and place stay.
    pub(super) fn forget(&mut self, name: &str) {
        self.by_name.retain(|known, _| !known.eq_ignore_ascii_case(name));
    }

    /// The objects that have a name.
    pub fn named(&self) -> impl Iterator<Item = &Sobject> {
        let named = |(place, sobject): (usize, _)| self.by_name.values().any(|p| *p == place).then_some(sobject);
        self.sobjects.iter().enumerate().filter_map(named)
    }

    /// Place of the object with this name; names have no case.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        self.by_name
            .get(name)
            .or_else(|| self.by_name.get(&name.to_ascii_lowercase()))
            .copied()
    }

    /// Place of the object with this key prefix.
    #[must_use]
    pub fn by_prefix(&self, prefix: &str) -> Option<usize> {
        self.by_prefix.get(prefix).copied()
    }

    /// The child object and its reference that a parent's describe calls so.
    pub fn child(&self, parent: &str, relationship: &str) -> Option<(usize, usize)> {
        let named = |field: &Field| {
            field
                .child_relationship
                .as_ref()
                .is_some_and(|(name, _)| !name.is_empty() && name.eq_ignore_ascii_case(relationship))
        };
        self.children(parent)
            .map(|(place, field, _)| (place, field))
            .find(|(place, field)| named(&self.sobjects[*place].fields[*field]))
    }

    /// The references to an object: child object, its field, and whether deleting the parent deletes the child.
    pub fn children(&self, parent: &str) -> impl Iterator<Item = (usize, usize, bool)> {
        self.sobjects.iter().enumerate().flat_map(move |(place, child)| {
            child.fields.iter().enumerate().filter_map(move |(field, f)| {
                let (_, cascade) = f.child_relationship.as_ref()?;
                let named = f.reference_to.iter().any(|target| **target == *parent);
                named.then_some((place, field, *cascade))
            })
        })
    }
}
