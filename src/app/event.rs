//! What happened: keys, answers of effects, and news that came by itself.

use std::time::Duration;

use super::{effect::EffectId, key::Key, model::Painted};
use crate::core::{
    error::Fault,
    health::StoreHealth,
    ids::{ChatId, IntegrationId, MemberId, MessageId, Seq},
    integration::{Holder, Integration, IntegrationUrls, Live},
    lang::Lang,
    member::{Filter, Member, MemberCounts, Reason},
    message::Message,
    operation::Operation,
    quota::QuotaReport,
    role::Role,
    room::{Outgoing, Room, RoomMember, Seam},
    secret::Secret,
    time::Timestamp,
};

/// Something happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The console begins; always the first event.
    Started,
    /// A key was pressed.
    KeyPressed(Key),
    /// Text was pasted.
    Pasted(String),
    /// The mouse did something.
    MouseUsed(Mouse),
    /// The terminal has a new size.
    Resized(Size),
    /// The terminal window got or lost the focus.
    FocusChanged(bool),
    /// The screen was drawn.
    Painted(Painted),
    /// Time went on. Sent before other events so that they know the time, and when a wake-up is due.
    Ticked(Timestamp),
    /// An effect was carried out.
    Answered {
        /// Of the effect.
        id: EffectId,
        /// What came of it.
        answer: Box<Answer>,
    },
    /// An effect failed.
    Failed {
        /// Of the effect.
        id: EffectId,
        /// Why.
        fault: Box<Fault>,
    },
    /// Linking went on.
    LinkProgressed {
        /// Of the `RunLink` effect.
        id: EffectId,
        /// How far it is.
        progress: LinkProgress,
    },
    /// The store changed. At most 30 a second: what comes faster is gathered.
    FeedArrived(Box<FeedBatch>),
    /// A live connection changed.
    LiveChanged {
        /// Whose connection.
        integration: IntegrationId,
        /// As it is now.
        live: Box<Live>,
    },
    /// The call budget changed. At most once a second, and only while something uses it.
    QuotaChanged(Box<QuotaReport>),
    /// The role of this console is this one now.
    RoleChanged(Role),
    /// The store went away, or is back; or commits of others are told in another way.
    StoreReached(StoreHealth),
    /// Something the person should know, from the runtime.
    Noticed(Box<Fault>),
    /// A copy went to the terminal, or had to be shown as plain text instead.
    Copied(CopyOutcome),
}

/// Who is connected to the store, and who may do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsolesView {
    /// Consoles and gateways.
    pub consoles: Vec<ConsoleRow>,
    /// Who has which role, by identity; empty where none is assigned and everybody is admin.
    pub roles: Vec<(String, Role)>,
    /// Who this console is where roles are assigned.
    pub me: String,
    /// Its role.
    pub mine: Role,
    /// The engine keeps people to their roles.
    pub are_enforced: bool,
}

/// A console or a gateway that is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleRow {
    /// By name, host and pid.
    pub holder: Holder,
    /// `console`, `gateway`, `tail`; may be empty.
    pub what: String,
    /// Its role.
    pub role: Role,
    /// Since when.
    pub since_at: Option<Timestamp>,
    /// It is this one.
    pub is_me: bool,
}

/// What became of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyOutcome {
    /// OSC 52 was written; whether the terminal took it, nobody knows.
    SentToTerminal,
    /// Too large or not possible: show it as plain text to select from.
    ShowPlain,
}

/// A size in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Size {
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// Something that the mouse did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mouse {
    /// What.
    pub kind: MouseKind,
    /// Column, from 0.
    pub column: u16,
    /// Row, from 0.
    pub row: u16,
}

/// What the mouse did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseKind {
    /// The left button went down.
    Click,
    /// The wheel turned away from the person.
    WheelUp,
    /// The wheel turned towards the person.
    WheelDown,
}

/// What an effect came to.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Done; nothing to tell.
    Done,
    /// All integrations.
    Integrations(Vec<IntegrationRow>),
    /// An integration was added or changed.
    IntegrationSaved(IntegrationId),
    /// What a check of the credentials found.
    Checked(CheckReport),
    /// War Room is on or off now, as asked.
    WarRoomSet(bool),
    /// Another integration has War Room (R37).
    WarRoomHeld {
        /// Its name. Foreign text.
        holder: String,
    },
    /// A window of the members.
    Members(MemberPage),
    /// One member.
    Member(Box<Member>),
    /// What linking would do.
    LinkPlanned(LinkPlan),
    /// What linking did.
    LinkFinished(Box<LinkOutcome>),
    /// So many links were undone or removed.
    LinksRemoved(u64),
    /// What would come of a press.
    PressJudged(PressVerdict),
    /// A link was made by which a member signs in.
    Invited {
        /// Who.
        member: MemberId,
        /// The link, for that person alone.
        url: Secret,
    },
    /// All rooms of the integration.
    Rooms(Vec<Room>),
    /// A window of a transcript.
    Transcript(TranscriptPage),
    /// The platform was asked for older messages.
    OlderFetched {
        /// Messages that were new to the store.
        stored: u64,
        /// Whether the platform has none before them.
        is_start: bool,
        /// It has, but those from before this instant are no longer kept.
        kept_from: Option<Timestamp>,
    },
    /// A thread, oldest first.
    Thread(Vec<Message>),
    /// The people of a room.
    RoomMembers(Vec<RoomMember>),
    /// Names that are known: open_id or app_id, and the name. Foreign text.
    Names(Vec<(String, String)>),
    /// Who is connected, and who may do what.
    Consoles(Box<ConsolesView>),
    /// A message is in the outbox.
    Queued(Outgoing),
    /// The call budget.
    Quota(QuotaReport),
    /// A window of the operation log.
    Log(LogPage),
}

/// An integration with what surrounds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationRow {
    /// As stored.
    pub integration: Integration,
    /// Its URLs; `None` until `[server] public_url` is set.
    pub urls: Option<IntegrationUrls>,
    /// Its connection.
    pub live: Live,
}

/// What a check of an integration's credentials found, one line each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckReport {
    /// The lines, in the order in which they were checked.
    pub lines: Vec<CheckLine>,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckLine {
    /// What was checked. May quote foreign text.
    pub what: String,
    /// Passed, failed, or `None` where it cannot be told from here.
    pub passed: Option<bool>,
    /// Evidence, or what to do. May quote foreign text.
    pub detail: String,
}

/// Which members are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberQuery {
    /// All, linked or unlinked.
    pub filter: Filter,
    /// Part of name or email; empty for all.
    pub search: String,
    /// Rows to skip.
    pub offset: u64,
    /// Rows at most.
    pub limit: u64,
}

/// What would come of a press by a member (G16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PressVerdict {
    /// The member. Foreign text.
    pub name: String,
    /// Whether it would act.
    pub acts: bool,
    /// What the member would read, in English.
    pub en: String,
    /// The same in Chinese.
    pub zh: String,
}

impl PressVerdict {
    /// What the member would read.
    pub fn said(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Zh => &self.zh,
        }
    }
}

/// A window of the members that a query finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberPage {
    /// The query that this answers.
    pub query: MemberQuery,
    /// Its rows, from its offset on.
    pub rows: Vec<Member>,
    /// How many the query finds without offset and limit.
    pub total: u64,
    /// How many each filter would show without the search.
    pub counts: MemberCounts,
}

/// What linking would do. Nothing was spent to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkPlan {
    /// Members that would be tried.
    pub members: u64,
    /// Of them with a phone to look up.
    pub phones: u64,
    /// Of them with an email to look up.
    pub emails: u64,
    /// Calls that it takes.
    pub calls: u64,
}

/// How far linking is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkProgress {
    /// Calls made.
    pub calls_done: u64,
    /// Calls to make.
    pub calls: u64,
    /// Members linked so far.
    pub linked: u64,
    /// Members tried without a link so far.
    pub unlinked: u64,
    /// Waiting for a rate limit until, where it is.
    pub waiting_until: Option<Timestamp>,
}

/// What linking did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkOutcome {
    /// Members tried.
    pub members: u64,
    /// Calls made.
    pub calls: u64,
    /// Linked now.
    pub linked: u64,
    /// Still unlinked.
    pub unlinked: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Stopped by the person before its end.
    pub is_cancelled: bool,
    /// Names the links made, for undo.
    pub batch: Option<String>,
    /// Reasons of those still unlinked, most frequent first.
    pub reasons: Vec<(Reason, u64)>,
    /// A result for each member, those still unlinked first; the first 2,000.
    pub results: Vec<LinkResult>,
}

/// What linking did for one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkResult {
    /// Who.
    pub member_id: MemberId,
    /// Foreign text.
    pub name: String,
    /// Why not; `None` when linked.
    pub reason: Option<Reason>,
}

/// A place in a transcript: time, then message id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// When the message was written.
    pub at: Timestamp,
    /// The message.
    pub message_id: MessageId,
}

impl Place {
    /// Where `message` stands.
    pub fn of(message: &Message) -> Self {
        Self { at: message.body.created_at, message_id: message.body.message_id.clone() }
    }
}

/// From where a transcript is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    /// The newest messages.
    Latest,
    /// Those just before the place.
    Before(Place),
    /// Those just after the place.
    After(Place),
    /// Those from the place on, it included.
    From(Place),
}

/// A window of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranscriptPage {
    /// Whose.
    pub chat_id: ChatId,
    /// What was asked for.
    pub anchor: Anchor,
    /// Messages, oldest first by (time, id).
    pub messages: Vec<Message>,
    /// Seams in the same stretch of time.
    pub seams: Vec<Seam>,
    /// Own messages that are not at the platform yet. Filled with `Anchor::Latest` alone.
    pub outgoing: Vec<Outgoing>,
    /// The store has older ones.
    pub has_older: bool,
    /// The store has newer ones.
    pub has_newer: bool,
    /// Up to where the reader has read; `None` when nothing is known.
    pub read_to: Option<Place>,
}

/// A window of the operation log, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// What was asked for: operations before this number; `None` for the newest.
    pub before: Option<Seq>,
    /// Operations, newest first.
    pub rows: Vec<Operation>,
    /// There are older ones.
    pub has_older: bool,
}

/// What changed in the store since the last batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeedBatch {
    /// Integrations changed.
    pub integrations: bool,
    /// Members or links changed.
    pub members: bool,
    /// Rooms changed: names, states, unread counts.
    pub rooms: bool,
    /// Operations were logged.
    pub operations: bool,
    /// Names of people were learned.
    pub names: bool,
    /// The store is another one than before (restored, copied): load everything again.
    pub is_reload: bool,
    /// What is new in the room that `OpenRoom` named.
    pub room: Option<RoomNews>,
}

/// What is new in the open room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomNews {
    /// Which room; news of a room that has been left is ignored.
    pub chat_id: ChatId,
    /// Messages that are new or changed, oldest first by (time, id).
    pub messages: Vec<Message>,
    /// Messages that are new and were left out of `messages` because too many came at once. All of them
    /// are older than those in `messages`.
    pub left_out: u64,
    /// New seams.
    pub seams: Vec<Seam>,
    /// Own messages whose state changed.
    pub outgoing: Vec<Outgoing>,
    /// The people of the room changed.
    pub members: bool,
}
