//! The Feishu/Lark client: the API over HTTP, the payloads of events, and the long connection.
//!
//! Everything that leaves goes through `transport`, which cannot send without a permit of the ledger.
//! Nothing here keeps state beyond one process's token and connections.

mod answer;
mod client;
mod code;
pub mod endpoint;
mod error;
pub mod event;
mod gate;
mod http;
mod lane;
#[cfg(test)]
mod lane_tests;
mod network;
mod proxy;
mod route;
pub mod socket;
#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;
mod token;
mod transport;

pub use client::{Ask, Client, Page};
pub use endpoint::{
    application::{AppScope, BotInfo},
    chat::{ChatInfo, ChatMember, ChatState},
    contact::{AccountStatus, FoundId, LookupKey, UserInfo},
    message::{CardContent, Container, Listing, Order, ReceiverKind, Reply, SendMessage},
    oauth::{Account, Authorize, UserToken},
    reaction::{Operator, Reaction},
};
pub use error::{FeishuError, Refusal};
pub use network::{Network, Timeouts};

/// A random number from 0 to 1, for pauses. Without randomness it is a half: pauses stay pauses.
fn random_share() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}
