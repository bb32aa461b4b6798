//! Leads, products and campaigns: fields of recorded describes where there are any (Lead [R cci]), else from the object
//! reference [from memory].

use super::field::{Field, FieldType};
use super::sobject::Sobject;
use super::standard::{INDUSTRIES, SOURCES, address, long_text, phone};
use crate::org::Cell;

/// The objects of this file.
pub(super) fn sales() -> Vec<Sobject> {
    vec![
        lead(),
        product(),
        pricebook(),
        pricebook_entry(),
        line_item(),
        campaign(),
        campaign_member(),
    ]
}

fn checkbox(name: &str, label: &str) -> Field {
    Field::new(name, label, FieldType::Boolean)
}

fn money(name: &str, label: &str, scale: u8) -> Field {
    Field::number(name, label, FieldType::Currency, 18, scale)
}

fn lead() -> Sobject {
    let statuses = [
        "Open - Not Contacted",
        "Working - Contacted",
        "Closed - Converted",
        "Closed - Not Converted",
    ];
    let mut email = Field::typed("Email", "Email", FieldType::Email, 80);
    email.id_lookup = true;
    let mut fields = vec![
        Field::lookup("MasterRecordId", "Master Record ID", "Lead", "MasterRecord").read_only(),
        Field::text("LastName", "Last Name", 80)
            .required()
            .part_of("Name")
            .extra("personname"),
        Field::text("FirstName", "First Name", 40)
            .part_of("Name")
            .extra("personname"),
        Field::picklist("Salutation", "Salutation", 40, &["Mr.", "Ms.", "Mrs.", "Dr.", "Prof."])
            .part_of("Name")
            .extra("personname"),
        Field::text("Name", "Full Name", 121)
            .required()
            .name_field()
            .extra("personname")
            .read_only(),
        Field::text("Title", "Title", 128),
        Field::text("Company", "Company", 255).required(),
    ];
    fields.extend(address("", "Address", true));
    fields.extend([
        phone("Phone", "Phone"),
        phone("MobilePhone", "Mobile Phone"),
        phone("Fax", "Fax"),
        email,
        Field::typed("Website", "Website", FieldType::Url, 255),
        long_text("Description"),
        Field::picklist("LeadSource", "Lead Source", 255, &SOURCES),
        Field::picklist("Status", "Status", 255, &statuses)
            .required()
            .defaults_to(Cell::text("Open - Not Contacted")),
        Field::picklist("Industry", "Industry", 255, &INDUSTRIES),
        Field::picklist("Rating", "Rating", 255, &["Hot", "Warm", "Cold"]),
        money("AnnualRevenue", "Annual Revenue", 0),
        Field::number("NumberOfEmployees", "Employees", FieldType::Int, 8, 0),
        checkbox("IsConverted", "Converted").read_only(),
        Field::new("ConvertedDate", "Converted Date", FieldType::Date).read_only(),
        Field::lookup(
            "ConvertedAccountId",
            "Converted Account ID",
            "Account",
            "ConvertedAccount",
        )
        .read_only(),
        Field::lookup(
            "ConvertedContactId",
            "Converted Contact ID",
            "Contact",
            "ConvertedContact",
        )
        .read_only(),
        Field::lookup(
            "ConvertedOpportunityId",
            "Converted Opportunity ID",
            "Opportunity",
            "ConvertedOpportunity",
        )
        .read_only(),
        checkbox("IsUnreadByOwner", "Unread By Owner").defaults_to(Cell::Bool(true)),
    ]);
    Sobject::new("Lead", "Lead", "Leads", "00Q", true, fields)
}

fn product() -> Sobject {
    let fields = vec![
        Field::text("Name", "Product Name", 255).required().name_field(),
        Field::text("ProductCode", "Product Code", 255),
        Field::typed("Description", "Product Description", FieldType::LongText, 4_000).extra("plaintextarea"),
        checkbox("IsActive", "Active"),
        Field::picklist("Family", "Product Family", 255, &["None"]),
        Field::text("StockKeepingUnit", "Product SKU", 180),
    ];
    Sobject::new("Product2", "Product", "Products", "01t", true, fields).ownerless()
}

fn pricebook() -> Sobject {
    let fields = vec![
        Field::text("Name", "Price Book Name", 255).required().name_field(),
        checkbox("IsActive", "Active"),
        checkbox("IsStandard", "Is Standard Price Book").read_only(),
        Field::text("Description", "Description", 255),
    ];
    Sobject::new("Pricebook2", "Price Book", "Price Books", "01s", true, fields).ownerless()
}

/// A reference that is set once.
fn fixed(field: Field) -> Field {
    let mut field = field.required();
    field.updateable = false;
    field
}

fn pricebook_entry() -> Sobject {
    let fields = vec![
        Field::text("Name", "Product Name", 255).read_only().name_field(),
        fixed(
            Field::lookup("Pricebook2Id", "Price Book ID", "Pricebook2", "Pricebook2").child("PricebookEntries", true),
        ),
        fixed(Field::lookup("Product2Id", "Product ID", "Product2", "Product2").child("PricebookEntries", true)),
        money("UnitPrice", "List Price", 2).required(),
        checkbox("IsActive", "Active"),
        checkbox("UseStandardPrice", "Use Standard Price"),
        Field::text("ProductCode", "Product Code", 255).read_only(),
    ];
    Sobject::new(
        "PricebookEntry",
        "Price Book Entry",
        "Price Book Entries",
        "01u",
        true,
        fields,
    )
    .ownerless()
}

fn line_item() -> Sobject {
    let fields = vec![
        Field::lookup("OpportunityId", "Opportunity ID", "Opportunity", "Opportunity").master("OpportunityLineItems"),
        Field::number("SortOrder", "Sort Order", FieldType::Int, 9, 0),
        fixed(
            Field::lookup(
                "PricebookEntryId",
                "Price Book Entry ID",
                "PricebookEntry",
                "PricebookEntry",
            )
            .child("OpportunityLineItems", false),
        ),
        Field::lookup("Product2Id", "Product ID", "Product2", "Product2").read_only(),
        Field::text("Name", "Opportunity Product Name", 376)
            .read_only()
            .name_field(),
        Field::number("Quantity", "Quantity", FieldType::Double, 12, 2).required(),
        money("TotalPrice", "Total Price", 2),
        money("UnitPrice", "Sales Price", 2),
        money("ListPrice", "List Price", 2).read_only(),
        Field::number("Discount", "Discount", FieldType::Percent, 3, 2),
        Field::new("ServiceDate", "Date", FieldType::Date),
        Field::text("Description", "Line Description", 255),
    ];
    Sobject::new(
        "OpportunityLineItem",
        "Opportunity Product",
        "Opportunity Product",
        "00k",
        true,
        fields,
    )
    .ownerless()
}

fn campaign() -> Sobject {
    let fields = vec![
        Field::text("Name", "Name", 80).required().name_field(),
        Field::lookup("ParentId", "Parent Campaign ID", "Campaign", "Parent").child("ChildCampaigns", false),
        Field::picklist(
            "Type",
            "Type",
            255,
            &["Conference", "Webinar", "Email", "Partners", "Other"],
        ),
        Field::picklist(
            "Status",
            "Status",
            255,
            &["Planned", "In Progress", "Completed", "Aborted"],
        )
        .defaults_to(Cell::text("Planned")),
        Field::new("StartDate", "Start Date", FieldType::Date),
        Field::new("EndDate", "End Date", FieldType::Date),
        money("ExpectedRevenue", "Expected Revenue in Campaign", 0),
        money("BudgetedCost", "Budgeted Cost in Campaign", 0),
        money("ActualCost", "Actual Cost in Campaign", 0),
        Field::number("NumberSent", "Num Sent in Campaign", FieldType::Double, 18, 0),
        checkbox("IsActive", "Active"),
        long_text("Description"),
    ];
    Sobject::new("Campaign", "Campaign", "Campaigns", "701", true, fields)
}

fn campaign_member() -> Sobject {
    let mut campaign =
        Field::lookup("CampaignId", "Campaign ID", "Campaign", "Campaign").child("CampaignMembers", true);
    campaign.updateable = false;
    let fields = vec![
        campaign.required(),
        Field::lookup("LeadId", "Lead ID", "Lead", "Lead").child("CampaignMembers", true),
        Field::lookup("ContactId", "Contact ID", "Contact", "Contact").child("CampaignMembers", true),
        Field::picklist("Status", "Status", 40, &["Sent", "Responded"]).defaults_to(Cell::text("Sent")),
        checkbox("HasResponded", "Responded").read_only(),
    ];
    Sobject::new(
        "CampaignMember",
        "Campaign Member",
        "Campaign Members",
        "00v",
        true,
        fields,
    )
    .ownerless()
}
