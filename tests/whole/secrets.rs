//! What must be nowhere: credentials of both flows, tokens, keys.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tandem::port::seal::Sealer as _;
use tandem::store::seal::{RegionalKey, RegionalSealer};
use tandem_core::domain::ids::TenantName;

use crate::marks::{Kind, Marks};
use crate::stack::Stack;

/// What the settings give: the client secret and the regional key, as text and as bytes.
pub(crate) fn secrets(stack: &Stack, marks: &Marks) {
    for tenant in ["acme", "globex"] {
        let secret = stack.org(tenant)["client_secret"].as_str().unwrap().to_owned();
        marks.add(&format!("client secret of {tenant}"), Kind::Secret, secret.as_bytes());
    }
    let regional = std::fs::read_to_string(stack.file("secrets/regional-key")).unwrap();
    marks.add("regional key, as text", Kind::Secret, regional.trim().as_bytes());
    marks.add("regional key", Kind::Secret, &STANDARD.decode(regional.trim()).unwrap());
}

/// The tokens that the engine was granted, from where they lie sealed.
pub(crate) async fn tokens(stack: &Stack, marks: &Marks) {
    let regional = std::fs::read_to_string(stack.file("secrets/regional-key")).unwrap();
    let key = RegionalKey {
        id: "1".to_owned(),
        secret: zeroize::Zeroizing::new(STANDARD.decode(regional.trim()).unwrap().try_into().unwrap()),
    };
    let sealer = RegionalSealer::new(key, Vec::new()).unwrap();
    for name in ["acme", "globex"] {
        let tenant = TenantName::new(name).unwrap();
        let sealed = stack
            .ask(&["HGET", &format!("tandem:{{{name}}}:token"), "sealed"])
            .await;
        let redis::Value::BulkString(sealed) = sealed else {
            panic!("no token of {name}")
        };
        let stored: Value = serde_json::from_slice(&sealer.open(&tenant, "token", &sealed).unwrap()).unwrap();
        let token = stored["token"].as_str().unwrap();
        marks.add(&format!("access token of {name}"), Kind::Secret, token.as_bytes());
        let digest = sealer.digest_key(&tenant).unwrap();
        marks.add(&format!("digest key of {name}"), Kind::Secret, &digest);
    }
}

/// The next engine logs globex in with a private key.
pub(crate) async fn use_a_private_key(stack: &Stack, marks: &Marks) {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let pem = |what: &str, der: &[u8]| {
        let text = STANDARD.encode(der);
        format!("-----BEGIN {what}-----\n{text}\n-----END {what}-----\n")
    };
    let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
    marks.add("private key", Kind::Secret, &private.as_ref()[40..120]);
    marks.add(
        "private key, as text",
        Kind::Secret,
        &STANDARD.encode(private.as_ref()).as_bytes()[60..120],
    );
    std::fs::write(stack.file("secrets/globex.pem"), pem("PRIVATE KEY", private.as_ref())).unwrap();
    let public = json!({"public_key_pem": pem("PUBLIC KEY", public.as_ref())});
    stack.admin("globex", "jwt-key", &public).await;

    let org = stack.org("globex");
    let path = stack.file("tandem.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, globex) = text.split_once("[tenants.globex.org]").unwrap();
    let globex: String = globex
        .lines()
        .filter(|line| !line.starts_with("flow") && !line.starts_with("client_secret_file"))
        .map(|line| format!("{line}\n"))
        .collect();
    let flow = format!(
        "flow = \"jwt\"\nusername = {}\nprivate_key_file = \"secrets/globex.pem\"\n",
        org["username"]
    );
    std::fs::write(&path, format!("{before}[tenants.globex.org]{globex}{flow}")).unwrap();
}

/// One change of globex goes through.
pub(crate) async fn with_a_private_key(stack: &Stack, marks: &Marks) {
    let name = marks.value("company of another tenant");
    let data = json!({ "name": name }).to_string();
    let key = marks.key("key of another tenant");
    let fields = ["object", "company", "key", &key, "op", "upsert", "data", &data];
    stack
        .ask(&[&["XADD", "tandem:{globex}:changes", "*"][..], &fields].concat())
        .await;
    stack.told("linked", &key).await;
}
