//! What a restart brings back: pane, room, reading place, drafts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{event::Place, model::Pane};
use crate::core::{
    ids::{ChatId, IntegrationId},
    member::Filter,
};

/// The state of a console that outlives it. Kept in the store for each person; unknown or missing fields
/// fall back to their defaults, so that any version reads any other's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// The pane that was in front.
    pub pane: Pane,
    /// The integration in use.
    pub integration: Option<IntegrationId>,
    /// The room that was open.
    pub room: Option<ChatId>,
    /// Where it was being read; `None` at its end.
    pub reading: Option<Place>,
    /// The filter of the users.
    pub filter: Filter,
    /// Full width for the transcript.
    pub zoomed: bool,
    /// What was typed and not sent, by room.
    pub drafts: BTreeMap<ChatId, Draft>,
}

/// What was typed in a room and not sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Draft {
    /// The text.
    pub text: String,
    /// People mentioned in it: the name as it stands after the `@`, and the open_id.
    pub mentions: Vec<(String, String)>,
    /// The message that it answers.
    pub reply_to: Option<Place>,
    /// Answer in a thread.
    pub in_thread: bool,
}
