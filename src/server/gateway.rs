//! What every handler works with.

use std::{net::IpAddr, time::Instant};

use jiff::tz::TimeZone;
use tokio_util::task::TaskTracker;

use crate::{
    core::{ids::IntegrationId, integration::IntegrationUrls},
    service::Deck,
};

use super::{metrics::Metrics, refusal::Refusal};

/// The shared state of the handlers, given to them as `State<Arc<Gateway>>`.
pub(super) struct Gateway {
    pub(super) deck: Deck,
    pub(super) metrics: Metrics,
    /// Work that goes on when the client of a request goes away; a stop waits for it.
    pub(super) work: TaskTracker,
    /// The public URL, or the listening one where none is set; without a slash at its end.
    public_url: String,
    /// The zone of days on pages.
    pub(super) zone: TimeZone,
}

impl Gateway {
    pub(super) fn new(deck: Deck, listening: String, zone: TimeZone) -> Self {
        let public_url = deck.public_url().map_or(listening, str::to_owned);
        Self { deck, metrics: Metrics::new(), work: TaskTracker::new(), public_url, zone }
    }

    /// The URLs of an integration, as the platform and browsers have them.
    pub(super) fn urls(&self, integration: &IntegrationId) -> IntegrationUrls {
        IntegrationUrls::new(&self.public_url, integration)
    }

    /// The path of the public URL, which comes before every path that the platform and browsers are given;
    /// empty where it has none.
    pub(super) fn prefix(&self) -> &str {
        let authority = self.public_url.find("://").map_or(0, |at| at + 3);
        let after = self.public_url.get(authority..).unwrap_or_default();
        after.find('/').and_then(|at| after.get(at..)).unwrap_or_default().trim_end_matches('/')
    }

    /// Counts a refusal, and logs it where none of its kind was logged for a minute. Never with the body.
    pub(super) fn refused(&self, refusal: Refusal, integration: Option<&IntegrationId>, from: IpAddr) {
        let Some(silent) = self.metrics.refused(refusal, Instant::now()) else { return };
        let reason = refusal.reason();
        let name = integration.map_or("", IntegrationId::as_str);
        tracing::warn!(reason, integration = name, %from, silent, "request refused");
        if let Some(id) = integration.filter(|_| refusal.may_be_setup()) {
            let (deck, id) = (self.deck.clone(), id.clone());
            self.work.spawn(async move { deck.log_refused_events(&id, reason, silent).await });
        }
    }
}
