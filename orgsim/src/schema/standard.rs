//! The objects of a new org: real standard fields with their real lengths (recorded describes), and Tandem's own fields.

use super::field::{Field, FieldType};
use super::sales::sales;
use super::service::service;
use super::sobject::{Schema, Sobject};

const ACCURACY: [&str; 11] = [
    "Address",
    "NearAddress",
    "Block",
    "Street",
    "ExtendedZip",
    "Zip",
    "Neighborhood",
    "City",
    "County",
    "State",
    "Unknown",
];
pub(super) const INDUSTRIES: [&str; 32] = [
    "Agriculture",
    "Apparel",
    "Banking",
    "Biotechnology",
    "Chemicals",
    "Communications",
    "Construction",
    "Consulting",
    "Education",
    "Electronics",
    "Energy",
    "Engineering",
    "Entertainment",
    "Environmental",
    "Finance",
    "Food & Beverage",
    "Government",
    "Healthcare",
    "Hospitality",
    "Insurance",
    "Machinery",
    "Manufacturing",
    "Media",
    "Not For Profit",
    "Recreation",
    "Retail",
    "Shipping",
    "Technology",
    "Telecommunications",
    "Transportation",
    "Utilities",
    "Other",
];
pub(super) const SOURCES: [&str; 5] = ["Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other"];
const ACCOUNT_TYPES: [&str; 7] = [
    "Prospect",
    "Customer - Direct",
    "Customer - Channel",
    "Channel Partner / Reseller",
    "Installation Partner",
    "Technology Partner",
    "Other",
];
const OPPORTUNITY_TYPES: [&str; 4] = [
    "Existing Customer - Upgrade",
    "Existing Customer - Replacement",
    "Existing Customer - Downgrade",
    "New Customer",
];

/// One stage of an opportunity.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    /// The picklist value.
    pub name: &'static str,
    /// Probability in percent that the stage sets.
    pub probability: f64,
    /// Whether the opportunity is closed.
    pub closed: bool,
    /// Whether it is won.
    pub won: bool,
    /// `ForecastCategory`.
    pub forecast: &'static str,
    /// `ForecastCategoryName`.
    pub forecast_name: &'static str,
}

const fn stage(name: &'static str, probability: f64, forecast: &'static str, forecast_name: &'static str) -> Stage {
    let closed = matches!(forecast.as_bytes(), b"Closed" | b"Omitted");
    Stage {
        name,
        probability,
        closed,
        won: matches!(forecast.as_bytes(), b"Closed"),
        forecast,
        forecast_name,
    }
}

/// Stages of a new org; names from recorded describes, probabilities and forecast categories from memory.
pub const STAGES: [Stage; 10] = [
    stage("Prospecting", 10.0, "Pipeline", "Pipeline"),
    stage("Qualification", 10.0, "Pipeline", "Pipeline"),
    stage("Needs Analysis", 20.0, "Pipeline", "Pipeline"),
    stage("Value Proposition", 50.0, "Pipeline", "Pipeline"),
    stage("Id. Decision Makers", 60.0, "Pipeline", "Pipeline"),
    stage("Perception Analysis", 70.0, "Pipeline", "Pipeline"),
    stage("Proposal/Price Quote", 75.0, "Pipeline", "Pipeline"),
    stage("Negotiation/Review", 90.0, "Pipeline", "Pipeline"),
    stage("Closed Won", 100.0, "Closed", "Closed"),
    stage("Closed Lost", 0.0, "Omitted", "Omitted"),
];

/// The objects of a new org. Custom fields have ids of the form `00N` + nine zeros and a number.
#[must_use]
pub fn standard_schema() -> Schema {
    let mut sobjects = vec![user(), organization(), account(), contact(), opportunity()];
    sobjects.extend(sales());
    sobjects.extend(service());
    let mut number = 0;
    for field in sobjects
        .iter_mut()
        .flat_map(|s| s.fields.iter_mut())
        .filter(|f| f.is_custom())
    {
        number += 1;
        field.custom_id = Some(format!("00N000000000{number:03}"));
    }
    Schema::new(sobjects)
}

pub(super) fn address(stem: &str, compound: &'static str, writable: bool) -> Vec<Field> {
    let name = |end: &str| format!("{stem}{end}");
    let label = |end: &str| format!("{stem} {end}").trim_start().to_owned();
    let coordinate = |end: &str| Field::number(&name(end), &label(end), FieldType::Double, 18, 15).part_of(compound);
    let mut parts = vec![
        Field::typed(&name("Street"), &label("Street"), FieldType::TextArea, 255)
            .extra("plaintextarea")
            .part_of(compound),
        Field::text(&name("City"), &label("City"), 40).part_of(compound),
        Field::text(&name("State"), &label("State/Province"), 80).part_of(compound),
        Field::text(&name("PostalCode"), &label("Zip/Postal Code"), 20).part_of(compound),
        Field::text(&name("Country"), &label("Country"), 80).part_of(compound),
        coordinate("Latitude"),
        coordinate("Longitude"),
        Field {
            restricted: true,
            ..Field::picklist(&name("GeocodeAccuracy"), &label("Geocode Accuracy"), 40, &ACCURACY)
        }
        .part_of(compound),
        Field::new(compound, &label("Address"), FieldType::Address).read_only(),
    ];
    if !writable {
        parts = parts.into_iter().map(Field::read_only).collect();
    }
    parts
}

pub(super) fn phone(name: &str, label: &str) -> Field {
    Field::typed(name, label, FieldType::Phone, 40)
}

pub(super) fn long_text(label: &str) -> Field {
    Field::typed("Description", label, FieldType::LongText, 32_000).extra("plaintextarea")
}

/// The two fields of the fence (design 6).
fn fence() -> Vec<Field> {
    let mut key = Field::text("Tandem_Key__c", "Tandem Key", 255);
    key.external_id = true;
    key.id_lookup = true;
    key.unique = true;
    key.case_sensitive = true;
    vec![
        key,
        Field::number("Tandem_Seq__c", "Tandem Seq", FieldType::Double, 15, 0),
    ]
}

fn account() -> Sobject {
    let mut fields = vec![
        Field::lookup("MasterRecordId", "Master Record ID", "Account", "MasterRecord").read_only(),
        Field::text("Name", "Account Name", 255)
            .required()
            .name_field()
            .extra("switchablepersonname"),
        Field::picklist("Type", "Account Type", 40, &ACCOUNT_TYPES),
        Field::lookup("ParentId", "Parent Account ID", "Account", "Parent").child("ChildAccounts", false),
    ];
    fields.extend(address("Billing", "BillingAddress", true));
    fields.extend(address("Shipping", "ShippingAddress", true));
    fields.extend([
        phone("Phone", "Account Phone"),
        phone("Fax", "Account Fax"),
        Field::text("AccountNumber", "Account Number", 40),
        Field::typed("Website", "Website", FieldType::Url, 255),
        Field::text("Sic", "SIC Code", 20),
        Field::picklist("Industry", "Industry", 40, &INDUSTRIES),
        Field::number("AnnualRevenue", "Annual Revenue", FieldType::Currency, 18, 0),
        Field::number("NumberOfEmployees", "Employees", FieldType::Int, 8, 0),
        Field::picklist(
            "Ownership",
            "Ownership",
            40,
            &["Public", "Private", "Subsidiary", "Other"],
        ),
        Field::text("TickerSymbol", "Ticker Symbol", 20),
        long_text("Account Description"),
        Field::picklist("Rating", "Account Rating", 40, &["Hot", "Warm", "Cold"]),
        Field::text("Site", "Account Site", 80),
        Field::picklist("AccountSource", "Account Source", 40, &SOURCES),
    ]);
    fields.extend(fence());
    Sobject::new("Account", "Account", "Accounts", "001", true, fields).captured()
}

fn contact() -> Sobject {
    let salutations = ["Mr.", "Ms.", "Mrs.", "Dr.", "Prof."];
    let mut email = Field::typed("Email", "Email", FieldType::Email, 80);
    email.id_lookup = true;
    let mut fields = vec![
        Field::lookup("MasterRecordId", "Master Record ID", "Contact", "MasterRecord").read_only(),
        Field::lookup("AccountId", "Account ID", "Account", "Account").child("Contacts", true),
        Field::text("LastName", "Last Name", 80)
            .required()
            .part_of("Name")
            .extra("personname"),
        Field::text("FirstName", "First Name", 40)
            .part_of("Name")
            .extra("personname"),
        Field::picklist("Salutation", "Salutation", 40, &salutations)
            .part_of("Name")
            .extra("personname"),
        Field::text("Name", "Full Name", 121)
            .required()
            .name_field()
            .extra("personname")
            .read_only(),
    ];
    fields.extend(address("Other", "OtherAddress", true));
    fields.extend(address("Mailing", "MailingAddress", true));
    fields.extend([
        phone("Phone", "Business Phone"),
        phone("Fax", "Business Fax"),
        phone("MobilePhone", "Mobile Phone"),
        phone("HomePhone", "Home Phone"),
        phone("OtherPhone", "Other Phone"),
        phone("AssistantPhone", "Asst. Phone"),
        Field::lookup("ReportsToId", "Reports To ID", "Contact", "ReportsTo").child("", false),
        email,
        Field::text("Title", "Title", 128),
        Field::text("Department", "Department", 80),
        Field::text("AssistantName", "Assistant's Name", 40),
        Field::picklist("LeadSource", "Lead Source", 255, &SOURCES),
        Field::new("Birthdate", "Birthdate", FieldType::Date),
        long_text("Contact Description"),
        Field::text("EmailBouncedReason", "Email Bounced Reason", 255),
        Field::new("EmailBouncedDate", "Email Bounced Date", FieldType::DateTime),
        Field {
            restricted: true,
            ..Field::picklist("Status__c", "Status", 255, &["Active", "Former", "Prospect"])
        },
    ]);
    fields.extend(fence());
    Sobject::new("Contact", "Contact", "Contacts", "003", true, fields).captured()
}

fn opportunity() -> Sobject {
    let stages: Vec<&str> = STAGES.iter().map(|s| s.name).collect();
    let categories = ["Omitted", "Pipeline", "BestCase", "MostLikely", "Forecast", "Closed"];
    let category_names = ["Omitted", "Pipeline", "Best Case", "Commit", "Closed"];
    let mut category_name =
        Field::picklist("ForecastCategoryName", "Forecast Category", 255, &category_names).defaulted();
    category_name.restricted = true;
    let mut name = Field::text("Name", "Name", 120).required().name_field();
    name.id_lookup = false;
    let mut fields = vec![
        Field::lookup("AccountId", "Account ID", "Account", "Account").child("Opportunities", true),
        Field::new("IsPrivate", "Private", FieldType::Boolean),
        name,
        long_text("Description"),
        Field::picklist("StageName", "Stage", 255, &stages).required(),
        Field::number("Amount", "Amount", FieldType::Currency, 18, 2),
        Field::number("Probability", "Probability (%)", FieldType::Percent, 3, 0).defaulted(),
        Field::number("ExpectedRevenue", "Expected Amount", FieldType::Currency, 18, 2).read_only(),
        Field::number("TotalOpportunityQuantity", "Quantity", FieldType::Double, 18, 2),
        Field::new("CloseDate", "Close Date", FieldType::Date).required(),
        Field::picklist("Type", "Opportunity Type", 255, &OPPORTUNITY_TYPES),
        Field::text("NextStep", "Next Step", 255),
        Field::picklist("LeadSource", "Lead Source", 255, &SOURCES),
        Field::new("IsClosed", "Closed", FieldType::Boolean).read_only(),
        Field::new("IsWon", "Won", FieldType::Boolean).read_only(),
        Field {
            restricted: true,
            ..Field::picklist("ForecastCategory", "Forecast Category", 40, &categories)
        }
        .read_only()
        .required()
        .defaulted(),
        category_name,
        Field::lookup("ContactId", "Contact ID", "Contact", "Contact").child("Opportunities", false),
    ];
    if let Some(contact) = fields.last_mut() {
        contact.updateable = false;
    }
    fields.extend(fence());
    Sobject::new("Opportunity", "Opportunity", "Opportunities", "006", true, fields).captured()
}

fn user() -> Sobject {
    let fields = [
        Field::text("Username", "Username", 80).required(),
        Field::text("LastName", "Last Name", 80).required().part_of("Name"),
        Field::text("FirstName", "First Name", 40).part_of("Name"),
        Field::text("Name", "Full Name", 121).required().name_field(),
        Field::typed("Email", "Email", FieldType::Email, 128).required(),
        Field::text("Alias", "Alias", 8).required(),
        Field::new("IsActive", "Active", FieldType::Boolean),
        Field::text("TimeZoneSidKey", "Time Zone", 40),
    ];
    Sobject::new(
        "User",
        "User",
        "Users",
        "005",
        false,
        fields.map(Field::read_only).into(),
    )
}

fn organization() -> Sobject {
    let fields = [
        Field::text("Name", "Name", 80).required().name_field(),
        Field::text("InstanceName", "Instance Name", 5),
        Field::new("IsSandbox", "Is Sandbox", FieldType::Boolean),
        Field::new("TrialExpirationDate", "Trial Expiration Date", FieldType::DateTime),
        Field::text("NamespacePrefix", "Namespace Prefix", 15),
        Field::text("OrganizationType", "Edition", 40),
        Field::text("TimeZoneSidKey", "Time Zone", 40),
    ];
    Sobject::new(
        "Organization",
        "Organization",
        "Organizations",
        "00D",
        false,
        fields.map(Field::read_only).into(),
    )
}
