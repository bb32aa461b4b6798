//! Object files (`config/objects/*.toml`), compiled to the plans that the engine works by.
//!
//! A file says how one object of the product and one sObject meet: names, kinds, direction, who wins. Everything that
//! can be known without an org is checked here; [`describe`] checks the rest against an org.

mod compile;
pub mod describe;
mod field;
mod file;
mod rank;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tandem_core::domain::plan::{ObjectPlan, TenantPlan};

pub(super) use field::Overrides;
pub use file::{Matching, ObjectFile};

use super::model::Fence;
use super::problem::{Place, Problem};
use super::reader::as_text;
use super::tree::Node;

/// Most objects in one mapping.
pub const OBJECTS_MAX: usize = 100;
/// Most fields of one object.
pub const FIELDS_MAX: usize = 500;

/// All object files of a directory.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    /// By the product's name.
    pub objects: BTreeMap<String, ObjectFile>,
}

impl Mapping {
    /// Reads every `*.toml` of a directory. `place` is where the directory was named.
    pub fn read(dir: &Path, place: &Place) -> (Self, Vec<Problem>) {
        let listed = std::fs::read_dir(dir).and_then(|entries| {
            let mut paths = Vec::new();
            for entry in entries {
                let path = entry?.path();
                if path.extension().is_some_and(|ending| ending == "toml") {
                    paths.push(path);
                }
            }
            paths.sort();
            Ok(paths)
        });
        let paths = match listed {
            Ok(paths) => paths,
            Err(why) => {
                let why =
                    format!("the directory cannot be read: {why}; it holds one file an object, e.g. contact.toml");
                return (
                    Self::default(),
                    vec![Problem::value(place, "objects.dir", &dir.display().to_string(), why)],
                );
            }
        };
        if paths.is_empty() || paths.len() > OBJECTS_MAX {
            let why = format!("this directory must hold 1 to {OBJECTS_MAX} files, one an object, e.g. contact.toml");
            return (
                Self::default(),
                vec![Problem::value(place, "objects.dir", &dir.display().to_string(), why)],
            );
        }
        let mut problems = Vec::new();
        let mut mapping = Self::default();
        for path in paths {
            let (file, wrong) = ObjectFile::read(&path);
            problems.extend(wrong);
            if let Some(file) = file {
                mapping.add(file, &mut problems);
            }
        }
        let (_, wrong) = mapping.plan(None, &Overrides::default(), Fence::Strict, place, "");
        problems.extend(wrong);
        (mapping, problems)
    }

    fn add(&mut self, file: ObjectFile, problems: &mut Vec<Problem>) {
        let same_object = self.objects.get(&file.object);
        let same_sobject = self
            .objects
            .values()
            .find(|other| other.sobject.eq_ignore_ascii_case(&file.sobject));
        if let Some(other) = same_object {
            let why = format!("{} has this object already: one file an object", other.place);
            problems.push(Problem::value(
                &file.place,
                "object",
                &format!("{:?}", file.object),
                why,
            ));
        } else if let Some(other) = same_sobject {
            let why = format!("{} maps this sObject already: one object an sObject", other.place);
            problems.push(Problem::value(
                &file.place,
                "salesforce",
                &format!("{:?}", file.sobject),
                why,
            ));
        } else {
            self.objects.insert(file.object.clone(), file);
        }
    }

    /// Compiles one tenant's plan: `chosen` objects (all if nothing), with its overrides. Without a strict fence no
    /// sequence field is written.
    pub(super) fn plan(
        &self,
        chosen: Option<&[Node]>,
        overrides: &Overrides,
        fence: Fence,
        place: &Place,
        tenant: &str,
    ) -> (TenantPlan, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut files: BTreeMap<&str, &ObjectFile> = BTreeMap::new();
        match chosen {
            None => files.extend(self.objects.iter().map(|(name, file)| (name.as_str(), file))),
            Some(items) => {
                for item in items {
                    let name = as_text(item).unwrap_or_default();
                    if let Some(file) = self.objects.get(name) {
                        files.insert(name, file);
                    } else {
                        let known = self.objects.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                        let why = format!("no object file has this object; there are: {known}");
                        problems.push(Problem::value(
                            &item.place,
                            &format!("{tenant}.objects"),
                            &item.shown(),
                            why,
                        ));
                    }
                }
            }
        }
        let mut plans: Vec<ObjectPlan> = Vec::new();
        for file in files.values() {
            let (plan, wrong) = compile::object(file, overrides, fence);
            problems.extend(wrong);
            problems.extend(self.missing_parents(file, &plan, &files, place, tenant));
            plans.push(plan);
        }
        if let Err(cycle) = rank::rank(&mut plans) {
            let place = files.get(cycle[0].as_str()).map_or(place, |file| &file.place);
            let why = "these objects reference one another in a circle, so none can be created first: \
                       give one of the references direction = \"to_product\"";
            problems.push(Problem::value(place, "fields", &cycle.join(" → "), why));
        }
        (
            TenantPlan {
                objects: plans.into_iter().map(Arc::new).collect(),
            },
            problems,
        )
    }

    fn missing_parents(
        &self,
        file: &ObjectFile,
        plan: &ObjectPlan,
        files: &BTreeMap<&str, &ObjectFile>,
        place: &Place,
        tenant: &str,
    ) -> Vec<Problem> {
        let mut problems = Vec::new();
        for field in &plan.fields {
            let Some(parent) = field.references.as_deref().filter(|parent| !files.contains_key(parent)) else {
                continue;
            };
            if self.objects.contains_key(parent) {
                let why = format!(
                    "{}.{} references '{parent}': add it to the list",
                    file.object, field.name
                );
                problems.push(Problem::name(place, &format!("{tenant}.objects"), why));
            } else {
                let known = self.objects.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let (place, name) = file.field_place(&field.name);
                let why = format!("no object file has this object; there are: {known}");
                problems.push(Problem::value(
                    place,
                    &format!("{name}.references"),
                    &format!("{parent:?}"),
                    why,
                ));
            }
        }
        problems
    }
}
