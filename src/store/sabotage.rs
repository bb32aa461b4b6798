//! Fences taken down on purpose. Built only for tests of the oracle, which must find what follows.

/// What each check of ownership reads like, and what it becomes.
const CHECKS: [&str; 5] = [
    "if have[1] ~= nonce or have[2] ~= epoch then",
    "if step and have[3] ~= step then",
    "if expires > now and not ours then",
    "if have[1] ~= ARGV[1] or have[2] ~= ARGV[2] then",
    "if tonumber(ARGV[2]) < epoch then",
];

/// Whether `TANDEM_SABOTAGE=fence` is asked for.
pub(super) fn fences_are_down() -> bool {
    std::env::var("TANDEM_SABOTAGE").is_ok_and(|kind| kind == "fence")
}

/// A script that lets everybody in.
pub(super) fn unfenced(text: String) -> String {
    if !fences_are_down() {
        return text;
    }
    CHECKS
        .iter()
        .fold(text, |text, check| text.replace(check, "if false then"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_is_still_written_like_this() {
        let scripts: Vec<&str> = crate::store::script::all().iter().map(|s| s.text.as_str()).collect();
        for check in CHECKS {
            assert!(scripts.iter().any(|text| text.contains(check)), "{check}");
        }
    }
}
