//! Which hosts may be dialled: Salesforce's own, and those that the settings name.

use http::Uri;

/// Suffixes of Salesforce's own hosts (sfdx-core `sfdcUrl.ts`; contract.md 1).
pub const SALESFORCE_SUFFIXES: [&str; 6] = [
    ".salesforce.com",
    ".force.com",
    ".cloudforce.com",
    ".crmforce.mil",
    ".my.salesforce.mil",
    ".sfcrmproducts.cn",
];

/// Hosts that serve every org's login; client credentials are refused there (contract.md 1.4).
pub(super) const SHARED_LOGIN_HOSTS: [&str; 2] = ["login.salesforce.com", "test.salesforce.com"];

/// Whether a host is one of Salesforce's own.
pub fn is_salesforce(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    SALESFORCE_SUFFIXES
        .iter()
        .any(|suffix| host.ends_with(suffix) && host.len() > suffix.len())
}

/// Whether a host is this machine.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Checks an address of an org: https and a known host, or http to a loopback host that `allow_hosts` names; no path,
/// no user, no query. Says what is wrong and what is allowed.
pub fn check_org_url(text: &str, allow_hosts: &[String]) -> Result<(), String> {
    let form = "allowed is https://HOST without a path, e.g. \"https://acme.my.salesforce.com\"";
    let uri: Uri = text.parse().map_err(|_| form.to_owned())?;
    let (Some(scheme), Some(authority), Some(host)) = (uri.scheme_str(), uri.authority(), uri.host()) else {
        return Err(form.to_owned());
    };
    if authority.as_str().contains('@')
        || !matches!(uri.path(), "" | "/")
        || uri.query().is_some()
        || text.ends_with('/')
    {
        return Err(form.to_owned());
    }
    let is = |allowed: &String| allowed.eq_ignore_ascii_case(host) || allowed.eq_ignore_ascii_case(authority.as_str());
    let named = allow_hosts.iter().any(is);
    match scheme {
        "https" if named || is_salesforce(host) => Ok(()),
        "https" => Err(format!(
            "the host {host} is not Salesforce's; to allow it, name it in salesforce.allow_hosts"
        )),
        "http" if named && is_loopback(host) => Ok(()),
        "http" => Err("http is allowed only for loopback hosts named in salesforce.allow_hosts; use https".to_owned()),
        _ => Err(form.to_owned()),
    }
}

/// The host of an address that passed [`check_org_url`].
pub(super) fn host_of(text: &str) -> Option<String> {
    text.parse::<Uri>().ok()?.host().map(str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_hosts_may_be_dialled() {
        let named = [
            "127.0.0.1".to_owned(),
            "proxy.example.org".to_owned(),
            "localhost:9090".to_owned(),
        ];
        let table = [
            ("https://acme.my.salesforce.com", true),
            ("https://acme--uat.sandbox.my.salesforce.com", true),
            ("https://login.salesforce.com", true),
            ("https://ACME.MY.SALESFORCE.COM", true),
            ("https://proxy.example.org", true),
            ("http://127.0.0.1:8081", true),
            ("https://127.0.0.1:8081", true),
            ("http://localhost:8081", false),
            ("http://localhost:9090", true),
            ("http://proxy.example.org", false),
            ("http://acme.my.salesforce.com", false),
            ("https://salesforce.com.example.org", false),
            ("https://evilsalesforce.com", false),
            ("https://.salesforce.com", false),
            ("https://user@acme.my.salesforce.com", false),
            ("https://acme.my.salesforce.com/", false),
            ("https://acme.my.salesforce.com/path", false),
            ("https://acme.my.salesforce.com?x=1", false),
            ("acme.my.salesforce.com", false),
            ("ftp://acme.my.salesforce.com", false),
            ("", false),
        ];
        for (url, allowed) in table {
            assert_eq!(check_org_url(url, &named).is_ok(), allowed, "{url}");
        }
    }
}
