//! SOAP answers: one line, no blanks between elements, as clients read them with regular expressions.

use crate::http::oauth::page::escape;
use crate::http::reply::Reply;

const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Which WSDL the client uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `/services/Soap/u`
    Partner,
    /// `/services/Soap/c`
    Enterprise,
}

impl Dialect {
    /// The middle of its namespaces.
    fn name(self) -> &'static str {
        match self {
            Self::Partner => "partner",
            Self::Enterprise => "enterprise",
        }
    }

    /// Its letter in paths.
    pub(super) fn letter(self) -> &'static str {
        match self {
            Self::Partner => "u",
            Self::Enterprise => "c",
        }
    }
}

fn xml(status: u16, body: String) -> Reply {
    Reply {
        status,
        headers: vec![("content-type".into(), "text/xml;charset=utf-8".to_owned())],
        body,
    }
}

/// An element with text; without one it is nil.
pub(super) fn element(out: &mut String, name: &str, text: Option<&str>) {
    match text {
        Some(text) => out.push_str(&format!("<{name}>{}</{name}>", escape(text))),
        None => out.push_str(&format!("<{name} xsi:nil=\"true\"/>")),
    }
}

/// The answer of an operation; `inner` is XML.
pub(super) fn answer(dialect: Dialect, operation: &str, inner: &str) -> Reply {
    let name = dialect.name();
    xml(
        200,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"{ENVELOPE}\" \
             xmlns=\"urn:{name}.soap.sforce.com\" xmlns:xsi=\"{INSTANCE}\"><soapenv:Body><{operation}Response>{inner}\
             </{operation}Response></soapenv:Body></soapenv:Envelope>"
        ),
    )
}

/// A fault of the platform: HTTP 500, `<faultstring>` for jsforce, `sf:exceptionCode` for simple-salesforce.
pub(super) fn fault(dialect: Dialect, kind: &str, code: &str, message: &str) -> Reply {
    let (name, message) = (dialect.name(), escape(message));
    xml(
        500,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"{ENVELOPE}\" \
             xmlns:sf=\"urn:fault.{name}.soap.sforce.com\" xmlns:xsi=\"{INSTANCE}\"><soapenv:Body><soapenv:Fault>\
             <faultcode>sf:{code}</faultcode><faultstring>{code}: {message}</faultstring><detail>\
             <sf:{kind} xsi:type=\"sf:{kind}\"><sf:exceptionCode>{code}</sf:exceptionCode>\
             <sf:exceptionMessage>{message}</sf:exceptionMessage></sf:{kind}></detail></soapenv:Fault></soapenv:Body>\
             </soapenv:Envelope>"
        ),
    )
}

/// A fault of the request itself [words from memory].
pub(super) fn client_fault(message: &str) -> Reply {
    xml(
        500,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"{ENVELOPE}\"><soapenv:Body>\
             <soapenv:Fault><faultcode>soapenv:Client</faultcode><faultstring>{}</faultstring></soapenv:Fault>\
             </soapenv:Body></soapenv:Envelope>",
            escape(message)
        ),
    )
}
