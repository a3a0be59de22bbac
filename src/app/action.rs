//! What the program decided to do.

use super::{
    command::Command,
    effect::EffectId,
    event::{Answer, CopyOutcome, FeedBatch, LinkProgress, Size},
    key::Key,
    model::{ItemKey, Painted, Pane, RoomFocus},
};
use crate::core::{
    error::Fault,
    health::StoreHealth,
    ids::{ChatId, IntegrationId, MemberId, Seq},
    integration::Live,
    member::Filter,
    quota::QuotaReport,
    role::Role,
    time::Timestamp,
};

/// Something to do to the model. Hit maps carry these, so they compare and clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Load what the first screens need.
    Start,
    /// It is this late now.
    Tick(Timestamp),
    /// The terminal has this size.
    Resize(Size),
    /// The terminal window has the focus, or not.
    SetFocus(bool),
    /// These are the sizes and hits of what was drawn.
    TakePainted(Painted),
    /// Do what a key, the palette or a click stands for, if it is enabled.
    Run(Command),
    /// Edit the text field that has the focus.
    Type(Key),
    /// A key that nothing is bound to.
    Ignore(Key),
    /// Put this text into the field that has the focus.
    Paste(String),
    /// Bring a pane to the front.
    ShowPane(Pane),
    /// Select and open an integration's details.
    SelectIntegration(IntegrationId),
    /// Select a row of the details.
    SelectDetail(usize),
    /// Select a filter of the users.
    SetFilter(Filter),
    /// Select a member.
    SelectMember(MemberId),
    /// Select and open a room.
    OpenRoom(ChatId),
    /// Give the focus to a part of the rooms pane.
    FocusRoom(RoomFocus),
    /// Put the message cursor here.
    SelectItem(ItemKey),
    /// Select an operation.
    SelectOperation(Seq),
    /// Select a row of the top overlay: palette entry, form field, result, emoji.
    SelectOverlayRow(usize),
    /// Press a row of the top overlay as Enter would.
    PressOverlayRow(usize),
    /// Take a suggestion of the mention popup.
    PickMention(usize),
    /// Take away the top overlay.
    CloseOverlay,
    /// Move what lies under the pointer by rows; positive is down.
    Scroll {
        /// What.
        target: ScrollTarget,
        /// By how much.
        rows: i32,
    },
    /// An effect was answered.
    Receive {
        /// Of the effect.
        id: EffectId,
        /// Its answer.
        answer: Box<AnswerBox>,
    },
    /// An effect failed.
    Fail {
        /// Of the effect.
        id: EffectId,
        /// Why.
        fault: Box<Fault>,
    },
    /// Linking went on.
    ShowLinkProgress {
        /// Of the effect.
        id: EffectId,
        /// How far.
        progress: LinkProgress,
    },
    /// Take what is new in the store.
    Merge(Box<FeedBatch>),
    /// A live connection changed.
    SetLive {
        /// Whose.
        integration: IntegrationId,
        /// As it is now.
        live: Box<Live>,
    },
    /// The call budget changed.
    SetQuota(Box<QuotaReport>),
    /// The role of this console changed.
    SetRole(Role),
    /// The store is reached in another way.
    SetStore(StoreHealth),
    /// Show a fault in passing.
    Notice(Box<Fault>),
    /// A copy was made.
    TellCopy(CopyOutcome),
}

/// An answer inside an action. Two are never equal: only actions of hit maps are compared.
#[derive(Debug, Clone)]
pub struct AnswerBox(pub Answer);

impl PartialEq for AnswerBox {
    fn eq(&self, _: &Self) -> bool {
        false
    }
}

impl Eq for AnswerBox {}

/// What the wheel moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScrollTarget {
    /// The list or text of the pane in front.
    Pane,
    /// The list of rooms.
    Rooms,
    /// The transcript.
    Transcript,
    /// The thread.
    Thread,
    /// The composer.
    Composer,
    /// The top overlay.
    Overlay,
}
