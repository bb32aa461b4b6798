//! Names of a compound's parts as the REST API calls them: `MailingAddress.City` is `MailingCity`.

use std::sync::Arc;

/// The API name of one part. `record` is the name of the compound's record type in the event schema.
pub(super) fn part(field: &str, record: &str, part: &str) -> Arc<str> {
    // Custom compounds: `Site__c` has `Site__City__s` and `Site__Latitude__s`.
    if let Some(stem) = field.strip_suffix("__c") {
        return format!("{stem}__{part}__s").into();
    }
    match record {
        "PersonName" | "Switchable_PersonName" => part.into(),
        "Address" => format!("{}{part}", field.strip_suffix("Address").unwrap_or(field)).into(),
        _ if field == "Name" => part.into(),
        _ => format!("{field}{part}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_their_api_names() {
        let table = [
            ("Name", "PersonName", "FirstName", "FirstName"),
            ("Name", "Switchable_PersonName", "Salutation", "Salutation"),
            ("MailingAddress", "Address", "PostalCode", "MailingPostalCode"),
            ("BillingAddress", "Address", "StateCode", "BillingStateCode"),
            ("Address", "Address", "City", "City"),
            ("Site__c", "Address", "City", "Site__City__s"),
            ("Place__c", "Location", "Latitude", "Place__Latitude__s"),
            ("Location", "Location", "Latitude", "LocationLatitude"),
        ];
        for (field, record, child, want) in table {
            assert_eq!(part(field, record, child).as_ref(), want);
        }
    }
}
