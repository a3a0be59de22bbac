//! One effect, one service call, one answer.

use tokio::sync::mpsc;

use super::{Done, Runtime, SESSION_KEY, convert, lock};
use crate::{
    app::{
        effect::{Ask, EffectId},
        event::{self, Answer, Event},
    },
    core::{
        error::{Fault, Kind},
        ids::{ChatId, IntegrationId, MemberId},
    },
    service::{self, Access, CheckMode, Draft, LinkScope, ThreadKey},
};

/// Results by member that a screen is given; the rest is in the lists.
const MOST_RESULTS: usize = 2_000;

impl Runtime {
    /// The integration that rooms are looked for in.
    fn integration(&self) -> Done<IntegrationId> {
        self.focus().integration.ok_or_else(|| {
            Fault::new(Kind::Config, "there is no integration yet")
                .with_hint("Add one in the first pane, or with `larkdeck integration add`.")
        })
    }

    /// Carries one effect out.
    pub(super) async fn answer(&self, id: EffectId, ask: Ask) -> Done<Answer> {
        match ask {
            Ask::LoadIntegrations
            | Ask::UseIntegration(_)
            | Ask::SaveIntegration { .. }
            | Ask::RemoveIntegration(_)
            | Ask::CheckIntegration(_)
            | Ask::SetWarRoom { .. } => self.about_integrations(ask).await,
            Ask::QueryMembers { .. }
            | Ask::LoadMember { .. }
            | Ask::JudgePress { .. }
            | Ask::PlanLink { .. }
            | Ask::RunLink { .. }
            | Ask::CancelLink(_)
            | Ask::Unlink { .. }
            | Ask::Invite { .. }
            | Ask::UndoLink { .. } => self.about_members(id, ask).await,
            Ask::LoadQuota(_) | Ask::LoadLog { .. } | Ask::LoadConsoles => self.about_budget(ask).await,
            Ask::SaveSession(session) => {
                let text = serde_json::to_string(&session).map_err(|error| {
                    Fault::new(Kind::Bug, format!("the session cannot be written: {error}"))
                })?;
                self.inner.deck.put_session(SESSION_KEY, &text).await.map(|()| Answer::Done)
            }
            Ask::AllowWrites => {
                self.inner.deck.set_access(Access::Write);
                Ok(Answer::Done)
            }
            _ => self.about_rooms(ask).await,
        }
    }

    async fn about_integrations(&self, ask: Ask) -> Done<Answer> {
        let deck = &self.inner.deck;
        match ask {
            Ask::LoadIntegrations => {
                let views = deck.integrations().await?;
                self.join_live(&views);
                Ok(Answer::Integrations(views.into_iter().map(convert::integration).collect()))
            }
            Ask::SaveIntegration { edit, draft, check } => {
                let check = if check { CheckMode::Check } else { CheckMode::NoCheck };
                let saved = match edit {
                    None => deck.add_integration(convert::draft(draft), check).await?,
                    Some(id) => deck.edit_integration(&id, convert::edit(draft), check).await?,
                };
                Ok(Answer::IntegrationSaved(saved.integration.id))
            }
            Ask::RemoveIntegration(id) => {
                deck.remove_integration(&id).await?;
                let handle = lock(&self.inner.live).remove(&id);
                if let Some(handle) = handle {
                    handle.stop().await;
                }
                Ok(Answer::Done)
            }
            Ask::CheckIntegration(id) => {
                Ok(Answer::Checked(convert::check(deck.check_integration(&id).await?)))
            }
            Ask::SetWarRoom { integration, on } => self.set_war_room(&integration, on).await,
            _ => Ok(Answer::Done),
        }
    }

    /// A refusal because another integration has War Room is an answer of its own: the screen offers to
    /// jump there.
    async fn set_war_room(&self, id: &IntegrationId, on: bool) -> Done<Answer> {
        let deck = &self.inner.deck;
        match deck.set_war_room(id, on).await {
            Ok(_) => Ok(Answer::WarRoomSet(on)),
            Err(fault) if on && fault.kind == Kind::Refused && deck.access() == Access::Write => {
                let all = deck.integrations().await?;
                let holder =
                    all.into_iter().find(|view| view.integration.war_room && view.integration.id != *id);
                holder.map(|view| Answer::WarRoomHeld { holder: view.integration.name }).ok_or(fault)
            }
            Err(fault) => Err(fault),
        }
    }

    async fn about_members(&self, id: EffectId, ask: Ask) -> Done<Answer> {
        let deck = &self.inner.deck;
        match ask {
            Ask::QueryMembers { integration, query } => {
                let page = deck.members(Some(&integration), convert::query(&query)).await?;
                Ok(Answer::Members(convert::page(query, page)))
            }
            Ask::LoadMember { integration, member } => {
                let member = deck.member(Some(&integration), &member).await?;
                Ok(Answer::Member(Box::new(member)))
            }
            Ask::JudgePress { integration, member, chat } => {
                let asked = deck.preview_press(&integration, &member, chat.as_ref(), "ack").await?;
                Ok(Answer::PressJudged(convert::press(asked)))
            }
            Ask::PlanLink { integration, members } => {
                let plan = deck.plan_link(&integration, scope(members)).await?;
                Ok(Answer::LinkPlanned(convert::plan(&plan)))
            }
            Ask::RunLink { integration, members } => {
                let plan = deck.plan_link(&integration, scope(members)).await?;
                self.run_link(id, &integration, plan).await
            }
            Ask::Unlink { integration, members } => {
                let summary = deck.unlink(&integration, &members).await?;
                Ok(Answer::LinksRemoved(convert::count(summary.unlinked)))
            }
            Ask::Invite { integration, member } => {
                let invited = deck.invite(&integration, &member).await?;
                Ok(Answer::Invited { member, url: invited.url })
            }
            Ask::UndoLink { integration, batch } => {
                let undone = deck.undo_link(&integration, batch.as_deref()).await?;
                Ok(Answer::LinksRemoved(convert::count(undone.restored.len())))
            }
            _ => Ok(Answer::Done),
        }
    }

    async fn run_link(
        &self,
        id: EffectId,
        integration: &IntegrationId,
        plan: service::LinkPlan,
    ) -> Done<Answer> {
        let cancel = lock(&self.inner.linkings).get(&id).cloned().unwrap_or_default();
        let (sender, mut progress) = mpsc::channel(16);
        let run = self.inner.deck.run_link(plan, sender, cancel);
        tokio::pin!(run);
        let summary = loop {
            tokio::select! {
                summary = &mut run => break summary?,
                Some(step) = progress.recv() => {
                    self.tell(Event::LinkProgressed { id, progress: convert::progress(step) }).await;
                }
            }
        };
        let mut outcome = convert::outcome(&summary);
        for result in convert::telling(&summary, MOST_RESULTS) {
            let (member_id, reason) = convert::result(result);
            // A member that was removed meanwhile has no line.
            if let Ok(member) = self.inner.deck.member(Some(integration), &member_id).await {
                outcome.results.push(event::LinkResult { member_id, name: member.name, reason });
            }
        }
        Ok(Answer::LinkFinished(Box::new(outcome)))
    }

    async fn about_rooms(&self, ask: Ask) -> Done<Answer> {
        let deck = &self.inner.deck;
        match ask {
            Ask::LoadRooms(integration) => Ok(Answer::Rooms(deck.rooms(&integration).await?)),
            Ask::RefreshRooms(integration) => {
                Ok(Answer::Rooms(deck.refresh_rooms(&integration).await?.rooms))
            }
            Ask::OpenRoom(Some(chat)) => {
                // Fresh members and names are good to have; the room opens without them.
                if let Err(fault) = deck.open_room(&self.integration()?, &chat).await
                    && fault.kind != Kind::Permission
                {
                    tracing::warn!(%fault, %chat, "facts of the room");
                }
                Ok(Answer::Done)
            }
            Ask::LoadTranscript { chat_id, anchor, limit } => {
                let from = convert::anchor(&anchor);
                let page = deck.transcript(&self.integration()?, &chat_id, from, limit).await?;
                Ok(Answer::Transcript(convert::transcript(anchor, page)))
            }
            Ask::FetchOlder { chat_id, before } => {
                let before = before.as_ref().map(convert::place);
                let fetched = deck.fetch_older(&self.integration()?, &chat_id, before).await?;
                Ok(Answer::OlderFetched {
                    stored: convert::count(fetched.stored),
                    is_start: !fetched.has_more,
                    kept_from: fetched.kept_from,
                })
            }
            Ask::LoadThread { chat_id, root } => {
                let key = ThreadKey::Root(root);
                Ok(Answer::Thread(deck.thread(&self.integration()?, &chat_id, &key).await?))
            }
            Ask::LoadRoomMembers(chat_id) => {
                Ok(Answer::RoomMembers(deck.room_members(&self.integration()?, &chat_id).await?))
            }
            Ask::LoadNames(ids) => Ok(Answer::Names(deck.names(&ids).await?)),
            Ask::MarkRead { chat_id, place } => {
                deck.mark_read(&chat_id, &convert::place(&place)).await.map(|()| Answer::Done)
            }
            other => self.about_sending(other).await,
        }
    }

    async fn about_sending(&self, ask: Ask) -> Done<Answer> {
        let deck = &self.inner.deck;
        match ask {
            Ask::Send { chat_id, text, reply_to, in_thread } => {
                let draft = Draft { chat_id, text, reply_to, in_thread };
                Ok(Answer::Queued(deck.send(&self.integration()?, draft).await?))
            }
            Ask::RetrySend { uuid, .. } => {
                deck.retry_send(&self.integration()?, &uuid).await.map(|_| Answer::Done)
            }
            Ask::DiscardSend { uuid, .. } => {
                deck.discard_send(&self.integration()?, &uuid).await.map(|()| Answer::Done)
            }
            Ask::React { message_id, emoji, add, .. } => {
                let integration = self.integration()?;
                let done = match add {
                    true => deck.react(&integration, &message_id, &emoji).await,
                    false => deck.unreact(&integration, &message_id, &emoji).await,
                };
                done.map(|()| Answer::Done)
            }
            _ => Ok(Answer::Done),
        }
    }

    async fn about_budget(&self, ask: Ask) -> Done<Answer> {
        let deck = &self.inner.deck;
        match ask {
            Ask::LoadQuota(integration) => Ok(Answer::Quota(deck.quota(&integration).await?)),
            Ask::LoadLog { before, limit } => {
                // One more than asked for tells whether there are older ones.
                let mut rows = deck.operations(before, limit.saturating_add(1)).await?;
                let most = usize::try_from(limit).unwrap_or(usize::MAX);
                let has_older = rows.len() > most;
                rows.truncate(most);
                Ok(Answer::Log(event::LogPage { before, rows, has_older }))
            }
            Ask::LoadConsoles => {
                let (consoles, roles) = (deck.consoles().await?, deck.roles().await?);
                Ok(Answer::Consoles(Box::new(convert::consoles(consoles, roles))))
            }
            _ => Ok(Answer::Done),
        }
    }
}

fn scope(members: Option<Vec<MemberId>>) -> LinkScope {
    members.map_or(LinkScope::Unlinked, LinkScope::Members)
}

/// Whether `chat` is the room that is open.
pub(super) fn is_open(open: Option<&ChatId>, chat: &ChatId) -> bool {
    open == Some(chat)
}
