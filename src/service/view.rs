//! What the service answers: plain data for screens and commands.

use std::time::Duration;

use crate::core::{
    error::Fault,
    ids::{ChatId, IntegrationId, MemberId, MessageId, OpenId, Seq, ThreadId},
    integration::{ImKind, Integration, IntegrationUrls, Live, Receive},
    member::{Filter, Member, MemberCounts, Reason},
    message::{Message, NewMessage},
    retention::Retention,
    room::{Outgoing, Room, Seam},
    secret::Secret,
    time::Timestamp,
};

pub use super::roster::LineNote;

/// Whether this process may change tenant, links, rooms or configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// It may.
    #[default]
    Write,
    /// It may not; the connection, ingest and read marks go on.
    ReadOnly,
}

/// Which rooms are ingested and filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Followed {
    /// Every group chat the bot is in.
    #[default]
    All,
    /// War Rooms alone.
    WarRooms,
}

/// What of the settings the service needs.
#[derive(Debug, Clone)]
pub struct DeckSettings {
    /// `[server] public_url`.
    pub public_url: Option<String>,
    /// `[live] rooms`.
    pub followed: Followed,
    /// `[live] deaf_after_s`: silence shorter than this is never suspicious.
    pub deaf_after: Duration,
    /// `[quota] month_limit`: fills keep to a share of it.
    pub month_limit: Option<u64>,
    /// `[retention]`: how long what is past is kept.
    pub retention: Retention,
    /// `[ui] name`: what the others know this process by, in place of the OS user.
    pub name: Option<String>,
    /// What this process is, as the others see it: `console`, `gateway`, `tail`.
    pub what: &'static str,
}

impl Default for DeckSettings {
    fn default() -> Self {
        Self {
            public_url: None,
            followed: Followed::default(),
            deaf_after: Duration::from_secs(120),
            month_limit: None,
            retention: Retention::default(),
            name: None,
            what: "console",
        }
    }
}

/// An integration as lists and details show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationView {
    /// The integration.
    pub integration: Integration,
    /// Its three URLs; `None` without `[server] public_url`, and for kinds that are only a name.
    pub urls: Option<IntegrationUrls>,
    /// Its live connection.
    pub live: Live,
}

/// An integration that is to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationDraft {
    /// Unique in the store.
    pub name: String,
    /// The platform.
    pub kind: ImKind,
    /// App ID; Feishu and Lark need it, the others have none.
    pub app_id: Option<String>,
    /// In place of every host of the platform.
    pub base_url: Option<String>,
    /// App Secret.
    pub app_secret: Option<Secret>,
    /// Encrypt Key.
    pub encrypt_key: Option<Secret>,
    /// Verification Token.
    pub verification_token: Option<Secret>,
    /// How events come in.
    pub receive: Receive,
}

/// What to do with a field that may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Edit<T> {
    /// Leave it.
    #[default]
    Keep,
    /// Empty it.
    Clear,
    /// Set it.
    Set(T),
}

/// Changes of an integration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IntegrationEdit {
    /// New name.
    pub name: Option<String>,
    /// Another app.
    pub app_id: Option<String>,
    /// Another platform.
    pub base_url: Option<String>,
    /// New App Secret.
    pub app_secret: Option<Secret>,
    /// New Encrypt Key.
    pub encrypt_key: Edit<Secret>,
    /// New Verification Token.
    pub verification_token: Edit<Secret>,
    /// New receive mode.
    pub receive: Option<Receive>,
}

/// Whether the platform is asked before credentials are saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CheckMode {
    /// Ask: a token and the bot's facts.
    #[default]
    Check,
    /// Save without asking.
    NoCheck,
}

/// What the platform said about an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// The app's name there. Foreign text.
    pub bot_name: String,
    /// The bot's open_id.
    pub bot_open_id: Option<OpenId>,
    /// The bot capability is on and the app is in use.
    pub is_active: bool,
    /// What is not wrong but should be looked at.
    pub warnings: Vec<String>,
}

/// What came of an import.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportReport {
    /// Members made.
    pub added: u64,
    /// Members changed.
    pub updated: u64,
    /// Members that were like that already.
    pub unchanged: u64,
    /// Lines left out.
    pub rejected: Vec<LineNote>,
    /// Lines taken with a remark.
    pub warnings: Vec<LineNote>,
}

/// A member that is to be added.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberDraft {
    /// Given id; else one is made.
    pub id: Option<String>,
    /// Name.
    pub name: String,
    /// Email.
    pub email: Option<String>,
    /// Phone, as written.
    pub phone: Option<String>,
    /// Team.
    pub team: Option<String>,
    /// Licence, as written.
    pub licence: Option<String>,
}

/// Changes of a member. An empty text empties the field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberEdit {
    /// New name.
    pub name: Option<String>,
    /// New email.
    pub email: Option<String>,
    /// New phone, as written.
    pub phone: Option<String>,
    /// New team.
    pub team: Option<String>,
    /// New licence, as written.
    pub licence: Option<String>,
}

/// Which members a list shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberQuery {
    /// All, linked or unlinked.
    pub filter: Filter,
    /// Words that name or email hold; empty for all.
    pub search: String,
    /// Rows to skip.
    pub offset: u64,
    /// Most rows.
    pub limit: u64,
}

/// A window of the member list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberPage {
    /// The rows.
    pub rows: Vec<Member>,
    /// Members that the query shows in all.
    pub total: u64,
    /// What each filter shows without the search.
    pub counts: MemberCounts,
}

/// Whom to link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkScope {
    /// Every unlinked member.
    Unlinked,
    /// These.
    Members(Vec<MemberId>),
}

/// How far a linking is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkProgress {
    /// Members that have a result.
    pub done: usize,
    /// Members in all.
    pub members: usize,
    /// Calls answered.
    pub calls: usize,
    /// Calls in all.
    pub planned_calls: usize,
    /// Linked so far.
    pub linked: usize,
}

/// What came of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkOutcome {
    /// Linked now.
    Linked(OpenId),
    /// Not linked, and why.
    Unlinked(Reason),
    /// As it was: linked before, or the run ended before it was asked about.
    Unchanged,
}

/// The result of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkResult {
    /// The member.
    pub member: MemberId,
    /// What came of it.
    pub outcome: LinkOutcome,
}

/// A linking that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSummary {
    /// For `link undo`.
    pub batch: String,
    /// Members in all.
    pub members: usize,
    /// Calls made.
    pub calls: usize,
    /// Linked now.
    pub linked: usize,
    /// Not linked.
    pub unlinked: usize,
    /// Time it took.
    pub elapsed: Duration,
    /// By member, in the order in which they were decided.
    pub results: Vec<LinkResult>,
    /// Why it ended before its end.
    pub stopped: Option<Fault>,
    /// A person ended it.
    pub cancelled: bool,
}

impl LinkSummary {
    /// The time it took, as commands print it.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX)
    }
}

/// What an undo did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// The linking that was undone.
    pub batch: String,
    /// Members whose link is again what it was before.
    pub restored: Vec<MemberId>,
    /// Members left alone: changed again since, removed, or the account is now another member's.
    pub skipped: Vec<MemberId>,
}

/// A place in a transcript: time, then id.
pub type Place = (Timestamp, MessageId);

/// Which part of a transcript.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TranscriptAnchor {
    /// The newest.
    #[default]
    Latest,
    /// What was written before.
    Before(Place),
    /// What was written after.
    After(Place),
}

/// A part of a transcript, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranscriptPage {
    /// The room.
    pub chat_id: ChatId,
    /// Messages by (created_at, message_id).
    pub messages: Vec<Message>,
    /// Seams between the first and the last of them.
    pub seams: Vec<Seam>,
    /// Own messages that are still on their way.
    pub outgoing: Vec<Outgoing>,
    /// The store has older ones.
    pub has_older: bool,
    /// The store has newer ones.
    pub has_newer: bool,
    /// Where the reader's mark stands.
    pub read_to: Option<Place>,
}

/// What asking the platform for older messages brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fetched {
    /// Messages that the store lacked.
    pub stored: usize,
    /// Messages from before what is kept: they are here to be read and are not stored. Oldest first.
    pub passing: Vec<NewMessage>,
    /// From when on messages are kept, where that is why some are not stored.
    pub kept_from: Option<Timestamp>,
    /// The platform has still older ones.
    pub has_more: bool,
}

/// A message that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Where to.
    pub chat_id: ChatId,
    /// Plain text.
    pub text: String,
    /// The message that is answered.
    pub reply_to: Option<MessageId>,
    /// Answer in a thread.
    pub in_thread: bool,
}

/// Which messages of a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThreadKey {
    /// A thread.
    Thread(ThreadId),
    /// A reply tree, by its first message.
    Root(MessageId),
}

/// What the store has learned since a cursor: what a console needs to show it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeedBatch {
    /// Everything up to here has been reported.
    pub cursor: Seq,
    /// The store is another one than before (restore, copy): reload everything.
    pub reload: bool,
    /// Messages new or changed, in the order of their `seq`.
    pub messages: Vec<Message>,
    /// Of which room how many messages are not handed over: more came than a screen has use for.
    pub left_out: Option<(ChatId, u64)>,
    /// Rooms whose list row has changed: by a message, or by their facts.
    pub rooms: Vec<ChatId>,
    /// Of these, the rooms whose facts or members have changed.
    pub facts: Vec<ChatId>,
    /// Seams.
    pub seams: Vec<Seam>,
    /// Own messages whose state has changed.
    pub outgoing: Vec<Outgoing>,
    /// Own messages (uuid) that are no longer in the outbox.
    pub outgoing_gone: Vec<String>,
    /// Names of people were learned: what is shown of them may be newer.
    pub people: bool,
    /// Members or links have changed.
    pub members: bool,
    /// Integrations have changed.
    pub integrations: bool,
    /// The operation log has grown.
    pub operations: bool,
    /// The state of a live connection has changed.
    pub live: bool,
}

impl FeedBatch {
    /// Nothing to show.
    pub const fn is_empty(&self) -> bool {
        !self.reload
            && self.messages.is_empty()
            && self.rooms.is_empty()
            && self.seams.is_empty()
            && self.outgoing.is_empty()
            && self.outgoing_gone.is_empty()
            && !self.people
            && !self.members
            && !self.integrations
            && !self.operations
            && !self.live
    }
}

/// The way the process takes part in an integration's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LiveMode {
    /// Holds it when nobody else does.
    #[default]
    TakePart,
    /// Opens no connection: holds the lease only where events come by webhook alone.
    NoSocket,
    /// Never holds it.
    FollowOnly,
}

/// The room list row after a refresh, and how many rooms the platform named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoomsRefreshed {
    /// The rooms.
    pub rooms: Vec<Room>,
    /// When the platform was asked.
    pub refreshed_at: Timestamp,
}

/// An integration by id, or none: for lists that can do without.
pub type MaybeIntegration<'a> = Option<&'a IntegrationId>;
