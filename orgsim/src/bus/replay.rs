//! Replay ids on the wire: an 8-byte big-endian counter and two zero bytes.

/// Bytes of an id that this bus issues (seen on live orgs: `00 00 00 00 00 5A 94 F0 00 00`).
const ISSUED_LENGTH: usize = 10;
/// Bytes that hold the counter. `salesforce-pubsub-api-client` sends back only these.
const COUNTER_LENGTH: usize = 8;

/// The bytes of `counter` as subscribers see them.
pub(crate) fn encode(counter: u64) -> [u8; ISSUED_LENGTH] {
    let mut bytes = [0; ISSUED_LENGTH];
    for (to, from) in bytes.iter_mut().zip(counter.to_be_bytes()) {
        *to = from;
    }
    bytes
}

/// The counter of a replay id, or None when the bytes have not the form of one.
///
/// Accepts 10 bytes and the 8-byte form. ASCII digits are refused: a client that sends the decimal text of an id
/// gets "The Replay ID validation failed" (forcedotcom/pub-sub-api issue 37).
pub(crate) fn decode(bytes: &[u8]) -> Option<u64> {
    let (counter, rest) = bytes.split_first_chunk::<COUNTER_LENGTH>()?;
    let form = bytes.len() == COUNTER_LENGTH || (bytes.len() == ISSUED_LENGTH && rest == [0, 0]);
    (form && !bytes.iter().all(u8::is_ascii_digit)).then(|| u64::from_be_bytes(*counter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_ten_bytes_and_is_accepted_with_eight() {
        let id = encode(0x5A_94F0);
        assert_eq!(id, [0, 0, 0, 0, 0, 0x5A, 0x94, 0xF0, 0, 0]);
        assert_eq!(decode(&id), Some(0x5A_94F0));
        assert_eq!(
            decode(id.first_chunk::<8>().map_or(&[], |bytes| &bytes[..])),
            Some(0x5A_94F0)
        );
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for bytes in [
            &b""[..],
            &b"25242328"[..],
            &[0; 7],
            &[0; 9],
            &[0; 11],
            &[0, 0, 0, 0, 0, 0, 0, 1, 0, 1],
        ] {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
    }
}
