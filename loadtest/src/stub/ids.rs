//! Ids of the stub's orgs and records: they name tenant and record, so nothing has to be looked up.

/// Digits of Salesforce ids.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Digits of the checksum.
const CHECKSUM: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
/// Records of one tenant: what is left of an id names the tenant.
const RECORDS_BITS: u32 = 24;
/// What the keys of an app begin with.
const CLIENT: &str = "stub-app-";

/// The 18 characters of an id: prefix, 12 digits, and the checksum (contract.md 7.1).
fn id(prefix: [u8; 3], mut number: u128) -> String {
    let mut text = [b'0'; 18];
    text[..3].copy_from_slice(&prefix);
    for place in text[3..15].iter_mut().rev() {
        *place = BASE62[(number % 62) as usize];
        number /= 62;
    }
    for group in 0..3 {
        let letters = text[group * 5..group * 5 + 5].iter().enumerate();
        let bits = letters.fold(0, |bits, (at, c)| bits | (usize::from(c.is_ascii_uppercase()) << at));
        text[15 + group] = CHECKSUM[bits];
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn number(prefix: &str, id: &str) -> Option<u128> {
    let digits = id.strip_prefix(prefix)?.get(..12)?;
    digits.bytes().try_fold(0_u128, |number, c| {
        let digit = match c {
            b'0'..=b'9' => c - b'0',
            b'A'..=b'Z' => c - b'A' + 10,
            b'a'..=b'z' => c - b'a' + 36,
            _ => return None,
        };
        Some(number * 62 + u128::from(digit))
    })
}

/// A contact's id.
pub(super) fn record(tenant: usize, number: u32) -> String {
    id(*b"003", ((tenant as u128) << RECORDS_BITS) | u128::from(number))
}

/// Whose contact it is, and its number.
pub(super) fn record_of(id: &str) -> Option<(usize, u32)> {
    let number = number("003", id)?;
    let record = u32::try_from(number & ((1 << RECORDS_BITS) - 1)).ok()?;
    Some((usize::try_from(number >> RECORDS_BITS).ok()?, record))
}

/// An organisation's id.
pub(super) fn org(tenant: usize) -> String {
    id(*b"00D", tenant as u128)
}

/// Whose organisation it is.
pub(super) fn tenant_of_org(id: &str) -> Option<usize> {
    usize::try_from(number("00D", id)?).ok()
}

/// A user's id: the same in every org.
pub(super) fn user() -> String {
    id(*b"005", 1)
}

/// The key of an org's app.
pub(super) fn client(tenant: usize) -> String {
    format!("{CLIENT}{tenant}")
}

/// Whose app it is.
pub(super) fn tenant_of_client(client: &str) -> Option<usize> {
    client.strip_prefix(CLIENT)?.parse().ok()
}

/// An access token: it names its org, as real ones do.
pub(super) fn token(tenant: usize) -> String {
    format!("{}!stub", org(tenant).get(..15).unwrap_or_default())
}

/// Whose token it is.
pub(super) fn tenant_of_token(token: &str) -> Option<usize> {
    tenant_of_org(token.strip_suffix("!stub")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_tenant_and_record_and_have_their_checksum() {
        for (tenant, number) in [(0, 0), (9_999, 9_999_999), (7, 12_345)] {
            let text = record(tenant, number);
            assert_eq!((text.len(), record_of(&text)), (18, Some((tenant, number))));
            assert_eq!(record_of(&text[..15]), Some((tenant, number)));
            assert_eq!(tenant_of_org(&org(tenant)), Some(tenant));
            assert_eq!(tenant_of_token(&token(tenant)), Some(tenant));
            assert_eq!(tenant_of_client(&client(tenant)), Some(tenant));
        }
        assert_eq!(record_of("001000000000001AAA"), None);
        // A recorded id: 001D000000IRFmaIAH (contract.md 7.1).
        let known = number("001", "001D000000IRFma").expect("an id");
        assert_eq!(id(*b"001", known), "001D000000IRFmaIAH");
    }
}
