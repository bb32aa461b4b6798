//! A Pub/Sub client over loopback, and a bus that serves it.

use std::collections::{HashMap, VecDeque};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use orgsim::bus::{Bus, BusOptions, serve};
use orgsim::directory::Directory;
use orgsim::wire::pub_sub_client::PubSubClient;
use orgsim::wire::{FetchRequest, FetchResponse, ReplayPreset, SchemaRequest};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status, Streaming};

use crate::orgs::{ORG, TOKEN};
use crate::reader::{Reader, Told};

/// No answer of a local bus takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A served bus; stops when dropped.
pub(crate) struct Served {
    pub(crate) bus: Arc<Bus>,
    pub(crate) plain: String,
    pub(crate) tls: String,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) server: JoinHandle<()>,
}

impl Served {
    pub(crate) fn new(directory: Arc<dyn Directory>) -> Self {
        Self::with(directory, BusOptions::default())
    }

    pub(crate) fn with(directory: Arc<dyn Directory>, options: BusOptions) -> Self {
        let bus = Bus::with_options(directory, 7, options);
        let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (plain, tls) = (listen(), listen());
        let address = |listener: &TcpListener| listener.local_addr().unwrap();
        let urls = (
            format!("http://{}", address(&plain)),
            format!("https://{}", address(&tls)),
        );
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = serve(Arc::clone(&bus), plain, Some(tls), async {
            stopped.await.unwrap_or_default()
        });
        let server = tokio::spawn(async { serving.await.unwrap() });
        Self {
            bus,
            plain: urls.0,
            tls: urls.1,
            stop: Some(stop),
            server,
        }
    }

    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    pub(crate) async fn client(&self) -> Client {
        Client::new(
            Endpoint::from_shared(self.plain.clone())
                .unwrap()
                .connect()
                .await
                .unwrap(),
        )
    }

    pub(crate) async fn tls_client(&self) -> Client {
        let certificate = Certificate::from_pem(self.bus.certificate().unwrap().certificate_pem());
        let tls = ClientTlsConfig::new()
            .ca_certificate(certificate)
            .domain_name("localhost");
        let endpoint = Endpoint::from_shared(self.tls.clone())
            .unwrap()
            .tls_config(tls)
            .unwrap();
        Client::new(endpoint.connect().await.unwrap())
    }
}

/// Calls with the metadata of the fake org.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) stub: PubSubClient<Channel>,
}

impl Client {
    fn new(channel: Channel) -> Self {
        Self {
            stub: PubSubClient::new(channel),
        }
    }

    pub(crate) async fn subscribe(&mut self, topic: &str, preset: ReplayPreset, replay: &[u8], requested: i32) -> Call {
        let call = self.open().await;
        let request = FetchRequest {
            topic_name: topic.to_owned(),
            replay_preset: preset.into(),
            replay_id: replay.to_vec().into(),
            num_requested: requested,
            auth_refresh: String::new(),
        };
        call.requests.as_ref().unwrap().send(request).await.unwrap();
        call
    }

    /// A Subscribe call without any request yet.
    pub(crate) async fn open(&mut self) -> Call {
        let (requests, stream) = mpsc::channel(16);
        let responses = self
            .stub
            .subscribe(signed(ReceiverStream::new(stream)))
            .await
            .unwrap()
            .into_inner();
        Call {
            requests: Some(requests),
            responses,
            client: self.clone(),
            readers: HashMap::new(),
            unread: VecDeque::new(),
        }
    }

    pub(crate) async fn schema(&mut self, id: &str) -> String {
        let request = SchemaRequest {
            schema_id: id.to_owned(),
        };
        self.stub
            .get_schema(signed(request))
            .await
            .unwrap()
            .into_inner()
            .schema_json
    }
}

/// A request with valid metadata.
pub(crate) fn signed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("accesstoken", TOKEN.parse().unwrap());
    metadata.insert("instanceurl", "http://127.0.0.1".parse().unwrap());
    metadata.insert("tenantid", ORG.parse().unwrap());
    request
}

/// An open Subscribe call.
pub(crate) struct Call {
    pub(crate) requests: Option<mpsc::Sender<FetchRequest>>,
    pub(crate) responses: Streaming<FetchResponse>,
    client: Client,
    readers: HashMap<String, Reader>,
    /// Events that came with the ones asked for.
    unread: VecDeque<Told>,
}

impl Call {
    pub(crate) async fn more(&self, requested: i32) {
        let request = FetchRequest {
            num_requested: requested,
            ..FetchRequest::default()
        };
        self.requests.as_ref().unwrap().send(request).await.unwrap();
    }

    /// The next response, the end (None), or the error of the call.
    pub(crate) async fn next(&mut self) -> Result<Option<FetchResponse>, Status> {
        tokio::time::timeout(PATIENCE, self.responses.message())
            .await
            .expect("the bus says nothing")
    }

    /// The error that the call ends with.
    pub(crate) async fn error(&mut self) -> Status {
        loop {
            match self.next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the call ended without an error"),
                Err(status) => return status,
            }
        }
    }

    /// The next `count` events, decoded, however many responses they come in.
    pub(crate) async fn events(&mut self, count: usize) -> Vec<Told> {
        while self.unread.len() < count {
            let response = self.next().await.unwrap().expect("the call ended");
            for event in response.events {
                let replay = event.replay_id.to_vec();
                let event = event.event.unwrap();
                if !self.readers.contains_key(&event.schema_id) {
                    let json = self.client.schema(&event.schema_id).await;
                    self.readers.insert(event.schema_id.clone(), Reader::new(&json));
                }
                self.unread
                    .push_back(self.readers[&event.schema_id].read(&event.payload, replay, event.id));
            }
        }
        self.unread.drain(..count).collect()
    }
}

/// The code that Salesforce puts in the trailers, without its common prefix.
pub(crate) fn error_code(status: &Status) -> Option<&str> {
    let code = status.metadata().get("error-code")?.to_str().unwrap();
    Some(
        code.strip_prefix("sfdc.platform.eventbus.grpc.")
            .expect("the common prefix"),
    )
}
