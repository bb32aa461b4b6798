//! Authorization codes: single use, a quarter of an hour.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::refusal::Refusal;
use super::scope::Scopes;
use crate::org::Stream;

/// Life of a code in milliseconds [from memory].
const LIFE_MS: i64 = 15 * 60 * 1_000;
/// Codes that an org remembers, used ones too; older ones are as if they had never been.
const MAX_CODES: usize = 10_000;
/// Characters of a code without its ending.
const LENGTH: usize = 58;

/// What a user agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// Id of the user.
    pub(crate) user: Arc<str>,
    /// The app.
    pub(crate) client_id: Arc<str>,
    /// Where the code was sent.
    pub(crate) redirect_uri: String,
    /// What was agreed to.
    pub(crate) scopes: Scopes,
    /// The S256 challenge, where there was one.
    pub(crate) challenge: Option<String>,
    /// For the id token.
    pub(crate) nonce: Option<String>,
}

#[derive(Debug)]
struct Code {
    agreed: Agreed,
    issued_ms: i64,
    used: bool,
}

/// The codes of one org.
#[derive(Debug)]
pub(crate) struct Codes {
    codes: HashMap<String, Code>,
    order: VecDeque<String>,
    texts: Stream,
}

impl Codes {
    /// None given out.
    #[must_use]
    pub(crate) fn new(texts: Stream) -> Self {
        Self {
            codes: HashMap::new(),
            order: VecDeque::new(),
            texts,
        }
    }

    /// A new code; it ends with `==`, so that it arrives percent-encoded (contract 1.4).
    pub(crate) fn issue(&mut self, agreed: Agreed, now_ms: i64) -> String {
        if self.order.len() >= MAX_CODES
            && let Some(oldest) = self.order.pop_front()
        {
            self.codes.remove(&oldest);
        }
        let text = format!("aPrx{}==", self.texts.text(LENGTH));
        self.order.push_back(text.clone());
        let code = Code {
            agreed,
            issued_ms: now_ms,
            used: false,
        };
        self.codes.insert(text.clone(), code);
        text
    }

    /// Whether this org gave the code out.
    #[must_use]
    pub(crate) fn knows(&self, code: &str) -> bool {
        self.codes.contains_key(code)
    }

    /// Uses a code up when `check` agrees; a request that it refuses leaves the code as it was [from memory].
    ///
    /// # Errors
    /// `invalid authorization code` for one that never was, `expired authorization code` for one used or too old, and what
    /// `check` says.
    pub(crate) fn redeem(
        &mut self,
        code: &str,
        now_ms: i64,
        check: impl FnOnce(&Agreed) -> Result<(), Refusal>,
    ) -> Result<Agreed, Refusal> {
        let code = self.codes.get_mut(code).ok_or(Refusal::InvalidCode)?;
        if code.used || now_ms - code.issued_ms > LIFE_MS {
            return Err(Refusal::ExpiredCode);
        }
        check(&code.agreed)?;
        code.used = true;
        Ok(code.agreed.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed() -> Agreed {
        Agreed {
            user: "005".into(),
            client_id: "c".into(),
            redirect_uri: "http://r".to_owned(),
            scopes: Scopes::default(),
            challenge: None,
            nonce: None,
        }
    }

    #[test]
    fn a_code_works_once_and_for_a_quarter_of_an_hour() {
        let mut codes = Codes::new(Stream::new(1, "codes"));
        let (one, two) = (codes.issue(agreed(), 0), codes.issue(agreed(), 0));
        let yes = |_: &Agreed| Ok(());
        assert_eq!(
            codes.redeem(&one, 1, |_| Err(Refusal::InvalidVerifier)),
            Err(Refusal::InvalidVerifier)
        );
        assert_eq!(codes.redeem(&one, LIFE_MS, yes), Ok(agreed()));
        assert_eq!(codes.redeem(&one, LIFE_MS, yes), Err(Refusal::ExpiredCode));
        assert_eq!(codes.redeem(&two, LIFE_MS + 1, yes), Err(Refusal::ExpiredCode));
        assert_eq!(codes.redeem("other", 0, yes), Err(Refusal::InvalidCode));
    }
}
