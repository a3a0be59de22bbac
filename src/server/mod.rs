//! The gateway: the three URLs of every integration, health, and the live connections beside them. It has no
//! state of its own: everything is in the store, and any number of gateways may serve the same one.

mod event;
mod finished;
mod gateway;
mod health;
mod listen;
mod live;
mod metrics;
mod origin;
mod page;
mod refusal;
mod tls;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use jiff::tz::TimeZone;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    core::error::{Fault, Kind},
    service::{Answer, Deck, IntegrationView, LiveMode},
};

use self::{gateway::Gateway, tls::Tls};

pub use self::tls::TlsFiles;

/// How long a stop waits for the requests that were accepted. The platform itself gives up after 3 s.
const DRAIN_PATIENCE: Duration = Duration::from_secs(3);

/// How a gateway is run.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Whether `X-Forwarded-For` and `X-Forwarded-Proto` are believed: only behind a proxy that sets them.
    pub trust_forwarded: bool,
    /// How it takes part in the live connections.
    pub live: LiveMode,
    /// The zone of days on pages.
    pub zone: TimeZone,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self { trust_forwarded: false, live: LiveMode::default(), zone: TimeZone::UTC }
    }
}

/// A port that is taken, before anything answers on it.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
}

/// A gateway that is about to run.
pub struct Server {
    bound: Bound,
    gateway: Arc<Gateway>,
    options: ServeOptions,
}

impl Bound {
    /// Takes the port; port 0 takes a free one. With `tls` it speaks TLS alone.
    ///
    /// # Errors
    /// Config where the address cannot be had, or where the files are no certificate with its key.
    pub async fn take(address: SocketAddr, tls: Option<TlsFiles>) -> Answer<Self> {
        let tls = tls.map(Tls::load).transpose()?;
        let taken = TcpListener::bind(address).await.and_then(|listener| {
            let address = listener.local_addr()?;
            Ok(Self { listener, address, tls })
        });
        taken.map_err(|error| cannot_listen(address, &error))
    }

    /// Answers that there is no store yet, until `ready` is.
    pub async fn hold_until<T>(&self, ready: impl Future<Output = T>) -> T {
        let stop = CancellationToken::new();
        let _stopped = stop.clone().drop_guard();
        let service = listen::Service {
            router: health::without_store(),
            trust_forwarded: false,
            tls: self.tls.clone(),
        };
        let connections = TaskTracker::new();
        tokio::select! {
            ready = ready => ready,
            () = listen::accept(&self.listener, service, &connections, stop) => std::future::pending().await,
        }
    }

    /// What this gateway is reached by on its own host.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Fault {
    Fault::new(Kind::Config, format!("cannot listen on {address}: {error}"))
        .with_hint("Choose another address with --listen ADDR:PORT; port 0 takes a free one.")
}

impl Server {
    /// A gateway on `bound` for the integrations of `deck`, whose settings name the public URL.
    pub fn new(bound: Bound, deck: Deck, options: ServeOptions) -> Self {
        let gateway = Arc::new(Gateway::new(deck, bound.url(), options.zone.clone()));
        Self { bound, gateway, options }
    }

    /// What it listens on.
    pub fn url(&self) -> String {
        self.bound.url()
    }

    /// The integrations that it answers for: those that have an app.
    ///
    /// # Errors
    /// The store's.
    pub async fn integrations(&self) -> Answer<Vec<IntegrationView>> {
        let mut views = self.gateway.deck.integrations().await?;
        views.retain(|view| view.integration.app.is_some());
        Ok(views)
    }

    /// Serves until `stop`; then takes nothing new, finishes what was accepted, and hands the live
    /// connections over.
    ///
    /// # Errors
    /// The store's, at the start.
    pub async fn run(self, stop: CancellationToken) -> Answer<()> {
        let live = live::TakingPart::start(self.gateway.deck.clone(), self.options.live).await?;
        let connections = TaskTracker::new();
        let service = listen::Service {
            router: routes(&self.gateway),
            trust_forwarded: self.options.trust_forwarded,
            tls: self.bound.tls,
        };
        listen::accept(&self.bound.listener, service, &connections, stop).await;
        let work = &self.gateway.work;
        let drained = async {
            connections.close();
            connections.wait().await;
            work.close();
            work.wait().await;
        };
        if tokio::time::timeout(DRAIN_PATIENCE, drained).await.is_err() {
            tracing::warn!(connections = connections.len(), work = work.len(), "requests cut off");
        }
        live.stop().await;
        Ok(())
    }
}

/// All routes: at the root, for proxies that take the path prefix of the public URL off, and below that
/// prefix, for those that leave it.
fn routes(gateway: &Arc<Gateway>) -> Router {
    let routes = Router::new().merge(health::routes()).merge(page::routes()).merge(event::routes());
    let all = match gateway.prefix() {
        "" => routes,
        prefix => Router::new().nest(prefix, routes.clone()).merge(routes),
    };
    all.with_state(Arc::clone(gateway))
}
