//! The commands of the README work as they stand there, in their order.
#![allow(clippy::unwrap_used, reason = "a test may end by panicking")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for a command to show what the README says it shows.
const DEADLINE: Duration = Duration::from_secs(30);
/// Pause between two tries of a command that only looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// A block of commands, and a word that its output shows in the end.
#[derive(Debug, PartialEq)]
struct Block {
    commands: String,
    shows: Option<String>,
}

/// The blocks marked `sh`, each with the `<!-- shows: WORD -->` that follows it.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == "```sh" {
            let commands: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(Block {
                commands: commands.join("\n"),
                shows: None,
            });
        } else if let Some(rest) = line.strip_prefix("<!-- shows: ") {
            blocks.last_mut().unwrap().shows = rest.strip_suffix(" -->").map(str::to_owned);
        }
    }
    blocks
}

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

#[test]
fn blocks_are_found() {
    let found = blocks("```sh\na\nb\n```\n<!-- shows: x y -->\n```text\nno\n```\n```sh\nc\n```\n");
    let expected = [("a\nb", Some("x y")), ("c", None)].map(|(commands, shows)| Block {
        commands: commands.to_owned(),
        shows: shows.map(str::to_owned),
    });
    assert_eq!(found, expected);
    let found = blocks(&readme());
    assert!(
        found.len() >= 5 && found.iter().filter(|block| block.shows.is_some()).count() >= 3,
        "{found:?}"
    );
}

#[test]
fn links_lead_somewhere() {
    let text = readme();
    let targets: Vec<&str> = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .collect();
    assert!(targets.len() > 3);
    for target in targets.into_iter().filter(|target| !target.starts_with("http")) {
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR")).join(target).exists(),
            "README.md links to {target}"
        );
    }
}

#[test]
fn readme_commands_work() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().display().to_string();
    let mut stack = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(["dev", "--json", "--stop-with-stdin", "--state-dir", &state])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(stack.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.starts_with('{'), "the stack did not come up: {line:?}");

    // One shell for all blocks would hide which one failed: the first block's variables go before each.
    let mut before = String::from("set -eu\n");
    for block in blocks(&readme()) {
        let commands = block.commands.replace(".tandem/dev", &state);
        let shown = run(&format!("{before}{commands}\n"), block.shows.as_deref());
        println!("$ {commands}\n{shown}");
        if commands.starts_with(". ") {
            before.push_str(&commands);
            before.push('\n');
        }
    }
    drop(stack.stdin.take());
    assert!(stack.wait().unwrap().success());
}

/// Runs commands until they show the word; once where there is none.
fn run(script: &str, shows: Option<&str>) -> String {
    let start = Instant::now();
    loop {
        let output = Command::new("sh").args(["-c", script]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{script}\n{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        match shows {
            Some(word) if !text.contains(word) => {
                assert!(
                    start.elapsed() < DEADLINE,
                    "{script}\ndoes not show '{word}' but:\n{text}"
                );
                std::thread::sleep(LOOK_INTERVAL);
            }
            _ => return text,
        }
    }
}
