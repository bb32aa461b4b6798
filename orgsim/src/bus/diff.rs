//! Large texts travel as a unified diff against the old value.
//!
//! Form (Change Data Capture guide, "Data diff"): `--- \n+++ <sha256 of the new value>\n@@ … @@` and the hunks.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

/// From this many characters on an updated text is sent as a diff.
pub(crate) const DIFF_FROM_CHARS: usize = 1_000;

/// Unchanged lines around the hunk.
const CONTEXT_LINES: usize = 3;

/// One hunk that turns `before` into `after`, line by line.
pub(crate) fn unified(before: &str, after: &str) -> String {
    let old: Vec<&str> = before.split('\n').collect();
    let new: Vec<&str> = after.split('\n').collect();
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let room = old.len().min(new.len()) - head;
    let tail = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take(room)
        .take_while(|(a, b)| a == b)
        .count();
    let from = head.saturating_sub(CONTEXT_LINES);
    let after_lines = tail.min(CONTEXT_LINES);
    let context_end = old.len() - tail + after_lines;
    let (old_lines, new_lines) = (context_end - from, new.len() - tail + after_lines - from);

    let mut text = format!("--- \n+++ {}\n", sha256_hex(after));
    let start = from + 1;
    // Writing to a String cannot fail.
    write!(text, "@@ -{start},{old_lines} +{start},{new_lines} @@").unwrap_or_default();
    let mut line = |mark: char, content: &str| {
        text.push('\n');
        text.push(mark);
        text.push_str(content);
    };
    slice(&old, from, head).iter().for_each(|content| line(' ', content));
    slice(&old, head, old.len() - tail)
        .iter()
        .for_each(|content| line('-', content));
    slice(&new, head, new.len() - tail)
        .iter()
        .for_each(|content| line('+', content));
    slice(&old, old.len() - tail, context_end)
        .iter()
        .for_each(|content| line(' ', content));
    text
}

fn slice<'a, 'b>(lines: &'a [&'b str], from: usize, to: usize) -> &'a [&'b str] {
    lines.get(from..to).unwrap_or_default()
}

fn sha256_hex(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in digest(&SHA256, text.as_bytes()).as_ref() {
        write!(hex, "{byte:02x}").unwrap_or_default();
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_names_the_hash_of_the_new_value_and_the_lines_that_changed() {
        // sha256("a\nB\nc\nd\ne\nf"), by coreutils.
        let text = unified("a\nb\nc\nd\ne\nf", "a\nB\nc\nd\ne\nf");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "--- ");
        assert_eq!(lines[1].len(), 4 + 64);
        assert_eq!(lines[2..], ["@@ -1,5 +1,5 @@", " a", "-b", "+B", " c", " d", " e"]);
    }

    #[test]
    fn growing_shrinking_and_equal_texts_have_a_hunk_that_fits() {
        for (before, after) in [("", "x"), ("x", ""), ("a\na", "a"), ("a", "a\na"), ("same", "same")] {
            let text = unified(before, after);
            let mut rebuilt = Vec::new();
            for line in text.split('\n').skip(3) {
                if let Some(kept) = line.strip_prefix(' ').or_else(|| line.strip_prefix('+')) {
                    rebuilt.push(kept);
                }
            }
            assert_eq!(rebuilt.join("\n"), after, "{before:?} -> {after:?}: {text}");
        }
    }

    #[test]
    fn the_hash_is_that_of_the_standard() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            sha256_hex("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
