//! Messages on their way out: committed before the call, never sent twice.

use super::{
    Store, StoreError, View, absorb,
    db::Tx,
    feed::ChangeKind,
    ingest::{Incoming, IngestItem, Ingested},
    process::{may_live, start_of},
    sql::{Row, q},
};
use crate::core::{
    ids::{ChatId, IntegrationId, MessageId, Seq},
    integration::Holder,
    message::{NewMessage, Via},
    room::{Outgoing, OutgoingState},
    time::Timestamp,
};
use std::time::Duration;

/// After so long nobody sends a row any more: the platform forgets its uuid after an hour.
const LIFETIME: Duration = Duration::from_secs(3600);

/// How far the platform's clock may be from ours when a message is recognised by its time.
const CLOCK_SLACK: Duration = Duration::from_secs(120);

macro_rules! select_outbox {
    ($rest:literal) => {
        concat!(
            "select uuid, integration_id, chat_id, reply_to, in_thread, text, author, holder_user, holder_host, ",
            "holder_pid, holder_start, state, message_id, reason, queued_at from outbox ",
            $rest
        )
    };
}

const fn state_word(state: &OutgoingState) -> &'static str {
    match state {
        OutgoingState::Queued => "queued",
        OutgoingState::Sending => "sending",
        OutgoingState::Sent { .. } => "sent",
        OutgoingState::Failed { .. } => "failed",
        OutgoingState::Unknown => "unknown",
    }
}

fn read(row: &Row) -> Result<OutboxRow, StoreError> {
    let state = match row.text(11)? {
        "queued" => OutgoingState::Queued,
        "sending" => OutgoingState::Sending,
        "sent" => OutgoingState::Sent { message_id: row.parse(12, "message_id")? },
        "failed" => OutgoingState::Failed { reason: row.string(13)? },
        "unknown" => OutgoingState::Unknown,
        word => return Err(StoreError::data("state of an outgoing message", word)),
    };
    Ok(OutboxRow {
        outgoing: Outgoing {
            uuid: row.string(0)?,
            chat_id: row.parse(2, "chat_id")?,
            reply_to: row.opt_parse(3, "message_id")?,
            text: row.string(5)?,
            author: row.string(6)?,
            state,
            queued_at: row.at(14)?,
        },
        integration: row.parse(1, "integration id")?,
        in_thread: row.flag(4)?,
        holder: Holder { user: row.string(7)?, host: row.string(8)?, pid: row.count(9)? },
    })
}

/// A message that is about to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOutgoing {
    /// The platform's idempotency key.
    pub uuid: String,
    /// By which integration.
    pub integration: IntegrationId,
    /// Where to.
    pub chat_id: ChatId,
    /// The message replied to.
    pub reply_to: Option<MessageId>,
    /// Whether the reply opens or joins a thread.
    pub in_thread: bool,
    /// What was typed.
    pub text: String,
    /// Who typed it.
    pub author: String,
}

/// A row of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// As a screen shows it.
    pub outgoing: Outgoing,
    /// By which integration.
    pub integration: IntegrationId,
    /// Whether the reply opens or joins a thread.
    pub in_thread: bool,
    /// The process that has to send it.
    pub holder: Holder,
}

impl Store {
    /// Commits a message to the outbox as queued, to be sent by this process.
    ///
    /// # Errors
    /// The engine's.
    pub async fn queue_outgoing(&self, new: NewOutgoing) -> Result<Outgoing, StoreError> {
        let db = self.db();
        let mut tx = db.write("queue the message").await?;
        let now = tx.now();
        q("insert into outbox (uuid, integration_id, chat_id, reply_to, in_thread, text, author, holder_user,
            holder_host, holder_pid, holder_start, state, queued_at, changed_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'queued', $12, $12)")
        .bind(new.uuid.as_str())
        .bind(&new.integration)
        .bind(&new.chat_id)
        .bind(new.reply_to.as_ref())
        .bind(new.in_thread)
        .bind(new.text.as_str())
        .bind(new.author.as_str())
        .bind(db.me.user.as_str())
        .bind(db.me.host.as_str())
        .bind(db.me.pid)
        .bind(start_of(db.me.pid))
        .bind(now)
        .run(&mut tx)
        .await?;
        tx.tell(ChangeKind::Outgoing, &new.uuid, Some(&new.chat_id)).await?;
        tx.commit().await?;
        Ok(Outgoing {
            uuid: new.uuid,
            chat_id: new.chat_id,
            reply_to: new.reply_to,
            text: new.text,
            author: new.author,
            state: OutgoingState::Queued,
            queued_at: now,
        })
    }

    /// Changes the state of a message that is not yet sent. `false`: it is sent already, or gone.
    ///
    /// # Errors
    /// The engine's.
    pub async fn set_outgoing(&self, uuid: &str, state: &OutgoingState) -> Result<bool, StoreError> {
        let mut tx = self.db().write("change the outgoing message").await?;
        let changed = set_state(&mut tx, uuid, state, &["queued", "sending", "failed", "unknown"]).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// Takes a failed message for sending again by this process; `false` where it is in another state.
    ///
    /// # Errors
    /// The engine's.
    pub async fn requeue_outgoing(&self, uuid: &str) -> Result<bool, StoreError> {
        let db = self.db();
        let mut tx = db.write("queue the message again").await?;
        let changed = set_state(&mut tx, uuid, &OutgoingState::Queued, &["failed"]).await?;
        if changed {
            q("update outbox set holder_user = $2, holder_host = $3, holder_pid = $4, holder_start = $5
                where uuid = $1")
            .bind(uuid)
            .bind(db.me.user.as_str())
            .bind(db.me.host.as_str())
            .bind(db.me.pid)
            .bind(start_of(db.me.pid))
            .run(&mut tx)
            .await?;
        }
        tx.commit().await?;
        Ok(changed)
    }

    /// The platform has it: the state becomes sent, and the message itself is stored, in one transaction.
    /// Returns the number under which the message is in the feed.
    ///
    /// # Errors
    /// The engine's.
    pub async fn outgoing_sent(&self, uuid: &str, message: NewMessage) -> Result<Seq, StoreError> {
        let mut tx = self.db().write("store the sent message").await?;
        let state = OutgoingState::Sent { message_id: message.message_id.clone() };
        set_state(&mut tx, uuid, &state, &["queued", "sending", "failed", "unknown"]).await?;
        let row = q("select integration_id from outbox where uuid = $1").bind(uuid).one(&mut tx).await?;
        let row = row.ok_or_else(|| StoreError::not_found("outgoing message", uuid))?;
        let id = message.message_id.clone();
        let item = IngestItem {
            integration: row.parse(0, "integration id")?,
            event_id: None,
            via: Via::Send,
            what: Incoming::Message { message, own: true },
        };
        let stored = absorb::items(&mut tx, std::iter::once(&item)).await?;
        let seq = match stored.first() {
            Some(Ingested::New(seq) | Ingested::Changed(seq)) => *seq,
            // It came back as an event before the answer did.
            _ => Seq(q("select seq from message where message_id = $1")
                .bind(&id)
                .must(&mut tx)
                .await?
                .int(0)?),
        };
        tx.commit().await?;
        Ok(seq)
    }

    /// Removes a message that failed or is unknown; `false` where it is in another state.
    ///
    /// # Errors
    /// The engine's.
    pub async fn discard_outgoing(&self, uuid: &str) -> Result<bool, StoreError> {
        let mut tx = self.db().write("discard the outgoing message").await?;
        let row =
            q("delete from outbox where uuid = $1 and state in ('failed', 'unknown') returning chat_id")
                .bind(uuid)
                .all(&mut tx)
                .await?;
        for row in &row {
            let chat: ChatId = row.parse(0, "chat_id")?;
            tx.tell(ChangeKind::Outgoing, uuid, Some(&chat)).await?;
        }
        tx.commit().await?;
        Ok(!row.is_empty())
    }
}

impl View {
    /// One row.
    ///
    /// # Errors
    /// The engine's.
    pub async fn outgoing(&self, uuid: &str) -> Result<Option<OutboxRow>, StoreError> {
        let mut conn = self.db().read("look at the outgoing message").await?;
        let row = q(select_outbox!("where uuid = $1")).bind(uuid).one(&mut conn).await?;
        row.as_ref().map(read).transpose()
    }

    /// What is not sent yet (queued, sending, failed, unknown), oldest first; of one chat or of all.
    ///
    /// # Errors
    /// The engine's.
    pub async fn pending_outgoing(&self, chat: Option<&ChatId>) -> Result<Vec<OutboxRow>, StoreError> {
        let mut conn = self.db().read("list the outgoing messages").await?;
        let rows = q(select_outbox!(
            "where state in ('queued', 'sending', 'failed', 'unknown') and ($1 is null or chat_id = $1) \
             order by queued_at, uuid"
        ))
        .bind(chat)
        .all(&mut conn)
        .await?;
        rows.iter().map(read).collect()
    }
}

impl Store {
    /// Rows queued or sending whose process is gone become unknown, and are returned. A process of this host
    /// is gone when its id is free or was given to another; one of another host after an hour.
    ///
    /// # Errors
    /// The engine's.
    pub async fn orphan_outgoing(&self) -> Result<Vec<OutboxRow>, StoreError> {
        let db = self.db();
        let (rows, now) = {
            let mut conn = db.read("list the outgoing messages").await?;
            let rows = q(select_outbox!("where state in ('queued', 'sending') order by queued_at, uuid"))
                .all(&mut conn)
                .await?;
            if rows.is_empty() {
                return Ok(Vec::new());
            }
            (rows, db.shared_now(&mut conn).await?)
        };
        let mut orphans = Vec::new();
        for row in &rows {
            let mut found = read(row)?;
            if is_alive(&found, row.text(10)?, &db.me.host, now) {
                continue;
            }
            let mut tx = db.write("mark a lost message").await?;
            let changed =
                set_state(&mut tx, &found.outgoing.uuid, &OutgoingState::Unknown, &["queued", "sending"])
                    .await?;
            tx.commit().await?;
            if changed {
                found.outgoing.state = OutgoingState::Unknown;
                orphans.push(found);
            }
        }
        Ok(orphans)
    }

    /// Unknown rows of a chat whose message has turned up in it (same text, by the own bot, at the right
    /// time) become sent; returns them.
    ///
    /// # Errors
    /// The engine's.
    pub async fn reconcile_outgoing(&self, chat: &ChatId) -> Result<Vec<(String, MessageId)>, StoreError> {
        let unknown: Vec<OutboxRow> = self
            .pending_outgoing(Some(chat))
            .await?
            .into_iter()
            .filter(|row| row.outgoing.state == OutgoingState::Unknown)
            .collect();
        let mut found = Vec::new();
        for row in unknown {
            let mut tx = self.db().write("reconcile the outgoing message").await?;
            let queued_at = row.outgoing.queued_at;
            // A message that another row was sent as is not this one's.
            let candidates =
                q("select message_id, content from message where chat_id = $1 and created_at >= $2
                and created_at <= $3 and own = 1
                and not exists (select 1 from outbox o where o.message_id = message.message_id)
                order by created_at, message_id")
                .bind(chat)
                .bind(queued_at.minus(CLOCK_SLACK))
                .bind(queued_at.plus(LIFETIME).plus(CLOCK_SLACK))
                .all(&mut tx)
                .await?;
            let text = row.outgoing.text.trim();
            let same = candidates.iter().find(|row| row.text(1).is_ok_and(|content| says(content, text)));
            if let Some(same) = same {
                let message_id: MessageId = same.parse(0, "message_id")?;
                let state = OutgoingState::Sent { message_id: message_id.clone() };
                if set_state(&mut tx, &row.outgoing.uuid, &state, &["unknown"]).await? {
                    tx.commit().await?;
                    found.push((row.outgoing.uuid, message_id));
                }
            }
        }
        Ok(found)
    }
}

/// Whether a message's content is this text and nothing else.
fn says(content: &str, text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(content)
        .ok()
        .and_then(|value| value.get("text").and_then(|said| said.as_str()).map(|said| said.trim() == text))
        .unwrap_or(false)
}

fn is_alive(row: &OutboxRow, start: &str, host: &str, now: Timestamp) -> bool {
    if now.since(row.outgoing.queued_at) > LIFETIME {
        return false;
    }
    // Where the system does not tell when a process started, the hour decides.
    may_live(&row.holder, start, host)
}

async fn set_state(
    tx: &mut Tx<'_>,
    uuid: &str,
    state: &OutgoingState,
    from: &[&str],
) -> Result<bool, StoreError> {
    let row = q("select state, chat_id from outbox where uuid = $1").bind(uuid).one(tx).await?;
    let Some(row) = row else { return Ok(false) };
    if !from.contains(&row.text(0)?) {
        return Ok(false);
    }
    let (message_id, reason) = match state {
        OutgoingState::Sent { message_id } => (Some(message_id), None),
        OutgoingState::Failed { reason } => (None, Some(reason.as_str())),
        _ => (None, None),
    };
    let now = tx.now();
    q("update outbox set state = $2, message_id = $3, reason = $4, changed_at = $5 where uuid = $1")
        .bind(uuid)
        .bind(state_word(state))
        .bind(message_id)
        .bind(reason)
        .bind(now)
        .run(tx)
        .await?;
    let chat: ChatId = row.parse(1, "chat_id")?;
    tx.tell(ChangeKind::Outgoing, uuid, Some(&chat)).await?;
    Ok(true)
}
