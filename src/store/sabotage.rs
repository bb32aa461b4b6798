//! Fences taken down on purpose, on this node's side. Built only for tests of the oracle, which must find what follows.
//!
//! Such a node is one that others take for dead: no heartbeat, leases that lapse as they are taken. It takes itself for
//! the owner all the same, and Redis lets it go on under its old epoch. Other nodes, and their fence, are as ever.

/// No Lua: Redis refuses to load it, and the engine does not start.
const LOST: &str = "#!lua\nA check is written in another way than src/store/sabotage.rs expects";

/// A script as a node with `TANDEM_SABOTAGE=fence` loads it.
pub(super) fn unfenced(name: &str, text: String) -> String {
    if std::env::var("TANDEM_SABOTAGE").as_deref() != Ok("fence") {
        return text;
    }
    match name {
        "heartbeat" => "#!lua\nreturn { ARGV[1], '0' }".to_owned(),
        "lease_renew" => "#!lua\nlocal all = {}\nfor at = 3, #ARGV, 2 do all[#all + 1] = 1 end\nreturn all".to_owned(),
        "lease_acquire" => swapped(text, &[("now + tonumber(ARGV[4])", "now")]),
        "attach" => swapped(text, &[("tonumber(old[2]) > tonumber(ARGV[3])", "false")]),
        "forward" => swapped(text, &[("tonumber(ARGV[2]) < epoch", "false")]),
        "settle" => checked_by_nobody(swapped(
            text,
            &[("redis.call('HEXISTS', KEYS[2], ARGV[4]) == 0", "false")],
        )),
        _ if text.contains("local function fence(") => checked_by_nobody(text),
        _ => text,
    }
}

/// Nonce, epoch and step are not compared. The step is not raised either, or the rightful owner would notice.
fn checked_by_nobody(text: String) -> String {
    let text = swapped(
        text,
        &[
            ("have[1] ~= nonce or have[2] ~= epoch", "false"),
            ("step and have[3] ~= step", "false"),
        ],
    );
    text.replace("'HINCRBY', KEYS[1], 'step', 1", "'HGET', KEYS[1], 'step'")
}

fn swapped(text: String, swaps: &[(&str, &str)]) -> String {
    if swaps.iter().any(|(from, _)| !text.contains(from)) {
        return LOST.to_owned();
    }
    swaps.iter().fold(text, |text, (from, to)| text.replace(from, to))
}
