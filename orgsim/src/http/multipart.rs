//! Bodies of several parts: `multipart/form-data`, as far as a job with its data needs it.

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part<'b> {
    /// Its `name`.
    pub(super) name: String,
    /// What it holds.
    pub(super) body: &'b [u8],
}

/// The boundary that a `Content-Type` names; None when it is of another kind.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = parameter(parameters, "boundary")?;
    (!value.is_empty()).then_some(value)
}

/// The value of one of `a=b; c="d"`.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    parameters.split(';').find_map(|p| {
        let (key, value) = p.split_once('=')?;
        (key.trim().eq_ignore_ascii_case(name)).then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// The parts of a body, those without a name left out. Lines may end without the carriage return.
pub(super) fn parts<'b>(body: &'b [u8], boundary: &str) -> Vec<Part<'b>> {
    let mark = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut rest = match find(body, mark.as_bytes()) {
        Some(at) => &body[at + mark.len()..],
        None => return parts,
    };
    while let Some(line) = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")) {
        let Some(end) = find(line, format!("\n{mark}").as_bytes()) else {
            return parts;
        };
        let part = &line[..end];
        let part = part.strip_suffix(b"\r").unwrap_or(part);
        parts.extend(read(part));
        rest = &line[end + 1 + mark.len()..];
    }
    parts
}

fn read(part: &[u8]) -> Option<Part<'_>> {
    let (at, blank) = match (find(part, b"\r\n\r\n"), find(part, b"\n\n")) {
        (Some(crlf), Some(lf)) if lf < crlf => (lf, 2),
        (Some(crlf), _) => (crlf, 4),
        (None, lf) => (lf?, 2),
    };
    let headers = String::from_utf8_lossy(&part[..at]);
    let name = headers.lines().find_map(|line| {
        let (header, value) = line.split_once(':')?;
        let is = header.trim().eq_ignore_ascii_case("content-disposition");
        is.then(|| parameter(value, "name")).flatten()
    })?;
    Some(Part {
        name,
        body: &part[at + blank..],
    })
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|w| w == what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_found() {
        assert_eq!(
            boundary("multipart/form-data; boundary=\"x y\"").as_deref(),
            Some("x y")
        );
        assert_eq!(boundary("application/json; charset=UTF-8"), None);
        for end in ["\r\n", "\n"] {
            let body = format!(
                "--B{end}Content-Type: application/json{end}Content-Disposition: form-data; name=\"job\"{end}{end}{{}}{end}--B{end}\
                 Content-Disposition: form-data; name=\"content\"; filename=\"content\"{end}{end}a\nb\n{end}--B--{end}"
            );
            let found = parts(body.as_bytes(), "B");
            let found: Vec<_> = found.iter().map(|p| (p.name.as_str(), p.body)).collect();
            assert_eq!(found, [("job", b"{}".as_slice()), ("content", b"a\nb\n")]);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(body in "(--B|\r\n|\n|[a:;=\"]|Content-Disposition: form-data; name=x){0,20}") {
            parts(body.as_bytes(), "B");
        }
    }
}
