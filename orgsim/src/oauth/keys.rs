//! The key that signs id tokens and access tokens in JWT format: made at run time, never stored.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{self, KeyPair as _, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A signing key with its public part.
pub(crate) struct SigningKey {
    pair: KeyPair,
    id: String,
}

/// What is wrong with a token in JWT format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JwtError {
    /// It has not three parts of base64url, or no JSON in them.
    Garbled,
    /// Another key signed it, or its text was changed.
    Forged,
}

impl SigningKey {
    /// A new RSA key of 2,048 bits; none when the system gives no randomness.
    #[must_use]
    pub(crate) fn generate() -> Option<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, pair.public_key().as_ref());
        let id = hash.as_ref().iter().take(4).map(|b| format!("{b:02x}")).collect();
        Some(Self { pair, id })
    }

    /// Signs claims with RS256; `header` has members beside `alg`, `kid` and `typ`.
    #[must_use]
    pub(crate) fn sign(&self, header: Value, claims: &Value) -> Option<String> {
        let mut header = header;
        header["alg"] = json!("RS256");
        header["kid"] = json!(self.id);
        header["typ"] = json!("JWT");
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&header), part(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &signature::RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .ok()?;
        Some(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Whether this key signed a token; its time is not looked at.
    ///
    /// # Errors
    /// When it is garbled or forged.
    pub(crate) fn check(&self, token: &str) -> Result<(), JwtError> {
        header(token).ok_or(JwtError::Garbled)?;
        let (text, signature) = token.rsplit_once('.').ok_or(JwtError::Garbled)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| JwtError::Garbled)?;
        UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, self.pair.public_key().as_ref())
            .verify(text.as_bytes(), &signature)
            .map_err(|_| JwtError::Forged)
    }

    /// The `keys` document (RFC 7517).
    #[must_use]
    pub(crate) fn document(&self) -> Value {
        let public = self.pair.public_key();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let n = part(public.modulus().big_endian_without_leading_zero());
        let e = part(public.exponent().big_endian_without_leading_zero());
        json!({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id, "n": n, "e": e}]})
    }
}

/// The header of a token in JWT format, not checked in any way; none when it is no such token.
#[must_use]
pub(crate) fn header(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (header, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let json = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    json(payload)?;
    json(header).filter(Value::is_object)
}

/// The payload of a JWT, not checked in any way.
#[must_use]
pub(crate) fn unchecked_claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()
}
