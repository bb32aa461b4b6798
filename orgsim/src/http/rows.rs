//! `…/sobjects/{type}/…`: one row at a time, by id or by external id.

use http::Method;

use super::condition::Version;
use super::data::{Session, method_not_allowed};
use super::meta;
use super::reply::{self, Reply};
use crate::org::write_record;
use crate::org::{Cell, Org, RecordRef, RowError, Transaction, code, write_string};
use crate::schema::column;

/// First version whose upsert tells `created` and answers 200 to an update [V:D-UPSERT].
const CREATED_FROM: u32 = 46;

pub(super) fn handle(session: &Session<'_>, sobject: &str, rest: &[&str]) -> Result<Reply, Reply> {
    let schema = std::sync::Arc::clone(&session.rows().schema);
    let place = schema
        .place(sobject)
        .ok_or_else(|| reply::row_error(&RowError::not_found()))?;
    match rest {
        [] if session.call.method == Method::POST => create(session, place),
        [] if is_read(session) => Ok(meta::sobject(session, place)),
        [] => Err(method_not_allowed(session, "HEAD,GET,POST")),
        ["describe"] => meta::describe(session, place),
        ["updated" | "deleted"] => meta::changed(session, place, rest[0] == "deleted"),
        ["Id"] if session.call.method == Method::POST => create(session, place),
        [id] => by_id(session, place, id),
        [field, value] => by_key(session, place, field, value),
        _ => Err(reply::row_error(&RowError::not_found())),
    }
}

fn is_read(session: &Session<'_>) -> bool {
    session.call.method == Method::GET || session.call.method == Method::HEAD
}

/// Runs `write` in a transaction of its own; a row that a fault refuses is refused before.
fn transact<T>(
    session: &Session<'_>,
    verb: &'static str,
    write: impl FnOnce(&mut Transaction<'_>) -> Result<T, RowError>,
) -> Result<T, Reply> {
    session.org.usage().count_rows(verb, 1);
    if let Some(Some(error)) = session.refused(1).first() {
        return Err(reply::row_error(error));
    }
    let caller = session.caller();
    let mut org = session.rows();
    let mut tx = Transaction::begin(&mut org, &caller, session.now());
    let done = write(&mut tx).map_err(|e| reply::row_error(&e))?;
    tx.commit();
    Ok(done)
}

fn create(session: &Session<'_>, place: usize) -> Result<Reply, Reply> {
    let members = session.call.record()?;
    let record = transact(session, "create", |tx| tx.create(place, &members))?;
    Ok(created(session, &session.rows(), record, 201, None))
}

fn created(session: &Session<'_>, org: &Org, record: RecordRef, status: u16, created: Option<bool>) -> Reply {
    let id = org.row(record).map_or("", |r| r.id());
    let mut body = String::from("{\"id\":");
    write_string(&mut body, id);
    body.push_str(",\"success\":true,\"errors\":[]");
    if let Some(created) = created {
        body.push_str(if created {
            ",\"created\":true"
        } else {
            ",\"created\":false"
        });
    }
    body.push('}');
    let reply = Reply::json(status, body);
    if status != 201 {
        return reply;
    }
    let name = &org.schema.sobjects[record.sobject].name;
    reply.with("location", format!("{}/sobjects/{name}/{id}", session.base))
}

fn by_id(session: &Session<'_>, place: usize, id: &str) -> Result<Reply, Reply> {
    let located = session.rows().record(place, id);
    let record = located.map_err(|error| match error.code {
        // A path segment that is no id is taken for a field [from memory].
        code::MALFORMED_ID => reply::row_error(&RowError::no_external_id(id)),
        _ => reply::row_error(&error),
    })?;
    match session.call.method {
        Method::GET | Method::HEAD => read(session, record),
        Method::PATCH => {
            let members = session.call.record()?;
            version(&session.rows(), record).check(session.call)?;
            transact(session, "update", |tx| tx.update(record, &members))?;
            Ok(Reply::empty(204))
        }
        Method::DELETE => {
            transact(session, "delete", |tx| tx.delete(record))?;
            Ok(Reply::empty(204))
        }
        _ => Err(method_not_allowed(session, "DELETE,GET,HEAD,PATCH")),
    }
}

fn read(session: &Session<'_>, record: RecordRef) -> Result<Reply, Reply> {
    let org = session.rows();
    let sobject = &org.schema.sobjects[record.sobject];
    let row = org
        .row(record)
        .filter(|r| !r.is_deleted())
        .ok_or_else(|| reply::row_error(&RowError::not_found()))?;
    let fields = match session.call.parameter("fields") {
        None => sobject.describe_order.clone(),
        Some(names) => names
            .split(',')
            .map(|name| {
                let name = name.trim();
                sobject
                    .field(name)
                    .ok_or_else(|| reply::row_error(&RowError::no_column(name, &sobject.name)))
            })
            .collect::<Result<_, _>>()?,
    };
    let version = version(&org, record);
    version.check(session.call)?;
    let mut body = String::new();
    write_record(&mut body, &org, record.sobject, row, &session.base, &fields);
    Ok(version.stamp(Reply::json(200, body)))
}

/// What conditions are compared with: the last modified date; ETags are of accounts only [V:D-COND].
fn version(org: &Org, record: RecordRef) -> Version {
    let row = org.row(record);
    let modified = row.map_or(0, |row| match row.cells[column::MODIFIED_DATE] {
        Cell::Instant(at) => at,
        _ => 0,
    });
    let account = &*org.schema.sobjects[record.sobject].name == "Account";
    let etag = row
        .filter(|_| account)
        .map(|row| meta::etag(&format!("{} {modified}", row.id())));
    Version { etag, modified }
}

fn by_key(session: &Session<'_>, place: usize, field: &str, value: &str) -> Result<Reply, Reply> {
    let (field, matches, urls) = {
        let org = session.rows();
        let field = org.external_field(place, field).map_err(|e| reply::row_error(&e))?;
        let matches = org.find(place, field, value);
        let name = &org.schema.sobjects[place].name;
        let urls: Vec<String> = matches
            .iter()
            .filter_map(|r| org.row(*r))
            .map(|r| format!("{}/sobjects/{name}/{}", session.base, r.id()))
            .collect();
        (field, matches, urls)
    };
    if matches.len() > 1 {
        return Ok(Reply::json(300, serde_json::json!(urls).to_string()));
    }
    let found = || {
        matches
            .first()
            .copied()
            .ok_or_else(|| reply::row_error(&RowError::not_found()))
    };
    match session.call.method {
        Method::GET | Method::HEAD => read(session, found()?),
        Method::DELETE => {
            let record = found()?;
            transact(session, "delete", |tx| tx.delete(record))?;
            Ok(Reply::empty(204))
        }
        Method::PATCH => {
            // That an upsert has conditions is from memory.
            if let Some(record) = matches.first() {
                version(&session.rows(), *record).check(session.call)?;
            }
            upsert(session, place, field, value)
        }
        _ => Err(method_not_allowed(session, "DELETE,GET,HEAD,PATCH")),
    }
}

fn upsert(session: &Session<'_>, place: usize, field: usize, value: &str) -> Result<Reply, Reply> {
    let members = session.call.record()?;
    let name = session.rows().schema.sobjects[place].fields[field].name.to_string();
    if field != column::ID && members.iter().any(|(n, _)| n.eq_ignore_ascii_case(&name)) {
        let text = format!("The {name} field should not be specified in the sobject data.");
        return Err(reply::error(400, code::FIELD, &text));
    }
    let key = crate::org::Json::Text(value.into());
    let update_only = session.call.parameter("updateOnly") == Some("true");
    let done = transact(session, "upsert", |tx| {
        tx.upsert(place, field, &key, &members, update_only)
    })?;
    let told = (session.version >= CREATED_FROM).then_some(done.created);
    match (done.created, told) {
        (true, told) => Ok(created(session, &session.rows(), done.record, 201, told)),
        (false, Some(told)) => Ok(created(session, &session.rows(), done.record, 200, Some(told))),
        (false, None) => Ok(Reply::empty(204)),
    }
}
