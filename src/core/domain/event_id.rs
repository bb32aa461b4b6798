//! An event's id as text: base64url without padding over a packed form. The product treats it as opaque.
//!
//! Layout: format, tenant, outbox id, revision, plan (4), hashes of what the event says.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::event::{EventId, Says};
use super::ids::TenantName;
use super::pack::{Pack, Unpack};
use super::row_codec::{put_hashes, read_hashes};
use super::stream::StreamId;

/// The text is no event id of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an event id: give back the `id` of the event, unchanged")]
pub struct InvalidEventId;

const FORMAT: u8 = 1;

/// Bytes whose base64 form is just [`EventId::TEXT_MAX`] long.
const PACKED_MAX: usize = EventId::TEXT_MAX / 4 * 3;

impl EventId {
    /// The text form, at most [`EventId::TEXT_MAX`] bytes. Leaves `says` out, whole, when it does not fit: then an
    /// edit that names this event is simply not settled without a call.
    pub fn encode(&self) -> String {
        let mut packed = Vec::with_capacity(64 + self.says.fields.len() * 8);
        packed.push(FORMAT);
        packed.put_block(self.tenant.as_str().as_bytes());
        packed.put_uint(self.outbox.ms);
        packed.put_uint(self.outbox.seq);
        packed.put_uint(self.revision);
        packed.extend_from_slice(&self.says.plan.to_le_bytes());
        let without = packed.len();
        put_hashes(&mut packed, &self.says.fields);
        if packed.len() > PACKED_MAX {
            packed.truncate(without);
            put_hashes(&mut packed, &[]);
        }
        URL_SAFE_NO_PAD.encode(packed)
    }

    /// The id again. Total: any text gives an id or an error.
    pub fn decode(text: &str) -> Result<Self, InvalidEventId> {
        if text.len() > Self::TEXT_MAX {
            return Err(InvalidEventId);
        }
        let packed = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidEventId)?;
        let mut read = Unpack::new(&packed);
        read_id(&mut read).filter(|_| read.is_empty()).ok_or(InvalidEventId)
    }
}

fn read_id(read: &mut Unpack<'_>) -> Option<EventId> {
    if read.byte()? != FORMAT {
        return None;
    }
    Some(EventId {
        tenant: TenantName::new(read.text()?).ok()?,
        outbox: StreamId {
            ms: read.uint()?,
            seq: read.uint()?,
        },
        revision: read.uint()?,
        says: Says {
            plan: u32::from_le_bytes(read.array()?),
            fields: read_hashes(read)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::FieldIdx;
    use crate::domain::row::FieldHash;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn id(fields: impl Strategy<Value = usize>) -> impl Strategy<Value = EventId> {
        let says = fields.prop_flat_map(|count| {
            vec(
                (any::<u16>().prop_map(FieldIdx), any::<[u8; 6]>().prop_map(FieldHash)),
                count..=count,
            )
        });
        (
            "[a-z0-9][a-z0-9_-]{0,62}",
            any::<u64>(),
            any::<u64>(),
            any::<u64>(),
            any::<u32>(),
            says,
        )
            .prop_map(|(tenant, ms, seq, revision, plan, fields)| EventId {
                tenant: TenantName::new(&tenant).unwrap(),
                outbox: StreamId { ms, seq },
                revision,
                says: Says { plan, fields },
            })
    }

    proptest! {
        #[test]
        fn ids_survive(id in id(0_usize..60)) {
            prop_assert_eq!(EventId::decode(&id.encode()), Ok(id));
        }

        #[test]
        fn long_ids_lose_only_what_they_say(id in id(130_usize..300)) {
            let text = id.encode();
            prop_assert!(text.len() <= EventId::TEXT_MAX);
            let says = Says {
                plan: id.says.plan,
                ..Says::default()
            };
            prop_assert_eq!(EventId::decode(&text), Ok(EventId { says, ..id }));
        }

        /// All is said that fits, and nothing is too long.
        #[test]
        fn ids_near_the_limit_keep_all_or_nothing(id in id(75_usize..100)) {
            let text = id.encode();
            prop_assert!(text.len() <= EventId::TEXT_MAX);
            let decoded = EventId::decode(&text).unwrap();
            if decoded.says.is_empty() {
                let bytes = 40 + id.tenant.as_str().len() + id.says.fields.len() * 9;
                prop_assert!(bytes * 4 / 3 >= EventId::TEXT_MAX, "it would have fitted");
            } else {
                prop_assert_eq!(decoded, id);
            }
        }

        #[test]
        fn any_text_is_an_id_or_invalid(text in ".{0,80}") {
            prop_assert!(EventId::decode(&text).map_or(true, |id| id.encode() == text));
        }

        #[test]
        fn a_damaged_id_never_panics(id in id(0_usize..6), at: prop::sample::Index, byte: u8) {
            let mut packed = URL_SAFE_NO_PAD.decode(id.encode()).unwrap();
            let at = at.index(packed.len());
            packed[at] = byte;
            let text = URL_SAFE_NO_PAD.encode(packed);
            prop_assert!(EventId::decode(&text).map_or(true, |id| id.encode() == text));
        }
    }

    #[test]
    fn ids_are_short_for_ordinary_events() {
        let id = EventId {
            tenant: TenantName::new("acme").unwrap(),
            outbox: StreamId {
                ms: 1_795_417_200_123,
                seq: 0,
            },
            revision: 12,
            says: Says {
                plan: 99,
                fields: vec![(FieldIdx(1), FieldHash([1; 6])), (FieldIdx(2), FieldHash([2; 6]))],
            },
        };
        assert!(id.encode().len() <= 48, "{}", id.encode().len());
        assert!(EventId::decode(&"A".repeat(EventId::TEXT_MAX + 1)).is_err());
        assert!(EventId::decode("").is_err());
    }
}
