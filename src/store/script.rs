//! The Lua scripts: their texts, their names on the server, and how a call is put together.
//!
//! Each script is one file in `lua/` with a header that says KEYS, ARGV and what it returns. `--include NAME` lines are
//! replaced by `lua/include/NAME.lua` at load. Every key is declared; ARGV names further keys by their place in KEYS.

use std::sync::LazyLock;

use redis::{Cmd, ToRedisArgs};

/// Version of what the scripts keep in Redis. A tenant whose state has a higher one is not attached.
pub const FORMAT: u32 = 1;

/// Arguments that one call may have. A longer call would hold Redis up for everybody.
pub const ARGUMENTS_MAX: usize = tandem_core::engine::step_size::VALUES_MAX;

/// Which script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is described by the header of its file")]
pub enum ScriptName {
    Attach,
    Backpressure,
    Begin,
    Compact,
    Emit,
    Forward,
    Forwarded,
    Heartbeat,
    LeaseAcquire,
    LeaseRelease,
    LeaseRenew,
    Lengths,
    Link,
    Newest,
    Settle,
    TokenPut,
}

/// A script, ready to be loaded.
pub struct Script {
    /// Its name, as its file has it.
    pub name: &'static str,
    /// Its text with all includes.
    pub text: String,
    /// What EVALSHA calls it.
    pub sha: String,
}

const INCLUDES: [(&str, &str); 3] = [
    ("fence", include_str!("lua/include/fence.lua")),
    ("commit", include_str!("lua/include/commit.lua")),
    ("stream", include_str!("lua/include/stream.lua")),
];

const TEXTS: [(ScriptName, &str, &str); 15] = [
    (ScriptName::Attach, "attach", include_str!("lua/attach.lua")),
    (
        ScriptName::Backpressure,
        "backpressure",
        include_str!("lua/backpressure.lua"),
    ),
    (ScriptName::Begin, "begin", include_str!("lua/begin.lua")),
    (ScriptName::Compact, "compact", include_str!("lua/compact.lua")),
    (ScriptName::Emit, "emit", include_str!("lua/emit.lua")),
    (ScriptName::Forward, "forward", include_str!("lua/forward.lua")),
    (ScriptName::Forwarded, "forwarded", include_str!("lua/forwarded.lua")),
    (ScriptName::Heartbeat, "heartbeat", include_str!("lua/heartbeat.lua")),
    (
        ScriptName::LeaseAcquire,
        "lease_acquire",
        include_str!("lua/lease_acquire.lua"),
    ),
    (
        ScriptName::LeaseRelease,
        "lease_release",
        include_str!("lua/lease_release.lua"),
    ),
    (
        ScriptName::LeaseRenew,
        "lease_renew",
        include_str!("lua/lease_renew.lua"),
    ),
    (ScriptName::Lengths, "lengths", include_str!("lua/lengths.lua")),
    (ScriptName::Newest, "newest", include_str!("lua/newest.lua")),
    (ScriptName::Settle, "settle", include_str!("lua/settle.lua")),
    (ScriptName::TokenPut, "token_put", include_str!("lua/token_put.lua")),
];

static SCRIPTS: LazyLock<Vec<Script>> = LazyLock::new(|| {
    TEXTS
        .iter()
        .map(|(_, name, text)| {
            let text = spliced(text);
            #[cfg(feature = "sabotage")]
            let text = crate::store::sabotage::unfenced(name, text);
            let sha = redis::Script::new(&text).get_hash().to_owned();
            Script { name, text, sha }
        })
        .collect()
});

fn spliced(text: &str) -> String {
    let mut whole = String::new();
    for line in text.lines() {
        let include = line
            .strip_prefix("--include ")
            .and_then(|name| INCLUDES.iter().find(|(n, _)| *n == name));
        whole.push_str(include.map_or(line, |(_, text)| text));
        whole.push('\n');
    }
    whole
}

/// The commands that load every script; each answers the script's name.
pub(super) fn load() -> redis::Pipeline {
    let mut load = redis::pipe();
    for script in all() {
        load.cmd("SCRIPT").arg("LOAD").arg(&script.text);
    }
    load
}

/// All scripts, for loading.
pub fn all() -> &'static [Script] {
    &SCRIPTS
}

impl ScriptName {
    /// The script of this name.
    pub fn script(self) -> &'static Script {
        let at = TEXTS.iter().position(|(name, ..)| *name == self).unwrap_or_default();
        &SCRIPTS[at]
    }
}

/// A call of a script, put together argument by argument.
pub struct Call {
    cmd: Cmd,
    arguments: usize,
}

impl Call {
    /// A call on these keys, which must share a hash slot.
    pub fn new(script: ScriptName, keys: &[String]) -> Self {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(script.script().sha.as_str()).arg(keys.len()).arg(keys);
        Self {
            cmd,
            arguments: keys.len(),
        }
    }

    /// Adds one argument.
    pub fn arg(&mut self, value: impl ToRedisArgs) -> &mut Self {
        self.cmd.arg(value);
        self.arguments += 1;
        self
    }

    /// Keys and arguments so far; to be held against [`ARGUMENTS_MAX`].
    pub fn arguments(&self) -> usize {
        self.arguments
    }

    /// The command to send.
    pub fn into_cmd(self) -> Cmd {
        self.cmd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_is_whole_and_says_its_contract() {
        for script in all() {
            assert!(script.text.starts_with("#!lua"), "{}", script.name);
            assert!(
                !script.text.contains("--include"),
                "{} has an include that is not known",
                script.name
            );
            for part in [
                format!("-- {}: ", script.name),
                "-- KEYS: ".into(),
                "-- ARGV: ".into(),
                "-- Returns: ".into(),
            ] {
                assert!(
                    script.text.contains(&part),
                    "{} lacks '{part}' in its header",
                    script.name
                );
            }
            assert!(script.text.lines().count() < 150, "{} is too long", script.name);
            assert_eq!(script.sha.len(), 40);
        }
    }

    #[test]
    fn only_what_grows_is_refused_by_a_full_redis() {
        let refused: Vec<_> = all()
            .iter()
            .filter(|s| s.text.starts_with("#!lua\n"))
            .map(|s| s.name)
            .collect();
        assert_eq!(refused, ["emit"]);
    }
}
