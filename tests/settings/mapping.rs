//! Object files: what they compile to, and every error with its line.

use tandem::settings::Settings;
use tandem_core::domain::ids::FieldIdx;
use tandem_core::domain::plan::{Direction, Kind, MatchPlan, ObjectPlan, OnMatch, Policy};

use crate::files::{Files, TENANT};

const CONTACT: &str = r#"object = "contact"
salesforce = "Contact"
direction = "both"
on_conflict = "product"
[match]
fields = ["email"]
none = "ask"
[fields]
zip = "MailingPostalCode"
email = { salesforce = "Email", kind = "email", personal = true, on_conflict = "salesforce" }
company = { salesforce = "AccountId", references = "company" }
status = { salesforce = "Status__c", values = { active = "Active", churned = "Former" } }
city = "MailingCity"
full_name = { salesforce = "Name", direction = "to_product" }
[[group]]
fields = ["zip", "city"]
"#;

fn contact(settings: &Settings) -> ObjectPlan {
    settings
        .tenants
        .values()
        .next()
        .unwrap()
        .plan
        .object("contact")
        .unwrap()
        .as_ref()
        .clone()
}

#[test]
fn a_file_compiles_to_a_plan() {
    let settings = Files::new(TENANT).with("objects/contact.toml", CONTACT).load().unwrap();
    let plan = contact(&settings);
    let names: Vec<&str> = plan.fields.iter().map(|field| field.name.as_ref()).collect();
    assert_eq!(
        names,
        ["city", "company", "email", "full_name", "status", "zip"],
        "fields are sorted"
    );
    let kinds: Vec<Kind> = plan.fields.iter().map(|field| field.kind).collect();
    assert_eq!(
        kinds,
        [
            Kind::Text,
            Kind::Reference,
            Kind::Email,
            Kind::Text,
            Kind::Picklist,
            Kind::Text
        ]
    );
    for (at, field) in plan.fields.iter().enumerate() {
        assert_eq!(usize::from(field.idx.0), at);
    }
    assert_eq!(plan.groups, [vec![FieldIdx(0), FieldIdx(5)]]);
    assert_eq!(plan.field("zip").unwrap().group, Some(0));
    assert_eq!(plan.field("email").unwrap().on_conflict, Policy::Salesforce);
    assert_eq!(plan.field("city").unwrap().on_conflict, Policy::Product);
    assert_eq!(plan.field("full_name").unwrap().direction, Direction::ToProduct);
    assert_eq!(plan.field("status").unwrap().values["churned"], "Former");
    assert_eq!(plan.sequence.as_deref(), Some("Tandem_Seq__c"));
    let ranks: Vec<(String, u16)> = settings
        .tenants
        .values()
        .next()
        .unwrap()
        .plan
        .objects
        .iter()
        .map(|o| (o.object.to_string(), o.rank))
        .collect();
    assert_eq!(ranks, [("company".to_owned(), 0), ("contact".to_owned(), 1)]);
}

#[test]
fn matching_is_compiled_to_positions() {
    let plan = contact(&Files::new(TENANT).with("objects/contact.toml", CONTACT).load().unwrap());
    let expected = MatchPlan {
        fields: vec![plan.field("email").unwrap().idx],
        one: OnMatch::Act,
        none: OnMatch::Ask,
    };
    assert_eq!(plan.matching, Some(expected));
    let without = CONTACT.replace("[match]\nfields = [\"email\"]\nnone = \"ask\"\n", "");
    let plan = contact(
        &Files::new(TENANT)
            .with("objects/contact.toml", &without)
            .load()
            .unwrap(),
    );
    assert_eq!(plan.matching, None);
}

#[test]
fn the_version_follows_names_and_kinds_only() {
    let version = |text: &str| contact(&Files::new(TENANT).with("objects/contact.toml", text).load().unwrap()).version;
    let first = version(CONTACT);
    assert_eq!(
        version(&CONTACT.replace("on_conflict = \"product\"", "on_conflict = \"salesforce\"")),
        first
    );
    assert_eq!(version(&CONTACT.replace("MailingCity", "OtherCity")), first);
    assert_ne!(version(&CONTACT.replace("kind = \"email\"", "kind = \"text\"")), first);
    assert_ne!(version(&CONTACT.replace("city", "town")), first);
}

#[test]
fn a_tenant_overrides_single_fields() {
    let settings = format!(
        "[tenants.acme]\nfence = \"soft\"\n{TENANT}[tenants.acme.fields.contact.status]\nsalesforce = \"Stage__c\"\n\
         [tenants.acme.fields.contact.email]\non_conflict = \"product\"\n"
    );
    let plan = contact(
        &Files::new(&settings)
            .with("objects/contact.toml", CONTACT)
            .load()
            .unwrap(),
    );
    assert_eq!(plan.field("status").unwrap().salesforce.as_ref(), "Stage__c");
    assert_eq!(
        plan.field("status").unwrap().values["active"],
        "Active",
        "what is not overridden stays"
    );
    assert_eq!(plan.field("email").unwrap().on_conflict, Policy::Product);
    assert_eq!(plan.sequence, None, "a soft fence writes no sequence");
}

#[test]
fn wrong_overrides_are_told_at_their_line() {
    let told = |text: &str| {
        Files::new(&format!("{TENANT}{text}"))
            .with("objects/contact.toml", CONTACT)
            .problems()
    };
    assert_eq!(
        told("[tenants.acme.fields.contact.mail]\non_conflict = \"product\"\n"),
        [
            "tandem.toml:6: tenants.acme.fields.contact.mail: overrides a field that no object file has; tenants may \
          change fields, not add them"
        ]
    );
    assert_eq!(
        told("[tenants.acme.fields.contact.status]\nkind = \"text\"\n"),
        [
            "tandem.toml:6: tenants.acme.fields.contact.status.kind = \"text\": with values the kind is \"picklist\" or \
          \"multipicklist\""
        ]
    );
    assert_eq!(
        told("[tenants.acme.fields.contact.status]\non_conflict = \"latest\"\n"),
        [
            "tandem.toml:7: tenants.acme.fields.contact.status.on_conflict = \"latest\": allowed are \"product\", \
          \"salesforce\""
        ]
    );
}

/// Every rule of an object file: what is put in for `from`, and what is told of it.
#[test]
fn wrong_files_are_told_at_their_line() {
    let table: &[(&str, &str, &str)] = &[
        (
            "object = \"contact\"",
            "",
            "1: object: is missing: the product's name of the object, e.g. \"contact\"",
        ),
        (
            "object = \"contact\"",
            "object = \"Contact\"",
            "1: object = \"Contact\": allowed are 1 to 63 characters of a-z, 0-9 and '_', beginning with a letter",
        ),
        (
            "\"Contact\"\n",
            "\"My Contact\"\n",
            "2: salesforce = \"My Contact\": allowed is an API name: letters, digits and '_', beginning with a letter, \
             e.g. \"Status__c\"",
        ),
        (
            "\"both\"",
            "\"up\"",
            "3: direction = \"up\": allowed are \"both\", \"to_salesforce\", \"to_product\"",
        ),
        (
            "on_conflict = \"product\"",
            "on_conflict = \"latest\"",
            "4: on_conflict = \"latest\": allowed are \"product\", \"salesforce\"",
        ),
        (
            "on_conflict = \"product\"",
            "on_conflict = \"ask\"",
            "4: on_conflict = \"ask\": allowed are \"product\", \"salesforce\"",
        ),
        (
            "[\"email\"]",
            "[\"mail\"]",
            "6: match.fields = \"mail\": is no field of this object",
        ),
        (
            "[\"email\"]",
            "[]",
            "5: match.fields: is missing: one or more mapped fields that must be equal, e.g. [\"email\"]",
        ),
        (
            "[\"email\"]",
            "[\"full_name\"]",
            "5: match.fields = \"full_name\": never comes from the product, so it says nothing of its records",
        ),
        (
            "[\"email\"]",
            "[\"email\", \"company\"]",
            "5: match.fields = \"company\": cannot be looked for in Salesforce: allowed are fields of kind text, email, \
             phone, url, integer, picklist",
        ),
        (
            "[\"email\"]",
            "[\"email\", \"email\"]",
            "5: match.fields = \"email\": is named twice",
        ),
        (
            "none = \"ask\"",
            "none = \"link\"",
            "7: match.none = \"link\": allowed are \"create\", \"ask\"",
        ),
        (
            "none = \"ask\"",
            "many = \"link\"",
            "7: match.many = \"link\": allowed are \"ask\"",
        ),
        (
            "zip = \"MailingPostalCode\"",
            "zip = \"Account.Name\"",
            "9: fields.zip.salesforce = \"Account.Name\": allowed is an API name: letters, digits and '_', beginning \
             with a letter, e.g. \"Status__c\"",
        ),
        (
            "full_name = { salesforce = \"Name\", direction = \"to_product\" }",
            "full_name = 7",
            "14: fields.full_name = 7: allowed is \"SalesforceField\" or { salesforce = \"SalesforceField\", … }",
        ),
        (
            "zip = \"MailingPostalCode\"",
            "zip = { kind = \"text\" }",
            "9: fields.zip.salesforce: is missing: the Salesforce field's API name",
        ),
        (
            "zip = \"MailingPostalCode\"",
            "zip = \"Id\"",
            "9: fields.zip.salesforce = \"Id\": the id needs no mapping: events carry it as salesforce_id",
        ),
        (
            "zip = \"MailingPostalCode\"",
            "zip = \"Tandem_Key__c\"",
            "9: fields.zip.salesforce = \"Tandem_Key__c\": this field is Tandem's own: it holds the key or the sequence",
        ),
        (
            "zip = \"MailingPostalCode\"",
            "zip = \"CreatedDate\"",
            "9: fields.zip.salesforce = \"CreatedDate\": only Salesforce writes this field: direction = \"to_product\"",
        ),
        (
            "zip = \"MailingPostalCode\"",
            "zip = \"mailingcity\"",
            "9: fields.zip.salesforce = \"mailingcity\": 'city' writes this field already: give one of the two \
             direction = \"to_product\"",
        ),
        (
            "kind = \"email\"",
            "kind = \"mail\"",
            "10: fields.email.kind = \"mail\": allowed are \"text\", \"email\", \"phone\", \"url\", \"boolean\", \
             \"integer\", \"decimal\", \"date\", \"datetime\", \"picklist\", \"multipicklist\", \"reference\"",
        ),
        (
            "personal = true",
            "personal = \"yes\"",
            "10: fields.email.personal = \"yes\": allowed are true and false",
        ),
        (
            "personal = true",
            "private = true",
            "10: fields.email.private: is no setting (allowed here: direction, kind, on_conflict, personal, \
             references, required, salesforce, values)",
        ),
        (
            "references = \"company\"",
            "references = \"firm\"",
            "11: fields.company.references = \"firm\": no object file has this object; there are: company, contact",
        ),
        (
            ", references = \"company\"",
            ", kind = \"reference\"",
            "11: fields.company.kind = \"reference\": a reference must say to which object: references = \"company\"",
        ),
        (
            "references = \"company\"",
            "references = \"company\", kind = \"text\"",
            "11: fields.company.kind = \"text\": with references the kind is \"reference\"",
        ),
        (
            "references = \"company\"",
            "references = \"company\", values = { a = \"A\" }",
            "11: fields.company.values = {…}: a reference has no list of values: keep one of the two",
        ),
        (
            "churned = \"Former\"",
            "churned = \"Active\"",
            "12: fields.status.values = \"Active\": 'active' and 'churned' both become this value, so there is no way \
             back: keep one",
        ),
        (
            "churned = \"Former\"",
            "churned = \"A;B\"",
            "12: fields.status.values.churned = \"A;B\": allowed is a picklist's value in quotes, without ';'",
        ),
        (
            "direction = \"to_product\"",
            "direction = \"to_product\", required = true",
            "14: fields.full_name.required = true: a field that only comes from Salesforce cannot be required there",
        ),
        (
            "[\"zip\", \"city\"]",
            "[\"zip\", \"town\"]",
            "15: group.fields = \"town\": is no field of this object",
        ),
        (
            "[\"zip\", \"city\"]",
            "[\"zip\"]",
            "15: group.fields = [\"zip\"]: a group has two fields or more",
        ),
        (
            "[\"zip\", \"city\"]",
            "[\"zip\", \"zip\"]",
            "15: group.fields = \"zip\": is in a group already: a field has one group at most",
        ),
        (
            "[\"zip\", \"city\"]",
            "[\"zip\", \"email\"]",
            "15: group.fields = \"email\": 'zip' has another direction or on_conflict: fields that travel together \
             have the same",
        ),
        (
            "[[group]]",
            "[group]",
            "15: group = {…}: groups are written as [[group]], with two brackets",
        ),
    ];
    for (from, to, expected) in table {
        assert!(CONTACT.contains(from), "{from}");
        let text = CONTACT.replacen(from, to, 1);
        let problems = Files::new("").with("objects/contact.toml", &text).problems();
        assert_eq!(problems, [format!("objects/contact.toml:{expected}")], "for {to}");
    }
}

#[test]
fn a_field_is_not_wider_than_its_object() {
    let text = CONTACT.replace("direction = \"both\"", "direction = \"to_salesforce\"");
    let problems = Files::new("").with("objects/contact.toml", &text).problems();
    assert_eq!(
        problems,
        [
            "objects/contact.toml:14: fields.full_name.direction = \"to_product\": is wider than the object's direction: \
          widen that, or take this out"
        ]
    );
}

#[test]
fn references_must_not_run_in_a_circle() {
    let company = "object = \"company\"\nsalesforce = \"Account\"\n[fields]\nname = \"Name\"\n\
                   head = { salesforce = \"Head__c\", references = \"contact\" }\n";
    let problems = Files::new("")
        .with("objects/contact.toml", CONTACT)
        .with("objects/company.toml", company)
        .problems();
    assert_eq!(
        problems,
        [
            "objects/company.toml:1: fields = company → contact → company: these objects reference one another in a \
          circle, so none can be created first: give one of the references direction = \"to_product\""
        ]
    );
    let broken = company.replace(
        "references = \"contact\"",
        "references = \"contact\", direction = \"to_product\"",
    );
    let files = Files::new("")
        .with("objects/contact.toml", CONTACT)
        .with("objects/company.toml", &broken);
    assert_eq!(files.problems(), Vec::<String>::new());
}

#[test]
fn one_file_an_object_and_one_object_an_sobject() {
    let twice = Files::new("").with(
        "objects/firm.toml",
        "object = \"company\"\nsalesforce = \"Firm__c\"\n[fields]\na = \"A\"\n",
    );
    let problems = twice.problems();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].starts_with("objects/firm.toml:1: object = \"company\": "),
        "{problems:?}"
    );
    let shared = Files::new("").with(
        "objects/firm.toml",
        "object = \"firm\"\nsalesforce = \"account\"\n[fields]\na = \"A\"\n",
    );
    let problems = shared.problems();
    assert!(
        problems[0].starts_with("objects/firm.toml:1: salesforce = \"account\": "),
        "{problems:?}"
    );
}

#[test]
fn parents_are_mapped_for_the_tenant_too() {
    let settings = format!("[tenants.acme]\nobjects = [\"contact\"]\n{TENANT}");
    let problems = Files::new(&settings).with("objects/contact.toml", CONTACT).problems();
    assert_eq!(
        problems,
        ["tandem.toml:1: tenants.acme.objects: contact.company references 'company': add it to the list"]
    );
}

#[test]
fn a_directory_without_objects() {
    let problems = Files::new("[objects]\ndir = \"nowhere\"").problems();
    assert!(
        problems[0].starts_with("tandem.toml:1: objects.dir = nowhere: the directory cannot be read: "),
        "{problems:?}"
    );
}
