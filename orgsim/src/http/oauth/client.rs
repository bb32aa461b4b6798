//! Which app asks, and in which org.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use super::form::Form;
use crate::http::request::Call;
use crate::oauth::{Access, Refusal};
use crate::world::{OrgHandle, World};

/// A consumer key and secret as they were presented.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: String,
    /// None where it is missing or empty.
    pub(super) secret: Option<String>,
}

impl Client {
    /// By HTTP Basic [V:SIMPLE-LOGIN] or in the form.
    pub(super) fn of(call: &Call, form: &Form) -> Self {
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let basic = call
            .header("authorization")
            .and_then(|h| h.strip_prefix("Basic "))
            .and_then(|b| STANDARD.decode(b.trim()).ok())
            .and_then(|b| String::from_utf8(b).ok())
            .and_then(|b| b.split_once(':').map(|(id, secret)| (decode(id), decode(secret))));
        let (id, secret) = basic.unwrap_or_else(|| {
            let part = |name: &str| form.text(name).to_owned();
            (part("client_id"), part("client_secret"))
        });
        Self {
            id,
            secret: Some(secret).filter(|s| !s.is_empty()),
        }
    }
}

/// The org whose name is the first label of the host that was called, as a My Domain.
fn my_domain<'w>(world: &'w World, call: &Call) -> Option<&'w Arc<OrgHandle>> {
    let (label, _) = call.header("host")?.split_once('.')?;
    world.orgs.iter().find(|o| o.identity.name.eq_ignore_ascii_case(label))
}

/// The org that a request of an app is about. One app may be in many orgs: then the host decides, or `holds`, or the first.
///
/// # Errors
/// `invalid_client_id` when no org has the app, `request not supported on this domain` when the host's org has not.
pub(super) fn org(
    world: &World,
    call: &Call,
    client_id: &str,
    holds: impl Fn(&Access) -> bool,
) -> Result<Arc<OrgHandle>, Refusal> {
    let mut with: Vec<&Arc<OrgHandle>> = world
        .orgs
        .iter()
        .filter(|o| o.access().app(client_id).is_some())
        .collect();
    if with.is_empty() {
        return Err(Refusal::ClientId);
    }
    if let Some(domain) = my_domain(world, call) {
        with.retain(|o| Arc::ptr_eq(o, domain));
        return with.first().map(|o| Arc::clone(o)).ok_or(Refusal::WrongDomain);
    }
    let holder = with.iter().find(|o| holds(&o.access())).or_else(|| with.first());
    holder.map(|o| Arc::clone(o)).ok_or(Refusal::ClientId)
}
