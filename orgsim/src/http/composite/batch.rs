//! `POST …/composite/batch`: independent subrequests, each committed and counted by itself (contract 3.3).

use super::super::data::Session;
use super::super::reply::{self, Reply};
use super::references::Answers;
use super::subrequest::{Subrequest, write_body};
use crate::org::{Json, code};

/// Most subrequests [V:D-BATCH-JA].
const MAX_SUBREQUESTS: usize = 25;

pub(super) fn handle(session: &Session<'_>) -> Result<Reply, Reply> {
    let body = session.call.json()?;
    let Some(Json::Array(sent)) = body.get("batchRequests") else {
        return Err(reply::error(
            400,
            code::MISSING_ARGUMENT,
            "The array batchRequests is required.",
        ));
    };
    if sent.is_empty() || sent.len() > MAX_SUBREQUESTS {
        let text = format!(
            "batchRequests takes 1 to {MAX_SUBREQUESTS} subrequests, not {}.",
            sent.len()
        );
        return Err(reply::error(400, code::LIMIT, &text));
    }
    let subrequests: Vec<Subrequest<'_>> = sent
        .iter()
        .map(|value| Subrequest::read(value, "richInput"))
        .collect::<Result<_, _>>()
        .map_err(|(code, text)| reply::error(400, code, &text))?;
    let halts = matches!(body.get("haltOnError"), Some(Json::Bool(true)));
    let (none, mut has_errors) = (Answers::new(), false);
    let mut results = String::new();
    for (i, subrequest) in subrequests.iter().enumerate() {
        let answer = if halts && has_errors {
            // [V:D-BATCHREQ; words from memory]
            reply::error(
                412,
                "BATCH_PROCESSING_HALTED",
                "Batch processing halted because of an error in a previous request",
            )
        } else if session.counts_inner(subrequest) {
            subrequest.run(session, &none)
        } else {
            reply::error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        };
        has_errors |= answer.status >= 400;
        if i > 0 {
            results.push(',');
        }
        results.push_str(&format!("{{\"statusCode\":{},\"result\":", answer.status));
        write_body(&mut results, &answer);
        results.push('}');
    }
    Ok(Reply::json(
        200,
        format!("{{\"hasErrors\":{has_errors},\"results\":[{results}]}}"),
    ))
}

impl Session<'_> {
    /// Counts a subrequest of a batch; whether the day's number allowed it [V:D-BATCH-JA].
    fn counts_inner(&self, subrequest: &Subrequest<'_>) -> bool {
        let kind = super::super::data::kind(&subrequest.method, &subrequest.resource());
        self.org.usage().count(kind, self.world.clock.now_ms())
    }
}
