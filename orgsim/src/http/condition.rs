//! Conditional requests [V:D-COND]: dates with a grain of one second, and ETags.

use http::Method;
use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::reply::{self, Reply};
use super::request::Call;

/// How HTTP writes dates; the day has no zero before it (observed 2026).
const DATE: &str = "%a, %-d %b %Y %H:%M:%S GMT";

/// What a resource is like now.
pub(super) struct Version {
    /// With its quotes; None where ETags are no condition.
    pub(super) etag: Option<String>,
    /// Seconds since 1970.
    pub(super) modified: i64,
}

impl Version {
    /// Adds what a client needs to ask conditionally the next time.
    pub(super) fn stamp(&self, reply: Reply) -> Reply {
        let reply = reply.with("last-modified", written(self.modified));
        match &self.etag {
            Some(etag) => reply.with("etag", etag.clone()),
            None => reply,
        }
    }

    /// The answer of a call whose conditions are not met: 304 to a reader who has this version, 412 to a writer who has
    /// another one, 400 for a date that is none. A delete has no conditions.
    pub(super) fn check(&self, call: &Call) -> Result<(), Reply> {
        let reads = call.method == Method::GET || call.method == Method::HEAD;
        if call.method == Method::DELETE {
            return Ok(());
        }
        let failed = |code: &str| Err(reply::error(412, code, "The precondition of the request is not met"));
        let unchanged = || Err(self.stamp(Reply::empty(304)));
        if let Some(etag) = &self.etag {
            if call.header("if-match").is_some_and(|tags| !names(tags, etag)) {
                return failed("MATCH_PRECONDITION_FAILED");
            }
            if call.header("if-none-match").is_some_and(|tags| names(tags, etag)) {
                return if reads {
                    unchanged()
                } else {
                    failed("MATCH_PRECONDITION_FAILED")
                };
            }
        }
        if let Some(since) = date(call, "if-unmodified-since", reads)?
            && self.modified > since
        {
            return failed("ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE");
        }
        if let Some(since) = date(call, "if-modified-since", reads)?
            && self.modified <= since
        {
            // What a writer gets is from memory.
            return if reads {
                unchanged()
            } else {
                failed("ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE")
            };
        }
        Ok(())
    }
}

/// Whether a list of ETags has this one; a packed body's tag ends in `--gzip` (observed 2026).
fn names(tags: &str, etag: &str) -> bool {
    let bare = |tag: &str| {
        tag.trim()
            .trim_start_matches("W/")
            .trim_matches('"')
            .trim_end_matches("--gzip")
            .to_owned()
    };
    tags.split(',').any(|tag| tag.trim() == "*" || bare(tag) == bare(etag))
}

/// The date of a header; one that is none counts for nothing when reading, and is refused when writing.
fn date(call: &Call, header: &str, reads: bool) -> Result<Option<i64>, Reply> {
    let Some(text) = call.header(header) else {
        return Ok(None);
    };
    match parsed(text) {
        None if !reads => {
            let words = format!("Invalid value for header {header}: {text:.100}");
            Err(reply::error(400, "INVALID_INPUT", &words))
        }
        date => Ok(date),
    }
}

fn parsed(text: &str) -> Option<i64> {
    let zone = text.trim().strip_suffix("GMT")?.trim();
    let moment = strtime::parse("%a, %d %b %Y %H:%M:%S", zone).ok()?.to_datetime().ok()?;
    Some(moment.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

fn written(seconds: i64) -> String {
    let moment = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    strtime::format(DATE, &moment.to_zoned(TimeZone::UTC)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_they_are_written() {
        for (text, seconds) in [
            ("Wed, 6 May 2026 00:00:00 GMT", Some(1_778_025_600)),
            ("Wed, 06 May 2026 00:00:00 GMT", Some(1_778_025_600)),
            ("Thu, 06 May 2026 00:00:00 GMT", None),
            ("2026-05-06T00:00:00Z", None),
            ("", None),
        ] {
            assert_eq!(parsed(text), seconds, "{text}");
        }
        assert_eq!(written(1_778_025_600), "Wed, 6 May 2026 00:00:00 GMT");
    }

    #[test]
    fn etags_are_found_in_lists() {
        for (tags, found) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a--gzip\"", true),
            ("*", true),
            ("\"b\"", false),
        ] {
            assert_eq!(names(tags, "\"a\""), found, "{tags}");
        }
    }
}
