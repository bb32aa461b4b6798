//! A tree to a plan: names looked up in the schema, values brought to the fields' types.

use jiff::civil::Date;

use super::QueryError;
use super::ast::{Expr, Function, Group, Item, Path, Query, Totals};
use super::dates::date_of;
use super::plan::{BoundExpr, BoundOrder, BoundPath, Grouping, Plan, Shown};
use crate::org::code;
use crate::schema::{Field, FieldType, Schema, Sobject};

/// Longest path in names: five parents and a field (contract 5).
const MAX_NAMES: usize = 6;
/// Largest LIMIT of a query with FIELDS(ALL) or FIELDS(CUSTOM) (contract 5).
const MAX_FIELDS_LIMIT: usize = 200;
/// Most queries for children in a query (contract 5).
const MAX_CHILDREN: usize = 20;

pub(super) struct Binder<'s> {
    pub(super) text: &'s str,
    pub(super) schema: &'s Schema,
    pub(super) sobject: usize,
    pub(super) alias: Option<&'s str>,
    /// What date literals count from.
    pub(super) today: Date,
}

/// Looks everything up; `now` in seconds since 1970.
pub(crate) fn bind(text: &str, query: &Query, schema: &Schema, now: i64) -> Result<Plan, QueryError> {
    let sobject = schema.place(&query.from).ok_or_else(|| {
        let words = format!(
            "sObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
            query.from
        );
        QueryError::at(code::TYPE, text, query.from_place, &words)
    })?;
    let today = date_of(now).unwrap_or(Date::ZERO);
    let alias = query.alias.as_deref();
    let binder = Binder {
        text,
        schema,
        sobject,
        alias,
        today,
    };
    binder.query(query, true)
}

/// Looks up one path of a query that was bound: the way to its value, its name as the schema writes it, and its type.
pub(crate) fn bind_path(
    text: &str,
    query: &Query,
    schema: &Schema,
    plan: &Plan,
    path: &Path,
) -> Result<(BoundPath, String, FieldType), QueryError> {
    let binder = Binder {
        text,
        schema,
        sobject: plan.sobject,
        alias: query.alias.as_deref(),
        today: Date::ZERO,
    };
    let (bound, field) = binder.path(path)?;
    let (mut sobject, mut name) = (plan.sobject, String::new());
    for hop in &bound.hops {
        name.push_str(
            schema.sobjects[sobject].fields[*hop]
                .relationship
                .as_deref()
                .unwrap_or_default(),
        );
        name.push('.');
        sobject = binder.target(sobject, *hop).unwrap_or(sobject);
    }
    name.push_str(bound.named.as_ref().unwrap_or(&field.name));
    Ok((bound, name, field.kind))
}

impl<'s> Binder<'s> {
    pub(super) fn object(&self) -> &'s Sobject {
        &self.schema.sobjects[self.sobject]
    }

    /// A query of this binder's object; `outer` where it may ask for children.
    pub(super) fn query(&self, query: &Query, outer: bool) -> Result<Plan, QueryError> {
        let groups = |item: &Item| {
            matches!(
                item,
                Item::Value {
                    expr: Expr::Aggregate(..) | Expr::Part(..) | Expr::Grouping(_),
                    ..
                }
            )
        };
        let grouped = !query.group.is_empty() || query.items.iter().any(groups);
        let mut plan = Plan {
            sobject: self.sobject,
            shown: Vec::new(),
            count_only: query.items.is_empty(),
            grouping: None,
            long_text: false,
            condition: query.condition.as_ref().map(|c| self.condition(c, None)).transpose()?,
            order: Vec::new(),
            limit: query.limit,
            offset: query.offset,
        };
        if grouped {
            plan.grouping = Some(self.grouping(query)?);
        } else {
            if query.having.is_some() {
                let words = "having clause requires a group by clause";
                return Err(QueryError::new(code::MALFORMED_QUERY, words));
            }
            for item in &query.items {
                self.item(item, query, outer, &mut plan)?;
            }
        }
        for order in &query.order {
            let expr = self.expr(&order.expr, "sorted", plan.grouping.as_ref())?;
            if grouped {
                self.grouped(&expr, &order.expr, plan.grouping.as_ref())?;
            } else if matches!(expr, BoundExpr::Aggregate(..)) {
                let words = "an aggregate function needs GROUP BY";
                let place = order.expr.place();
                return Err(QueryError::at(code::MALFORMED_QUERY, self.text, place, words));
            }
            plan.order.push(BoundOrder {
                expr,
                descending: order.descending,
                nulls_last: order.nulls_last,
            });
        }
        Ok(plan)
    }

    fn item(&self, item: &Item, query: &Query, outer: bool, plan: &mut Plan) -> Result<(), QueryError> {
        match item {
            Item::Value {
                expr: Expr::Field(path),
                alias,
            } => {
                if let Some(alias) = alias {
                    let words = format!("only aggregate expressions use field aliasing: '{alias}'");
                    return Err(QueryError::at(code::MALFORMED_QUERY, self.text, path.place, &words));
                }
                let (bound, field) = self.path(path)?;
                plan.long_text |= field.kind == FieldType::LongText;
                if let Some(name) = bound.named {
                    return self.show_named(path, &bound.hops, name, &mut plan.shown);
                }
                self.show(&mut plan.shown, self.sobject, &bound.hops, bound.field);
            }
            Item::Value { .. } => {}
            Item::Fields(group) => {
                if *group != Group::Standard && query.limit.is_none_or(|l| l > MAX_FIELDS_LIMIT) {
                    let words = "The SOQL FIELDS function must have a LIMIT of at most 200";
                    return Err(QueryError::new(code::MALFORMED_QUERY, words));
                }
                let object = self.object();
                for place in &object.describe_order {
                    let custom = object.fields[*place].is_custom();
                    if *group == Group::All || custom == (*group == Group::Custom) {
                        plan.long_text |= object.fields[*place].kind == FieldType::LongText;
                        self.show(&mut plan.shown, self.sobject, &[], *place);
                    }
                }
            }
            Item::Children(children) => {
                let asked = plan
                    .shown
                    .iter()
                    .filter(|s| matches!(s, Shown::Children { .. }))
                    .count();
                if !outer || asked >= MAX_CHILDREN {
                    let words = format!("a query takes at most {MAX_CHILDREN} queries for children, one level deep");
                    let place = children.from_place;
                    return Err(QueryError::at(code::MALFORMED_QUERY, self.text, place, &words));
                }
                plan.shown.push(self.children(children)?);
            }
            Item::TypeOf(type_of) if outer => plan.shown.push(self.type_of(type_of)?),
            Item::TypeOf(type_of) => {
                let words = "TYPEOF is not taken in a query inside of a query";
                return Err(QueryError::at(
                    code::MALFORMED_QUERY,
                    self.text,
                    type_of.path.place,
                    words,
                ));
            }
        }
        Ok(())
    }

    fn children(&self, query: &Query) -> Result<Shown, QueryError> {
        let object = self.object();
        let (sobject, field) = self.schema.child(&object.name, &query.from).ok_or_else(|| {
            let words = format!(
                "Didn't understand relationship '{}' in FROM part of query call. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.",
                query.from
            );
            QueryError::at(code::TYPE, self.text, query.from_place, &words)
        })?;
        let binder = Binder {
            sobject,
            alias: query.alias.as_deref(),
            ..*self
        };
        let plan = binder.query(query, false)?;
        if plan.count_only || plan.grouping.is_some() {
            let words = "a query for children takes fields only";
            return Err(QueryError::at(
                code::MALFORMED_QUERY,
                self.text,
                query.from_place,
                words,
            ));
        }
        let named = self.schema.sobjects[sobject].fields[field].child_relationship.as_ref();
        Ok(Shown::Children {
            name: named.map(|(name, _)| name.to_string()).unwrap_or_default(),
            field,
            plan: Box::new(plan),
        })
    }

    /// A value that rows are compared, sorted or grouped by; `use_` is the word for that in an error.
    pub(super) fn expr(&self, expr: &Expr, use_: &str, grouping: Option<&Grouping>) -> Result<BoundExpr, QueryError> {
        let refuse = |path: &Path, code, words: String| Err(QueryError::at(code, self.text, path.place, &words));
        match expr {
            Expr::Field(path) => {
                let (bound, field) = self.path(path)?;
                if matches!(field.kind, FieldType::LongText | FieldType::Address) {
                    let words = format!("field '{}' can not be {use_} in a query call", field.name);
                    return refuse(path, code::FIELD, words);
                }
                Ok(BoundExpr::Field(bound))
            }
            Expr::Part(function, path) => {
                let (bound, field) = self.path(path)?;
                let fits = match field.kind {
                    FieldType::DateTime => true,
                    FieldType::Date => !function.needs_time(),
                    _ => false,
                };
                if !fits {
                    let words = format!("field {} does not support this date function", field.name);
                    return refuse(path, code::FIELD, words);
                }
                Ok(BoundExpr::Part(*function, bound))
            }
            Expr::Grouping(path) => {
                let bound = BoundExpr::Field(self.path(path)?.0);
                let key = grouping.and_then(|g| g.keys.iter().position(|key| *key == bound));
                let totalled = grouping.is_some_and(|g| g.totals != Totals::None);
                match key.filter(|_| totalled) {
                    Some(key) => Ok(BoundExpr::Grouping(key)),
                    None => {
                        let words = "GROUPING takes a field of GROUP BY ROLLUP or GROUP BY CUBE";
                        refuse(path, code::MALFORMED_QUERY, words.to_owned())
                    }
                }
            }
            Expr::Aggregate(function, None, _) => Ok(BoundExpr::Aggregate(*function, None)),
            Expr::Aggregate(function, Some(path), _) => {
                let (bound, field) = self.path(path)?;
                let summing = matches!(function, Function::Sum | Function::Avg);
                if (summing && !field.kind.is_number())
                    || matches!(field.kind, FieldType::LongText | FieldType::Address)
                {
                    let words = format!("field {} does not support aggregate operator {function:?}", field.name);
                    return refuse(path, code::MALFORMED_QUERY, words);
                }
                Ok(BoundExpr::Aggregate(*function, Some(bound)))
            }
        }
    }

    /// Adds a field to what is shown; one parent is shown once, with all its fields.
    pub(super) fn show(&self, shown: &mut Vec<Shown>, sobject: usize, hops: &[usize], field: usize) {
        let Some((hop, rest)) = hops.split_first() else {
            if !shown.contains(&Shown::Field(field)) {
                shown.push(Shown::Field(field));
            }
            return;
        };
        let target = self.target(sobject, *hop).unwrap_or(sobject);
        let existing = shown.iter_mut().find_map(|s| match s {
            Shown::Parent { field, shown, .. } if field == hop => Some(shown),
            _ => None,
        });
        match existing {
            Some(inner) => self.show(inner, target, rest, field),
            None => {
                let mut inner = Vec::new();
                self.show(&mut inner, target, rest, field);
                shown.push(Shown::Parent {
                    field: *hop,
                    sobject: target,
                    shown: inner,
                });
            }
        }
    }

    pub(super) fn target(&self, sobject: usize, reference: usize) -> Option<usize> {
        let name = self.schema.sobjects[sobject].fields[reference].reference_to.first()?;
        self.schema.place(name)
    }

    pub(super) fn path(&self, path: &Path) -> Result<(BoundPath, &'s Field), QueryError> {
        let mut names = path.names.as_slice();
        let mut sobject = self.sobject;
        // The object's own name, or its alias, may lead the path.
        let leads = |name: &str| {
            let aliased = self.alias.is_some_and(|alias| name.eq_ignore_ascii_case(alias));
            aliased || (name.eq_ignore_ascii_case(&self.object().name) && self.object().relationship(name).is_none())
        };
        if names.len() > 1 && leads(&names[0]) {
            names = &names[1..];
        }
        if names.len() > MAX_NAMES {
            let words = "a path may name at most five parents";
            return Err(QueryError::at(code::MALFORMED_QUERY, self.text, path.place, words));
        }
        let mut hops = Vec::new();
        while let [parent, _, ..] = names {
            let object = &self.schema.sobjects[sobject];
            let hop = object.relationship(parent).ok_or_else(|| {
                let words = format!(
                    "Didn't understand relationship '{parent}' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."
                );
                QueryError::at(code::FIELD, self.text, path.place, &words)
            })?;
            let several = object.fields[hop].reference_to.len() > 1;
            sobject = self.target(sobject, hop).unwrap_or(sobject);
            hops.push(hop);
            names = &names[1..];
            if several {
                // Rows of several objects share names of their own, but no parents.
                let name = names.first().filter(|_| names.len() == 1);
                return self.shared(path, sobject, hops, name.map_or(parent, |name| name));
            }
        }
        let object = &self.schema.sobjects[sobject];
        let name = names.first().map_or("", String::as_str);
        let field = object.field(name).ok_or_else(|| {
            let words = format!(
                "No such column '{name}' on entity '{}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.",
                object.name
            );
            QueryError::at(code::FIELD, self.text, path.place, &words)
        })?;
        let exact = object.fields[field].case_sensitive
            || matches!(object.fields[field].kind, FieldType::Id | FieldType::Reference);
        let named = None;
        let bound = BoundPath {
            hops,
            field,
            named,
            computed: object.fields[field].formula.is_some().then_some(sobject),
            exact,
        };
        Ok((bound, &object.fields[field]))
    }
}
