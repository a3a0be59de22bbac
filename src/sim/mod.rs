//! A Feishu platform over real sockets: API and long connection on one port, with the envelopes, codes,
//! headers, limits, retries and faults of the real one. What happens on it is a [`Scenario`].
//!
//! The product cannot tell it from the platform: only the base URL differs. `demo`, tests and benchmarks
//! use the same one; `larkdeck sim` runs it alone.

mod account;
mod api;
mod card;
mod clock;
mod command;
mod content;
mod control;
pub mod demo;
mod desk;
mod dice;
mod error;
mod event;
mod fault;
mod http;
mod hub;
mod life;
mod loopback;
mod oauth;
mod people;
mod post;
mod press;
mod push;
mod rate;
mod scenario;
mod script;
mod shared;
mod social;
mod socket;
mod token;
mod webhook;
mod world;

use std::{net::SocketAddr, sync::Arc};

use serde::Serialize;
use tokio::net::TcpListener;

use self::{dice::Dice, shared::Shared, world::World};

pub use self::{
    command::{Ended, RunOptions, run_command},
    control::{CardPress, Control, Counter, Counters, Leaving, PersonChange, Speech},
    error::SimError,
    fault::{Fault, FaultKind},
    oauth::SignIn,
    press::Toast,
    scenario::{
        AppPlan, ClockPlan, LatencyPlan, LifePlan, LimitPlan, MonthPlan, OauthPlan, PeoplePlan, PersonPlan,
        RoomPlan, Roster, Scenario, SocketPlan, Temper, TenantPlan, TokenPlan, VariantPlan, Way, WebhookPlan,
    },
    webhook::PushRecord,
};

/// How to start a simulator.
#[derive(Debug, Clone)]
pub struct SimOptions {
    /// Where to listen; port 0 takes any.
    pub listen: SocketAddr,
    /// What lives there.
    pub scenario: Scenario,
    /// People of the tenant; replaces the scenario's figure.
    pub members: Option<u32>,
    /// The same seed makes the same ids and the same dialogue; without one each run differs.
    pub seed: Option<u64>,
}

impl SimOptions {
    /// `scenario` on any port of the loopback.
    pub fn local(scenario: Scenario) -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), scenario, members: None, seed: None }
    }
}

/// What a client needs to know of the app: the first line of `larkdeck sim`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Access {
    /// Scheme, host and port, without a trailing slash.
    pub base_url: String,
    /// App ID.
    pub app_id: String,
    /// App Secret.
    pub app_secret: String,
    /// Verification Token.
    pub verification_token: String,
    /// Encrypt Key.
    pub encrypt_key: String,
}

/// A running simulator. Dropping it stops it.
#[derive(Debug)]
pub struct Sim {
    access: Access,
    shared: Arc<Shared>,
}

impl Sim {
    /// Starts listening, and the life of the scenario with it.
    ///
    /// # Errors
    /// The address is taken, or the scenario contradicts itself.
    pub async fn start(options: SimOptions) -> Result<Self, SimError> {
        let SimOptions { listen, mut scenario, members, seed } = options;
        if let Some(count) = members {
            scenario.people.count = count;
        }
        scenario.check()?;
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|source| SimError::Listen { address: listen.to_string(), source })?;
        let address = listener
            .local_addr()
            .map_err(|source| SimError::Listen { address: listen.to_string(), source })?;
        let app = scenario.app.clone();
        let mut world = World::new(scenario, seed.unwrap_or_else(Dice::any_seed));
        let rooms = world.open_rooms()?;
        let shared = Shared::new(world);
        shared.spawn(http::accept(Arc::clone(&shared), listener));
        webhook::start(&shared);
        life::start(&shared, rooms);
        let access = Access {
            base_url: format!("http://{address}"),
            app_id: app.app_id,
            app_secret: app.app_secret,
            verification_token: app.verification_token,
            encrypt_key: app.encrypt_key,
        };
        Ok(Self { access, shared })
    }

    /// Credentials and address.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Scheme, host and port.
    pub fn base_url(&self) -> &str {
        &self.access.base_url
    }

    /// The hand on the running simulator.
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.shared))
    }

    /// Closes every socket and waits for its tasks.
    pub async fn stop(self) {
        self.shared.cancel.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.shared.cancel.cancel();
    }
}
