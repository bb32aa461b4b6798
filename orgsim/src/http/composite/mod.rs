//! `…/composite`, `/batch`, `/graph` and `/tree`: several calls or rows in one (contract 3).

mod batch;
mod graph;
mod references;
mod subrequest;
mod tree;

use std::cell::RefCell;
use std::collections::HashSet;

use http::Method;

use super::data::{Session, method_not_allowed};
use super::reply::{self, Reply};
use crate::org::{Json, RowError, code};
use references::Answers;
use subrequest::{Subrequest, halted, parsed, write_told};

/// Most subrequests of a composite call, and of these most that query or work on collections [V:D-COMPPOST].
const MAX_SUBREQUESTS: usize = 25;
const MAX_HEAVY: usize = 5;
/// What the subrequests say that were taken back with another one [V:D-ALLORNONE].
const ROLLED_BACK: &str = "The transaction was rolled back since another operation in the same transaction failed.";

pub(super) fn handle(session: &Session<'_>, rest: &[&str]) -> Result<Reply, Reply> {
    let posted = session.call.method == Method::POST;
    match rest {
        [] if session.call.method == Method::GET => Ok(resources(session)),
        [] if posted => composite(session),
        ["batch"] if posted => batch::handle(session),
        ["graph"] if posted => graph::handle(session),
        ["tree", sobject] if posted => tree::handle(session, sobject),
        [] | ["batch" | "graph" | "tree", ..] => Err(method_not_allowed(session, "POST")),
        _ => Err(reply::row_error(&RowError::not_found())),
    }
}

fn resources(session: &Session<'_>) -> Reply {
    let base = &session.base;
    Reply::json(
        200,
        serde_json::json!({
            "tree": format!("{base}/composite/tree"), "graph": format!("{base}/composite/graph"),
            "batch": format!("{base}/composite/batch"), "sobjects": format!("{base}/composite/sobjects"),
        })
        .to_string(),
    )
}

/// The subrequests of a member of the body.
fn subrequests<'b>(body: &'b Json<'b>, member: &str, most: usize) -> Result<Vec<Subrequest<'b>>, Reply> {
    let refuse = |(code, text): (&str, String)| reply::error(400, code, &text);
    let Some(Json::Array(sent)) = body.get(member) else {
        return Err(refuse((
            code::MISSING_ARGUMENT,
            format!("The array {member} is required."),
        )));
    };
    if sent.is_empty() || sent.len() > most {
        let text = format!("{member} takes 1 to {most} subrequests, not {}.", sent.len());
        return Err(refuse((code::LIMIT, text)));
    }
    let read = |value: &'b Json<'b>| Subrequest::read(value, "body");
    let subrequests: Vec<Subrequest<'b>> = sent.iter().map(read).collect::<Result<_, _>>().map_err(refuse)?;
    let mut seen = HashSet::new();
    for subrequest in &subrequests {
        if subrequest.reference.is_empty() || !seen.insert(subrequest.reference) {
            let text = format!("The referenceId '{}' is missing or not unique.", subrequest.reference);
            return Err(refuse((code::JSON, text)));
        }
    }
    Ok(subrequests)
}

fn composite(session: &Session<'_>) -> Result<Reply, Reply> {
    let body = session.call.json()?;
    let subrequests = subrequests(&body, "compositeRequest", MAX_SUBREQUESTS)?;
    let heavy = |s: &&Subrequest<'_>| {
        matches!(
            s.resource().as_slice(),
            ["query" | "queryAll", ..] | ["composite", "sobjects", ..]
        )
    };
    if subrequests.iter().filter(heavy).count() > MAX_HEAVY {
        let text = format!("At most {MAX_HEAVY} subrequests may query or work on sObject collections.");
        return Err(reply::error(400, code::LIMIT, &text));
    }
    if let Some(nested) = subrequests.iter().find(|s| !may_be_nested(&s.resource())) {
        let text = format!("The resource {} may not be called in a composite request.", nested.url);
        return Err(reply::error(400, code::JSON, &text));
    }
    let all_or_none = matches!(body.get("allOrNone"), Some(Json::Bool(true)));
    let (answers, _) = together(session, &subrequests, all_or_none);
    let mut out = String::from("{\"compositeResponse\":");
    write_answers(&mut out, &subrequests, &answers);
    out.push('}');
    Ok(Reply::json(200, out))
}

fn may_be_nested(resource: &[&str]) -> bool {
    matches!(
        resource,
        ["sobjects", ..] | ["query" | "queryAll", ..] | ["composite", "sobjects", ..] | ["limits", ..]
    )
}

fn write_answers(out: &mut String, subrequests: &[Subrequest<'_>], answers: &[Reply]) {
    out.push('[');
    for (i, (subrequest, answer)) in subrequests.iter().zip(answers).enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_told(out, subrequest.reference, answer);
    }
    out.push(']');
}

/// Carries subrequests out in order; all or nothing when asked for. Whether what they did stands.
fn together(session: &Session<'_>, subrequests: &[Subrequest<'_>], all_or_none: bool) -> (Vec<Reply>, bool) {
    if !all_or_none {
        return in_order(session, subrequests, false);
    }
    let caller = session.caller();
    let now = session.now();
    let mut org = session.org.org_as(&session.user.id, session.now());
    org.hold();
    let (mut answers, stands) = {
        let held = RefCell::new(&mut *org);
        let inner = Session {
            world: session.world,
            org: std::sync::Arc::clone(&session.org),
            user: session.user.clone(),
            version: session.version,
            base: session.base.clone(),
            call: session.call,
            fate: session.fate.clone(),
            request: session.request,
            held: Some(&held),
        };
        in_order(&inner, subrequests, true)
    };
    if stands {
        org.keep_held(&caller, now);
    } else {
        org.undo_held();
        for (subrequest, answer) in subrequests.iter().zip(&mut answers) {
            // What collections answered stays as it is, though nothing of it happened [V:D-ALLORNONE].
            let collection = matches!(subrequest.resource().as_slice(), ["composite", "sobjects", ..]);
            if answer.status < 300 && !collection {
                *answer = halted(ROLLED_BACK);
            }
        }
    }
    (answers, stands)
}

fn in_order(session: &Session<'_>, subrequests: &[Subrequest<'_>], stop: bool) -> (Vec<Reply>, bool) {
    let mut known = Answers::new();
    let mut answers: Vec<Reply> = Vec::with_capacity(subrequests.len());
    let mut stands = true;
    for subrequest in subrequests {
        if stop && !stands {
            answers.push(halted(ROLLED_BACK));
            continue;
        }
        let answer = subrequest.run(session, &known);
        let body = parsed(&answer);
        let refused_rows = body
            .as_array()
            .is_some_and(|rows| rows.iter().any(|row| row.get("success") == Some(&false.into())));
        stands &= answer.status < 300 && !refused_rows;
        if answer.status < 300 {
            known.insert(subrequest.reference.to_owned(), body);
        }
        answers.push(answer);
    }
    (answers, stands)
}
