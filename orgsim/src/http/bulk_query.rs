//! `…/jobs/query/…`: rows that go out (contract 4.4).

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use super::bulk::{self, refused};
use super::bulk_run;
use super::data::{Session, method_not_allowed};
use super::reply::{self, Reply};
use crate::bulk::{Mark, PAGE_ROWS, SharedJob, Sheet, State, hold, new_query};

/// First version with a list of result pages [V:D-BQPAR].
const RESULT_PAGES_FROM: u32 = 58;
/// Result pages of one list [V:D-BQPAR].
const LISTED_PAGES: usize = 5;

pub(super) fn handle(session: &Session<'_>, rest: &[&str]) -> Result<Reply, Reply> {
    let method = &session.call.method;
    match rest {
        [] if method == Method::POST => create(session),
        [] => bulk::list(session, true),
        [id] => {
            let job = bulk::find(session, id, true)?;
            match *method {
                Method::GET | Method::HEAD => Ok(bulk::show(&job)),
                Method::PATCH if bulk::asked_state(session)? == State::Aborted => bulk::abort(session, &job),
                Method::PATCH => Err(bulk::wrong_state("Closing", &hold(&job))),
                Method::DELETE => bulk::delete(session, &job),
                _ => Err(method_not_allowed(session, "DELETE,GET,HEAD,PATCH")),
            }
        }
        [id, part] => {
            let job = bulk::find(session, id, true)?;
            if method != Method::GET && method != Method::HEAD {
                return Err(method_not_allowed(session, "GET,HEAD"));
            }
            match part.to_ascii_lowercase().as_str() {
                "results" => results(session, &job),
                "resultpages" if session.version >= RESULT_PAGES_FROM => result_pages(session, &job),
                _ => Err(bulk::not_found()),
            }
        }
        _ => Err(bulk::not_found()),
    }
}

fn create(session: &Session<'_>) -> Result<Reply, Reply> {
    let schema = Arc::clone(&session.rows().schema);
    let made = new_query(&session.call.json()?, &schema, session.now()).map_err(|e| refused(&e))?;
    let now_ms = session.world.clock.now_ms();
    let job = session.org.jobs().add(made, &session.user.id, session.version, now_ms);
    let job = job.map_err(|e| refused(&e))?;
    let shown = bulk::show(&job);
    bulk_run::query(session, job);
    Ok(shown)
}

/// The finished result, its job's id, and where the call wants to read.
fn wanted(session: &Session<'_>, job: &SharedJob) -> Result<(Arc<Sheet>, String, Mark), Reply> {
    let mut job = hold(job);
    if job.version != session.version {
        // 409 [V:D-BQRES]; code and words from memory.
        let words = format!(
            "The job was created with API version {}.0; its results are read with the same version",
            job.version
        );
        return Err(reply::error(409, "CONFLICT", &words));
    }
    let (state, id) = (job.state, job.id.clone());
    let sheet = job.query().and_then(|q| q.sheet.clone());
    let Some(sheet) = sheet.filter(|_| state == State::JobComplete) else {
        // [from memory]
        let words = format!("InvalidJobState : A job in state {} has no results", state.name());
        return Err(reply::error(400, "INVALIDJOBSTATE", &words));
    };
    let most = match session.call.parameter("maxRecords") {
        None => None,
        Some(text) => Some(text.parse().ok().filter(|n| *n > 0).ok_or_else(|| {
            let words = format!("maxRecords is no positive number: {text}");
            reply::error(400, "INVALID_INPUT", &words)
        })?),
    };
    let mut mark = match session.call.parameter("locator").filter(|l| !l.is_empty()) {
        None => Mark { at: 0, rows: PAGE_ROWS },
        Some(locator) => Mark::read(locator, &id).ok_or_else(|| foreign(locator))?,
    };
    mark.rows = most.unwrap_or(mark.rows);
    Ok((sheet, id, mark))
}

/// A locator that this job did not give out; the code is in the catalogue, the words are from memory.
fn foreign(locator: &str) -> Reply {
    reply::error(400, "INVALID_LOCATOR", &format!("invalid locator: {locator}"))
}

fn results(session: &Session<'_>, job: &SharedJob) -> Result<Reply, Reply> {
    let (sheet, id, mark) = wanted(session, job)?;
    let page = sheet
        .page(mark)
        .ok_or_else(|| foreign(session.call.parameter("locator").unwrap_or_default()))?;
    // The text `null` ends it [V:D-BQRES]: clients loop for ever without (observed).
    let next = page.next.map_or_else(|| "null".to_owned(), |next| next.locator(&id));
    Ok(bulk::csv(page.text)
        .with("sforce-locator", next)
        .with("sforce-numberofrecords", page.rows.to_string()))
}

/// Up to five pages that can be read side by side [V:D-BQPAR].
fn result_pages(session: &Session<'_>, job: &SharedJob) -> Result<Reply, Reply> {
    let (sheet, id, mut mark) = wanted(session, job)?;
    let url = |part: &str, mark: Mark| format!("{}/jobs/query/{id}/{part}?locator={}", session.base, mark.locator(&id));
    let mut pages = Vec::new();
    while pages.len() < LISTED_PAGES && (mark.at < sheet.rows() || mark.at == 0) {
        pages.push(json!({"resultUrl": url("results", mark)}));
        mark.at = mark.at.saturating_add(mark.rows);
    }
    let more = mark.at < sheet.rows();
    let next = if more {
        Value::String(url("resultPages", mark))
    } else {
        Value::Null
    };
    Ok(Reply::json(
        200,
        json!({"resultPages": pages, "nextRecordsUrl": next, "done": !more}).to_string(),
    ))
}
