//! The session, as the metadata of every call (change-events.md 1).

use secrecy::ExposeSecret;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status};

use crate::salesforce::session::Held;

/// Adds token, instance and organisation to a call.
pub(super) fn with_session<T>(mut request: Request<T>, session: &Held) -> Result<Request<T>, Status> {
    let unusable = |_| Status::internal("the session does not fit into metadata");
    let value = |text: &str| MetadataValue::<Ascii>::try_from(text).map_err(unusable);
    let session = session.session();
    let mut token = value(session.token.expose_secret())?;
    token.set_sensitive(true);
    let metadata = request.metadata_mut();
    metadata.insert("accesstoken", token);
    metadata.insert("instanceurl", value(&session.instance_url)?);
    metadata.insert("tenantid", value(&session.org_id)?);
    Ok(request)
}
