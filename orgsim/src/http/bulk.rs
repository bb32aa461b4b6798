//! `…/jobs/…`: Bulk API 2.0, what ingest and query jobs have in common (contract 4).

use http::Method;
use serde_json::{Value, json};

use super::data::{Session, method_not_allowed};
use super::reply::{self, Reply};
use super::{bulk_ingest, bulk_query};
use crate::bulk::{Job, Refusal, SharedJob, State, hold};
use crate::org::{Json, RowError};

pub(super) fn handle(session: &Session<'_>, rest: &[&str]) -> Result<Reply, Reply> {
    match rest {
        ["ingest", rest @ ..] => bulk_ingest::handle(session, rest),
        ["query", rest @ ..] => bulk_query::handle(session, rest),
        _ => Err(not_found()),
    }
}

pub(super) fn not_found() -> Reply {
    reply::row_error(&RowError::not_found())
}

pub(super) fn refused(refusal: &Refusal) -> Reply {
    reply::error(refusal.status, refusal.code, &refusal.message)
}

/// A file of CSV.
pub(super) fn csv(body: String) -> Reply {
    Reply {
        status: 200,
        headers: vec![("content-type".into(), "text/csv".to_owned())],
        body,
    }
}

/// The job of this kind with this id: 404 for any other [V: docs of "Get Information About a Query Job"].
pub(super) fn find(session: &Session<'_>, id: &str, query: bool) -> Result<SharedJob, Reply> {
    let job = session.org.jobs().get(id, session.world.clock.now_ms());
    job.filter(|job| hold(job).is_query() == query).ok_or_else(not_found)
}

pub(super) fn show(job: &SharedJob) -> Reply {
    Reply::json(200, hold(job).show().to_string())
}

/// What a PATCH asks for, and what may be asked for when.
pub(super) fn asked_state(session: &Session<'_>) -> Result<State, Reply> {
    let body = session.call.json()?;
    match body.get("state").and_then(Json::as_text) {
        Some("Aborted") => Ok(State::Aborted),
        Some("UploadComplete") => Ok(State::UploadComplete),
        // [from memory]
        other => {
            let words = format!(
                "InvalidJobState : Job state {} cannot be asked for",
                other.unwrap_or("null")
            );
            Err(reply::error(400, "INVALIDJOBSTATE", &words))
        }
    }
}

/// A state that a job cannot go to from where it is; the words are Bulk API 1.0's [from memory].
pub(super) fn wrong_state(doing: &str, job: &Job) -> Reply {
    let state = match job.state {
        State::JobComplete => "Completed",
        other => other.name(),
    };
    let words = format!("InvalidJobState : {doing} already {state} Job not allowed");
    reply::error(400, "INVALIDJOBSTATE", &words)
}

/// Ends a job that has not ended; one that is worked on stops after its chunk.
pub(super) fn abort(session: &Session<'_>, job: &SharedJob) -> Result<Reply, Reply> {
    let mut job = hold(job);
    if job.state.is_terminal() {
        return Err(wrong_state("Aborting", &job));
    }
    job.go(State::Aborted, session.world.clock.now_ms());
    Ok(Reply::json(200, job.show().to_string()))
}

/// Forgets a job that has ended.
pub(super) fn delete(session: &Session<'_>, job: &SharedJob) -> Result<Reply, Reply> {
    let id = {
        let job = hold(job);
        if !job.state.is_terminal() {
            // [from memory]
            let words = "Error encountered when deleting the job because the job is not terminated";
            return Err(reply::error(400, "API_ERROR", words));
        }
        job.id.clone()
    };
    session.org.jobs().remove(&id);
    Ok(Reply::empty(204))
}

/// Jobs of one kind, a thousand looked at a page; `jobType` may ask for the other kind [V: docs of "Get All Query Jobs"].
pub(super) fn list(session: &Session<'_>, query: bool) -> Result<Reply, Reply> {
    if session.call.method != Method::GET && session.call.method != Method::HEAD {
        return Err(method_not_allowed(session, "GET,HEAD,POST"));
    }
    let parameter = |name: &str| session.call.parameter(name);
    let query = match parameter("jobType") {
        None => Some(query),
        Some(kind) if kind.eq_ignore_ascii_case("V2Query") => Some(true),
        Some(kind) if kind.eq_ignore_ascii_case("V2Ingest") => Some(false),
        // Classic and BigObjectIngest: there are none.
        Some(_) => None,
    };
    let chunked = parameter("isPkChunkingEnabled").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    let serial = parameter("concurrencyMode").is_some_and(|v| v.eq_ignore_ascii_case("serial"));
    let after = parameter("queryLocator");
    let page = session.org.jobs().page(after, session.world.clock.now_ms());
    let (jobs, more) = page.map_err(|e| refused(&e))?;
    let mut last = None;
    let mut records = Vec::new();
    for job in &jobs {
        let job = hold(job);
        // Only Bulk API 1.0 has the header that this is about, and serial jobs.
        if query == Some(job.is_query()) && !chunked && !serial {
            records.push(job.show());
        }
        last = Some(job.id.clone());
    }
    let next = last.filter(|_| more).map(|id| {
        let mut url = format!("{}?queryLocator={id}", session.call.raw_path.trim_end_matches('/'));
        for (name, value) in &session.call.query {
            if name != "queryLocator" {
                let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
                url.push_str(&format!("&{name}={value}"));
            }
        }
        url
    });
    let body =
        json!({"done": next.is_none(), "records": records, "nextRecordsUrl": next.map_or(Value::Null, Value::String)});
    Ok(Reply::json(200, body.to_string()))
}
