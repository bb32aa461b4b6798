//! How a user logs in: password, locks, limits.

use std::collections::VecDeque;

use super::refusal::Refusal;
use crate::org::UserIdentity;

/// Wrong passwords in a row that lock a user [from memory].
const MAX_FAILURES: u32 = 10;
/// How long a lock lasts in milliseconds [from memory].
const LOCK_MS: i64 = 15 * 60 * 1_000;
/// The window of the login rate in milliseconds.
const HOUR_MS: i64 = 60 * 60 * 1_000;

/// One user's login.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// Who it is.
    pub(crate) identity: UserIdentity,
    /// Password.
    pub(crate) password: String,
    /// What may be, or where `token_needed` must be, at the end of the password.
    pub(crate) security_token: String,
    /// Whether logins from here need the security token.
    pub(crate) token_needed: bool,
    /// False for a deactivated user.
    pub(crate) active: bool,
    /// Whether the admin froze the user.
    pub(crate) frozen: bool,
    /// Whether the admin locked the user; time does not end that.
    pub(crate) locked: bool,
    /// First and last hour of the day, UTC, in which the user may log in; the last is not in it.
    pub(crate) login_hours: Option<(u8, u8)>,
    /// Whether no address of a client is in the user's ranges.
    pub(crate) ip_restricted: bool,
    failures: u32,
    locked_until_ms: i64,
    logins_ms: VecDeque<i64>,
}

impl Account {
    /// An active user with nothing in the way.
    #[must_use]
    pub(crate) fn new(identity: UserIdentity, password: String, security_token: String) -> Self {
        Self {
            identity,
            password,
            security_token,
            token_needed: false,
            active: true,
            frozen: false,
            locked: false,
            login_hours: None,
            ip_restricted: false,
            failures: 0,
            locked_until_ms: i64::MIN,
            logins_ms: VecDeque::new(),
        }
    }

    /// Ends a lock.
    pub(crate) fn unlock(&mut self) {
        self.locked = false;
        self.failures = 0;
        self.locked_until_ms = i64::MIN;
    }

    /// Checks a password, alone or with the security token behind it. Ten wrong ones lock the user for 15 minutes.
    ///
    /// # Errors
    /// `authentication failure`.
    pub(crate) fn check_password(&mut self, given: &str, now_ms: i64) -> Result<(), Refusal> {
        if self.locked || now_ms < self.locked_until_ms {
            return Err(Refusal::AuthenticationFailure);
        }
        let rest = given.strip_prefix(self.password.as_str());
        let right = match rest {
            Some("") => !self.token_needed,
            Some(rest) => rest == self.security_token,
            None => false,
        };
        if right {
            self.failures = 0;
            return Ok(());
        }
        self.failures += 1;
        if self.failures >= MAX_FAILURES {
            self.failures = 0;
            self.locked_until_ms = now_ms.saturating_add(LOCK_MS);
        }
        Err(Refusal::AuthenticationFailure)
    }

    /// Whether the user is in a state to use any token.
    ///
    /// # Errors
    /// `inactive user`.
    pub(crate) fn check_active(&self) -> Result<(), Refusal> {
        if self.active && !self.frozen {
            Ok(())
        } else {
            Err(Refusal::InactiveUser)
        }
    }

    /// One login of a user whose identity is proven: refused by state, hours, addresses and rate, else counted.
    ///
    /// # Errors
    /// `inactive user`, `ip restricted or invalid login hours`, `rate_limit_exceeded`.
    pub(crate) fn log_in(&mut self, now_ms: i64, per_hour: usize) -> Result<(), Refusal> {
        self.check_active()?;
        let hour = now_ms.div_euclid(HOUR_MS).rem_euclid(24);
        let open = self
            .login_hours
            .is_none_or(|(from, to)| (i64::from(from)..i64::from(to)).contains(&hour));
        if self.ip_restricted || !open {
            return Err(Refusal::LoginRestricted);
        }
        while self.logins_ms.front().is_some_and(|at| now_ms - at >= HOUR_MS) {
            self.logins_ms.pop_front();
        }
        if self.logins_ms.len() >= per_hour {
            return Err(Refusal::RateLimit);
        }
        self.logins_ms.push_back(now_ms);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        let identity = UserIdentity {
            id: "005000000000001AAA".into(),
            username: "a@b.example".to_owned(),
            name: ("A".to_owned(), "B".to_owned()),
            bypass: false,
        };
        Account::new(identity, "pass".to_owned(), "TOKEN".to_owned())
    }

    #[test]
    fn the_token_may_follow_the_password_or_must() {
        let mut a = account();
        for (given, needed, right) in [
            ("pass", false, true),
            ("passTOKEN", false, true),
            ("passTOKE", false, false),
            ("pass", true, false),
            ("passTOKEN", true, true),
            ("", false, false),
        ] {
            a.token_needed = needed;
            assert_eq!(a.check_password(given, 0).is_ok(), right, "{given} {needed}");
        }
    }

    #[test]
    fn ten_wrong_passwords_lock_for_a_quarter_of_an_hour() {
        let mut a = account();
        for _ in 0..MAX_FAILURES {
            assert!(a.check_password("x", 0).is_err());
        }
        assert!(a.check_password("pass", LOCK_MS - 1).is_err());
        assert!(a.check_password("pass", LOCK_MS).is_ok());
    }

    #[test]
    fn the_rate_is_of_the_last_hour() {
        let mut a = account();
        assert!(a.log_in(0, 2).is_ok());
        assert!(a.log_in(1, 2).is_ok());
        assert_eq!(a.log_in(HOUR_MS - 1, 2), Err(Refusal::RateLimit));
        assert!(a.log_in(HOUR_MS, 2).is_ok());
        assert_eq!(a.log_in(HOUR_MS, 2), Err(Refusal::RateLimit));
    }

    #[test]
    fn hours_are_of_the_day() {
        let mut a = account();
        a.login_hours = Some((8, 18));
        for (hour, open) in [(7, false), (8, true), (17, true), (18, false)] {
            assert_eq!(a.log_in(hour * HOUR_MS, 9).is_ok(), open, "{hour}");
        }
    }
}
