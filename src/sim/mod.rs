//! A Feishu platform over real sockets: API and long connection on one port, with the envelopes, codes,
//! headers, limits, retries and faults of the real one. What happens on it is a [`Scenario`].
//!
//! The product cannot tell it from the platform: only the base URL differs. `demo`, tests and benchmarks
//! use the same one; `larkdeck sim` runs it alone.

mod command;
mod control;
pub mod demo;
mod error;
mod scenario;

use std::net::SocketAddr;

use serde::Serialize;

pub use self::{
    command::{Ended, RunOptions, run_command},
    control::{CardPress, Control, Counter, Counters, Speech},
    error::SimError,
    scenario::{Fault, FaultKind, Scenario},
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
}

impl Sim {
    /// Starts listening, and the life of the scenario with it.
    ///
    /// # Errors
    /// The address is taken, or the scenario contradicts itself.
    pub async fn start(_options: SimOptions) -> Result<Self, SimError> {
        Err(SimError::Unfit("not built yet".to_owned()))
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
        Control {}
    }

    /// Closes every socket and waits for its tasks.
    pub async fn stop(self) {}
}
