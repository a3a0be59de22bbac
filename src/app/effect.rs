//! What is to be done outside the model, as plain data.

use serde::{Deserialize, Serialize};

use super::{
    event::{Anchor, MemberQuery, Place},
    session::Session,
};
use crate::core::{
    ids::{ChatId, IntegrationId, MemberId, MessageId, Seq},
    integration::{ImKind, Receive},
    role::Right,
    secret::Secret,
    time::Timestamp,
};

/// Ties an answer to its effect. Never used twice by one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EffectId(pub u64);

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// For the runtime. It answers exactly once, with `Event::Answered` or `Event::Failed`.
    Ask {
        /// Comes back with the answer.
        id: EffectId,
        /// What to do.
        ask: Ask,
    },
    /// For the terminal.
    Terminal(TerminalEffect),
}

/// Something that the terminal does itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TerminalEffect {
    /// Copy the text by OSC 52; answered by `Event::Copied`.
    CopyText(String),
    /// Ring once.
    Bell,
    /// Title of the terminal window.
    SetTitle(String),
    /// Give the terminal back to the shell until the process is resumed.
    Suspend,
    /// Report the mouse, or leave it to the terminal.
    SetMouse(bool),
    /// Send `Event::Ticked` at this instant, if nothing else comes before. Replaces the one before; `None`
    /// takes it back.
    WakeAt(Option<Timestamp>),
    /// Draw everything again.
    Redraw,
    /// End.
    Quit,
}

/// Something that the runtime does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// -> `Integrations`
    LoadIntegrations,
    /// This is the integration the console is about from now on. -> `Done`
    UseIntegration(IntegrationId),
    /// -> `IntegrationSaved`
    SaveIntegration {
        /// The one to change; `None` adds one.
        edit: Option<IntegrationId>,
        /// What was typed.
        draft: IntegrationDraft,
        /// Ask the platform whether the credentials are good before saving.
        check: bool,
    },
    /// -> `Done`
    RemoveIntegration(IntegrationId),
    /// -> `Checked`
    CheckIntegration(IntegrationId),
    /// -> `WarRoomSet` or `WarRoomHeld`
    SetWarRoom {
        /// Of this one.
        integration: IntegrationId,
        /// On or off.
        on: bool,
    },
    /// -> `Members`
    QueryMembers {
        /// Links to this one.
        integration: IntegrationId,
        /// Which.
        query: MemberQuery,
    },
    /// -> `Member`
    LoadMember {
        /// Links to this one.
        integration: IntegrationId,
        /// Who.
        member: MemberId,
    },
    /// What happens if this member presses a button of a card? Does nothing. -> `PressJudged`
    JudgePress {
        /// Of this one.
        integration: IntegrationId,
        /// Who.
        member: MemberId,
        /// In which room, where one is open.
        chat: Option<ChatId>,
    },
    /// -> `LinkPlanned`. Calls nothing.
    PlanLink {
        /// Links to this one.
        integration: IntegrationId,
        /// Who; `None` for all that are unlinked.
        members: Option<Vec<MemberId>>,
    },
    /// -> `LinkFinished`, with `Event::LinkProgressed` on the way.
    RunLink {
        /// Links to this one.
        integration: IntegrationId,
        /// Who; `None` for all that are unlinked.
        members: Option<Vec<MemberId>>,
    },
    /// Stop the `RunLink` of that id after the calls in flight; it still answers. -> `Done`
    CancelLink(EffectId),
    /// -> `LinksRemoved`
    Unlink {
        /// Links to this one.
        integration: IntegrationId,
        /// Who.
        members: Vec<MemberId>,
    },
    /// -> `Invited`
    Invite {
        /// Links to this one.
        integration: IntegrationId,
        /// Who.
        member: MemberId,
    },
    /// -> `LinksRemoved`
    UndoLink {
        /// Links to this one.
        integration: IntegrationId,
        /// Which links; `None` for the latest that were made.
        batch: Option<String>,
    },
    /// -> `Rooms`
    LoadRooms(IntegrationId),
    /// Ask the platform for the rooms. -> `Rooms`
    RefreshRooms(IntegrationId),
    /// Follow this room in `FeedBatch::room` from now on; `None` follows none. -> `Done`
    OpenRoom(Option<ChatId>),
    /// -> `Transcript`
    LoadTranscript {
        /// Whose.
        chat_id: ChatId,
        /// From where.
        anchor: Anchor,
        /// Messages at most.
        limit: u32,
    },
    /// Ask the platform for messages before the place (`None`: before now). -> `OlderFetched`
    FetchOlder {
        /// Whose.
        chat_id: ChatId,
        /// Before which.
        before: Option<Place>,
    },
    /// -> `Thread`
    LoadThread {
        /// Where.
        chat_id: ChatId,
        /// Its first message.
        root: MessageId,
    },
    /// -> `RoomMembers`
    LoadRoomMembers(ChatId),
    /// -> `Names` of those of these ids that have one
    LoadNames(Vec<String>),
    /// -> `Queued` as soon as it is committed to the outbox
    Send {
        /// Where to.
        chat_id: ChatId,
        /// What, with mentions as `<at user_id="…">name</at>`.
        text: String,
        /// The message it answers.
        reply_to: Option<MessageId>,
        /// Answer in a thread.
        in_thread: bool,
    },
    /// Send it again with the same uuid. -> `Done`
    RetrySend {
        /// Where.
        chat_id: ChatId,
        /// Which.
        uuid: String,
    },
    /// Take it out of the outbox. -> `Done`
    DiscardSend {
        /// Where.
        chat_id: ChatId,
        /// Which.
        uuid: String,
    },
    /// -> `Done`
    React {
        /// Where.
        chat_id: ChatId,
        /// To which.
        message_id: MessageId,
        /// The platform's emoji type, such as `THUMBSUP`.
        emoji: String,
        /// Add it, or take the bot's own back.
        add: bool,
    },
    /// The reader has read up to here. -> `Done`
    MarkRead {
        /// Where.
        chat_id: ChatId,
        /// The last message that was read.
        place: Place,
    },
    /// -> `Consoles`
    LoadConsoles,
    /// -> `Quota`
    LoadQuota(IntegrationId),
    /// -> `Log`
    LoadLog {
        /// Operations before this number; `None` for the newest.
        before: Option<Seq>,
        /// Rows at most.
        limit: u32,
    },
    /// Keep what a restart brings back. -> `Done`
    SaveSession(Box<Session>),
    /// Lift read-only for this session. -> `Done`
    AllowWrites,
}

impl Ask {
    /// What it takes on the store, where that is more than looking on. Only [`Right::Keep`] leaves a console that
    /// is read-only, and nothing that takes a right the console of a viewer.
    pub const fn right(&self) -> Option<Right> {
        match self {
            Self::LoadIntegrations
            | Self::UseIntegration(_)
            | Self::QueryMembers { .. }
            | Self::LoadMember { .. }
            | Self::JudgePress { .. }
            | Self::PlanLink { .. }
            | Self::CancelLink(_)
            | Self::LoadRooms(_)
            // What it brings up to date besides is left out for a viewer.
            | Self::OpenRoom(_)
            | Self::LoadTranscript { .. }
            | Self::LoadThread { .. }
            | Self::LoadRoomMembers(_)
            | Self::LoadNames(_)
            | Self::LoadQuota(_)
            | Self::LoadLog { .. }
            | Self::LoadConsoles
            | Self::AllowWrites => None,
            Self::CheckIntegration(_)
            | Self::RefreshRooms(_)
            | Self::FetchOlder { .. }
            | Self::MarkRead { .. }
            | Self::SaveSession(_) => Some(Right::Keep),
            Self::Send { .. } | Self::RetrySend { .. } | Self::DiscardSend { .. } | Self::React { .. } => {
                Some(Right::Respond)
            }
            Self::SaveIntegration { .. }
            | Self::SetWarRoom { .. }
            | Self::RunLink { .. }
            | Self::UndoLink { .. }
            | Self::Invite { .. }
            | Self::RemoveIntegration(_)
            | Self::Unlink { .. } => Some(Right::Administer),
        }
    }
}

/// What the form of an integration holds. A secret that is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationDraft {
    /// Unique in the store.
    pub name: String,
    /// The platform.
    pub kind: ImKind,
    /// `cli_…`; empty for platforms that are only a name here.
    pub app_id: String,
    /// App Secret.
    pub app_secret: Option<Secret>,
    /// Verification Token.
    pub verification_token: Option<Secret>,
    /// Encrypt Key.
    pub encrypt_key: Option<Secret>,
    /// How events come in.
    pub receive: Receive,
}

/// Carries out what is not the terminal's.
pub trait EffectSink {
    /// Begins the effect and returns at once; answers come as events.
    fn perform(&self, effect: Effect);
}
