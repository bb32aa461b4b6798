//! `…/composite/sobjects/…`: up to 200 rows in one call (contract 3.2).

use http::Method;

use super::data::{Session, method_not_allowed};
use super::reply::{self, Reply, write_errors};
use crate::org::{Batch, BatchOutcome, Json, RowError, code, write_record, write_string};

/// Most ids of a retrieve: of a GET, of a POST [from memory].
const MAX_GET_IDS: usize = 800;
const MAX_POST_IDS: usize = 2_000;

pub(super) fn handle(session: &Session<'_>, rest: &[&str]) -> Result<Reply, Reply> {
    let method = &session.call.method;
    match rest {
        [] if method == Method::DELETE => delete(session),
        [] if method == Method::POST || method == Method::PATCH => write(session, None),
        [] => Err(method_not_allowed(session, "DELETE,PATCH,POST")),
        [sobject] if method == Method::GET => retrieve(session, sobject),
        [sobject] if method == Method::POST => retrieve_posted(session, sobject),
        [sobject, field] if method == Method::PATCH => write(session, Some((sobject, field))),
        _ => Err(reply::row_error(&RowError::not_found())),
    }
}

fn write(session: &Session<'_>, upsert: Option<(&str, &str)>) -> Result<Reply, Reply> {
    let body = session.call.json()?;
    let Some(Json::Array(records)) = body.get("records") else {
        return Err(reply::error(
            400,
            code::JSON,
            "The request body needs an array \"records\".",
        ));
    };
    let all_or_none = session.all_or_none(matches!(body.get("allOrNone"), Some(Json::Bool(true))));
    let refused = session.refused(records.len());
    let caller = session.collection_caller();
    let batch = Batch {
        caller: &caller,
        now: session.now(),
        all_or_none,
        refused: &refused,
    };
    let updating = session.call.method == Method::PATCH;
    let verb = if upsert.is_some() {
        "upsert"
    } else if updating {
        "update"
    } else {
        "create"
    };
    session.org.usage().count_rows(verb, records.len());
    let mut org = session.rows();
    let outcomes = match upsert {
        Some((sobject, field)) => {
            let place = org
                .schema
                .place(sobject)
                .ok_or_else(|| reply::row_error(&RowError::not_found()))?;
            let field = org.external_field(place, field).map_err(|e| reply::row_error(&e))?;
            org.upsert_many(batch, place, field, records)
        }
        None if updating => org.update_many(batch, records),
        None => org.create_many(batch, records),
    };
    drop(org);
    outcomes
        .map(|o| answer(&o))
        .map_err(|e| reply::error(400, e.code, &e.message))
}

fn delete(session: &Session<'_>) -> Result<Reply, Reply> {
    let ids: Vec<&str> = session
        .call
        .parameter("ids")
        .unwrap_or_default()
        .split(',')
        .filter(|id| !id.is_empty())
        .collect();
    if ids.is_empty() {
        return Err(reply::error(
            400,
            code::MISSING_ARGUMENT,
            "The ids parameter is required.",
        ));
    }
    let refused = session.refused(ids.len());
    let caller = session.collection_caller();
    let asked = session.call.parameter("allOrNone");
    let all_or_none = session.all_or_none(asked.is_some_and(|v| v.eq_ignore_ascii_case("true")));
    let batch = Batch {
        caller: &caller,
        now: session.now(),
        all_or_none,
        refused: &refused,
    };
    session.org.usage().count_rows("delete", ids.len());
    let outcomes = session.rows().delete_many(batch, &ids);
    outcomes
        .map(|o| answer(&o))
        .map_err(|e| reply::error(400, e.code, &e.message))
}

/// HTTP 200 whatever became of the rows [V:D-COLCRE]; failed rows have no id (observed 2026).
fn answer(outcomes: &BatchOutcome) -> Reply {
    let mut body = String::with_capacity(outcomes.len() * 64 + 2);
    body.push('[');
    for (i, outcome) in outcomes.iter().enumerate() {
        body.push_str(if i > 0 { ",{" } else { "{" });
        if let Some(id) = &outcome.id {
            body.push_str("\"id\":");
            write_string(&mut body, id);
            body.push(',');
        }
        match &outcome.error {
            None => body.push_str("\"success\":true,\"errors\":[]"),
            Some(error) => {
                body.push_str("\"success\":false,\"errors\":[");
                write_errors(&mut body, "statusCode", error);
                body.push(']');
            }
        }
        match outcome.created {
            Some(true) => body.push_str(",\"created\":true"),
            Some(false) => body.push_str(",\"created\":false"),
            None => {}
        }
        body.push('}');
    }
    body.push(']');
    Reply::json(200, body)
}

fn retrieve(session: &Session<'_>, sobject: &str) -> Result<Reply, Reply> {
    let list = |name: &str| -> Vec<&str> {
        session
            .call
            .parameter(name)
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|t| !t.is_empty())
            .collect()
    };
    rows(session, sobject, &list("ids"), &list("fields"), MAX_GET_IDS)
}

fn retrieve_posted(session: &Session<'_>, sobject: &str) -> Result<Reply, Reply> {
    let body = session.call.json()?;
    let list = |name: &str| -> Vec<&str> {
        match body.get(name) {
            Some(Json::Array(items)) => items.iter().filter_map(Json::as_text).collect(),
            _ => Vec::new(),
        }
    };
    rows(session, sobject, &list("ids"), &list("fields"), MAX_POST_IDS)
}

/// The rows in the order of the ids; `null` for one that is not there [from memory].
fn rows(session: &Session<'_>, sobject: &str, ids: &[&str], names: &[&str], most: usize) -> Result<Reply, Reply> {
    let org = session.rows();
    let place = org
        .schema
        .place(sobject)
        .ok_or_else(|| reply::row_error(&RowError::not_found()))?;
    let object = &org.schema.sobjects[place];
    if ids.len() > most {
        let text = format!("record limit reached. cannot retrieve more than {most} records in this call");
        return Err(reply::error(400, code::EXCEEDED_ID_LIMIT, &text));
    }
    if ids.is_empty() || names.is_empty() {
        return Err(reply::error(
            400,
            code::MISSING_ARGUMENT,
            "The ids and fields parameters are required.",
        ));
    }
    let fields: Vec<usize> = names
        .iter()
        .map(|name| {
            object
                .field(name)
                .ok_or_else(|| reply::row_error(&RowError::no_column(name, &object.name)))
        })
        .collect::<Result<_, _>>()?;
    let mut body = String::from("[");
    for (i, id) in ids.iter().enumerate() {
        if i > 0 {
            body.push(',');
        }
        let row = org
            .record(place, id)
            .ok()
            .and_then(|r| org.row(r))
            .filter(|r| !r.is_deleted());
        match row {
            Some(row) => write_record(&mut body, &org, place, row, &session.base, &fields),
            None => body.push_str("null"),
        }
    }
    body.push(']');
    Ok(Reply::json(200, body))
}
