//! The catalogue of contract.md 6, retyped: number, codes, the class of a row's error and of a call's.

use super::Class::{Concurrency, Configuration, Conflict, Fence, Gone, Reauthorise, Reject, Retry, SlowDown, Unknown};
use super::*;

const CATALOGUE: &[(u8, &str, Class, Class)] = &[
    (1, "INVALID_SESSION_ID", Reauthorise, Reauthorise),
    (2, "INVALID_AUTH_HEADER", Reauthorise, Reauthorise),
    (3, "INVALID_JWT_FORMAT", Reauthorise, Reauthorise),
    (
        4,
        "INVALID_LOGIN LOGIN_MUST_USE_SECURITY_TOKEN PASSWORD_LOCKOUT",
        Configuration,
        Configuration,
    ),
    (
        4,
        "INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
        Configuration,
        Configuration,
    ),
    (
        5,
        "LOGIN_DURING_RESTRICTED_DOMAIN LOGIN_DURING_RESTRICTED_TIME",
        Configuration,
        Configuration,
    ),
    (6, "API_DISABLED_FOR_ORG", Configuration, Configuration),
    (7, "API_CURRENTLY_DISABLED", Retry, Retry),
    (8, "ORG_LOCKED TRIAL_EXPIRED", Configuration, Configuration),
    (9, "ORG_IN_MAINTENANCE", Retry, Retry),
    (10, "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", Retry, Retry),
    (11, "SERVER_UNAVAILABLE", Retry, Retry),
    (12, "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE", Retry, Retry),
    (13, "UNKNOWN_EXCEPTION", Retry, Retry),
    (14, "INTERNAL_ERROR", Retry, Retry),
    (15, "REQUEST_LIMIT_EXCEEDED", SlowDown, SlowDown),
    (16, "TXN_SECURITY_METERING_ERROR", Retry, Retry),
    (
        17,
        "TXN_SECURITY_NO_ACCESS TXN_SECURITY_RUNTIME_ERROR",
        Configuration,
        Configuration,
    ),
    (
        17,
        "TXN_SECURITY_APEX_ERROR TXN_SECURITY_FAIL_CLOSE",
        Configuration,
        Configuration,
    ),
    (18, "TOO_MANY_APEX_REQUESTS", Retry, Retry),
    (19, "TOO_MANY_JOBS", SlowDown, SlowDown),
    (20, "LIMIT_EXCEEDED", Reject, SlowDown),
    (
        21,
        "EXCEEDED_QUOTA STORAGE_LIMIT_EXCEEDED",
        Configuration,
        Configuration,
    ),
    (22, "EXCEEDED_ID_LIMIT", Configuration, Configuration),
    (23, "EXCEEDED_MAX_SIZE_REQUEST", Configuration, Configuration),
    (24, "OPERATION_TOO_LARGE", Configuration, Configuration),
    (25, "QUERY_TIMEOUT", Retry, Retry),
    (26, "QUERY_TOO_COMPLICATED", Configuration, Configuration),
    (27, "REQUEST_RUNNING_TOO_LONG", Retry, Unknown),
    (28, "TEMPORARY_QUERY_MORE_FAILURE", Retry, Retry),
    (29, "INVALID_QUERY_LOCATOR", Conflict, Conflict),
    (30, "MALFORMED_QUERY MALFORMED_SEARCH", Configuration, Configuration),
    (31, "INVALID_FIELD", Configuration, Configuration),
    (32, "INVALID_TYPE", Configuration, Configuration),
    (33, "INVALID_TYPE_FOR_OPERATION", Configuration, Configuration),
    (
        34,
        "ENTITY_NOT_QUERYABLE INVALID_QUERY_FILTER_OPERATOR",
        Configuration,
        Configuration,
    ),
    (35, "NOT_FOUND", Gone, Gone),
    (36, "ENTITY_IS_DELETED", Gone, Gone),
    (37, "ENTITY_IS_ARCHIVED", Gone, Gone),
    (38, "RECORD_NOT_FOUND MISSING_RECORD", Gone, Gone),
    (39, "INVALID_CROSS_REFERENCE_KEY", Gone, Gone),
    (
        40,
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
        Configuration,
        Configuration,
    ),
    (41, "INSUFFICIENT_ACCESS_OR_READONLY", Configuration, Configuration),
    (42, "INSUFFICIENT_ACCESS", Configuration, Configuration),
    (43, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", Reject, Reject),
    (44, "CANNOT_EXECUTE_FLOW_TRIGGER", Reject, Reject),
    (45, "FIELD_CUSTOM_VALIDATION_EXCEPTION", Reject, Reject),
    (46, "FIELD_INTEGRITY_EXCEPTION", Reject, Reject),
    (47, "FIELD_FILTER_VALIDATION_EXCEPTION", Reject, Reject),
    (48, "REQUIRED_FIELD_MISSING", Reject, Reject),
    (49, "STRING_TOO_LONG", Reject, Reject),
    (50, "NUMBER_OUTSIDE_VALID_RANGE", Reject, Reject),
    (51, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", Reject, Reject),
    (52, "TOO_MANY_ENUM_VALUE", Reject, Reject),
    (53, "INVALID_EMAIL_ADDRESS", Reject, Reject),
    (54, "INVALID_CURRENCY_ISO", Reject, Reject),
    (55, "INVALID_TYPE_ON_FIELD_IN_RECORD", Reject, Reject),
    (56, "JSON_PARSER_ERROR POST_BODY_PARSE_ERROR", Reject, Reject),
    (57, "INVALID_DATE_FORMAT", Reject, Reject),
    (58, "MALFORMED_ID", Reject, Reject),
    (59, "INVALID_ID_FIELD", Reject, Reject),
    (60, "MISSING_ARGUMENT", Configuration, Configuration),
    (61, "INVALID_FIELD_FOR_INSERT_UPDATE", Configuration, Configuration),
    (62, "FIELD_NOT_UPDATABLE", Configuration, Configuration),
    (63, "CANNOT_UPDATE_CONVERTED_LEAD", Reject, Reject),
    (64, "CANNOT_REPARENT_RECORD", Reject, Reject),
    (65, "INACTIVE_OWNER_OR_USER", Reject, Reject),
    (
        66,
        "INVALID_OWNER INVALID_USERID TRANSFER_REQUIRES_READ",
        Reject,
        Reject,
    ),
    (
        67,
        "UNAVAILABLE_RECORDTYPE_EXCEPTION INVALID_RECORD_TYPE",
        Configuration,
        Configuration,
    ),
    (68, "DUPLICATE_VALUE", Conflict, Conflict),
    (69, "DUPLICATE_EXTERNAL_ID", Conflict, Conflict),
    (70, "DUPLICATES_DETECTED", Conflict, Conflict),
    (
        71,
        "DUPLICATE_USERNAME DUPLICATE_COMM_NICKNAME DUPLICATE_DEVELOPER_NAME",
        Reject,
        Reject,
    ),
    (72, "MULTIPLE_RECORDS_FOUND", Conflict, Conflict),
    (73, "UNABLE_TO_LOCK_ROW", Retry, Retry),
    (74, "ENTITY_IS_LOCKED", Conflict, Conflict),
    (75, "RECORD_IN_USE_BY_WORKFLOW ALREADY_IN_PROCESS", Conflict, Conflict),
    (76, "ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE", Conflict, Conflict),
    (
        77,
        "MATCH_PRECONDITION_FAILED MATCH_PRECONDITION_REQUIRED COLLISION_DETECTED CONFLICT",
        Conflict,
        Conflict,
    ),
    // A healthy sibling of a guilty row: it is sent again.
    (78, "ALL_OR_NONE_OPERATION_ROLLED_BACK", Retry, Retry),
    (79, "PROCESSING_HALTED BATCH_PROCESSING_HALTED", Retry, Retry),
    (80, "CUSTOM_APEX_ERROR", Reject, Reject),
    (81, "APEX_ERROR", Retry, Retry),
    (82, "MAX_DEPTH_IN_FLOW_EXECUTION FLOW_EXCEPTION", Reject, Reject),
    (83, "SELF_REFERENCE_FROM_TRIGGER", Reject, Reject),
    (84, "MIXED_DML_OPERATION", Configuration, Configuration),
    (85, "CIRCULAR_DEPENDENCY", Reject, Reject),
    (
        86,
        "DELETE_FAILED DEPENDENCY_EXISTS DELETE_REQUIRED_ON_CASCADE",
        Reject,
        Reject,
    ),
    (86, "DELETE_OPERATION_TOO_LARGE DELETE_NOT_ALLOWED", Reject, Reject),
    (87, "UNDELETE_FAILED", Gone, Gone),
    (88, "MERGE_FAILED", Reject, Reject),
    (89, "INVALID_PERSON_ACCOUNT_OPERATION", Reject, Reject),
    (90, "INVALID_ENTITY_FOR_UPSERT", Configuration, Configuration),
    (91, "INVALID_REPLICATION_DATE", Configuration, Configuration),
    (
        92,
        "INVALID_BATCH_SIZE INVALID_OPERATION INVALID_INPUT",
        Configuration,
        Configuration,
    ),
    (93, "TERRITORY_REALIGN_IN_PROGRESS", Retry, Retry),
    (
        94,
        "PACKAGE_LICENSE_REQUIRED PACKAGE_DISABLED",
        Configuration,
        Configuration,
    ),
    (
        94,
        "LICENSE_LIMIT_EXCEEDED FUNCTIONALITY_NOT_ENABLED",
        Configuration,
        Configuration,
    ),
    (
        95,
        "CLIENT_NOT_ACCESSIBLE_FOR_USER CLIENT_REQUIRE_UPDATE_FOR_USER",
        Configuration,
        Configuration,
    ),
    (
        96,
        "UNSUPPORTED_API_VERSION INVALID_VERSION GONE",
        Configuration,
        Configuration,
    ),
    (97, "TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET", Reject, Reject),
    (
        98,
        "METHOD_NOT_ALLOWED UNSUPPORTED_MEDIA_TYPE NOT_ACCEPTABLE",
        Configuration,
        Configuration,
    ),
    (
        99,
        "INVALID_IDEMPOTENCY_KEY IDEMPOTENCY_FEATURE_NOT_ENABLED",
        Configuration,
        Configuration,
    ),
    (99, "IDEMPOTENCY_NOT_SUPPORTED", Configuration, Configuration),
    (
        100,
        "INVALIDENTITY API_ERROR INVALIDJOB INVALIDJOBSTATE",
        Configuration,
        Configuration,
    ),
    (101, "ASYNC_OPERATION_LOCATOR INVALID_LOCATOR", Retry, Retry),
    (
        102,
        "EXTERNAL_OBJECT_EXCEPTION EXTERNAL_OBJECT_CONNECTION_EXCEPTION",
        Configuration,
        Configuration,
    ),
];

const SEQUENCE: &str = "Tandem_Seq__c";
const KEY: &str = "Tandem_Key__c";

fn row_of(code: &str, fields: &[&str], message: &str) -> Class {
    let fields: Vec<Arc<str>> = fields.iter().map(|name| (*name).into()).collect();
    row(code, &fields, message, Some(SEQUENCE), KEY)
}

#[test]
fn every_row_of_the_catalogue() {
    for (number, codes, of_row, of_call) in CATALOGUE {
        for code in codes.split(' ') {
            assert_eq!(row_of(code, &[], ""), *of_row, "no. {number} {code} as a row's error");
            assert_eq!(
                call(400, Some(code), ""),
                *of_call,
                "no. {number} {code} as a call's error"
            );
        }
    }
    let mut numbers: Vec<u8> = CATALOGUE.iter().map(|(number, ..)| *number).collect();
    numbers.dedup();
    assert_eq!(numbers, (1..=102).collect::<Vec<u8>>());
}

#[test]
fn one_code_for_three_limits() {
    for (message, class) in [
        ("TotalRequests Limit exceeded.", SlowDown),
        (
            "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
            Concurrency,
        ),
        ("ConcurrentPerOrgLongTxn Limit exceeded.", Concurrency),
        ("something new", SlowDown),
    ] {
        assert_eq!(call(403, Some("REQUEST_LIMIT_EXCEEDED"), message), class, "{message}");
        assert_eq!(row_of("REQUEST_LIMIT_EXCEEDED", &[], message), class, "{message}");
    }
}

#[test]
fn a_new_token_does_not_cure_every_401() {
    let session = Some("INVALID_SESSION_ID");
    assert_eq!(call(401, session, "Session expired or invalid"), Reauthorise);
    assert_eq!(
        call(401, session, "This session is not valid for use with the REST API"),
        Configuration
    );
    assert_eq!(
        call(401, session, "Connected app is not attached to Agent"),
        Configuration
    );
    assert_eq!(
        call(401, Some("SOMETHING_NEW"), "Connected app is not attached to Agent"),
        Configuration
    );
    assert_eq!(call(401, None, ""), Reauthorise);
    assert_eq!(call(400, Some("InvalidSessionId"), ""), Reauthorise);
}

#[test]
fn the_fence_is_known_by_its_field() {
    let code = "FIELD_CUSTOM_VALIDATION_EXCEPTION";
    assert_eq!(row_of(code, &[SEQUENCE], "any words"), Fence);
    assert_eq!(row_of(code, &["Other__c", "tandem_seq__c"], ""), Fence);
    assert_eq!(row_of(code, &[KEY], ""), Conflict);
    assert_eq!(row_of(code, &["Email"], "Tandem_Seq__c must grow"), Reject);
    let field: Arc<str> = SEQUENCE.into();
    assert_eq!(
        row(code, std::slice::from_ref(&field), "", None, KEY),
        Reject,
        "no fence is installed"
    );
    assert_eq!(
        row("FIELD_INTEGRITY_EXCEPTION", &[field], "", Some(SEQUENCE), KEY),
        Reject
    );
}

#[test]
fn what_else_is_known_decides() {
    let locked = "execution of AfterUpdate caused by: System.DmlException: … UNABLE_TO_LOCK_ROW, unable to obtain …";
    assert_eq!(row_of("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", &[], locked), Retry);
    assert_eq!(
        row_of(
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            &[],
            "System.LimitException: Too many SOQL"
        ),
        Retry
    );
    assert_eq!(
        row_of(
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            &[],
            "System.NullPointerException"
        ),
        Reject
    );
    assert_eq!(row_of("INVALID_CROSS_REFERENCE_KEY", &["AccountId"], ""), Reject);
    assert_eq!(row_of("INVALID_CROSS_REFERENCE_KEY", &["Id"], ""), Gone);
    let no_such_field = "Provided external ID field does not exist or is not accessible: X__c";
    assert_eq!(call(404, Some("NOT_FOUND"), no_such_field), Configuration);
    assert_eq!(
        call(404, Some("NOT_FOUND"), "The requested resource does not exist"),
        Gone
    );
}

#[test]
fn unknown_codes_go_by_status() {
    for (status, class) in [
        (400, Reject),
        (401, Reauthorise),
        (403, Configuration),
        (404, Gone),
        (409, Reject),
        (422, Reject),
        (500, Retry),
        (503, Retry),
        (599, Retry),
        (200, Unknown),
        (0, Unknown),
    ] {
        assert_eq!(call(status, Some("SOMETHING_NEW"), ""), class, "{status}");
    }
    assert_eq!(row_of("SOMETHING_NEW", &[], ""), Reject);
}

#[test]
fn answers_without_a_body() {
    for (status, class) in [
        (0, Unknown),
        (200, Unknown),
        (300, Conflict),
        (302, Retry),
        (400, Reject),
        (401, Reauthorise),
        (403, Configuration),
        (404, Gone),
        (405, Configuration),
        (406, Retry),
        (408, Unknown),
        (409, Conflict),
        (410, Configuration),
        (412, Conflict),
        (413, Configuration),
        (414, Configuration),
        (415, Configuration),
        (420, Retry),
        (428, Conflict),
        (429, Concurrency),
        (431, Configuration),
        (500, Retry),
        (502, Retry),
        (503, Retry),
        (504, Unknown),
    ] {
        assert_eq!(call(status, None, ""), class, "{status}");
    }
    assert_eq!(
        call(406, Some("NOT_ACCEPTABLE"), ""),
        Configuration,
        "with a body it is our fault"
    );
}

#[test]
fn what_never_was_answered() {
    for (code, class) in [
        ("TIMEOUT", Unknown),
        ("RESET", Unknown),
        ("TRUNCATED", Unknown),
        ("CONNECT", Retry),
        ("HOST_REFUSED", Configuration),
        ("SOMETHING_ELSE", Unknown),
    ] {
        assert_eq!(call(0, Some(code), ""), class, "{code}");
    }
    assert_eq!(call(200, Some("TRUNCATED"), ""), Unknown);
}
