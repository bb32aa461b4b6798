//! What a query for groups names: keys, columns, HAVING.

use super::QueryError;
use super::ast::{Expr, Item, Query};
use super::bind::Binder;
use super::plan::{BoundExpr, Grouping};
use crate::org::code;

impl Binder<'_> {
    pub(super) fn grouping(&self, query: &Query) -> Result<Grouping, QueryError> {
        let mut grouping = Grouping {
            keys: Vec::new(),
            totals: query.totals,
            columns: Vec::new(),
            having: None,
        };
        for key in &query.group {
            let expr = self.expr(key, "grouped", None)?;
            if let BoundExpr::Aggregate(..) = expr {
                let words = "an aggregate function can not be grouped by";
                return Err(QueryError::at(code::MALFORMED_QUERY, self.text, key.place(), words));
            }
            grouping.keys.push(expr);
        }
        let mut unnamed = 0;
        for item in &query.items {
            let Item::Value { expr, alias } = item else {
                let words = "fields of children and FIELDS() do not go with aggregates";
                return Err(QueryError::new(code::MALFORMED_QUERY, words));
            };
            let bound = self.expr(expr, "grouped", Some(&grouping))?;
            self.grouped(&bound, expr, Some(&grouping))?;
            let name = match (alias, expr) {
                (Some(alias), _) => alias.clone(),
                (None, Expr::Field(path)) => self.path(path)?.1.name.to_string(),
                (None, _) => {
                    unnamed += 1;
                    format!("expr{}", unnamed - 1)
                }
            };
            if grouping.columns.iter().any(|(known, _)| *known == name) {
                let words = format!("duplicate alias: {name}");
                return Err(QueryError::at(code::MALFORMED_QUERY, self.text, expr.place(), &words));
            }
            grouping.columns.push((name, bound));
        }
        let having = query.having.as_ref();
        grouping.having = having.map(|c| self.condition(c, Some(&grouping))).transpose()?;
        Ok(grouping)
    }

    /// Whether every row of a group has the same value of it.
    pub(super) fn grouped(
        &self,
        bound: &BoundExpr,
        expr: &Expr,
        grouping: Option<&Grouping>,
    ) -> Result<(), QueryError> {
        let known = matches!(bound, BoundExpr::Aggregate(..) | BoundExpr::Grouping(_))
            || grouping.is_some_and(|g| g.keys.contains(bound));
        if known {
            return Ok(());
        }
        let name = match expr {
            Expr::Field(path) | Expr::Part(_, path) | Expr::Aggregate(_, Some(path), _) | Expr::Grouping(path) => {
                path.names.join(".")
            }
            Expr::Aggregate(_, None, _) => String::new(),
        };
        let words = format!("Field must be grouped or aggregated: {name}");
        Err(QueryError::at(code::MALFORMED_QUERY, self.text, expr.place(), &words))
    }
}
