//! The admin port as OpenAPI tells it: made of the handlers and the types that they read.

use axum::Json;
use serde::Serialize;
use utoipa::openapi::path::Operation;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::{Content, OpenApi as Document, Ref, RefOr};
use utoipa::{Modify, OpenApi, ToSchema};

use super::{apps, edit, events, limits, load, login, look, schema, snapshot, users};

/// Why a call was refused, and what to do.
#[derive(Serialize, ToSchema)]
pub(super) struct Problem {
    /// For people.
    pub(super) error: String,
}

/// The whole document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "orgsim, admin port",
        description = "What a test does to the simulated orgs that no API client could. No password: keep it on the \
                       loopback. Neither affiliated with nor endorsed by Salesforce."
    ),
    paths(
        super::orgs,
        edit::edit,
        load::load,
        look::records,
        look::history,
        snapshot::take,
        snapshot::give,
        schema::added,
        schema::extend,
        schema::permissions,
        schema::permit,
        super::calls,
        limits::limits,
        limits::set,
        super::faults,
        super::set_faults,
        super::expire_tokens,
        apps::jwt_key,
        apps::list,
        apps::set,
        users::list,
        users::set,
        login::faults,
        login::set_faults,
        login::set_settings,
        login::revoke,
        login::move_away,
        events::events,
        events::channels,
        events::set_channel,
        super::clock,
        super::set_clock,
        document
    ),
    components(schemas(Problem)),
    modifiers(&Common)
)]
pub(super) struct Admin;

/// What all calls have in common.
struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut Document) {
        for (path, item) in &mut document.paths.paths {
            let of_an_org = path.contains("{org}");
            let operations = [&mut item.get, &mut item.put, &mut item.post];
            for operation in operations.into_iter().flatten() {
                if operation.request_body.is_some() {
                    refusal(operation, "400", "The body or a parameter makes no sense");
                }
                if of_an_org {
                    refusal(operation, "404", "There is no such org");
                }
                for parameter in operation.parameters.iter_mut().flatten() {
                    if let RefOr::T(parameter) = parameter
                        && parameter.name == "org"
                    {
                        parameter.description = Some("Name or id of the org".to_owned());
                    }
                }
            }
        }
    }
}

fn refusal(operation: &mut Operation, status: &str, description: &str) {
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    let answer = ResponseBuilder::new()
        .description(description)
        .content("application/json", content)
        .build();
    let answers = &mut operation.responses.responses;
    answers.entry(status.to_owned()).or_insert(RefOr::T(answer));
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", responses((status = 200, description = "OpenAPI 3.1")))]
pub(super) async fn document() -> Json<Document> {
    Json(Admin::openapi())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::admin::routes;

    #[test]
    fn every_path_of_the_port_is_told_and_none_besides() {
        let told: BTreeSet<String> = Admin::openapi().paths.paths.into_keys().collect();
        let served: BTreeSet<String> = routes().into_iter().map(|(path, _)| path.to_owned()).collect();
        assert_eq!(told, served);
    }

    #[test]
    fn every_call_says_what_it_is_for() {
        for (path, item) in Admin::openapi().paths.paths {
            for operation in [item.get, item.put, item.post].into_iter().flatten() {
                let summary = operation.summary.unwrap_or_default();
                assert!(summary.len() > 10, "{path}: {summary}");
            }
        }
    }
}
