//! One connection as a FIFO of requests, which dies with its connection.
//!
//! A request is queued when [`Pipe::send`] returns, whether or not its answer is awaited, and requests run in that
//! order: one task writes them one behind the other without waiting for answers. It is dead for good if and only if
//! the connection could not be opened, broke, timed out, or the server said that it does not serve (rule 2 of the log
//! road: a silent reconnect would hide entries with ids at or below a read cursor). Then every answer that is
//! outstanding and every later request fails with `Broken`.
//!
//! A server that forgot its scripts (SCRIPT FLUSH) keeps the order: from the first request that met NOSCRIPT on,
//! what did not run is run again in order before anything new is.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisResult, Value};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::{reply, script};
use crate::port::Answer;
use crate::port::store::StoreError;

/// Requests that may wait in front of one connection; one more is answered `Broken`.
pub const QUEUED_MAX: usize = 8_192;

/// Requests written and not yet answered, on one connection.
pub const IN_FLIGHT_MAX: usize = 512;

/// Times that one request is run again because the server forgot its scripts.
const RELOADS_MAX: u8 = 3;

/// Makes the commands of a request when its turn comes.
type Make = Box<dyn FnOnce() -> Result<Pipeline, StoreError> + Send>;

type Reply = oneshot::Sender<Result<Vec<Value>, StoreError>>;

/// A request that waits for its turn.
struct Order {
    make: Make,
    reply: Reply,
}

impl Order {
    /// The request; what cannot be made is answered at once.
    fn made(self) -> Option<Job> {
        let Self { make, reply } = self;
        match make() {
            Ok(commands) => Some(Job {
                commands: Arc::new(commands),
                reply,
                reloads: 0,
            }),
            Err(error) => {
                // An asker that went away does not need the answer.
                reply.send(Err(error)).unwrap_or_default();
                None
            }
        }
    }
}

struct Job {
    commands: Arc<Pipeline>,
    reply: Reply,
    reloads: u8,
}

struct InFlight {
    job: Job,
    answer: Pin<Box<dyn Future<Output = RedisResult<Vec<Value>>> + Send>>,
    early: Option<RedisResult<Vec<Value>>>,
}

/// The near end of the FIFO.
#[derive(Clone)]
pub(super) struct Pipe {
    orders: mpsc::Sender<Order>,
    /// Why it is dead.
    death: Arc<OnceLock<String>>,
}

impl Pipe {
    /// Begins to connect; requests may be sent at once and wait until the connection stands.
    pub(super) fn open<C>(runtime: &Handle, connect: C) -> Self
    where
        C: Future<Output = RedisResult<MultiplexedConnection>> + Send + 'static,
    {
        let (orders, queue) = mpsc::channel(QUEUED_MAX);
        let death = Arc::new(OnceLock::new());
        let cause = Arc::clone(&death);
        runtime.spawn(async move {
            if let Err(detail) = run(connect, queue).await {
                tracing::warn!(%detail, "a Redis connection is lost; its tenants attach again");
                // The queue is gone when this is set: a request that came in between is answered as well.
                cause.get_or_init(|| detail);
            }
        });
        Self { orders, death }
    }

    /// Queues commands that go out together; one value comes back for each.
    pub(super) fn send(&self, doing: &'static str, commands: Pipeline) -> Answer<Vec<Value>, StoreError> {
        if commands.is_empty() {
            return Box::pin(std::future::ready(Ok(Vec::new())));
        }
        self.send_made(doing, move || Ok(commands))
    }

    /// The same with commands that are made on the connection's task when their turn comes: large ones would keep the
    /// asker, who decides, from deciding. They are not empty.
    pub(super) fn send_made(
        &self,
        doing: &'static str,
        make: impl FnOnce() -> Result<Pipeline, StoreError> + Send + 'static,
    ) -> Answer<Vec<Value>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let make = Box::new(make);
        let full = match self.orders.try_send(Order { make, reply }) {
            Ok(()) => None,
            Err(mpsc::error::TrySendError::Full(_)) => Some(format!("more than {QUEUED_MAX} requests wait for Redis")),
            Err(mpsc::error::TrySendError::Closed(_)) => Some("the connection ended before".to_owned()),
        };
        let death = Arc::clone(&self.death);
        Box::pin(async move {
            let lost = match full {
                Some(detail) => detail,
                None => match answer.await {
                    Ok(values) => return values,
                    Err(_) => "the connection ended".to_owned(),
                },
            };
            Err(StoreError::Broken {
                doing,
                detail: death.get().cloned().unwrap_or(lost),
            })
        })
    }
}

/// Loads every script, so that EVALSHA finds it.
pub(super) async fn load_scripts(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let names: Vec<String> = script::load().query_async(connection).await?;
    match script::all()
        .iter()
        .zip(&names)
        .find(|(script, name)| script.sha != **name)
    {
        Some((script, _)) => Err((
            redis::ErrorKind::UnexpectedReturnType,
            "a script has another name",
            script.name.into(),
        )
            .into()),
        None => Ok(()),
    }
}

/// Runs requests until nobody can send any more (`Ok`) or the connection is lost.
async fn run<C>(connect: C, mut queue: mpsc::Receiver<Order>) -> Result<(), String>
where
    C: Future<Output = RedisResult<MultiplexedConnection>>,
{
    let mut connection = connect.await.map_err(|e| e.to_string())?;
    load_scripts(&mut connection).await.map_err(|e| e.to_string())?;
    let mut in_flight: VecDeque<InFlight> = VecDeque::with_capacity(IN_FLIGHT_MAX);
    loop {
        let room = in_flight.len() < IN_FLIGHT_MAX;
        tokio::select! {
            biased;
            (job, values) = oldest(&mut in_flight) => {
                let values = values.map_err(|e| e.to_string())?;
                if values.iter().any(reply::is_no_script) {
                    run_again(&mut connection, job, &mut in_flight).await?;
                } else {
                    deliver(job, values)?;
                }
            }
            order = queue.recv(), if room => match order {
                Some(order) => {
                    if let Some(job) = order.made() {
                        in_flight.push_back(start(&connection, job).await);
                    }
                }
                None if in_flight.is_empty() => return Ok(()),
                // Nobody can ask any more: only answers are left to wait for.
                None => {
                    while !in_flight.is_empty() {
                        let (job, values) = oldest(&mut in_flight).await;
                        deliver(job, values.map_err(|e| e.to_string())?)?;
                    }
                    return Ok(());
                }
            },
        }
    }
}

/// Writes a request: it is polled once, which puts it into the connection's own queue behind the one before.
///
/// `unconstrained` is what makes that true: a task that has used up tokio's cooperation budget gets `Pending` from the
/// queue without having been put into it, and the next request would overtake this one.
async fn start(connection: &MultiplexedConnection, job: Job) -> InFlight {
    let mut connection = connection.clone();
    let commands = Arc::clone(&job.commands);
    let count = commands.len();
    let sent = async move { connection.send_packed_commands(&commands, 0, count).await };
    let mut answer: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(tokio::task::unconstrained(sent));
    let early = match futures::poll!(&mut answer) {
        Poll::Ready(values) => Some(values),
        Poll::Pending => None,
    };
    InFlight { job, answer, early }
}

/// Waits for the oldest request's answer; for ever when there is none. Nothing is lost when it is dropped.
async fn oldest(in_flight: &mut VecDeque<InFlight>) -> (Job, RedisResult<Vec<Value>>) {
    let values = match in_flight.front_mut() {
        Some(InFlight { early: Some(_), .. }) => None,
        Some(first) => Some((&mut first.answer).await),
        None => std::future::pending().await,
    };
    match in_flight.pop_front() {
        Some(InFlight { job, early, .. }) => match values.or(early) {
            Some(values) => (job, values),
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

fn deliver(job: Job, values: Vec<Value>) -> Result<(), String> {
    if let Some((code, text)) = values
        .iter()
        .find(|v| reply::is_not_serving(v))
        .and_then(reply::server_error)
    {
        return Err(format!("{code} {text}"));
    }
    // An asker that went away does not need the answer.
    job.reply.send(Ok(values)).or(Ok(()))
}

/// Loads the scripts and runs again, in order, `first` and what stood behind it, but for scripts that did run.
async fn run_again(
    connection: &mut MultiplexedConnection,
    first: Job,
    in_flight: &mut VecDeque<InFlight>,
) -> Result<(), String> {
    let mut again = vec![first];
    while !in_flight.is_empty() {
        let (job, values) = oldest(in_flight).await;
        let values = values.map_err(|e| e.to_string())?;
        if job.commands.cmd_iter().all(is_script) && values.iter().all(|v| reply::server_error(v).is_none()) {
            deliver(job, values)?;
        } else {
            again.push(job);
        }
    }
    load_scripts(connection).await.map_err(|e| e.to_string())?;
    for mut job in again {
        job.reloads += 1;
        if job.reloads > RELOADS_MAX {
            return Err(format!("the server forgot its scripts {RELOADS_MAX} times in a row"));
        }
        in_flight.push_back(start(connection, job).await);
    }
    Ok(())
}

fn is_script(cmd: &redis::Cmd) -> bool {
    matches!(cmd.args_iter().next(), Some(redis::Arg::Simple(name)) if name == b"EVALSHA")
}
