//! HTTP/1.1 by reqwest, in lanes: each is a client of its own that carries one request at a time.
//!
//! A pooled client decides by itself when bytes leave: it may connect after the permit was taken, or wait
//! for another request's connection. A lane has nobody to wait for. Its connector passes the gate of the
//! request once the connection stands, and the body of the request passes it again right before the write
//! (see [`Freight`]), so nothing leaves without a permit that is fresh, however the connection came about.

use std::{
    error::Error,
    io,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode, header};
use tokio::time::timeout;
use tower_layer::Layer;
use tower_service::Service;
use url::Url;

use super::{
    gate::{Freight, Gate, HeldBack, SendError},
    http::HttpError,
    network::{KEEPALIVE_EVERY, KEEPALIVE_FROM, KEEPALIVE_PROBES, Network, Origin},
    route::Route,
};

/// Lanes that are kept for the next request.
const WARM_MAX: usize = 32;
/// For how long: servers drop idle connections after a minute or so.
const WARM_FOR: Duration = Duration::from_secs(40);
/// Requests that may be held back at the last moment before something is wrong.
const HELD_BACK_MAX: u32 = 20;

type BoxError = Box<dyn Error + Send + Sync>;

tokio::task_local! {
    /// The gate of the request that this task is sending, for the connector beneath it.
    static GATE: Arc<Gate>;
}

/// A request without its host; it can be written again.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// An answer with its whole body.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The lanes to one host.
#[derive(Debug)]
pub(super) struct Lanes {
    route: Arc<Route>,
    warm: Mutex<Vec<Lane>>,
}

/// A client with at most one connection.
#[derive(Debug)]
struct Lane {
    client: reqwest::Client,
    used_at: Instant,
}

impl Lanes {
    pub(super) fn new(network: Network, origin: Origin) -> Self {
        Self { route: Arc::new(Route::new(network, origin)), warm: Mutex::default() }
    }

    pub(super) fn authority(&self) -> String {
        self.route.origin().authority()
    }

    /// Sends `message` once, when `gate` lets it, and reads its answer of at most `limit_bytes`.
    pub(super) async fn send(
        &self,
        gate: &Arc<Gate>,
        message: &Message,
        limit_bytes: usize,
    ) -> Result<Reply, SendError> {
        for _ in 0..HELD_BACK_MAX {
            let lane = match self.warm() {
                Some(lane) if gate.open().await => lane,
                Some(_) => return Err(gate.trouble().unwrap_or(SendError::Starved)),
                // Its connector takes the permit, once the connection stands.
                None => self.fresh()?,
            };
            match self.exchange(&lane, gate, message, limit_bytes).await {
                Ok(reply) => {
                    self.keep(lane, &reply);
                    return Ok(reply);
                }
                Err(SendError::Http(HttpError::Broken { .. })) if gate.was_held_back() => {}
                Err(error) => return Err(error),
            }
        }
        Err(SendError::Starved)
    }

    fn warm(&self) -> Option<Lane> {
        let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        warm.retain(|lane| lane.used_at.elapsed() < WARM_FOR);
        // The most recently used one: those that are not needed grow old and go.
        warm.pop()
    }

    fn keep(&self, mut lane: Lane, reply: &Reply) {
        let closes = reply.headers.get(header::CONNECTION).is_some_and(|value| value == "close");
        lane.used_at = Instant::now();
        let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        if !closes && warm.len() < WARM_MAX {
            warm.push(lane);
        }
    }

    fn fresh(&self) -> Result<Lane, SendError> {
        let refuse = |error: BoxError| {
            let source = io::Error::other(causes(&*error));
            SendError::Http(HttpError::Tls { host: self.authority(), source })
        };
        let tls = self.route.tls().map_err(|error| refuse(error.into()))?;
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connector_layer(Door(self.route.clone()))
            .dns_resolver(self.route.names())
            .http1_only()
            .http1_max_headers(100)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(1)
            // Whether a connection is too old is said here, by lane.
            .pool_idle_timeout(None)
            .tcp_nodelay(true)
            .tcp_keepalive(KEEPALIVE_FROM)
            .tcp_keepalive_interval(KEEPALIVE_EVERY)
            .tcp_keepalive_retries(KEEPALIVE_PROBES);
        #[cfg(target_os = "linux")]
        let builder = builder.tcp_user_timeout(super::network::UNACKNOWLEDGED_MAX);
        let builder = match self.route.proxy().map(super::proxy::Proxy::for_requests).transpose() {
            Ok(Some(proxy)) => builder.proxy(proxy),
            Ok(None) => builder.no_proxy(),
            Err(error) => return Err(refuse(error.into())),
        };
        let client = builder.build().map_err(|error| refuse(error.without_url().into()))?;
        Ok(Lane { client, used_at: Instant::now() })
    }

    async fn exchange(
        &self,
        lane: &Lane,
        gate: &Arc<Gate>,
        message: &Message,
        limit_bytes: usize,
    ) -> Result<Reply, SendError> {
        let mut request = reqwest::Request::new(message.method.clone(), message.url.clone());
        *request.headers_mut() = message.headers.clone();
        *request.body_mut() = Some(reqwest::Body::wrap(Freight::new(message.body.clone(), gate.clone())));
        let answer = async {
            let response = lane
                .client
                .execute(request)
                .await
                .map_err(|error| gate.trouble().unwrap_or_else(|| self.broken(error, gate.has_left())))?;
            self.read(response, limit_bytes).await
        };
        let limit = self.route.timeouts().answer;
        // The connector has a limit of its own, and the wait for a permit has the call's patience.
        tokio::select! {
            biased;
            reply = GATE.scope(gate.clone(), answer) => reply,
            () = gate.overdue(limit) => {
                Err(SendError::Http(HttpError::Timeout { host: self.authority(), seconds: limit.as_secs() }))
            }
        }
    }

    async fn read(&self, mut response: reqwest::Response, limit_bytes: usize) -> Result<Reply, SendError> {
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(error, true))? {
            if body.len() + chunk.len() > limit_bytes {
                return Err(SendError::Http(HttpError::TooLarge { host: self.authority(), limit_bytes }));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, headers, body: body.freeze() })
    }

    fn broken(&self, error: reqwest::Error, was_sent: bool) -> SendError {
        let reason = causes(&error.without_url());
        SendError::Http(HttpError::Broken { host: self.authority(), reason, was_sent })
    }
}

/// What went wrong, without the wrappings that every error has.
fn causes(error: &(dyn Error + 'static)) -> String {
    let (mut told, mut next) = (Vec::new(), Some(error));
    while let Some(error) = next {
        let text = error.to_string();
        if !error.is::<reqwest::Error>() && !text.starts_with("client error (") {
            told.push(text);
        }
        next = error.source();
    }
    if told.is_empty() { error.to_string() } else { told.join(": ") }
}

/// Puts a [`Doorkeeper`] before reqwest's connector.
#[derive(Clone)]
struct Door(Arc<Route>);

impl<S> Layer<S> for Door {
    type Service = Doorkeeper<S>;

    fn layer(&self, connector: S) -> Doorkeeper<S> {
        Doorkeeper { route: self.0.clone(), connector }
    }
}

/// Hands a new connection over when the request that it is for has a fresh permit.
#[derive(Clone)]
struct Doorkeeper<S> {
    route: Arc<Route>,
    connector: S,
}

impl<S, A> Service<A> for Doorkeeper<S>
where
    S: Service<A, Error = BoxError>,
    S::Future: Send + 'static,
    S::Response: Send,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(cx)
    }

    fn call(&mut self, address: A) -> Self::Future {
        let (route, gate) = (self.route.clone(), GATE.try_with(Arc::clone));
        let connecting = self.connector.call(address);
        Box::pin(async move {
            let gate = gate?;
            let limit = route.timeouts().connect;
            let error = match timeout(limit, connecting).await {
                Ok(Ok(connection)) => {
                    return if gate.open().await { Ok(connection) } else { Err(HeldBack.into()) };
                }
                Ok(Err(error)) => route.explain(error).await,
                Err(_) => route.too_slow(limit),
            };
            let text = error.to_string();
            gate.fail(SendError::Http(error));
            Err(text.into())
        })
    }
}
