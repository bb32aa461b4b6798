//! Proof Key for Code Exchange, S256 only [V:D-ECA].

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::refusal::Refusal;

/// Characters of a verifier. The documentation ends at 128 [V:D-ECA], but the command-line client sends 171 [V:JSF-OAUTH]; the
/// upper end is from memory.
const VERIFIER: std::ops::RangeInclusive<usize> = 43..=256;
/// Characters of a challenge: SHA-256 in base64url.
const CHALLENGE_LENGTH: usize = 43;

fn url_safe(text: &str, also: &[u8]) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || also.contains(&b))
}

/// The challenge of an authorize request.
///
/// # Errors
/// When the app requires one and there is none, or it is none, or its method is not `S256`. A method left out is taken for
/// S256: the command-line client leaves it out [V:JSF-OAUTH].
pub(crate) fn challenge(given: Option<&str>, method: Option<&str>, required: bool) -> Result<Option<String>, Refusal> {
    match given {
        None if required => Err(Refusal::MissingChallenge),
        None => Ok(None),
        Some(text) => {
            let good = text.len() == CHALLENGE_LENGTH && url_safe(text, b"");
            if good && method.is_none_or(|m| m == "S256") {
                Ok(Some(text.to_owned()))
            } else {
                Err(Refusal::InvalidChallenge)
            }
        }
    }
}

/// Checks the verifier of a token request.
///
/// # Errors
/// `missing required code verifier`, `invalid code verifier`.
pub(crate) fn verify(challenge: Option<&str>, verifier: Option<&str>) -> Result<(), Refusal> {
    let Some(challenge) = challenge else {
        return Ok(());
    };
    let verifier = verifier.ok_or(Refusal::MissingVerifier)?;
    let good = VERIFIER.contains(&verifier.len()) && url_safe(verifier, b".~");
    let hash = digest::digest(&digest::SHA256, verifier.as_bytes());
    if good && URL_SAFE_NO_PAD.encode(hash) == challenge {
        Ok(())
    } else {
        Err(Refusal::InvalidVerifier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert_eq!(verify(Some(challenge), Some(verifier)), Ok(()));
        assert_eq!(verify(Some(challenge), Some(challenge)), Err(Refusal::InvalidVerifier));
        assert_eq!(verify(Some(challenge), None), Err(Refusal::MissingVerifier));
        assert_eq!(verify(None, None), Ok(()));
    }

    #[test]
    fn lengths_of_verifiers() {
        for (length, good) in [(42, false), (43, true), (128, true), (171, true), (257, false)] {
            let verifier = "v".repeat(length);
            let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
            assert_eq!(verify(Some(&challenge), Some(&verifier)).is_ok(), good, "{length}");
        }
    }

    #[test]
    fn plain_is_refused() {
        let text = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert_eq!(
            challenge(Some(text), Some("plain"), false),
            Err(Refusal::InvalidChallenge)
        );
        assert_eq!(
            challenge(Some("short"), Some("S256"), false),
            Err(Refusal::InvalidChallenge)
        );
        assert_eq!(challenge(Some(text), Some("S256"), true), Ok(Some(text.to_owned())));
        assert_eq!(challenge(None, None, true), Err(Refusal::MissingChallenge));
    }
}
