//! The calls of the Pub/Sub API.

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use tokio::sync::watch;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::Shared;
use super::org::OrgLog;
use super::refusal::Refusal;
use super::subscription::Subscription;
use super::topic::Topic;
use crate::wire::pub_sub_server::PubSub;
use crate::wire::{
    FetchRequest, FetchResponse, ManagedFetchRequest, ManagedFetchResponse, PublishRequest, PublishResponse,
    SchemaInfo, SchemaRequest, TopicInfo, TopicRequest,
};

/// The service behind both listeners.
#[derive(Clone)]
pub(crate) struct Service {
    shared: Arc<Shared>,
    closing: watch::Receiver<bool>,
}

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Service {
    pub(crate) fn new(shared: Arc<Shared>, closing: watch::Receiver<bool>) -> Self {
        Self { shared, closing }
    }

    /// The org that the metadata proves access to. Checked when a call opens; an open stream outlives its token.
    fn org(&self, metadata: &MetadataMap) -> Result<Arc<OrgLog>, Refusal> {
        let text = |key: &str| metadata.get(key)?.to_str().ok().filter(|value| !value.is_empty());
        let (Some(token), Some(_), Some(tenant)) = (text("accesstoken"), text("instanceurl"), text("tenantid")) else {
            return Err(Refusal::Unauthenticated);
        };
        let org_id = self
            .shared
            .directory
            .authorise(tenant, token)
            .ok_or(Refusal::Unauthenticated)?;
        Ok(self.shared.org(&org_id))
    }

    fn unsupported(&self, rpc: &'static str) -> Status {
        Refusal::Unsupported(rpc).status(rpc, &self.shared.call_ids.uuid())
    }

    fn topic_info(&self, metadata: &MetadataMap, name: String, rpc_id: &str) -> Result<TopicInfo, Refusal> {
        let org = self.org(metadata)?;
        // A topic of several objects has no one schema (pozil/pub-sub-api-node-client issue 34).
        let schema_id = match self.shared.topic(&org.id, &name)? {
            Topic::Entity(entity) => {
                let described = self.shared.directory.entity(&org.id, &entity);
                described
                    .map(|described| org.schema(&described).id.clone())
                    .unwrap_or_default()
            }
            Topic::All | Topic::Enriched | Topic::Channel(_) => String::new(),
        };
        Ok(TopicInfo {
            topic_name: name,
            tenant_guid: format!("CORE/prod/{}", org.id),
            can_publish: false,
            can_subscribe: true,
            schema_id,
            rpc_id: rpc_id.to_owned(),
        })
    }

    fn schema_info(&self, metadata: &MetadataMap, id: &str, rpc_id: &str) -> Result<SchemaInfo, Refusal> {
        let org = self.org(metadata)?;
        if id.is_empty() {
            return Err(Refusal::SchemaBlank);
        }
        let schema = org.schema_by_id(id).ok_or(Refusal::SchemaUnknown)?;
        Ok(SchemaInfo {
            schema_json: schema.json.clone(),
            schema_id: schema.id.clone(),
            rpc_id: rpc_id.to_owned(),
        })
    }
}

#[tonic::async_trait]
impl PubSub for Service {
    type SubscribeStream = Responses<FetchResponse>;
    type PublishStreamStream = Responses<PublishResponse>;
    type ManagedSubscribeStream = Responses<ManagedFetchResponse>;

    async fn subscribe(
        &self,
        request: Request<Streaming<FetchRequest>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let rpc_id = self.shared.call_ids.uuid();
        let org = self
            .org(request.metadata())
            .map_err(|refusal| refusal.status("Subscribe", &rpc_id))?;
        let token = request
            .metadata()
            .get("accesstoken")
            .and_then(|token| token.to_str().ok());
        let user = token.and_then(|token| self.shared.directory.user(&org.id, token));
        let requests = request.into_inner();
        let call = Subscription::new(
            Arc::clone(&self.shared),
            org,
            user,
            rpc_id,
            requests,
            self.closing.clone(),
        );
        Ok(Response::new(Box::pin(call.responses())))
    }

    async fn get_schema(&self, request: Request<SchemaRequest>) -> Result<Response<SchemaInfo>, Status> {
        let rpc_id = self.shared.call_ids.uuid();
        self.schema_info(request.metadata(), &request.get_ref().schema_id, &rpc_id)
            .map(Response::new)
            .map_err(|refusal| refusal.status("GetSchema", &rpc_id))
    }

    async fn get_topic(&self, request: Request<TopicRequest>) -> Result<Response<TopicInfo>, Status> {
        let rpc_id = self.shared.call_ids.uuid();
        let name = request.get_ref().topic_name.clone();
        self.topic_info(request.metadata(), name, &rpc_id)
            .map(Response::new)
            .map_err(|refusal| refusal.status("GetTopic", &rpc_id))
    }

    async fn publish(&self, _: Request<PublishRequest>) -> Result<Response<PublishResponse>, Status> {
        Err(self.unsupported("Publish"))
    }

    async fn publish_stream(
        &self,
        _: Request<Streaming<PublishRequest>>,
    ) -> Result<Response<Self::PublishStreamStream>, Status> {
        Err(self.unsupported("PublishStream"))
    }

    async fn managed_subscribe(
        &self,
        _: Request<Streaming<ManagedFetchRequest>>,
    ) -> Result<Response<Self::ManagedSubscribeStream>, Status> {
        Err(self.unsupported("ManagedSubscribe"))
    }
}
