//! Rooms: the group chats that the bot is in.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{
    ids::{ChatId, MessageId, OpenId, Seq},
    lang::{Lang, duration_words, phrase},
    time::Timestamp,
};

/// What a room is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomKind {
    /// Opened or adopted as a War Room.
    WarRoom,
    /// A group chat with the bot in it.
    Group,
}

/// Whether a room still lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoomStatus {
    /// Messages flow.
    Open,
    /// Disbanded on the platform; history stays (R24).
    Disbanded,
    /// Dismissed from larkdeck after closing (D7).
    Dismissed,
}

impl RoomStatus {
    /// As commands and the store write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Disbanded => "disbanded",
            Self::Dismissed => "dismissed",
        }
    }

    /// Reads what [`Self::as_str`] wrote; unknown is open.
    pub fn parse(text: &str) -> Self {
        match text {
            "disbanded" => Self::Disbanded,
            "dismissed" => Self::Dismissed,
            _ => Self::Open,
        }
    }
}

/// A room as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// The chat.
    pub chat_id: ChatId,
    /// Foreign text; may be empty.
    pub name: String,
    /// Foreign text.
    pub description: String,
    /// War Room or group.
    pub kind: RoomKind,
    /// Open, disbanded or dismissed.
    pub status: RoomStatus,
    /// Members without bots, once known.
    pub member_count: Option<u32>,
    /// Messages after the reader's mark, not counting the own bot's.
    pub unread: u32,
    /// Whether one of the unread mentions the reader or everybody.
    pub mentioned: bool,
    /// When the newest message was written.
    pub last_message_at: Option<Timestamp>,
    /// Everything before this instant is known to be in the store.
    pub complete_to: Option<Timestamp>,
}

/// A person in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomMember {
    /// The person.
    pub open_id: OpenId,
    /// Foreign text.
    pub name: String,
    /// Whether a team member is linked to this account.
    pub is_linked: bool,
}

/// A line of the transcript that is no message: where a gap was repaired or could not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seam {
    /// Number in the feed.
    pub seq: Seq,
    /// The room.
    pub chat_id: ChatId,
    /// Start of the gap.
    pub from: Timestamp,
    /// End of the gap.
    pub to: Timestamp,
    /// Messages recovered by the fill.
    pub recovered: u32,
    /// What may still be missing.
    pub missing: Missing,
}

impl Seam {
    /// What it says to a person, with times in `zone`.
    pub fn words(&self, lang: Lang, zone: &TimeZone) -> String {
        let clock = |at: Timestamp| at.in_zone(zone).strftime("%H:%M").to_string();
        let (from, to) = (clock(self.from), clock(self.to));
        let lost = duration_words(self.to.since(self.from), lang);
        // All of it must fit into a narrow room.
        match (self.missing, self.recovered) {
            (Missing::Messages, _) => phrase(
                "messages of {}-{} may be missing: they could not be fetched",
                "{}-{} 的消息可能缺失：无法补取",
            )
            .fill(lang, &[&from, &to]),
            (Missing::ThreadReplies, 0) => {
                phrase("thread replies {}-{} may be missing", "{}-{} 的话题回复可能缺失")
                    .fill(lang, &[&from, &to])
            }
            (Missing::ThreadReplies, n) => phrase(
                "recovered {}, thread replies {}-{} may be missing",
                "已补回 {} 条，{}-{} 的话题回复可能缺失",
            )
            .fill(lang, &[&n, &from, &to]),
            (Missing::Nothing, 0) => {
                phrase("nothing was missed, {}-{} (link lost {})", "{}-{} 没有遗漏（断开 {}）")
                    .fill(lang, &[&from, &to, &lost])
            }
            (Missing::Nothing, 1) => {
                phrase("recovered 1 message, {}-{} (link lost {})", "已补回 1 条消息，{}-{}（断开 {}）")
                    .fill(lang, &[&from, &to, &lost])
            }
            (Missing::Nothing, n) => {
                phrase("recovered {} messages, {}-{} (link lost {})", "已补回 {} 条消息，{}-{}（断开 {}）")
                    .fill(lang, &[&n, &from, &to, &lost])
            }
        }
    }
}

/// What a fill could not reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Nothing.
    Nothing,
    /// Replies in threads that nobody has named yet.
    ThreadReplies,
    /// Everything: the fill itself failed.
    Messages,
}

/// A message of one's own on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Also the platform's idempotency key.
    pub uuid: String,
    /// Where to.
    pub chat_id: ChatId,
    /// The message replied to.
    pub reply_to: Option<MessageId>,
    /// What was typed.
    pub text: String,
    /// Who typed it.
    pub author: String,
    /// How far it is.
    pub state: OutgoingState,
    /// When it was queued.
    pub queued_at: Timestamp,
}

/// How far an outgoing message is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum OutgoingState {
    /// Committed, not yet tried.
    Queued,
    /// Under way.
    Sending,
    /// The platform has it.
    Sent {
        /// Its id there.
        message_id: MessageId,
    },
    /// The platform refused it.
    Failed {
        /// Why. Foreign text.
        reason: String,
    },
    /// Nobody can say: its author died or no answer came in time. Look at the room.
    Unknown,
}
