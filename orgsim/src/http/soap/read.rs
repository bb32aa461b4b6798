//! Reads SOAP requests: the operation, its plain arguments, and the header. Nothing else of the document is kept.

use quick_xml::Reader;
use quick_xml::events::Event;

/// Largest request in bytes: logins are small.
const MAX_BYTES: usize = 256 * 1_024;
/// Deepest nesting of elements.
const MAX_DEPTH: usize = 32;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Request {
    /// Local name of the first element of the body.
    pub(super) operation: String,
    /// Namespace prefix and URI play no part: clients spell them in many ways. Local name and text of the operation's children.
    pub(super) arguments: Vec<(String, String)>,
    /// Local name and text of the elements within the header's elements.
    pub(super) headers: Vec<(String, String)>,
}

impl Request {
    /// The first argument with this name.
    pub(super) fn argument(&self, name: &str) -> Option<&str> {
        find(&self.arguments, name)
    }

    /// The first header value with this name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

fn find<'r>(list: &'r [(String, String)], name: &str) -> Option<&'r str> {
    list.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

/// Reads a request. Document types are refused, so there are no entities to expand but XML's own five and characters by
/// number.
///
/// # Errors
/// Says what is wrong with the document.
pub(super) fn read(body: &[u8]) -> Result<Request, String> {
    if body.len() > MAX_BYTES {
        return Err(format!("the request is larger than {MAX_BYTES} bytes"));
    }
    let text = std::str::from_utf8(body).map_err(|_| "the request is not UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text);
    let mut request = Request::default();
    // Local names of the open elements.
    let mut open: Vec<String> = Vec::new();
    let mut content = String::new();
    loop {
        let event = reader.read_event().map_err(|e| e.to_string())?;
        match event {
            Event::Start(tag) => {
                if open.len() >= MAX_DEPTH {
                    return Err("the elements are nested too deeply".to_owned());
                }
                open.push(tag.local_name().as_ref().to_owned());
                content.clear();
                begin(&mut request, &open);
            }
            Event::Empty(tag) => {
                open.push(tag.local_name().as_ref().to_owned());
                begin(&mut request, &open);
                end(&mut request, &open, String::new());
                open.pop();
                content.clear();
            }
            Event::End(_) => {
                end(&mut request, &open, std::mem::take(&mut content));
                open.pop();
            }
            Event::Text(part) => content.push_str(&part.xml10_content()),
            Event::CData(part) => content.push_str(&part.xml10_content()),
            Event::GeneralRef(name) => {
                let by_number = name.resolve_char_ref().map_err(|e| e.to_string())?;
                let c = by_number.or_else(|| own(&name));
                content.push(c.ok_or_else(|| format!("there is no entity {}", &*name))?);
            }
            Event::DocType(_) => return Err("document types are not allowed".to_owned()),
            Event::Eof => break,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
    if !open.is_empty() {
        return Err("the document ends too early".to_owned());
    }
    if request.operation.is_empty() {
        return Err("there is no operation in the body".to_owned());
    }
    Ok(request)
}

/// XML's own entities.
fn own(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

fn begin(request: &mut Request, open: &[String]) {
    if let [envelope, body, operation] = open
        && envelope == "Envelope"
        && body == "Body"
        && request.operation.is_empty()
    {
        request.operation.clone_from(operation);
    }
}

fn end(request: &mut Request, open: &[String], content: String) {
    if let [envelope, part, parent, name] = open
        && envelope == "Envelope"
    {
        match part.as_str() {
            "Body" if *parent == request.operation => request.arguments.push((name.clone(), content)),
            "Header" => request.headers.push((name.clone(), content)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As jsforce sends it: default namespace on the operation.
    const JSFORCE: &str = r#"<se:Envelope xmlns:se="http://schemas.xmlsoap.org/soap/envelope/"><se:Header/><se:Body><login xmlns="urn:partner.soap.sforce.com"><username>a@b.c</username><password>p&lt;&#38;&gt;"</password></login></se:Body></se:Envelope>"#;
    /// As simple-salesforce sends it: prefix `n1:`, options in the header, blanks between.
    const SIMPLE: &str = r#"<?xml version="1.0" encoding="utf-8" ?>
        <env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/" xmlns:urn="urn:partner.soap.sforce.com">
            <env:Header><urn:CallOptions><urn:client>simple-salesforce</urn:client></urn:CallOptions></env:Header>
            <env:Body>
                <n1:login xmlns:n1="urn:partner.soap.sforce.com">
                    <n1:username>a@b.c</n1:username>
                    <n1:password>p<![CDATA[<&>"]]></n1:password>
                </n1:login>
            </env:Body>
        </env:Envelope>"#;

    #[test]
    fn both_spellings_are_one_login() {
        for text in [JSFORCE, SIMPLE] {
            let request = read(text.as_bytes()).unwrap();
            assert_eq!(request.operation, "login");
            assert_eq!(request.argument("username"), Some("a@b.c"));
            assert_eq!(request.argument("password"), Some("p<&>\""), "{text}");
        }
        assert_eq!(
            read(SIMPLE.as_bytes()).unwrap().header("client"),
            Some("simple-salesforce")
        );
    }

    #[test]
    fn hostile_documents_are_refused() {
        let laughs = r#"<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><Envelope><Body><login><username>&b;</username></login></Body></Envelope>"#;
        let outside = r#"<!DOCTYPE l SYSTEM "file:///etc/hostname"><Envelope><Body><login/></Body></Envelope>"#;
        let unknown = "<Envelope><Body><login><username>&b;</username></login></Body></Envelope>";
        let deep = "<a>".repeat(100_000);
        let large = " ".repeat(MAX_BYTES + 1);
        for text in [
            laughs,
            outside,
            unknown,
            &deep,
            &large,
            "",
            "<a",
            "<Envelope><Body></Envelope></Body>",
            "<a>&#0;</a>",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{:.80}", text);
        }
        assert!(read(b"\xff\xfe<\x00").is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _read = read(&bytes);
        }

        #[test]
        fn broken_requests_never_panic(cut in 0..SIMPLE.len(), bytes in prop::collection::vec(any::<u8>(), 0..16), at in 0..JSFORCE.len()) {
            let _read = read(&SIMPLE.as_bytes()[..cut]);
            let mut text = JSFORCE.as_bytes().to_vec();
            text.splice(at..at, bytes);
            let _read = read(&text);
        }

        #[test]
        fn any_text_arrives(text in "[^\\x00-\\x1f\\x7f-\\x9f\u{fffe}\u{ffff}]{0,40}") {
            let escaped = crate::http::oauth::page::escape(&text);
            let body = format!("<Envelope><Body><login><password>{escaped}</password></login></Body></Envelope>");
            let request = read(body.as_bytes()).unwrap();
            prop_assert_eq!(request.argument("password"), Some(text.as_str()));
        }
    }
}
