//! The arguments of `demo` and `sim`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};

/// `larkdeck demo`.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct DemoArgs {
    /// Team members in the roster
    #[arg(long, value_name = "N")]
    pub members: Option<u32>,
    /// Seed of everything that is random in the simulation
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// `larkdeck sim`.
#[derive(Debug, Clone, ClapArgs)]
pub struct SimArgs {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    pub listen: std::net::SocketAddr,
    /// Rooms, people, rates, faults and clock of the simulation
    #[arg(long, value_name = "FILE.toml", value_hint = ValueHint::FilePath)]
    pub scenario: Option<PathBuf>,
    /// People in the tenant
    #[arg(long, value_name = "N")]
    pub members: Option<u32>,
    /// Seed of everything that is random in the simulation
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Push events and card callbacks to this http:// URL instead of the long connection
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub webhook: Option<String>,
    /// URL that a login may lead back to; can be given more than once
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub redirect: Vec<String>,
}
