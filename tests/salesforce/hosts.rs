//! Tricks with URLs: each row is one way to make a token travel to a stranger.

use tandem::salesforce::hosts::AllowedHosts;

const LOOPBACK: &[&str] = &["127.0.0.1", "localhost:8080", "[::1]"];

#[test]
fn salesforce_hosts_are_dialled_in_one_normal_form() {
    let hosts = AllowedHosts::default();
    let table = [
        ("https://login.salesforce.com", "https://login.salesforce.com"),
        ("https://test.salesforce.com/", "https://test.salesforce.com"),
        ("https://acme.my.salesforce.com", "https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com:443", "https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com:443/", "https://acme.my.salesforce.com"),
        ("https://ACME.My.Salesforce.COM", "https://acme.my.salesforce.com"),
        (
            "https://acme--dev.sandbox.my.salesforce.com",
            "https://acme--dev.sandbox.my.salesforce.com",
        ),
        ("https://acme.cloudforce.com", "https://acme.cloudforce.com"),
        ("https://acme.force.com", "https://acme.force.com"),
        ("https://acme.crmforce.mil", "https://acme.crmforce.mil"),
        ("https://acme.my.salesforce.mil", "https://acme.my.salesforce.mil"),
        ("https://acme.sfcrmproducts.cn", "https://acme.sfcrmproducts.cn"),
    ];
    for (url, want) in table {
        assert_eq!(hosts.check(url).map(|o| o.to_string()).as_deref(), Ok(want), "{url}");
    }
    let pubsub = hosts.check_pubsub("https://api.pubsub.salesforce.com:7443").unwrap();
    assert_eq!(pubsub.as_str(), "https://api.pubsub.salesforce.com:7443");
    assert!(
        hosts.check("https://api.pubsub.salesforce.com:7443").is_err(),
        "7443 is for Pub/Sub only"
    );
}

#[test]
fn tricks_are_refused() {
    let hosts = AllowedHosts::new(LOOPBACK).unwrap();
    let tricks = [
        // Other hosts that look alike.
        "https://evil.com",
        "https://salesforce.com.evil.com",
        "https://login.salesforce.com.evil.com",
        "https://evilsalesforce.com",
        "https://my-salesforce.com",
        "https://login-salesforce.com",
        "https://salesforce.com",
        "https://force.com",
        "https://my.salesforce.mil",
        "https://.salesforce.com",
        "https://a..salesforce.com",
        "https://login.salesforce.com.",
        "https://login.salesforce.comm",
        "https://login.salesforce.co",
        "https://acme.salesforce.mil",
        "https://-a.salesforce.com",
        "https://a-.salesforce.com",
        "https://a_b.salesforce.com",
        // Hosts of Salesforce that are none for the API.
        "https://acme.lightning.force.com",
        "https://lightning.force.com",
        // User names, paths, queries, escapes, blanks.
        "https://login.salesforce.com@evil.com",
        "https://user:pw@login.salesforce.com",
        "https://evil.com/login.salesforce.com",
        "https://evil.com?login.salesforce.com",
        "https://evil.com#.salesforce.com",
        "https://evil.com\\.salesforce.com",
        "https://evil.com%2f.salesforce.com",
        "https://evil.com%00.salesforce.com",
        "https://login.salesforce.com/services",
        "https://login.salesforce.com//",
        "https://login.salesforce.com?x=1",
        "https://login.salesforce.com#",
        "https:///login.salesforce.com",
        "https:login.salesforce.com",
        "https://login.salesforce.com\t",
        " https://login.salesforce.com",
        "https://login.sales\nforce.com",
        "https://evil.com;.salesforce.com",
        "https://evil.com,login.salesforce.com",
        // Letters beyond ASCII: full width, look-alikes, dots that browsers turn into dots.
        "https://login。salesforce。com",
        "https://login.ѕalesforce.com",
        "https://ⓛogin.salesforce.com",
        // Schemes.
        "http://login.salesforce.com",
        "HTTPS://login.salesforce.com",
        "ftp://login.salesforce.com",
        "javascript:alert(1)//.salesforce.com",
        "login.salesforce.com",
        "//login.salesforce.com",
        "",
        "https://",
        // Ports.
        "https://login.salesforce.com:80",
        "https://login.salesforce.com:8443",
        "https://login.salesforce.com:",
        "https://login.salesforce.com:0443",
        "https://login.salesforce.com:443:443",
        "https://login.salesforce.com:-1",
        "https://login.salesforce.com:99999",
        // Addresses, plain and disguised; loopback hosts that the settings do not name.
        "https://10.0.0.1",
        "https://169.254.169.254",
        "http://2130706433",
        "http://0x7f.1",
        "http://0177.0.0.1",
        "http://127.1",
        "http://127.0.0.2",
        "http://[::ffff:127.0.0.1]",
        "http://[::1",
        "http://::1",
        "http://localhost",
        "http://localhost:8081",
        "http://localhost.evil.com:8080",
        "http://127.0.0.1@evil.com",
        "http://127.0.0.1.evil.com",
    ];
    assert!(tricks.len() >= 40);
    for url in tricks {
        assert!(hosts.check(url).is_err(), "{url} is dialled");
    }
    assert!(
        hosts
            .check(&format!("https://{}.salesforce.com", "a".repeat(64)))
            .is_err()
    );
    assert!(
        hosts
            .check(&format!("https://{}salesforce.com", "a.".repeat(140)))
            .is_err()
    );
}

#[test]
fn hosts_of_the_settings_are_dialled_as_they_say() {
    let hosts = AllowedHosts::new([
        "127.0.0.1",
        "localhost:8080",
        "[::1]",
        "proxy.example:8443",
        "plain.example",
    ])
    .unwrap();
    for (url, allowed) in [
        ("http://127.0.0.1:39999", true),
        ("http://127.0.0.1", true),
        ("https://127.0.0.1:4433", true),
        ("http://localhost:8080", true),
        ("https://localhost:8080", true),
        ("http://[::1]:7000", true),
        ("https://proxy.example:8443", true),
        ("https://plain.example", true),
        ("http://proxy.example:8443", false),
        ("http://plain.example", false),
        ("https://proxy.example", false),
        ("https://plain.example:8443", false),
        ("https://sub.plain.example", false),
    ] {
        assert_eq!(hosts.check(url).is_ok(), allowed, "{url}");
    }
    for bad in [
        "http://x.example",
        "x.example/",
        "",
        "x y",
        "x:0",
        "x:",
        "ex ample:1",
        "[::1",
        "[zz]",
    ] {
        assert!(AllowedHosts::new([bad]).is_err(), "{bad}");
    }
}

#[test]
fn a_refusal_shows_no_password() {
    let refused = AllowedHosts::default()
        .check("https://user:secret@evil.com")
        .unwrap_err();
    assert!(!refused.to_string().contains("secret"), "{refused}");
}
