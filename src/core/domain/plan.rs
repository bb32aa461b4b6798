//! A mapping, compiled and checked: what the engine works by.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ids::FieldIdx;

/// Which way a field or an object flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Both ways.
    Both,
    /// Product to Salesforce only.
    ToSalesforce,
    /// Salesforce to product only.
    ToProduct,
}

impl Direction {
    /// Whether product changes are written to Salesforce.
    pub fn writes_salesforce(self) -> bool {
        matches!(self, Self::Both | Self::ToSalesforce)
    }

    /// Whether Salesforce changes are told to the product.
    pub fn tells_product(self) -> bool {
        matches!(self, Self::Both | Self::ToProduct)
    }
}

/// Who wins when both sides changed a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The product's value.
    Product,
    /// Salesforce's value.
    Salesforce,
}

/// What a field's values are, in both worlds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Text; trimmed, empty is null (contract.md 7.3).
    Text,
    /// E-mail address; compared with its case.
    Email,
    /// Telephone number, as text.
    Phone,
    /// Web address, as text.
    Url,
    /// true or false; never null in Salesforce.
    Boolean,
    /// Whole number.
    Integer,
    /// Decimal number, rounded to `scale` before it is sent.
    Decimal,
    /// `2026-01-31`.
    Date,
    /// RFC 3339, UTC, whole seconds in Salesforce.
    Datetime,
    /// One of a list.
    Picklist,
    /// Some of a list; a JSON array here, `a;b` there; order means nothing.
    Multipicklist,
    /// The parent's key here, its Salesforce id there.
    Reference,
}

/// One mapped field.
#[derive(Debug, Clone)]
pub struct FieldPlan {
    /// Position in `ObjectPlan::fields`.
    pub idx: FieldIdx,
    /// The product's name.
    pub name: Arc<str>,
    /// The Salesforce API name.
    pub salesforce: Arc<str>,
    /// What its values are.
    pub kind: Kind,
    /// Which way it flows (never wider than the object's).
    pub direction: Direction,
    /// Who wins when both sides changed it.
    pub on_conflict: Policy,
    /// Whether its values are about a person. All values are treated as personal in logs; this adds to documents and checks.
    pub personal: bool,
    /// Whether Salesforce demands it on create.
    pub required: bool,
    /// For references: the product's name of the parent object.
    pub references: Option<Arc<str>>,
    /// For picklists: product value → Salesforce value. Values not listed pass as they are.
    pub values: BTreeMap<String, String>,
    /// For decimals: digits after the point that Salesforce's field shows; unknown until describe tells.
    pub scale: Option<u8>,
    /// Position in `ObjectPlan::groups`, if it travels with others.
    pub group: Option<u16>,
}

/// What is done about a record that has just one possible partner on the other side, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMatch {
    /// What the situation suggests: link to the one, create where there is none.
    Act,
    /// Ask the product.
    Ask,
}

/// How records of both sides that do not know each other meet. Several possible partners are always asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchPlan {
    /// Fields that must be equal, in normal form and without regard to case; all flow to Salesforce.
    pub fields: Vec<FieldIdx>,
    /// One possible partner: link, or ask.
    pub one: OnMatch,
    /// None: create, or ask.
    pub none: OnMatch,
}

impl MatchPlan {
    /// Most fields that a partner is looked for by.
    pub const FIELDS_MAX: usize = 5;
}

/// One mapped object.
#[derive(Debug, Clone)]
pub struct ObjectPlan {
    /// The product's name.
    pub object: Arc<str>,
    /// The sObject's API name.
    pub sobject: Arc<str>,
    /// API name of the unique, case-sensitive external id that holds the product's key.
    pub external_id: Arc<str>,
    /// API name of the sequence field, where the fence is installed (strict).
    pub sequence: Option<Arc<str>>,
    /// Which way the object flows.
    pub direction: Direction,
    /// Its fields, sorted by product name.
    pub fields: Vec<FieldPlan>,
    /// Fields that travel together or not at all.
    pub groups: Vec<Vec<FieldIdx>>,
    /// How unlinked records of both sides meet; without it, records made in Salesforce are left alone.
    pub matching: Option<MatchPlan>,
    /// Hash over names, kinds and order of the fields: the layout that rows' bases are kept by.
    pub version: u32,
    /// Parents have lower ranks than their children.
    pub rank: u16,
}

impl ObjectPlan {
    /// The field with this product name.
    pub fn field(&self, name: &str) -> Option<&FieldPlan> {
        self.fields
            .binary_search_by(|f| f.name.as_ref().cmp(name))
            .ok()
            .and_then(|at| self.fields.get(at))
    }

    /// The field at this position.
    pub fn at(&self, idx: FieldIdx) -> Option<&FieldPlan> {
        self.fields.get(usize::from(idx.0))
    }

    /// The fields that this Salesforce field feeds (usually one).
    pub fn by_salesforce<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a FieldPlan> {
        self.fields.iter().filter(move |f| f.salesforce.as_ref() == name)
    }

    /// Positions of all fields of the group that `idx` belongs to; just itself when it stands alone.
    pub fn together(&self, idx: FieldIdx) -> Vec<FieldIdx> {
        self.at(idx)
            .and_then(|f| f.group)
            .and_then(|g| self.groups.get(usize::from(g)))
            .cloned()
            .unwrap_or_else(|| vec![idx])
    }
}

/// All of a tenant's mapped objects.
#[derive(Debug, Clone, Default)]
pub struct TenantPlan {
    /// Sorted by product name.
    pub objects: Vec<Arc<ObjectPlan>>,
}

impl TenantPlan {
    /// The object with this product name.
    pub fn object(&self, name: &str) -> Option<&Arc<ObjectPlan>> {
        self.objects.iter().find(|o| o.object.as_ref() == name)
    }

    /// The object mapped to this sObject.
    pub fn by_sobject(&self, name: &str) -> Option<&Arc<ObjectPlan>> {
        self.objects.iter().find(|o| o.sobject.as_ref() == name)
    }
}
