//! Refresh tokens. A family is one authorization: the one live token, and with rotation those before it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::refusal::Refusal;
use super::scope::Scopes;
use crate::org::Stream;

/// Most live families of one user and app; the next one ends the oldest [V:I-appsmith-38961].
pub(crate) const MAX_FAMILIES: usize = 5;
/// For how long a replaced token is answered as the loser of a race, in milliseconds [from memory].
const RACE_MS: i64 = 60 * 1_000;
/// Characters of a token behind its prefix.
const LENGTH: usize = 80;

/// One authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FamilyId(u64);

/// What a family stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Family {
    /// Id of the user.
    pub(crate) user: Arc<str>,
    /// The app.
    pub(crate) client_id: Arc<str>,
    /// What was agreed to.
    pub(crate) scopes: Scopes,
    /// The live token.
    pub(crate) token: String,
    /// When it was opened, in milliseconds since 1970.
    pub(crate) opened_ms: i64,
    used_ms: i64,
}

/// The refresh tokens of one org.
#[derive(Debug)]
pub(crate) struct Families {
    /// Ids grow, so the first of a user and app is the oldest.
    live: BTreeMap<FamilyId, Family>,
    tokens: HashMap<String, FamilyId>,
    /// Tokens replaced within [`RACE_MS`], oldest first. Later ones need no memory: they are answered as unknown ones are.
    replaced: VecDeque<(String, i64)>,
    next: u64,
    texts: Stream,
}

impl Families {
    /// None.
    #[must_use]
    pub(crate) fn new(texts: Stream) -> Self {
        Self {
            live: BTreeMap::new(),
            tokens: HashMap::new(),
            replaced: VecDeque::new(),
            next: 0,
            texts,
        }
    }

    fn text(&mut self) -> String {
        format!("5Aep861{}", self.texts.text(LENGTH))
    }

    /// Opens a family; also the one that had to end for it.
    pub(crate) fn open(
        &mut self,
        user: &Arc<str>,
        client_id: &Arc<str>,
        scopes: &Scopes,
        now_ms: i64,
    ) -> (FamilyId, Option<FamilyId>) {
        let mut mine = self.of(user, client_id);
        let oldest = mine.next();
        let ended = oldest.filter(|_| mine.count() + 1 >= MAX_FAMILIES);
        if let Some(ended) = ended {
            self.end(ended);
        }
        let id = FamilyId(self.next);
        self.next += 1;
        let token = self.text();
        self.tokens.insert(token.clone(), id);
        let family = Family {
            user: Arc::clone(user),
            client_id: Arc::clone(client_id),
            scopes: scopes.clone(),
            token,
            opened_ms: now_ms,
            used_ms: now_ms,
        };
        self.live.insert(id, family);
        (id, ended)
    }

    /// The live families of a user and app, oldest first.
    pub(crate) fn of(&self, user: &str, client_id: &str) -> impl Iterator<Item = FamilyId> {
        self.live
            .iter()
            .filter(move |(_, f)| *f.user == *user && *f.client_id == *client_id)
            .map(|(id, _)| *id)
    }

    /// A live family.
    #[must_use]
    pub(crate) fn get(&self, id: FamilyId) -> Option<&Family> {
        self.live.get(&id)
    }

    /// The family of a live token.
    #[must_use]
    pub(crate) fn find(&self, token: &str) -> Option<FamilyId> {
        self.tokens.get(token).copied()
    }

    /// Whether this org knows the token, live or just replaced.
    #[must_use]
    pub(crate) fn knows(&self, token: &str) -> bool {
        self.tokens.contains_key(token) || self.replaced.iter().any(|(t, _)| t == token)
    }

    /// Uses a token of this app: its family lives on, with `rotate` under a new token while the old one dies at once.
    /// `idle_ms` is the longest time between two uses.
    ///
    /// # Errors
    /// `expired authorization code` for a token replaced less than a minute ago: another refresh was quicker.
    /// `expired access/refresh token` for every other one that is not alive.
    pub(crate) fn refresh(
        &mut self,
        token: &str,
        client_id: &str,
        rotate: bool,
        idle_ms: Option<i64>,
        now_ms: i64,
    ) -> Result<FamilyId, Refusal> {
        while self.replaced.front().is_some_and(|(_, at)| now_ms - at >= RACE_MS) {
            self.replaced.pop_front();
        }
        if self.replaced.iter().any(|(t, _)| t == token) {
            return Err(Refusal::ExpiredCode);
        }
        let id = self.find(token).ok_or(Refusal::ExpiredToken)?;
        let family = self.live.get_mut(&id).ok_or(Refusal::ExpiredToken)?;
        if *family.client_id != *client_id {
            return Err(Refusal::ExpiredToken);
        }
        if idle_ms.is_some_and(|idle| now_ms - family.used_ms > idle) {
            self.end(id);
            return Err(Refusal::ExpiredToken);
        }
        family.used_ms = family.used_ms.max(now_ms);
        if rotate {
            let new = self.text();
            self.tokens.insert(new.clone(), id);
            self.tokens.remove(token);
            if let Some(family) = self.live.get_mut(&id) {
                family.token = new;
            }
            self.replaced.push_back((token.to_owned(), now_ms));
        }
        Ok(id)
    }

    /// Ends a family.
    pub(crate) fn end(&mut self, id: FamilyId) {
        if let Some(family) = self.live.remove(&id) {
            self.tokens.remove(&family.token);
        }
    }

    /// Ends all families that `which` names.
    pub(crate) fn end_where(&mut self, which: impl Fn(&Family) -> bool) {
        let gone: Vec<FamilyId> = self.live.iter().filter(|(_, f)| which(f)).map(|(id, _)| *id).collect();
        for id in gone {
            self.end(id);
        }
    }

    /// Live families.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Family> {
        self.live.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn families() -> Families {
        Families::new(Stream::new(1, "families"))
    }

    fn open(families: &mut Families, user: &str, app: &str, now: i64) -> (FamilyId, String) {
        let (id, _) = families.open(&user.into(), &app.into(), &Scopes::default(), now);
        (id, families.get(id).unwrap().token.clone())
    }

    #[test]
    fn a_rotated_token_is_dead_at_once_and_first_a_race_then_expired() {
        let mut f = families();
        let (id, old) = open(&mut f, "u", "a", 0);
        assert_eq!(f.refresh(&old, "a", true, None, 0), Ok(id));
        let new = f.get(id).unwrap().token.clone();
        assert_ne!(old, new);
        assert_eq!(f.refresh(&old, "a", true, None, RACE_MS - 1), Err(Refusal::ExpiredCode));
        assert_eq!(f.refresh(&old, "a", true, None, RACE_MS), Err(Refusal::ExpiredToken));
        assert_eq!(f.refresh(&new, "a", true, None, RACE_MS), Ok(id));
    }

    #[test]
    fn without_rotation_the_token_stays() {
        let mut f = families();
        let (id, token) = open(&mut f, "u", "a", 0);
        for now in 0..3 {
            assert_eq!(f.refresh(&token, "a", false, None, now), Ok(id));
        }
        assert_eq!(f.refresh(&token, "other", false, None, 3), Err(Refusal::ExpiredToken));
    }

    #[test]
    fn an_idle_token_dies_and_a_used_one_lives_on() {
        let mut f = families();
        let (id, token) = open(&mut f, "u", "a", 0);
        assert_eq!(f.refresh(&token, "a", false, Some(10), 10), Ok(id));
        assert_eq!(f.refresh(&token, "a", false, Some(10), 20), Ok(id));
        assert_eq!(f.refresh(&token, "a", false, Some(10), 31), Err(Refusal::ExpiredToken));
        assert_eq!(f.refresh(&token, "a", false, None, 31), Err(Refusal::ExpiredToken));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Open(u8, u8),
        Refresh(usize, bool),
        Revoke(usize),
        Wait(i64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..2u8, 0..2u8).prop_map(|(u, a)| Step::Open(u, a)),
            (any::<usize>(), any::<bool>()).prop_map(|(t, r)| Step::Refresh(t, r)),
            any::<usize>().prop_map(Step::Revoke),
            (0..90_000i64).prop_map(Step::Wait),
        ]
    }

    proptest! {
        #[test]
        fn one_live_token_a_family_and_five_families_a_user_and_app(steps in prop::collection::vec(step(), 0..80)) {
            let mut f = families();
            let mut now = 0;
            // Every token ever given out, with its user and app.
            let mut ever: Vec<(String, u8, u8)> = Vec::new();
            for step in steps {
                match step {
                    Step::Open(user, app) => {
                        let (_, token) = open(&mut f, &user.to_string(), &app.to_string(), now);
                        ever.push((token, user, app));
                    }
                    Step::Refresh(at, rotate) if !ever.is_empty() => {
                        let (token, user, app) = ever[at % ever.len()].clone();
                        let was = f.find(&token);
                        match f.refresh(&token, &app.to_string(), rotate, Some(50_000), now) {
                            Ok(id) => {
                                prop_assert_eq!(Some(id), was);
                                let now_live = f.get(id).unwrap().token.clone();
                                prop_assert_eq!(now_live != token, rotate);
                                prop_assert_eq!(f.find(&token).is_none(), rotate);
                                ever.push((now_live, user, app));
                            }
                            Err(_) => prop_assert_eq!(f.find(&token), None),
                        }
                    }
                    Step::Revoke(at) if !ever.is_empty() => {
                        if let Some(id) = f.find(&ever[at % ever.len()].0) {
                            f.end(id);
                        }
                    }
                    Step::Wait(ms) => now += ms,
                    _ => {}
                }
                for user in ["0", "1"] {
                    for app in ["0", "1"] {
                        prop_assert!(f.of(user, app).count() <= MAX_FAMILIES);
                    }
                }
                // The live tokens are exactly the live families' current ones.
                let mut alive: Vec<&str> =
                    ever.iter().map(|(t, ..)| t.as_str()).filter(|t| f.find(t).is_some()).collect();
                alive.sort_unstable();
                alive.dedup();
                let mut current: Vec<&str> = f.iter().map(|family| family.token.as_str()).collect();
                current.sort_unstable();
                prop_assert_eq!(alive, current);
            }
        }
    }
}
