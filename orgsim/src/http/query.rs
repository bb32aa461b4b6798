//! `…/query` and `…/queryAll`: SOQL, page by page.

use std::sync::Arc;

use http::Method;

use super::data::{Session, method_not_allowed};
use super::reply::{self, Reply};
use crate::cursors::Cursor;
use crate::org::{Org, Row, RowError, write_string};
use crate::soql::{self, Plan, QueryError};

/// Rows of a page: at most, at least, and at most when a long text is selected (contract 5, observed 2026).
const PAGE: usize = 2_000;
const SMALLEST_PAGE: usize = 200;
const LONG_TEXT_PAGE: usize = 1_000;

pub(super) fn handle(session: &Session<'_>, rest: &[&str], deleted: bool) -> Result<Reply, Reply> {
    if session.call.method != Method::GET && session.call.method != Method::HEAD {
        return Err(method_not_allowed(session, "GET,HEAD"));
    }
    match rest {
        [] => first(session, deleted),
        [locator] => next(session, locator),
        _ => Err(reply::row_error(&RowError::not_found())),
    }
}

fn refused(error: &QueryError) -> Reply {
    reply::error(400, error.code, &error.message)
}

fn first(session: &Session<'_>, deleted: bool) -> Result<Reply, Reply> {
    let text = session.call.parameter("q").unwrap_or_default();
    if text.is_empty() {
        return Err(reply::error(
            400,
            "MALFORMED_QUERY",
            "A query string has to be specified",
        ));
    }
    let query = soql::parse(text).map_err(|e| refused(&e))?;
    let org = session.rows();
    let plan = soql::bind(text, &query, &org.schema, session.now()).map_err(|e| refused(&e))?;
    if session.call.parameter("columns") == Some("true") {
        return Ok(Reply::json(200, soql::columns(&org.schema, &plan).to_string()));
    }
    let rows = soql::run(&org, &plan, deleted);
    let mut body = String::new();
    if plan.count_only {
        body = format!("{{\"totalSize\":{},\"done\":true,\"records\":[]}}", rows.len());
    } else if let Some(grouping) = &plan.grouping {
        let groups = soql::groups(&org, &plan, grouping, &rows);
        if groups.len() > PAGE {
            // [from memory]
            let text =
                "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch";
            return Err(reply::error(400, "EXCEEDED_ID_LIMIT", text));
        }
        body.push_str(&format!("{{\"totalSize\":{},\"done\":true,\"records\":[", groups.len()));
        for (i, group) in groups.iter().enumerate() {
            if i > 0 {
                body.push(',');
            }
            soql::write_group(&mut body, grouping, group);
        }
        body.push_str("]}");
    } else {
        let size = page_size(session, &plan);
        let more = if rows.len() > size {
            let (user, now_ms) = (Arc::clone(&session.user.id), session.world.clock.now_ms());
            let cursor = session
                .org
                .cursors()
                .open(user, Arc::new(plan.clone()), rows.clone(), size, now_ms);
            Some(format!("{}-{size}", cursor.id))
        } else {
            None
        };
        let shown = &rows[..rows.len().min(size)];
        page(&mut body, session, &org, &plan, shown, rows.len(), more.as_deref());
    }
    Ok(Reply::json(200, body))
}

fn page_size(session: &Session<'_>, plan: &Plan) -> usize {
    let options = session.call.header("sforce-query-options").unwrap_or_default();
    let asked = options
        .split([',', ';'])
        .find_map(|o| o.trim().strip_prefix("batchSize="))
        .and_then(|n| n.parse().ok());
    let size = asked.unwrap_or(PAGE).clamp(SMALLEST_PAGE, PAGE);
    if plan.long_text { size.min(LONG_TEXT_PAGE) } else { size }
}

fn next(session: &Session<'_>, locator: &str) -> Result<Reply, Reply> {
    let invalid = || reply::error(400, "INVALID_QUERY_LOCATOR", "invalid query locator");
    let (id, offset) = locator.rsplit_once('-').ok_or_else(invalid)?;
    let offset: usize = offset.parse().map_err(|_| invalid())?;
    let cursor = session
        .org
        .cursors()
        .get(id, session.world.clock.now_ms())
        .ok_or_else(invalid)?;
    let Cursor {
        user,
        plan,
        rows,
        page: size,
        ..
    } = &*cursor;
    if *user != session.user.id {
        // The words are from memory.
        return Err(reply::error(
            400,
            "UNAUTHORIZED_USER_FOR_CURSOR",
            "query cursor does not belong to the user",
        ));
    }
    if offset > rows.len() {
        return Err(invalid());
    }
    let end = rows.len().min(offset + size);
    let more = (end < rows.len()).then(|| format!("{id}-{end}"));
    let mut body = String::new();
    let org = session.rows();
    page(
        &mut body,
        session,
        &org,
        plan,
        &rows[offset..end],
        rows.len(),
        more.as_deref(),
    );
    Ok(Reply::json(200, body))
}

fn page(
    out: &mut String,
    session: &Session<'_>,
    org: &Org,
    plan: &Plan,
    rows: &[Arc<Row>],
    total: usize,
    more: Option<&str>,
) {
    let done = more.is_none();
    out.push_str(&format!("{{\"totalSize\":{total},\"done\":{done},"));
    if let Some(more) = more {
        out.push_str("\"nextRecordsUrl\":");
        write_string(out, &format!("{}/query/{more}", session.base));
        out.push(',');
    }
    out.push_str("\"records\":[");
    for (i, row) in rows.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        soql::write_row(out, org, plan, row, &session.base);
    }
    out.push_str("]}");
}
