//! Chats and who is in them (`feishu/im` 1, read 2026-05).

use serde::Deserialize;

use crate::core::ids::{ChatId, OpenId, TenantKey};

use super::super::{
    answer::{ListWire, Loose},
    client::{Ask, Client, Page},
    error::FeishuError,
    transport::Request,
};
use super::{CHAT, CHAT_MEMBERS, CHATS};

/// Whether a chat still lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChatState {
    /// Messages flow.
    Normal,
    /// Disbanded.
    Dissolved,
    /// Disbanded with its history kept for its members: no event tells of this one.
    DissolvedSave,
}

impl ChatState {
    fn of(word: &str) -> Self {
        match word {
            "dissolved" => Self::Dissolved,
            "dissolved_save" => Self::DissolvedSave,
            _ => Self::Normal,
        }
    }

    /// Whether it is disbanded, one way or the other.
    pub const fn is_disbanded(self) -> bool {
        !matches!(self, Self::Normal)
    }
}

/// A chat that the bot is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatInfo {
    /// The chat.
    pub chat_id: ChatId,
    /// Foreign text; may be empty.
    pub name: String,
    /// Foreign text.
    pub description: String,
    /// Open or disbanded.
    pub chat_status: ChatState,
    /// The tenant it belongs to.
    pub tenant_key: Option<TenantKey>,
    /// Its owner; `None` where that is the bot.
    pub owner: Option<OpenId>,
    /// Whether people of other tenants are in it.
    pub is_external: bool,
    /// Members without bots; a listing does not tell.
    pub user_count: Option<u32>,
}

/// A person in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMember {
    /// The person.
    pub open_id: OpenId,
    /// Foreign text.
    pub name: String,
}

#[derive(Deserialize)]
struct ChatWire {
    #[serde(default)]
    chat_id: Loose,
    #[serde(default)]
    name: Loose,
    #[serde(default)]
    description: Loose,
    #[serde(default)]
    chat_status: Loose,
    #[serde(default)]
    tenant_key: Loose,
    #[serde(default)]
    owner_id: Loose,
    #[serde(default)]
    external: Loose,
    #[serde(default)]
    user_count: Loose,
}

#[derive(Deserialize)]
struct MemberWire {
    #[serde(default)]
    member_id: Loose,
    #[serde(default)]
    name: Loose,
}

impl ChatWire {
    /// `asked` is the id in the path: the answer of `get` may leave it out.
    fn into_info(self, asked: Option<&ChatId>) -> Option<ChatInfo> {
        Some(ChatInfo {
            chat_id: self.chat_id.parse().or_else(|| asked.cloned())?,
            name: self.name.text(),
            description: self.description.text(),
            chat_status: ChatState::of(&self.chat_status.text()),
            tenant_key: self.tenant_key.parse(),
            owner: self.owner_id.parse(),
            is_external: self.external.is_true(),
            user_count: self.user_count.int().and_then(|count| u32::try_from(count).ok()),
        })
    }
}

impl Client {
    /// A page of the group chats that the bot is in, oldest first.
    ///
    /// # Errors
    /// [`FeishuError`].
    pub async fn chats(&self, ask: Ask, page_token: Option<String>) -> Result<Page<ChatInfo>, FeishuError> {
        let request =
            Request::new(&CHATS).query("page_size", "100").query("user_id_type", "open_id").page(page_token);
        let list: ListWire = self.transport.call(&ask, request).await?.data()?;
        Ok(list.page(|wire: ChatWire| wire.into_info(None)))
    }

    /// One chat, with its count of members.
    ///
    /// # Errors
    /// [`FeishuError`].
    pub async fn chat(&self, ask: Ask, chat_id: &ChatId) -> Result<ChatInfo, FeishuError> {
        let request = Request::new(&CHAT).id(chat_id.as_str()).query("user_id_type", "open_id");
        let answer = self.transport.call(&ask, request).await?;
        let wire: ChatWire = answer.data()?;
        wire.into_info(Some(chat_id)).ok_or_else(|| answer.malformed("a chat without id"))
    }

    /// A page of the people in a chat; bots are not listed.
    ///
    /// # Errors
    /// [`FeishuError`].
    pub async fn chat_members(
        &self,
        ask: Ask,
        chat_id: &ChatId,
        page_token: Option<String>,
    ) -> Result<Page<ChatMember>, FeishuError> {
        let request = Request::new(&CHAT_MEMBERS)
            .id(chat_id.as_str())
            .query("member_id_type", "open_id")
            .query("page_size", "100")
            .page(page_token);
        let list: ListWire = self.transport.call(&ask, request).await?.data()?;
        Ok(list.page(|wire: MemberWire| {
            Some(ChatMember { open_id: wire.member_id.parse()?, name: wire.name.text() })
        }))
    }
}
