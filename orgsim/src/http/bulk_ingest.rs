//! `…/jobs/ingest/…`: rows that come in (contract 4.1).

use std::sync::Arc;

use http::Method;

use super::bulk::{self, refused};
use super::bulk_run;
use super::data::{Session, method_not_allowed};
use super::multipart;
use super::reply::{self, Reply};
use crate::bulk::{SharedJob, State, hold, new_ingest, refused as refused_rows, unprocessed, written};
use crate::org::{Caller, Json};

/// Most characters of an upload in the call that makes the job [from memory].
const SMALL_UPLOAD: usize = 100_000;

pub(super) fn handle(session: &Session<'_>, rest: &[&str]) -> Result<Reply, Reply> {
    let method = &session.call.method;
    match rest {
        [] if method == Method::POST => create(session),
        [] => bulk::list(session, false),
        [id] => {
            let job = bulk::find(session, id, false)?;
            match *method {
                Method::GET | Method::HEAD => Ok(bulk::show(&job)),
                Method::PATCH => change(session, &job),
                Method::DELETE => bulk::delete(session, &job),
                _ => Err(method_not_allowed(session, "DELETE,GET,HEAD,PATCH")),
            }
        }
        // Clients differ in the case of these, and in the slash at their end.
        [id, part] => part_of(session, id, &part.to_ascii_lowercase()),
        _ => Err(bulk::not_found()),
    }
}

fn part_of(session: &Session<'_>, id: &str, part: &str) -> Result<Reply, Reply> {
    let method = &session.call.method;
    let job = bulk::find(session, id, false)?;
    match part {
        "batches" if method == Method::PUT => upload(session, &job),
        "batches" => Err(method_not_allowed(session, "PUT")),
        "successfulresults" | "failedresults" | "unprocessedrecords" => {
            if method != Method::GET && method != Method::HEAD {
                return Err(method_not_allowed(session, "GET,HEAD"));
            }
            results(session, &job, part)
        }
        _ => Err(bulk::not_found()),
    }
}

/// As the rest of the API names its origin, with the client's name [V: change-event docs for the form].
fn caller(session: &Session<'_>) -> Caller {
    let mut caller = session.caller();
    let origin = caller
        .origin
        .replacen("salesforce/api/rest/", "salesforce/api/bulkapi/", 1);
    caller.origin = origin.into();
    // A job says by its assignmentRuleId whether rules run.
    caller.manner = crate::org::Manner::default();
    caller
}

fn create(session: &Session<'_>) -> Result<Reply, Reply> {
    let content_type = session.call.header("content-type").unwrap_or_default();
    let Some(boundary) = multipart::boundary(content_type) else {
        return Ok(bulk::show(&made(session, &session.call.json()?)?));
    };
    let malformed = |words: &str| reply::error(400, "CLIENTINPUTERROR", &format!("ClientInputError : {words}"));
    let parts = multipart::parts(&session.call.body, &boundary);
    let part = |name: &str| parts.iter().find(|p| p.name == name).map(|p| p.body);
    let (Some(asked), Some(content)) = (part("job"), part("content")) else {
        return Err(malformed("The parts job and content are required"));
    };
    let text = std::str::from_utf8(content).map_err(|_| malformed(NOT_UTF8))?;
    if text.chars().count() > SMALL_UPLOAD {
        return Err(malformed(
            "The content of a multipart call has at most 100000 characters",
        ));
    }
    let asked: Json<'_> = serde_json::from_slice(asked).map_err(|_| malformed("The part job is no JSON"))?;
    let job = made(session, &asked)?;
    if let Some(ingest) = hold(&job).ingest() {
        ingest.upload = Some(Arc::new(text.to_owned()));
    }
    close(session, &job)
}

fn made(session: &Session<'_>, asked: &Json<'_>) -> Result<SharedJob, Reply> {
    let schema = Arc::clone(&session.rows().schema);
    let made = new_ingest(asked, &schema, caller(session)).map_err(|e| refused(&e))?;
    let now_ms = session.world.clock.now_ms();
    let job = session.org.jobs().add(made, &session.user.id, session.version, now_ms);
    job.map_err(|e| refused(&e))
}

const NOT_UTF8: &str = "The data are not in UTF-8";

/// Takes the data, once [V:JSF-BULK2].
fn upload(session: &Session<'_>, job: &SharedJob) -> Result<Reply, Reply> {
    let content_type = session.call.header("content-type").unwrap_or("text/csv");
    if !content_type.trim_start().to_ascii_lowercase().starts_with("text/csv") {
        let words = format!("Content-Type {content_type} is not text/csv");
        return Err(reply::error(415, "UNSUPPORTED_MEDIA_TYPE", &words));
    }
    let client_error = |words: &str| reply::error(400, "CLIENTINPUTERROR", &format!("ClientInputError : {words}"));
    // One copy of the data: their bytes become the text.
    let text = String::from_utf8(Vec::from(session.call.body.clone())).map_err(|_| client_error(NOT_UTF8))?;
    let mut job = hold(job);
    if job.state != State::Open {
        return Err(bulk::wrong_state("Uploading data of", &job));
    }
    let id = job.id.clone();
    let Some(ingest) = job.ingest() else {
        return Err(bulk::not_found());
    };
    if ingest.upload.is_some() {
        // [C] for the beginning of the words.
        let words =
            format!("Found multiple contents for job: <{id}>, please make sure you only 'PUT' once on a given Job.");
        return Err(client_error(&words));
    }
    ingest.upload = Some(Arc::new(text));
    Ok(Reply::empty(201))
}

fn change(session: &Session<'_>, job: &SharedJob) -> Result<Reply, Reply> {
    if bulk::asked_state(session)? == State::Aborted {
        return bulk::abort(session, job);
    }
    close(session, job)
}

/// Gives an open job to work. The answer shows it before the work begins.
fn close(session: &Session<'_>, job: &SharedJob) -> Result<Reply, Reply> {
    let shown = {
        let mut job = hold(job);
        if job.state != State::Open {
            return Err(bulk::wrong_state("Closing", &job));
        }
        job.go(State::UploadComplete, session.world.clock.now_ms());
        job.show().to_string()
    };
    bulk_run::ingest(session, Arc::clone(job));
    Ok(Reply::json(200, shown))
}

/// One of the three files; before the job has ended there is none [from memory].
fn results(session: &Session<'_>, job: &SharedJob, part: &str) -> Result<Reply, Reply> {
    let (ids, schema) = {
        let org = session.rows();
        (org.id_space(), Arc::clone(&org.schema))
    };
    let mut job = hold(job);
    if !job.state.is_terminal() {
        let words = format!(
            "InvalidJobState : The results of a job in state {} are not there yet",
            job.state.name()
        );
        return Err(reply::error(400, "INVALIDJOBSTATE", &words));
    }
    let (id, dialect) = (job.id.clone(), job.made.dialect);
    let Some(ingest) = job.ingest() else {
        return Err(bulk::not_found());
    };
    let prefix = Arc::clone(&schema.sobjects[ingest.sobject].prefix);
    Ok(bulk::csv(match part {
        "successfulresults" => written(ingest, dialect, &ids, &prefix, &id),
        "failedresults" => refused_rows(ingest, dialect, &id),
        _ => unprocessed(ingest, dialect),
    }))
}
