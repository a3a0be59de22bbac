//! The one object that commands and the console share.

use std::{io::Read, sync::Arc};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::core::{
    error::{Fault, Kind},
    ids::{ChatId, IntegrationId, MemberId, MessageId, Seq},
    integration::Holder,
    member::Member,
    message::Message,
    operation::Operation,
    quota::QuotaReport,
    room::{Outgoing, Room, RoomMember},
    time::Clock,
};

use super::{link::plan::LinkPlan, view::*};

/// What a deck is made of.
pub struct DeckOptions {
    /// Who this process is.
    pub me: Holder,
    /// Whose read marks and drafts these are.
    pub reader: String,
    /// Settings.
    pub settings: DeckSettings,
    /// Whether changes are allowed.
    pub access: Access,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Everything larkdeck does. Cheap to clone.
#[derive(Clone)]
pub struct Deck {
    options: Arc<DeckOptions>,
}

/// The store's changes, in order. Ends never; drop it to stop.
pub struct Follow {
    cursor: Seq,
}

/// A part in the live connection of an integration.
pub struct LiveHandle {
    cancel: CancellationToken,
}

type Answer<T> = Result<T, Fault>;

fn not_built<T>() -> Answer<T> {
    Err(Fault::new(Kind::Bug, "not built yet"))
}

#[expect(
    clippy::unused_async,
    unused_variables,
    missing_docs,
    reason = "the surface, before what is under it"
)]
impl Deck {
    /// Opens the deck.
    pub fn open(options: DeckOptions) -> Self {
        Self { options: Arc::new(options) }
    }
    pub fn me(&self) -> &Holder {
        &self.options.me
    }
    pub fn reader(&self) -> &str {
        &self.options.reader
    }
    pub fn access(&self) -> Access {
        self.options.access
    }
    /// Lifts or sets the read-only gate of this process.
    pub fn set_access(&self, access: Access) {}
    /// Ends what runs in the background; outgoing messages under way get a moment to finish.
    pub async fn close(&self) {}

    pub async fn integrations(&self) -> Answer<Vec<IntegrationView>> {
        not_built()
    }
    /// By id or name.
    pub async fn integration(&self, name_or_id: &str) -> Answer<IntegrationView> {
        not_built()
    }
    /// The one that is named, or the only Feishu or Lark one. Config when there is none, Usage when several.
    pub async fn choose_integration(&self, name: Option<&str>) -> Answer<IntegrationView> {
        not_built()
    }
    pub async fn add_integration(
        &self,
        draft: IntegrationDraft,
        check: CheckMode,
    ) -> Answer<IntegrationView> {
        not_built()
    }
    pub async fn edit_integration(
        &self,
        id: &IntegrationId,
        edit: IntegrationEdit,
        check: CheckMode,
    ) -> Answer<IntegrationView> {
        not_built()
    }
    pub async fn remove_integration(&self, id: &IntegrationId) -> Answer<()> {
        not_built()
    }
    pub async fn check_integration(&self, id: &IntegrationId) -> Answer<CheckReport> {
        not_built()
    }
    /// Refused with the holder's name when another integration has it.
    pub async fn set_war_room(&self, id: &IntegrationId, on: bool) -> Answer<IntegrationView> {
        not_built()
    }

    pub async fn import_members(&self, file: impl Read + Send, dry_run: bool) -> Answer<ImportReport> {
        not_built()
    }
    pub async fn add_member(&self, draft: MemberDraft) -> Answer<Member> {
        not_built()
    }
    pub async fn edit_member(&self, id: &MemberId, edit: MemberEdit) -> Answer<Member> {
        not_built()
    }
    pub async fn remove_member(&self, id: &MemberId) -> Answer<()> {
        not_built()
    }
    pub async fn members(&self, integration: MaybeIntegration<'_>, query: MemberQuery) -> Answer<MemberPage> {
        not_built()
    }
    pub async fn member(&self, integration: MaybeIntegration<'_>, id: &MemberId) -> Answer<Member> {
        not_built()
    }
    /// An id, an email, or a part of a name that only one has.
    pub async fn resolve_member(&self, text: &str) -> Answer<MemberId> {
        not_built()
    }

    /// Spends nothing.
    pub async fn plan_link(&self, integration: &IntegrationId, scope: LinkScope) -> Answer<LinkPlan> {
        not_built()
    }
    /// Runs a plan. What is done stays done when `cancel` fires or the process dies.
    pub async fn run_link(
        &self,
        plan: LinkPlan,
        progress: mpsc::Sender<LinkProgress>,
        cancel: CancellationToken,
    ) -> Answer<LinkSummary> {
        not_built()
    }
    pub async fn unlink(&self, integration: &IntegrationId, members: &[MemberId]) -> Answer<LinkSummary> {
        not_built()
    }
    /// Undoes a linking, the latest when `None`.
    pub async fn undo_link(&self, integration: &IntegrationId, batch: Option<&str>) -> Answer<LinkSummary> {
        not_built()
    }

    /// From the store, unread first.
    pub async fn rooms(&self, integration: &IntegrationId) -> Answer<Vec<Room>> {
        not_built()
    }
    pub async fn room(&self, integration: &IntegrationId, chat: &ChatId) -> Answer<Room> {
        not_built()
    }
    /// Asks the platform for the list.
    pub async fn refresh_rooms(&self, integration: &IntegrationId) -> Answer<RoomsRefreshed> {
        not_built()
    }
    /// A chat_id, a name, or a unique part of one.
    pub async fn resolve_room(&self, integration: &IntegrationId, text: &str) -> Answer<Room> {
        not_built()
    }
    pub async fn transcript(
        &self,
        integration: &IntegrationId,
        chat: &ChatId,
        anchor: TranscriptAnchor,
        limit: u32,
    ) -> Answer<TranscriptPage> {
        not_built()
    }
    /// Asks the platform for what was written before `before`, or for the newest when `None`.
    pub async fn fetch_older(
        &self,
        integration: &IntegrationId,
        chat: &ChatId,
        before: Option<Place>,
    ) -> Answer<Fetched> {
        not_built()
    }
    pub async fn thread(
        &self,
        integration: &IntegrationId,
        chat: &ChatId,
        thread: &ThreadKey,
    ) -> Answer<Vec<Message>> {
        not_built()
    }
    pub async fn room_members(&self, integration: &IntegrationId, chat: &ChatId) -> Answer<Vec<RoomMember>> {
        not_built()
    }
    /// What to do when a person opens a room: members and names are brought up to date, at most once in a while.
    pub async fn open_room(&self, integration: &IntegrationId, chat: &ChatId) -> Answer<()> {
        not_built()
    }
    pub async fn mark_read(&self, chat: &ChatId, place: &Place) -> Answer<()> {
        not_built()
    }

    /// Commits the message to the outbox and returns; it is sent in the background.
    pub async fn send(&self, integration: &IntegrationId, draft: Draft) -> Answer<Outgoing> {
        not_built()
    }
    /// The same, and waits for what came of it. The message of the store, once sent.
    pub async fn send_and_wait(&self, integration: &IntegrationId, draft: Draft) -> Answer<Message> {
        not_built()
    }
    pub async fn retry_send(&self, integration: &IntegrationId, uuid: &str) -> Answer<Outgoing> {
        not_built()
    }
    pub async fn discard_send(&self, integration: &IntegrationId, uuid: &str) -> Answer<()> {
        not_built()
    }
    pub async fn react(&self, integration: &IntegrationId, message: &MessageId, emoji: &str) -> Answer<()> {
        not_built()
    }

    pub async fn quota(&self, integration: &IntegrationId) -> Answer<QuotaReport> {
        not_built()
    }
    /// Sets the month's official figure.
    pub async fn rebase_quota(&self, integration: &IntegrationId, official: u64) -> Answer<QuotaReport> {
        not_built()
    }
    /// Newest first.
    pub async fn operations(&self, before: Option<Seq>, limit: u32) -> Answer<Vec<Operation>> {
        not_built()
    }

    /// Number of the latest change.
    pub async fn head(&self) -> Answer<Seq> {
        not_built()
    }
    /// Everything that changes after `after`.
    pub fn follow(&self, after: Seq) -> Follow {
        Follow { cursor: after }
    }
    /// State of a screen that survives a restart: pane, room, place, drafts.
    pub async fn put_session(&self, key: &str, value: &str) -> Answer<()> {
        not_built()
    }
    pub async fn session(&self, key: &str) -> Answer<Option<String>> {
        not_built()
    }

    /// Takes part in the live connection of an integration.
    pub fn go_live(&self, integration: &IntegrationId, mode: LiveMode) -> LiveHandle {
        LiveHandle { cancel: CancellationToken::new() }
    }
}

impl Follow {
    /// Waits for changes and reports them. Cancel-safe: what was not returned is reported again.
    pub async fn next(&mut self) -> Answer<FeedBatch> {
        let _ = self.cursor;
        std::future::pending().await
    }
}

impl LiveHandle {
    /// Hands the connection over and waits until that is done.
    pub async fn stop(self) {
        self.cancel.cancel();
    }
}
