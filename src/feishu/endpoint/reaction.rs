//! Reactions to messages (`feishu/im` 3, read 2026-05).

use serde::Deserialize;
use serde_json::json;

use crate::core::{ids::MessageId, message::SenderKind, time::Timestamp};

use super::super::{
    answer::{ListWire, Loose},
    client::{Ask, Client, Page},
    error::FeishuError,
    transport::Request,
};
use super::{ADD_REACTION, DELETE_REACTION, REACTIONS};

/// Who reacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// open_id of a person, app_id of a bot; empty where it is not told.
    pub id: String,
    /// Person or bot.
    pub kind: SenderKind,
}

/// A reaction to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// Names the reaction, to remove it.
    pub reaction_id: String,
    /// The platform's word: `THUMBSUP`, `OK` … case-sensitive. Foreign text.
    pub emoji: String,
    /// Who reacted.
    pub operator: Operator,
    /// When.
    pub at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct ReactionWire {
    #[serde(default)]
    reaction_id: Loose,
    #[serde(default)]
    reaction_type: EmojiWire,
    #[serde(default)]
    operator: OperatorWire,
    #[serde(default)]
    action_time: Loose,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct EmojiWire {
    emoji_type: Loose,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OperatorWire {
    operator_id: Loose,
    operator_type: Loose,
}

impl From<ReactionWire> for Reaction {
    fn from(wire: ReactionWire) -> Self {
        Self {
            reaction_id: wire.reaction_id.text(),
            emoji: wire.reaction_type.emoji_type.text(),
            operator: Operator {
                id: wire.operator.operator_id.text(),
                kind: SenderKind::parse(&wire.operator.operator_type.text()),
            },
            at: wire.action_time.time(),
        }
    }
}

impl Client {
    /// Reacts to a message as the bot.
    ///
    /// # Errors
    /// [`FeishuError`].
    pub async fn add_reaction(
        &self,
        ask: Ask,
        message_id: &MessageId,
        emoji: &str,
    ) -> Result<Reaction, FeishuError> {
        let body = json!({"reaction_type": {"emoji_type": emoji}});
        let request = Request::new(&ADD_REACTION).id(message_id.as_str()).body(&body);
        let wire: ReactionWire = self.transport.call(&ask, request).await?.data()?;
        Ok(wire.into())
    }

    /// A page of a message's reactions.
    ///
    /// # Errors
    /// [`FeishuError`].
    pub async fn reactions(
        &self,
        ask: Ask,
        message_id: &MessageId,
        page_token: Option<String>,
    ) -> Result<Page<Reaction>, FeishuError> {
        let request = Request::new(&REACTIONS)
            .id(message_id.as_str())
            .query("page_size", "50")
            .query("user_id_type", "open_id")
            .page(page_token);
        let list: ListWire = self.transport.call(&ask, request).await?.data()?;
        Ok(list.page(|wire: ReactionWire| Some(Reaction::from(wire))))
    }

    /// Takes one of the bot's own reactions back.
    ///
    /// # Errors
    /// [`FeishuError`].
    pub async fn delete_reaction(
        &self,
        ask: Ask,
        message_id: &MessageId,
        reaction_id: &str,
    ) -> Result<(), FeishuError> {
        let request = Request::new(&DELETE_REACTION).id(message_id.as_str()).id(reaction_id);
        self.transport.call(&ask, request).await.map(drop)
    }
}
