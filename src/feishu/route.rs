//! The way that requests take to one host: its addresses, the proxy before it, and what to say when it ends
//! half-way.

use std::{
    error::Error,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::ClientConfig;
use tokio::net::lookup_host;

use super::{
    http::HttpError,
    network::{Network, Origin, Timeouts, no_tls},
    proxy::Proxy,
};

/// What reqwest knows of a proxy's answer that lets nobody through.
const REFUSED: &str = "it refused";

/// The way to one host.
#[derive(Debug)]
pub(super) struct Route {
    network: Network,
    origin: Origin,
    names: Arc<Names>,
}

impl Route {
    pub(super) fn new(network: Network, origin: Origin) -> Self {
        Self { network, origin, names: Arc::default() }
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn timeouts(&self) -> Timeouts {
        self.network.timeouts()
    }

    pub(super) fn names(&self) -> Arc<Names> {
        self.names.clone()
    }

    /// The proxy on the way, if there is one.
    pub(super) fn proxy(&self) -> Option<&Proxy> {
        self.network.proxy(&self.origin)
    }

    /// Whom to trust on the way. A way in the clear needs no certificates, and they take a while to read.
    pub(super) fn tls(&self) -> Result<ClientConfig, rustls::Error> {
        if self.origin.is_secure || self.proxy().is_some_and(|proxy| proxy.is_secure) {
            self.network.tls().map(|config| (*config).clone())
        } else {
            no_tls()
        }
    }

    /// What to say when nothing came about within `limit`. The next connection begins with another address
    /// of the host, where it has several.
    pub(super) fn too_slow(&self, limit: Duration) -> HttpError {
        self.names.turn.fetch_add(1, Ordering::Relaxed);
        HttpError::ConnectTimeout { host: self.origin.authority(), seconds: limit.as_secs() }
    }

    /// What an error of reqwest's connector means. It names the step by its type and its text only: the
    /// handshake of TLS fails with an error of I/O, what comes before it with errors that hold one.
    pub(super) async fn explain(&self, error: Box<dyn Error + Send + Sync>) -> HttpError {
        let told = match error.downcast::<io::Error>() {
            Ok(source) => self.untrusted(*source),
            Err(error) => self.unreached(&*error),
        };
        match told {
            // reqwest keeps the proxy's words to itself, and they are what the reader needs: once more.
            HttpError::Proxy { ref reason, .. } if reason == REFUSED => {
                match self.network.connect(&self.origin).await {
                    Err(error @ HttpError::Proxy { .. }) => error,
                    _ => told,
                }
            }
            told => told,
        }
    }

    fn untrusted(&self, source: io::Error) -> HttpError {
        let host = match self.proxy() {
            Some(proxy) if !self.origin.is_secure => proxy.address(),
            _ => self.origin.authority(),
        };
        HttpError::Tls { host, source }
    }

    fn unreached(&self, error: &(dyn Error + 'static)) -> HttpError {
        let Some(proxy) = self.proxy() else {
            return HttpError::Connect { host: self.origin.address(), source: first_io(error) };
        };
        let text = error.to_string();
        let step = text.strip_prefix("tunnel error: ");
        let reason = match (step, error.source()) {
            (Some("failed to create underlying connection"), Some(source)) if source.is::<io::Error>() => {
                return HttpError::Tls { host: proxy.address(), source: first_io(source) };
            }
            (None | Some("failed to create underlying connection"), _) => {
                return HttpError::Connect { host: proxy.address(), source: first_io(error) };
            }
            (_, Some(source)) => source.to_string(),
            (Some("proxy authorization required"), None) => {
                "it asks for a user name and password (HTTP 407)".to_owned()
            }
            (Some("unexpected end of file"), None) => "it closed the connection".to_owned(),
            (Some("unsuccessful"), None) => REFUSED.to_owned(),
            (Some(step), None) => step.to_owned(),
        };
        HttpError::Proxy { proxy: proxy.address(), host: self.origin.authority(), reason }
    }
}

/// The error of I/O within `error`, as one of its own.
fn first_io(error: &(dyn Error + 'static)) -> io::Error {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<io::Error>() {
            return io::Error::new(found.kind(), found.to_string());
        }
        next = error.source();
    }
    io::Error::other(error.to_string())
}

/// Names as the system resolves them. The system gives the addresses of a host in the same order each time:
/// a first one that swallows packets would be tried for ever.
#[derive(Debug, Default)]
pub(super) struct Names {
    turn: AtomicUsize,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let turn = self.turn.load(Ordering::Relaxed);
        Box::pin(async move {
            let mut found: Vec<SocketAddr> = lookup_host((name.as_str(), 0)).await?.collect();
            if let Some(first) = turn.checked_rem(found.len()) {
                found.rotate_left(first);
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
