//! One field of an object: what it holds and what may be written to it.

use std::sync::Arc;

use crate::formula::Formula;
use crate::org::Cell;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// The record id.
    Id,
    /// A line of text.
    Text,
    /// Up to 255 characters with line breaks.
    TextArea,
    /// Thousands of characters: neither filterable nor sortable.
    LongText,
    /// One of a list of values.
    Picklist,
    /// Several of a list of values, with `;` between them.
    MultiPicklist,
    /// An id of another row.
    Reference,
    /// A checkbox, never null.
    Boolean,
    /// A number.
    Double,
    /// An amount of money.
    Currency,
    /// A percentage as humans write it.
    Percent,
    /// A whole number.
    Int,
    /// A calendar date.
    Date,
    /// A date and time.
    DateTime,
    /// A telephone number, kept as typed.
    Phone,
    /// An e-mail address.
    Email,
    /// A web address.
    Url,
    /// A read-only compound of address parts.
    Address,
}

impl FieldType {
    /// The describe's `type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Text => "string",
            Self::TextArea | Self::LongText => "textarea",
            Self::Picklist => "picklist",
            Self::MultiPicklist => "multipicklist",
            Self::Reference => "reference",
            Self::Boolean => "boolean",
            Self::Double => "double",
            Self::Currency => "currency",
            Self::Percent => "percent",
            Self::Int => "int",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Url => "url",
            Self::Address => "address",
        }
    }

    /// The describe's `soapType`.
    #[must_use]
    pub fn soap(self) -> &'static str {
        match self {
            Self::Id | Self::Reference => "tns:ID",
            Self::Boolean => "xsd:boolean",
            Self::Double | Self::Currency | Self::Percent => "xsd:double",
            Self::Int => "xsd:int",
            Self::Date => "xsd:date",
            Self::DateTime => "xsd:dateTime",
            Self::Address => "urn:address",
            _ => "xsd:string",
        }
    }

    /// Whether values are numbers.
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self, Self::Double | Self::Currency | Self::Percent | Self::Int)
    }

    /// Whether values are texts with a length.
    #[must_use]
    pub fn is_text(self) -> bool {
        matches!(
            self,
            Self::Text
                | Self::TextArea
                | Self::LongText
                | Self::Picklist
                | Self::MultiPicklist
                | Self::Phone
                | Self::Email
                | Self::Url
        )
    }
}

/// What a new row has when the caller names no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initial {
    /// Null, or false for a checkbox.
    Nothing,
    /// The platform fills it.
    Platform,
}

/// One field of an object.
#[derive(Debug, Clone)]
pub struct Field {
    /// API name.
    pub name: Arc<str>,
    /// Label, as error messages name the field.
    pub label: Arc<str>,
    /// What it holds.
    pub kind: FieldType,
    /// Most characters of a text.
    pub length: u32,
    /// Most digits of a number.
    pub precision: u8,
    /// Decimal places of a number.
    pub scale: u8,
    /// Whether it may be null.
    pub nillable: bool,
    /// Whether callers may set it on a new row.
    pub createable: bool,
    /// Whether callers may change it.
    pub updateable: bool,
    /// What a new row has.
    pub initial: Initial,
    /// Whether upserts may name it.
    pub external_id: bool,
    /// Whether two live rows may not share a value.
    pub unique: bool,
    /// Whether a unique value is compared with its case.
    pub case_sensitive: bool,
    /// Whether upserts may name it although it is no external id (Contact.Email [R cci]).
    pub id_lookup: bool,
    /// Whether it is the name of the row.
    pub name_field: bool,
    /// The compound field that it is a part of.
    pub compound: Option<&'static str>,
    /// The describe's `extraTypeInfo`.
    pub extra: Option<&'static str>,
    /// Objects that a reference may name.
    pub reference_to: Vec<Arc<str>>,
    /// Name of a reference in SOQL paths and nested objects.
    pub relationship: Option<Arc<str>>,
    /// Name of the way back, on the parent's describe, and whether deleting the parent deletes the child.
    pub child_relationship: Option<(Arc<str>, bool)>,
    /// Values of a picklist.
    pub values: Vec<Arc<str>>,
    /// Whether a picklist takes no other values.
    pub restricted: bool,
    /// What a new row has when the caller names no value.
    pub default: Option<Cell>,
    /// How the platform numbers rows in it, e.g. `C-{0000}`.
    pub auto_number: Option<Arc<str>>,
    /// Whether it is a detail's master: it is never empty, and the row goes with it.
    pub master: bool,
    /// Whether the object does not have it: every object has the same first columns.
    pub hidden: bool,
    /// 15-character id of a custom field.
    pub custom_id: Option<String>,
    /// What a formula field shows; rows hold null for it.
    pub formula: Option<Formula>,
    /// Whether it is a roll-up summary.
    pub summary: bool,
    /// Whether a duplicate rule looks rows up by it.
    pub matched: bool,
}

impl Field {
    /// A nullable, writable field.
    #[must_use]
    pub fn new(name: &str, label: &str, kind: FieldType) -> Self {
        Self {
            name: name.into(),
            label: label.into(),
            kind,
            length: 0,
            precision: 0,
            scale: 0,
            nillable: kind != FieldType::Boolean,
            createable: true,
            updateable: true,
            initial: if kind == FieldType::Boolean {
                Initial::Platform
            } else {
                Initial::Nothing
            },
            external_id: false,
            unique: false,
            case_sensitive: false,
            id_lookup: false,
            name_field: false,
            compound: None,
            extra: None,
            reference_to: Vec::new(),
            relationship: None,
            child_relationship: None,
            values: Vec::new(),
            restricted: false,
            default: None,
            auto_number: None,
            master: false,
            hidden: false,
            custom_id: None,
            formula: None,
            summary: false,
            matched: false,
        }
    }

    /// Text of at most `length` characters.
    #[must_use]
    pub fn text(name: &str, label: &str, length: u32) -> Self {
        Self {
            length,
            ..Self::new(name, label, FieldType::Text)
        }
    }

    /// A text-like field of another type.
    #[must_use]
    pub fn typed(name: &str, label: &str, kind: FieldType, length: u32) -> Self {
        Self {
            length,
            ..Self::new(name, label, kind)
        }
    }

    /// A number.
    #[must_use]
    pub fn number(name: &str, label: &str, kind: FieldType, precision: u8, scale: u8) -> Self {
        Self {
            precision,
            scale,
            ..Self::new(name, label, kind)
        }
    }

    /// A picklist.
    #[must_use]
    pub fn picklist(name: &str, label: &str, length: u32, values: &[&str]) -> Self {
        Self {
            length,
            values: values.iter().map(|v| Arc::from(*v)).collect(),
            ..Self::new(name, label, FieldType::Picklist)
        }
    }

    /// A lookup that may name rows of several objects.
    #[must_use]
    pub fn polymorphic(name: &str, label: &str, targets: &[&str], relationship: &str) -> Self {
        Self {
            reference_to: targets.iter().map(|target| Arc::from(*target)).collect(),
            ..Self::lookup(name, label, "", relationship)
        }
    }

    /// A text that the platform numbers, e.g. by `{00000000}`.
    #[must_use]
    pub fn auto_number(name: &str, label: &str, format: &str) -> Self {
        Self {
            auto_number: Some(format.into()),
            ..Self::text(name, label, 30).required().defaulted().read_only()
        }
    }

    /// A lookup.
    #[must_use]
    pub fn lookup(name: &str, label: &str, target: &str, relationship: &str) -> Self {
        Self {
            length: 18,
            reference_to: vec![target.into()],
            relationship: Some(relationship.into()),
            ..Self::new(name, label, FieldType::Reference)
        }
    }

    /// The same, named on the parent; `cascade` when deleting the parent deletes the child.
    #[must_use]
    pub fn child(mut self, name: &str, cascade: bool) -> Self {
        self.child_relationship = Some((name.into(), cascade));
        self
    }

    /// The same, never null.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.nillable = false;
        self
    }

    /// The same, filled by the platform when not given.
    #[must_use]
    pub fn defaulted(mut self) -> Self {
        self.initial = Initial::Platform;
        self
    }

    /// The same; a new row has this value when the caller names none.
    #[must_use]
    pub fn defaults_to(mut self, value: Cell) -> Self {
        self.default = Some(value);
        self.initial = Initial::Platform;
        self
    }

    /// The same as the reference of a detail to its master: fixed, never empty, and the row goes with it.
    #[must_use]
    pub fn master(mut self, child_relationship: &str) -> Self {
        self.master = true;
        self.updateable = false;
        self.required().child(child_relationship, true)
    }

    /// The same, not writable.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.createable = false;
        self.updateable = false;
        self
    }

    /// The same, a part of a compound field.
    #[must_use]
    pub fn part_of(mut self, compound: &'static str) -> Self {
        self.compound = Some(compound);
        self
    }

    /// The same, with `extraTypeInfo`.
    #[must_use]
    pub fn extra(mut self, info: &'static str) -> Self {
        self.extra = Some(info);
        self
    }

    /// The same, the name of the row.
    #[must_use]
    pub fn name_field(mut self) -> Self {
        self.name_field = true;
        self
    }

    /// Whether the API name is a custom field's.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        self.name.ends_with("__c")
    }

    /// Whether the org makes its value out of others: formulas and roll-ups.
    #[must_use]
    pub fn is_computed(&self) -> bool {
        self.formula.is_some() || self.summary
    }

    /// Whether upserts may find rows by it.
    #[must_use]
    pub fn finds_rows(&self) -> bool {
        self.external_id || self.id_lookup
    }
}
