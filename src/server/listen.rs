//! Connections: accepted, bounded in number and in patience, and ended without cutting a request off.

use std::{
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{Router, body::Body, http::Request};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, Sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{origin::Origin, tls::Tls};

/// Connections at once; more wait in the backlog of the kernel.
const MOST_CONNECTIONS: usize = 1024;
/// A connection without a request is kept for longer than the usual proxies keep theirs, so that it is they
/// who close it: a request that meets a closing connection would be lost.
const IDLE: Duration = Duration::from_secs(150);
/// From the first byte of a request to the end of its headers.
const HEAD_PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes of headers.
const MOST_HEAD_BYTES: usize = 32 * 1024;
/// A pause after the kernel refused to accept: descriptors come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What every connection is served with.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) router: Router,
    /// Whether forwarded headers are believed.
    pub(super) trust_forwarded: bool,
    /// With a certificate of one's own.
    pub(super) tls: Option<Tls>,
}

/// Accepts until `stop`. Connections under way then finish their request and close; `connections` tells when.
pub(super) async fn accept(
    listener: &TcpListener,
    service: Service,
    connections: &TaskTracker,
    stop: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let place = tokio::select! {
            Ok(place) = Arc::clone(&room).acquire_owned() => place,
            () = stop.cancelled() => return,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (service, stop) = (service.clone(), stop.clone());
                connections.spawn(async move {
                    greet(stream, peer, service, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection. Broken ones are the other side's affair.
async fn greet(stream: TcpStream, peer: SocketAddr, service: Service, stop: CancellationToken) {
    // Without it, small answers wait for the other side's delayed acknowledgement.
    _ = stream.set_nodelay(true);
    let origin = Origin { address: peer.ip().to_canonical(), is_https: service.tls.is_some() };
    match service.tls.as_ref().map(Tls::acceptor) {
        None => _ = serve(stream, origin, service, stop).await,
        Some(acceptor) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(HEAD_PATIENCE, acceptor.accept(stream)).await {
                _ = serve(stream, origin, service, stop).await;
            }
        }
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    origin: Origin,
    service: Service,
    stop: CancellationToken,
) -> Result<(), hyper::Error> {
    let awaits_head = Arc::new(AtomicBool::new(true));
    let stream =
        Impatient { inner: stream, awaits_head: Arc::clone(&awaits_head), deadline: None, late: None };
    let router = TowerToHyperService::new(service.router);
    let service = service_fn(move |request: Request<Incoming>| {
        awaits_head.store(false, Ordering::Relaxed);
        let mut request = request.map(Body::new);
        let told = if service.trust_forwarded { origin.forwarded(request.headers()) } else { origin };
        request.extensions_mut().insert(told);
        let answer = router.call(request);
        let awaits_head = Arc::clone(&awaits_head);
        async move {
            let answer = answer.await;
            awaits_head.store(true, Ordering::Relaxed);
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(MOST_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        done = connection.as_mut() => return done,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

/// A stream that gives up on a request whose headers do not come to their end.
struct Impatient<S> {
    inner: S,
    /// No request is under way: what comes in is headers.
    awaits_head: Arc<AtomicBool>,
    deadline: Option<Instant>,
    late: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let awaits_head = self.awaits_head.load(Ordering::Relaxed);
        if !awaits_head {
            (self.deadline, self.late) = (None, None);
        }
        match Pin::new(&mut self.inner).poll_read(cx, buffer) {
            Poll::Ready(done) => {
                if awaits_head && self.deadline.is_none() && buffer.filled().len() > before {
                    self.deadline = Some(Instant::now() + HEAD_PATIENCE);
                }
                Poll::Ready(done)
            }
            Poll::Pending => {
                let Some(deadline) = self.deadline else { return Poll::Pending };
                let late = self.late.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
                ready!(late.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
