//! `POST …/composite/graph`: families of rows, each family all or nothing (contract 3.5).

use std::collections::{BTreeSet, HashMap};

use super::super::data::Session;
use super::super::reply::{self, Reply};
use super::subrequest::Subrequest;
use super::{subrequests, together, write_answers};
use crate::org::{Json, code, write_string};

/// Graphs and nodes of a call, and kinds and depth of one graph's nodes [V:D-GRAPH].
const MAX_GRAPHS: usize = 75;
const MAX_NODES: usize = 500;
const MAX_KINDS: usize = 15;
const MAX_DEPTH: usize = 15;
/// Failed graphs after which the rest is not worked on [V:D-GRAPH].
const MAX_FAILED: usize = 14;

pub(super) fn handle(session: &Session<'_>) -> Result<Reply, Reply> {
    let body = session.call.json()?;
    let refuse = |code: &str, text: &str| reply::error(400, code, text);
    let Some(Json::Array(graphs)) = body.get("graphs") else {
        return Err(refuse(code::MISSING_ARGUMENT, "The array graphs is required."));
    };
    if graphs.is_empty() || graphs.len() > MAX_GRAPHS {
        let text = format!("A payload takes 1 to {MAX_GRAPHS} graphs, not {}.", graphs.len());
        return Err(refuse(code::LIMIT, &text));
    }
    let mut families = Vec::with_capacity(graphs.len());
    let mut ids = BTreeSet::new();
    let mut nodes = 0;
    for graph in graphs {
        let id = graph.get("graphId").and_then(Json::as_text).unwrap_or_default();
        if id.is_empty() || !ids.insert(id) {
            return Err(refuse(
                code::JSON,
                &format!("The graphId '{id}' is missing or not unique."),
            ));
        }
        let family = subrequests(graph, "compositeRequest", MAX_NODES)?;
        nodes += family.len();
        check(id, &family)?;
        families.push((id, family));
    }
    if nodes > MAX_NODES {
        return Err(refuse(
            code::LIMIT,
            &format!("A payload takes at most {MAX_NODES} nodes, not {nodes}."),
        ));
    }
    let mut out = String::from("{\"graphs\":[");
    let mut failed = 0;
    for (i, (id, family)) in families.iter().enumerate() {
        let (answers, stands) = if failed >= MAX_FAILED {
            let halted = || super::halted("Too many graphs of the payload have failed.");
            (family.iter().map(|_| halted()).collect(), false)
        } else {
            together(session, family, true)
        };
        failed += usize::from(!stands);
        out.push_str(if i > 0 { ",{\"graphId\":" } else { "{\"graphId\":" });
        write_string(&mut out, id);
        out.push_str(",\"graphResponse\":{\"compositeResponse\":");
        write_answers(&mut out, family, &answers);
        out.push_str(&format!("}},\"isSuccessful\":{stands}}}"));
    }
    out.push_str("]}");
    Ok(Reply::json(200, out))
}

/// Only rows by id or external id; few kinds; not too deep [V:D-GRAPHINTRO, V:D-GRAPH; words from memory].
fn check(id: &str, family: &[Subrequest<'_>]) -> Result<(), Reply> {
    let refuse = |code: &str, text: String| Err(reply::error(400, code, &text));
    let mut kinds = BTreeSet::new();
    let mut depths: HashMap<&str, usize> = HashMap::new();
    for node in family {
        let resource = node.resource();
        if !matches!(
            resource.as_slice(),
            ["sobjects", _] | ["sobjects", _, _] | ["sobjects", _, _, _]
        ) {
            return refuse(
                code::JSON,
                format!("The URL {} is not supported in graph {id}.", node.url),
            );
        }
        let version = node.url.split('/').find(|s| s.starts_with('v')).unwrap_or_default();
        kinds.insert((node.method.as_str().to_owned(), version, resource[1]));
        let mut text = node.url.to_owned();
        if let Some(body) = node.body {
            collect_texts(body, &mut text);
        }
        let refers =
            |reference: &str| text.contains(&format!("@{{{reference}.")) || text.contains(&format!("@{{{reference}["));
        let parents = depths
            .iter()
            .filter(|(reference, _)| refers(reference))
            .map(|(_, depth)| *depth);
        let depth = parents.max().unwrap_or(0) + 1;
        if depth > MAX_DEPTH {
            return refuse(code::LIMIT, format!("Graph {id} is deeper than {MAX_DEPTH} levels."));
        }
        depths.insert(node.reference, depth);
    }
    if kinds.len() > MAX_KINDS {
        let text = format!(
            "Graph {id} has {} kinds of nodes; at most {MAX_KINDS} are allowed.",
            kinds.len()
        );
        return refuse(code::LIMIT, text);
    }
    Ok(())
}

fn collect_texts(value: &Json<'_>, out: &mut String) {
    match value {
        Json::Text(text) => {
            out.push(' ');
            out.push_str(text);
        }
        Json::Array(items) => items.iter().for_each(|item| collect_texts(item, out)),
        Json::Object(members) => members.iter().for_each(|(_, member)| collect_texts(member, out)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}
