//! `POST …/composite/tree/{type}`: new rows with their children, all or none (contract 3.4).

use std::collections::BTreeSet;

use super::super::data::Session;
use super::super::reply::{self, Reply, write_errors};
use crate::org::{Json, Member, RowError, Transaction, code, write_string};
use crate::schema::Schema;

/// Rows, types and levels of a tree [V:TREE-NOTE].
const MAX_ROWS: usize = 200;
const MAX_TYPES: usize = 5;
const MAX_LEVELS: usize = 5;

/// One row to make, after its parent.
struct Node<'b> {
    sobject: usize,
    reference: &'b str,
    /// The parent's place in the list, and the field that names it.
    parent: Option<(usize, usize)>,
    members: Vec<Member<'b>>,
}

pub(super) fn handle(session: &Session<'_>, sobject: &str) -> Result<Reply, Reply> {
    let body = session.call.json()?;
    let schema = std::sync::Arc::clone(&session.rows().schema);
    let place = schema
        .place(sobject)
        .ok_or_else(|| reply::row_error(&RowError::not_found()))?;
    let Some(Json::Array(records)) = body.get("records") else {
        return Err(reply::error(
            400,
            code::JSON,
            "The request body needs an array \"records\".",
        ));
    };
    let mut nodes = Vec::new();
    for record in records {
        plant(&schema, record, place, None, 1, &mut nodes)?;
    }
    let mut references = BTreeSet::new();
    if let Some(node) = nodes
        .iter()
        .find(|n| n.reference.is_empty() || !references.insert(n.reference))
    {
        let text = format!("The referenceId '{}' is missing or not unique.", node.reference);
        return Err(failed(&[(node.reference, RowError::new(code::INVALID_INPUT, text))]));
    }
    let types: BTreeSet<usize> = nodes.iter().map(|n| n.sobject).collect();
    if nodes.is_empty() || nodes.len() > MAX_ROWS || types.len() > MAX_TYPES {
        let text = format!("A tree takes 1 to {MAX_ROWS} records of at most {MAX_TYPES} types.");
        return Err(reply::error(400, code::LIMIT, &text));
    }
    session.org.usage().count_rows("create", nodes.len());
    let refused = session.refused(nodes.len());
    let caller = session.collection_caller();
    let mut org = session.rows();
    let mut tx = Transaction::begin(&mut org, &caller, session.now());
    let mut made: Vec<Option<String>> = Vec::with_capacity(nodes.len());
    let mut errors = Vec::new();
    for (at, node) in nodes.iter_mut().enumerate() {
        if let Some((parent, field)) = node.parent {
            // Of a row whose parent failed nothing is said: it was not tried.
            let Some(id) = &made[parent] else {
                made.push(None);
                continue;
            };
            let name = schema.sobjects[node.sobject].fields[field].name.to_string();
            node.members.push((name.into(), Json::Text(id.clone().into())));
        }
        let row = match refused.get(at) {
            Some(Some(error)) => Err(error.clone()),
            _ => tx.create(node.sobject, &node.members),
        };
        match row {
            Ok(record) => made.push(tx.row(record).map(|row| row.id().to_owned())),
            Err(error) => {
                errors.push((node.reference, error));
                made.push(None);
            }
        }
    }
    if errors.is_empty() {
        tx.commit();
        return Ok(grown(&nodes, &made));
    }
    Err(failed(&errors))
}

/// Lists a record and its children, parents first.
fn plant<'b>(
    schema: &Schema,
    record: &'b Json<'b>,
    sobject: usize,
    parent: Option<(usize, usize)>,
    level: usize,
    nodes: &mut Vec<Node<'b>>,
) -> Result<(), Reply> {
    let object = &schema.sobjects[sobject];
    let named = record.type_name().unwrap_or_default();
    if !named.eq_ignore_ascii_case(&object.name) {
        let text = format!("A record of type {} is needed here, not '{named}'.", object.name);
        return Err(reply::error(400, code::TYPE, &text));
    }
    if level > MAX_LEVELS || nodes.len() > MAX_ROWS {
        let text = format!("A tree takes at most {MAX_ROWS} records of {MAX_LEVELS} levels.");
        return Err(reply::error(400, code::LIMIT, &text));
    }
    let reference = record.get("attributes").and_then(|a| a.get("referenceId"));
    let at = nodes.len();
    nodes.push(Node {
        sobject,
        reference: reference.and_then(Json::as_text).unwrap_or_default(),
        parent,
        members: Vec::new(),
    });
    for (name, value) in record.members() {
        let Some(Json::Array(children)) = value.get("records") else {
            nodes[at].members.push((name.clone(), value.clone()));
            continue;
        };
        let (child, field) = schema
            .child(&object.name, name)
            .ok_or_else(|| reply::row_error(&RowError::no_column(name, &object.name)))?;
        for record in children {
            plant(schema, record, child, Some((at, field)), level + 1, nodes)?;
        }
    }
    Ok(())
}

fn grown(nodes: &[Node<'_>], made: &[Option<String>]) -> Reply {
    let mut body = String::from("{\"hasErrors\":false,\"results\":[");
    for (i, (node, id)) in nodes.iter().zip(made).enumerate() {
        body.push_str(if i > 0 {
            ",{\"referenceId\":"
        } else {
            "{\"referenceId\":"
        });
        write_string(&mut body, node.reference);
        body.push_str(",\"id\":");
        write_string(&mut body, id.as_deref().unwrap_or_default());
        body.push('}');
    }
    body.push_str("]}");
    Reply::json(201, body)
}

/// Only what was refused is told [V:P-MAZZA; envelope from memory].
fn failed(errors: &[(&str, RowError)]) -> Reply {
    let mut body = String::from("{\"hasErrors\":true,\"results\":[");
    for (i, (reference, error)) in errors.iter().enumerate() {
        body.push_str(if i > 0 {
            ",{\"referenceId\":"
        } else {
            "{\"referenceId\":"
        });
        write_string(&mut body, reference);
        body.push_str(",\"errors\":[");
        write_errors(&mut body, "statusCode", error);
        body.push_str("]}");
    }
    body.push_str("]}");
    Reply::json(400, body)
}
