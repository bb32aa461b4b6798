//! Dead letters as bytes: when it died in clear, everything else sealed before it leaves the process.
//!
//! Layout: format (1 byte), milliseconds since 1970 (8 bytes), sealed body. Body: blocks of 4-byte length and bytes:
//! code, message, number of fields, fields, then `F` and a fold, or `R` and the raw entry's names and values in turn.

use bytes::Bytes;
use tandem_core::domain::fold_codec;
use tandem_core::domain::ids::TenantName;
use tandem_core::domain::payload::PersonalText;
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::commit::{DeadContent, DeadLetter};

use crate::port::seal::{SealError, Sealer};

const FORMAT: u8 = 1;
const PURPOSE: &str = "dead";
const HEAD: usize = 9;

/// Why a dead letter cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// It does not open.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// Its bytes are no dead letter.
    #[error("a dead letter of tenant {0} is corrupt or of a newer version")]
    Corrupt(TenantName),
}

fn put(body: &mut Vec<u8>, block: &[u8]) {
    let length = u32::try_from(block.len()).unwrap_or(u32::MAX);
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(block);
}

fn take<'a>(body: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = body.split_first_chunk::<4>()?;
    let (block, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *body = rest;
    Some(block)
}

fn take_text(body: &mut &[u8]) -> Option<String> {
    String::from_utf8(take(body)?.to_vec()).ok()
}

/// Seals a dead letter.
pub fn seal(sealer: &dyn Sealer, tenant: &TenantName, letter: &DeadLetter) -> Result<Vec<u8>, SealError> {
    let mut body = Vec::new();
    put(&mut body, letter.code.as_bytes());
    put(&mut body, letter.message.expose().as_bytes());
    put(&mut body, letter.fields.len().to_string().as_bytes());
    letter.fields.iter().for_each(|field| put(&mut body, field.as_bytes()));
    match &letter.content {
        DeadContent::Folded(folded) => {
            put(&mut body, b"F");
            put(&mut body, &fold_codec::encode(folded));
        }
        DeadContent::Raw(fields) => {
            put(&mut body, b"R");
            for (name, value) in fields {
                put(&mut body, name);
                put(&mut body, value);
            }
        }
    }
    let sealed = sealer.seal(tenant, PURPOSE, &body)?;
    Ok([&[FORMAT], letter.at.0.to_be_bytes().as_slice(), &sealed].concat())
}

/// Opens what [`seal`] made.
pub fn open(sealer: &dyn Sealer, tenant: &TenantName, bytes: &[u8]) -> Result<DeadLetter, DeadLetterError> {
    let corrupt = || DeadLetterError::Corrupt(tenant.clone());
    let (head, sealed) = bytes.split_at_checked(HEAD).ok_or_else(corrupt)?;
    let (format, at) = head.split_first().ok_or_else(corrupt)?;
    if *format != FORMAT {
        return Err(corrupt());
    }
    let at = Timestamp(u64::from_be_bytes(at.try_into().map_err(|_| corrupt())?));
    let body = sealer.open(tenant, PURPOSE, sealed)?;
    parse(&body, at).ok_or_else(corrupt)
}

fn parse(mut body: &[u8], at: Timestamp) -> Option<DeadLetter> {
    let body = &mut body;
    let code = take_text(body)?.into();
    let message = PersonalText::new(take_text(body)?);
    let count: usize = take_text(body)?.parse().ok()?;
    let mut fields = Vec::new();
    for _ in 0..count {
        fields.push(take_text(body)?.into());
    }
    let content = match take(body)? {
        b"F" => DeadContent::Folded(fold_codec::decode(take(body)?).ok()?),
        b"R" => {
            let mut raw = Vec::new();
            while !body.is_empty() {
                raw.push((Bytes::copy_from_slice(take(body)?), Bytes::copy_from_slice(take(body)?)));
            }
            DeadContent::Raw(raw)
        }
        _ => return None,
    };
    Some(DeadLetter {
        code,
        fields,
        message,
        at,
        content,
    })
}
