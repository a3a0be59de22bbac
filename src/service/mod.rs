//! What larkdeck does, each a verb of its users, without a screen. Commands and the console use the same
//! [`Deck`].

mod budget;
mod card;
mod deck;
mod door;
mod follow;
mod gate;
mod history;
pub mod index;
mod integration;
pub mod link;
mod live;
pub mod login;
mod member;
mod open;
mod outbox;
mod people;
mod permit;
pub mod phone;
mod press;
mod retention;
mod room;
pub mod roster;
mod upkeep;
mod view;

pub use deck::{Answer, Deck, DeckOptions};
pub use door::Door;
pub use follow::{Follow, IntegrationChanges};
pub use integration::checked_base_url;
pub use link::plan::LinkPlan;
pub use live::LiveHandle;
pub use open::{KeyOrigin, KeyView, Opening};
pub use people::{Connected, Granted, Roles, grants};
pub use permit::Ledger;
pub use press::{CardOp, PressPreview, Verdict};
pub use retention::KeptReport;
pub use upkeep::{CopyView, FindingView, StoreChecked, StoreMigrated, SumView};
pub use view::*;
