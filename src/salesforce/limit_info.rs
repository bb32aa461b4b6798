//! `Sforce-Limit-Info: api-usage=18/5000; per-app-api-usage=17/250(appName=x)`.

use tandem_core::engine::call::ApiUsage;

/// Finds the org's usage anywhere in the header's text (contract.md 2.4: search, don't match).
pub(super) fn parse(text: &str) -> Option<ApiUsage> {
    const NAME: &str = "api-usage=";
    let mut rest = text;
    loop {
        let at = rest.find(NAME)?;
        let part_of_other_name = rest[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '-');
        let (_, after) = rest.split_at(at + NAME.len());
        if !part_of_other_name && let Some(usage) = numbers(after) {
            return Some(usage);
        }
        rest = after;
    }
}

fn numbers(text: &str) -> Option<ApiUsage> {
    let (used, rest) = number(text)?;
    let (limit, _) = number(rest.strip_prefix('/')?)?;
    Some(ApiUsage { used, limit })
}

fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_found_wherever_it_stands() {
        let cases = [
            ("api-usage=18/5000", Some((18, 5000))),
            (
                "api-usage=18/5000; per-app-api-usage=17/250(appName=x)",
                Some((18, 5000)),
            ),
            (
                "per-app-api-usage=17/250(appName=x); api-usage=18/5000",
                Some((18, 5000)),
            ),
            ("per-app-api-usage=17/250(appName=x)", None),
            ("some=thing, api-usage=907/15000", Some((907, 15000))),
            ("api-usage=/5000", None),
            ("api-usage=18", None),
            ("api-usage=99999999999999999999999/5", None),
            ("", None),
        ];
        for (text, want) in cases {
            assert_eq!(
                parse(text),
                want.map(|(used, limit)| ApiUsage { used, limit }),
                "{text}"
            );
        }
    }
}
