//! Cases, tasks and events, and record types: fields of recorded describes (Case, Event [R cci]), else from the object
//! reference [from memory].

use super::field::{Field, FieldType};
use super::sobject::Sobject;
use super::standard::long_text;
use crate::org::Cell;

/// What an activity may be about.
const WHAT: [&str; 5] = ["Account", "Opportunity", "Campaign", "Case", "Product2"];
/// Whom an activity may be with.
const WHO: [&str; 2] = ["Contact", "Lead"];

/// The objects of this file.
pub(super) fn service() -> Vec<Sobject> {
    vec![case(), task(), event(), record_type()]
}

fn case() -> Sobject {
    let statuses = ["New", "Working", "Escalated", "Closed"];
    let mut fields = vec![
        Field::lookup("MasterRecordId", "Master Record ID", "Case", "MasterRecord").read_only(),
        Field::auto_number("CaseNumber", "Case Number", "{00000000}").name_field(),
        Field::lookup("ContactId", "Contact ID", "Contact", "Contact").child("Cases", false),
        Field::lookup("AccountId", "Account ID", "Account", "Account").child("Cases", false),
        Field::lookup("ParentId", "Parent Case ID", "Case", "Parent").child("Cases", false),
        Field::text("SuppliedName", "Name", 80),
        Field::typed("SuppliedEmail", "Email Address", FieldType::Email, 80),
        Field::text("SuppliedPhone", "Phone", 40),
        Field::text("SuppliedCompany", "Company", 80),
        Field::picklist(
            "Type",
            "Case Type",
            255,
            &["Mechanical", "Electrical", "Electronic", "Structural", "Other"],
        ),
        Field::picklist("Status", "Status", 255, &statuses).defaults_to(Cell::text("New")),
        Field::picklist(
            "Reason",
            "Case Reason",
            255,
            &["Installation", "Equipment Complexity", "Performance", "Other"],
        ),
        Field::picklist("Origin", "Case Origin", 255, &["Phone", "Email", "Web"]),
        Field::text("Subject", "Subject", 255),
        Field::picklist("Priority", "Priority", 255, &["High", "Medium", "Low"]).defaults_to(Cell::text("Medium")),
        long_text("Description"),
        Field::new("IsClosed", "Closed", FieldType::Boolean).read_only(),
        Field::new("ClosedDate", "Closed Date", FieldType::DateTime).read_only(),
        Field::new("IsEscalated", "Escalated", FieldType::Boolean),
        Field::typed("Comments", "Internal Comments", FieldType::TextArea, 4_000),
    ];
    for field in &mut fields {
        // As recorded: a case has no required field but the ones that the platform fills.
        field.nillable |= field.name.as_ref() == "Comments";
    }
    Sobject::new("Case", "Case", "Cases", "500", true, fields)
}

fn who_and_what(children: &str) -> [Field; 2] {
    [
        Field::polymorphic("WhoId", "Name ID", &WHO, "Who").child(children, false),
        Field::polymorphic("WhatId", "Related To ID", &WHAT, "What").child(children, false),
    ]
}

fn task() -> Sobject {
    let subjects = ["Call", "Send Letter", "Send Quote", "Other"];
    let statuses = [
        "Not Started",
        "In Progress",
        "Completed",
        "Waiting on someone else",
        "Deferred",
    ];
    let mut fields = who_and_what("Tasks").to_vec();
    fields.extend([
        Field::picklist("Subject", "Subject", 255, &subjects).name_field(),
        Field::new("ActivityDate", "Due Date Only", FieldType::Date),
        Field::picklist("Status", "Status", 255, &statuses)
            .required()
            .defaults_to(Cell::text("Not Started")),
        Field::picklist("Priority", "Priority", 255, &["High", "Normal", "Low"])
            .required()
            .defaults_to(Cell::text("Normal")),
        Field::new("IsHighPriority", "High Priority", FieldType::Boolean).read_only(),
        long_text("Description"),
        Field::new("IsClosed", "Closed", FieldType::Boolean).read_only(),
        Field::new("IsArchived", "Archived", FieldType::Boolean).read_only(),
        Field::number("CallDurationInSeconds", "Call Duration", FieldType::Int, 8, 0),
        Field::picklist("CallType", "Call Type", 40, &["Internal", "Inbound", "Outbound"]),
    ]);
    Sobject::new("Task", "Task", "Tasks", "00T", true, fields)
}

fn event() -> Sobject {
    let mut fields = who_and_what("Events").to_vec();
    fields.extend([
        Field::picklist("Subject", "Subject", 255, &["Call", "Email", "Meeting", "Other"]).name_field(),
        Field::text("Location", "Location", 255),
        Field::new("IsAllDayEvent", "All-Day Event", FieldType::Boolean),
        Field::new("ActivityDateTime", "Due Date Time", FieldType::DateTime),
        Field::new("ActivityDate", "Due Date Only", FieldType::Date),
        Field::number("DurationInMinutes", "Duration", FieldType::Int, 8, 0),
        Field::new("StartDateTime", "Start Date Time", FieldType::DateTime),
        Field::new("EndDateTime", "End Date Time", FieldType::DateTime),
        long_text("Description"),
        Field::new("IsPrivate", "Private", FieldType::Boolean),
        Field::picklist("ShowAs", "Show Time As", 40, &["Busy", "OutOfOffice", "Free"]).defaults_to(Cell::text("Busy")),
        Field::new("IsArchived", "Archived", FieldType::Boolean).read_only(),
    ]);
    Sobject::new("Event", "Event", "Events", "00U", true, fields)
}

fn record_type() -> Sobject {
    let fields = vec![
        Field::text("Name", "Name", 80).required().name_field(),
        Field::text("DeveloperName", "Record Type Name", 80).required(),
        Field::text("NamespacePrefix", "Namespace Prefix", 15).read_only(),
        Field::text("Description", "Description", 255),
        Field::text("SobjectType", "SObject Type Name", 40).required(),
        Field::new("IsActive", "Active", FieldType::Boolean),
    ];
    Sobject::new(
        "RecordType",
        "Record Type",
        "Record Types",
        "012",
        false,
        fields.into_iter().map(Field::read_only).collect(),
    )
    .ownerless()
}
