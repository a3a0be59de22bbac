//! What larkdeck does, each a verb of its users, without a screen. Commands and the console use the same
//! [`Deck`].

mod deck;
pub mod index;
pub mod link;
mod open;
pub mod phone;
pub mod roster;
mod view;

pub use deck::{Deck, DeckOptions, Follow, LiveHandle};
pub use link::plan::LinkPlan;
pub use open::{KeyOrigin, KeyView, Opening};
pub use view::*;
