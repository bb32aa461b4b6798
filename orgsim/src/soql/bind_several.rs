//! Parents that may be of several objects: what their rows share, and TYPEOF.

use std::sync::Arc;

use super::QueryError;
use super::ast::{Path, TypeOf};
use super::bind::Binder;
use super::plan::{BoundPath, Shown};
use crate::org::code;
use crate::schema::Field;

/// What a parent that may be of several objects is asked for: the fields of the object `Name` [V:SOQLPDF].
const SHARED: [&str; 10] = [
    "Id",
    "Name",
    "Type",
    "FirstName",
    "LastName",
    "Email",
    "Phone",
    "Title",
    "Alias",
    "Username",
];
impl<'s> Binder<'s> {
    /// Adds a name that a parent of several objects is shown with.
    pub(super) fn show_named(
        &self,
        path: &Path,
        hops: &[usize],
        name: Arc<str>,
        shown: &mut Vec<Shown>,
    ) -> Result<(), QueryError> {
        let [field] = hops else {
            let words = "a parent of one of several objects is shown from its own child only";
            return Err(QueryError::at(code::MALFORMED_QUERY, self.text, path.place, words));
        };
        let known = shown.iter_mut().find_map(|item| match item {
            Shown::Named { field: known, names } if known == field => Some(names),
            _ => None,
        });
        match known {
            Some(names) if names.contains(&name) => {}
            Some(names) => names.push(name),
            None => shown.push(Shown::Named {
                field: *field,
                names: vec![name],
            }),
        }
        Ok(())
    }

    /// A name that rows of several objects share; `sobject` is the first of them.
    pub(super) fn shared(
        &self,
        path: &Path,
        sobject: usize,
        hops: Vec<usize>,
        name: &str,
    ) -> Result<(BoundPath, &'s Field), QueryError> {
        let object = &self.schema.sobjects[sobject];
        let known = SHARED.iter().find(|known| known.eq_ignore_ascii_case(name));
        let is_id = known.is_some_and(|known| *known == "Id");
        let like = object.field(if is_id { "Id" } else { "Name" });
        let (Some(known), Some(field)) = (known, like) else {
            let words = format!("No such column '{name}' on entity 'Name'.");
            return Err(QueryError::at(code::FIELD, self.text, path.place, &words));
        };
        let bound = BoundPath {
            hops,
            field,
            named: Some(Arc::from(*known)),
            computed: None,
            exact: is_id,
        };
        Ok((bound, &object.fields[field]))
    }

    /// What is shown of a parent by its object. Only a relationship to several objects is asked so [V:SOQLPDF].
    pub(super) fn type_of(&self, type_of: &TypeOf) -> Result<Shown, QueryError> {
        let refuse = |path: &Path, code, words: &str| QueryError::at(code, self.text, path.place, words);
        let relationship = type_of.path.names.join(".");
        let field = self.object().relationship(&relationship);
        let Some(field) = field.filter(|field| self.object().fields[*field].reference_to.len() > 1) else {
            let words = format!("TYPEOF takes a relationship to several objects: '{relationship}' is none");
            return Err(refuse(&type_of.path, code::FIELD, &words));
        };
        let mut cases = Vec::new();
        for (object, paths) in &type_of.cases {
            let name = object.names.join(".");
            let targets = &self.object().fields[field].reference_to;
            let target = targets.iter().find(|target| target.eq_ignore_ascii_case(&name));
            let Some(sobject) = target.and_then(|target| self.schema.place(target)) else {
                let words = format!("'{name}' is none of the objects that '{relationship}' leads to");
                return Err(refuse(object, code::TYPE, &words));
            };
            let binder = Binder {
                sobject,
                alias: None,
                ..*self
            };
            let mut shown = Vec::new();
            for path in paths {
                let (bound, _) = binder.path(path)?;
                match bound.named {
                    Some(name) => binder.show_named(path, &bound.hops, name, &mut shown)?,
                    None => binder.show(&mut shown, sobject, &bound.hops, bound.field),
                }
            }
            cases.push((sobject, shown));
        }
        let mut otherwise = Vec::new();
        for path in &type_of.otherwise {
            match SHARED
                .iter()
                .find(|known| known.eq_ignore_ascii_case(&path.names.join(".")))
            {
                Some(known) => otherwise.push(Arc::from(*known)),
                None => {
                    let words = format!("No such column '{}' on entity 'Name'.", path.names.join("."));
                    return Err(refuse(path, code::FIELD, &words));
                }
            }
        }
        Ok(Shown::TypeOf {
            field,
            cases,
            otherwise,
        })
    }
}
