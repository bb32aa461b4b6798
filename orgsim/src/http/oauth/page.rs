//! The pages a person sees: plain forms, no scripts.

use crate::http::reply::Reply;
use crate::oauth::Refusal;

/// Where all forms go.
const ACTION: &str = "/services/oauth2/authorize";

/// Text for HTML and XML, also inside of quotes.
pub(in crate::http) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn page(status: u16, title: &str, inner: &str) -> Reply {
    Reply {
        status,
        headers: vec![
            ("content-type".into(), "text/html;charset=UTF-8".to_owned()),
            ("cache-control".into(), "no-cache, no-store".to_owned()),
            // Nobody else's page may show these forms.
            ("x-frame-options".into(), "DENY".to_owned()),
            (
                "content-security-policy".into(),
                "default-src 'none'; frame-ancestors 'none'".to_owned(),
            ),
        ],
        body: format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
             <body><h1>{title}</h1>\n{inner}</body></html>\n"
        ),
    }
}

/// User name and password; `step` is the page's single-use token.
pub(super) fn login(step: &str, username: &str, complaint: Option<&str>) -> Reply {
    let complaint = complaint
        .map(|c| format!("<p id=\"error\">{}</p>\n", escape(c)))
        .unwrap_or_default();
    let inner = format!(
        "{complaint}<form method=\"post\" action=\"{ACTION}\">\n\
         <input type=\"hidden\" name=\"step\" value=\"{}\">\n\
         <label>Username <input name=\"username\" value=\"{}\" autocomplete=\"username\"></label>\n\
         <label>Password <input name=\"password\" type=\"password\" autocomplete=\"current-password\"></label>\n\
         <button>Log In</button>\n</form>\n",
        escape(step),
        escape(username)
    );
    page(200, "Login", &inner)
}

/// Allow or Deny.
pub(super) fn consent(step: &str, app: &str, org: &str, username: &str, scopes: &str) -> Reply {
    let scopes: String = scopes.split(' ').map(|s| format!("<li>{}</li>", escape(s))).collect();
    let inner = format!(
        "<p><b id=\"app\">{}</b> asks for access to <b id=\"org\">{}</b> as <b id=\"user\">{}</b>:</p>\n\
         <ul id=\"scopes\">{scopes}</ul>\n\
         <form method=\"post\" action=\"{ACTION}\">\n\
         <input type=\"hidden\" name=\"step\" value=\"{}\">\n\
         <button name=\"decision\" value=\"allow\">Allow</button>\n\
         <button name=\"decision\" value=\"deny\">Deny</button>\n</form>\n",
        escape(app),
        escape(org),
        escape(username),
        escape(step)
    );
    page(200, "Allow Access?", &inner)
}

/// An error that must not go to a redirect URI: nobody vouches for it.
pub(super) fn error(refusal: Refusal) -> Reply {
    let (error, description) = refusal.words();
    let inner = format!(
        "<p id=\"error\">error={error}&amp;error_description={}</p>\n",
        escape(description)
    );
    page(400, "OAuth Error", &inner)
}

/// A form that was sent twice, or after its time.
pub(super) fn stale() -> Reply {
    page(
        400,
        "OAuth Error",
        "<p id=\"error\">This page has expired. Go back to the app and begin again.</p>\n",
    )
}

/// The words of a login page that lets nobody in [from memory].
pub(super) fn complaint(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::InactiveUser | Refusal::InactiveOrg => "Your access is disabled. Contact your administrator for help.",
        Refusal::LoginRestricted => "You can't log in at this time or from this place.",
        Refusal::RateLimit => "Too many logins. Try again later.",
        _ => {
            "Please check your username and password. If you still can't log in, contact your Salesforce administrator."
        }
    }
}
