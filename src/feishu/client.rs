//! The client of one app. The calls themselves are in `endpoint`, one file a family.

use std::{fmt, sync::Arc, time::Duration};

use crate::core::{
    ids::AppKey,
    integration::AppCredentials,
    permit::{Class, Feature, PermitSource},
    time::Clock,
};

use super::{error::FeishuError, network::Network, transport::Transport};

/// On whose behalf a call is made: what the ledger orders it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Who goes first.
    pub class: Class,
    /// What it is for.
    pub feature: Feature,
    /// The longest that permits and pauses may take together; `None` waits as long as it takes.
    pub patience: Option<Duration>,
}

impl Ask {
    /// A call that waits as long as it takes.
    pub const fn new(class: Class, feature: Feature) -> Self {
        Self { class, feature, patience: None }
    }

    /// The same with `patience`.
    #[must_use]
    pub const fn within(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Names the next page; `None` on the last one.
    pub page_token: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

/// The client of one app; cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub(super) transport: Arc<Transport>,
}

impl Client {
    /// Makes the client of `app`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`FeishuError::Address`] when the app's base URL is not an `http` or `https` address.
    pub fn new(
        app: AppCredentials,
        permits: Arc<dyn PermitSource>,
        network: &Network,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, FeishuError> {
        Transport::new(app, permits, network, clock).map(|transport| Self { transport: Arc::new(transport) })
    }

    /// The app that this is the client of.
    pub fn app(&self) -> &AppKey {
        self.transport.app()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("app", self.app()).finish_non_exhaustive()
    }
}
