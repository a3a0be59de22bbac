//! HTTP/1.1 on connections that the caller holds.
//!
//! A pooled client would decide by itself when bytes leave: it may open a connection after the permit was
//! taken, or send again. Here the connection comes first and the permit after it, so that a permit is fresh
//! when the request is written, and nothing is ever sent twice.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::AbortHandle,
    time::timeout,
};

use crate::core::secret::Secret;

use super::network::{BoxIo, Network, Origin, Way};

/// Connections that are kept for the next request.
const IDLE_MAX: usize = 32;
/// For how long: servers drop them after a minute or so.
const IDLE_FOR: Duration = Duration::from_secs(45);

/// How an exchange failed before an answer was there.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection: no such name, nobody listens, no route.
    #[error("cannot reach {host}: {source}")]
    Connect {
        /// Who was to be reached.
        host: String,
        /// The system's error.
        source: io::Error,
    },
    /// No connection in time.
    #[error("cannot reach {host} within {seconds} s")]
    ConnectTimeout {
        /// Who was to be reached.
        host: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The proxy does not let us through.
    #[error("the proxy {proxy} does not let us through to {host}: {reason}")]
    Proxy {
        /// The proxy.
        proxy: String,
        /// Who was to be reached.
        host: String,
        /// What it said. Foreign text.
        reason: String,
    },
    /// No secure connection: a certificate that is not trusted, a server that speaks no TLS.
    #[error("no secure connection to {host}: {source}")]
    Tls {
        /// Who was to be reached.
        host: String,
        /// What rustls said.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to {host} broke: {reason}")]
    Broken {
        /// Who was spoken to.
        host: String,
        /// How.
        reason: String,
        /// Whether the request may have arrived.
        was_sent: bool,
    },
    /// No whole answer in time.
    #[error("{host} gave no answer within {seconds} s")]
    Timeout {
        /// Who was spoken to.
        host: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The answer is too large to be one.
    #[error("the answer of {host} is larger than {limit_bytes} bytes")]
    TooLarge {
        /// Who was spoken to.
        host: String,
        /// What was allowed.
        limit_bytes: usize,
    },
}

impl HttpError {
    /// Whether the request may have arrived.
    pub const fn was_sent(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::ConnectTimeout { .. } | Self::Proxy { .. } | Self::Tls { .. } => {
                false
            }
            Self::Broken { was_sent, .. } => *was_sent,
            Self::Timeout { .. } | Self::TooLarge { .. } => true,
        }
    }

    /// What a person can do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Connect { .. } | Self::ConnectTimeout { .. } => {
                "Check the network, the base URL of the integration, and whether a proxy is needed (HTTPS_PROXY)."
            }
            Self::Proxy { .. } => "Check HTTPS_PROXY and NO_PROXY, and whether the proxy allows this host.",
            Self::Tls { .. } => {
                "Check the base URL and the clock; where a proxy opens TLS, name its certificate in SSL_CERT_FILE."
            }
            Self::Broken { .. } | Self::Timeout { .. } => {
                "Try again in a minute; if it stays, look at the network."
            }
            Self::TooLarge { .. } => "Check the base URL of the integration.",
        }
    }
}

/// The whole body of a request.
pub(super) struct Payload(Option<Bytes>);

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(
            self.0.as_ref().map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
        )
    }
}

/// When the bytes of the request that is under way began to leave.
#[derive(Debug, Clone, Default)]
pub(super) struct Stamp(Arc<Mutex<Option<Instant>>>);

impl Stamp {
    /// The instant; `None` while nothing has left.
    pub(super) fn left_at(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn press(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
    }
}

/// A connection that notes when a request begins to leave. The task that writes may have had to wait for a
/// processor, and the ledger wants to know.
struct Stamped {
    io: BoxIo,
    stamp: Stamp,
}

impl AsyncRead for Stamped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.io.as_mut().poll_read(cx, into)
    }
}

impl AsyncWrite for Stamped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stamp.press();
        self.io.as_mut().poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.as_mut().poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.as_mut().poll_shutdown(cx)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stamp.press();
        self.io.as_mut().poll_write_vectored(cx, bytes)
    }
    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

/// An answer with its whole body.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The connections to one host.
#[derive(Debug)]
pub(super) struct Pool {
    network: Network,
    origin: Origin,
    idle: Mutex<Vec<Link>>,
}

/// One connection, free for one request.
pub(super) struct Link {
    sender: SendRequest<Payload>,
    driver: AbortHandle,
    is_proxied: bool,
    authorization: Option<Secret>,
    stamp: Stamp,
    used_at: Instant,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("is_open", &self.is_open()).finish_non_exhaustive()
    }
}

impl Link {
    /// Whether a request can still be written to it, as far as is known here.
    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Tells when the next request on it leaves.
    pub(super) fn stamp(&self) -> Stamp {
        self.stamp.clear();
        self.stamp.clone()
    }
}

impl Pool {
    pub(super) fn new(network: Network, origin: Origin) -> Self {
        Self { network, origin, idle: Mutex::new(Vec::new()) }
    }

    pub(super) fn authority(&self) -> String {
        self.origin.authority()
    }

    /// A connection that stands: a kept one, else a new one.
    pub(super) async fn link(&self) -> Result<Link, HttpError> {
        if let Some(link) = self.kept() {
            return Ok(link);
        }
        let connected = self.network.connect(&self.origin, Way::Requests).await?;
        let stamp = Stamp::default();
        let io = Stamped { io: connected.io, stamp: stamp.clone() };
        let (mut sender, connection) = http1::Builder::new()
            .max_headers(100)
            .max_buf_size(64 * 1024)
            .handshake(TokioIo::new(io))
            .await
            .map_err(|error| self.broken(&error, false))?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
        })
        .abort_handle();
        sender.ready().await.map_err(|error| self.broken(&error, false))?;
        Ok(Link {
            sender,
            driver,
            is_proxied: connected.is_proxied,
            authorization: connected.authorization,
            stamp,
            used_at: Instant::now(),
        })
    }

    fn kept(&self) -> Option<Link> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|link| link.is_open() && link.used_at.elapsed() < IDLE_FOR);
        // The most recently used one: those that are not needed grow old and go.
        let at = idle.iter().rposition(|link| link.sender.is_ready())?;
        Some(idle.remove(at))
    }

    fn keep(&self, mut link: Link) {
        link.used_at = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if link.is_open() && idle.len() < IDLE_MAX {
            idle.push(link);
        }
    }

    /// Writes `request`, whose URI is its path and query, and reads its answer of at most `limit_bytes`.
    pub(super) async fn exchange(
        &self,
        mut link: Link,
        request: Request<Bytes>,
        limit_bytes: usize,
    ) -> Result<Reply, HttpError> {
        let limit = self.network.timeouts().answer;
        let request = self.dressed(&link, request);
        let answer = async {
            let response = link.sender.try_send_request(request).await.map_err(|mut failed| {
                let was_sent = failed.take_message().is_none();
                self.broken(failed.error(), was_sent)
            })?;
            let (parts, body) = response.into_parts();
            let body = self.read(body, limit_bytes).await?;
            Ok(Reply { status: parts.status, headers: parts.headers, body })
        };
        let reply = timeout(limit, answer).await.unwrap_or_else(|_| {
            Err(HttpError::Timeout { host: self.authority(), seconds: limit.as_secs() })
        })?;
        self.keep(link);
        Ok(reply)
    }

    fn dressed(&self, link: &Link, request: Request<Bytes>) -> Request<Payload> {
        let (mut parts, body) = request.into_parts();
        let authority = self.authority();
        if let Ok(host) = HeaderValue::from_str(&authority) {
            parts.headers.insert(header::HOST, host);
        }
        if link.is_proxied {
            if let Ok(uri) = format!("http://{authority}{}", parts.uri).parse() {
                parts.uri = uri;
            }
            let value = link.authorization.as_ref().map(|secret| HeaderValue::from_str(secret.reveal()));
            if let Some(Ok(mut value)) = value {
                value.set_sensitive(true);
                parts.headers.insert(header::PROXY_AUTHORIZATION, value);
            }
        }
        Request::from_parts(parts, Payload((!body.is_empty()).then_some(body)))
    }

    async fn read(&self, mut body: Incoming, limit_bytes: usize) -> Result<Bytes, HttpError> {
        let mut whole = BytesMut::new();
        while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let frame = frame.map_err(|error| self.broken(&error, true))?;
            let Ok(data) = frame.into_data() else { continue };
            if whole.len() + data.len() > limit_bytes {
                return Err(HttpError::TooLarge { host: self.authority(), limit_bytes });
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    }

    fn broken(&self, error: &hyper::Error, was_sent: bool) -> HttpError {
        let mut reason = error.to_string();
        if let Some(cause) = std::error::Error::source(error) {
            reason = format!("{reason}: {cause}");
        }
        HttpError::Broken { host: self.authority(), reason, was_sent }
    }
}
