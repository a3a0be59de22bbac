//! Presses of cards (B9): who presses, are they linked, licensed, is it allowed; then it is done, or a toast says what
//! stands in the way and what to do. The same code answers the long connection, the webhook and the question
//! "what happens if this person presses?" (G16).

use serde_json::{Value, json};

use crate::{
    core::{
        error::{Fault, Kind},
        ids::{ChatId, IntegrationId, MemberId, OpenId},
        integration::ImKind,
        lang::{Lang, Phrase, phrase},
        member::{Licence, Member},
        operation::{NewOperation, OperationResult},
        role::{Right, Role},
        room::RoomStatus,
        time::Timestamp,
    },
    feishu::event::CardAction,
    store::NewPress,
};

use super::{
    deck::{Answer, Deck, Told},
    view::Draft,
};

const OPERATION: &str = "card.press";

/// What can be done by pressing a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardOp {
    /// "I have seen it, I am on it."
    Acknowledge,
}

impl CardOp {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::Acknowledge];

    /// As the value of a button and the operation log have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledge => "ack",
        }
    }

    /// Reads the word of a button.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "ack" | "acknowledge" => Some(Self::Acknowledge),
            _ => None,
        }
    }

    /// Reads what a card's author set as the value of the button: `{"op":"ack"}`, `{"action":"ack"}`, `ack`.
    pub(super) fn of_value(value: &Value) -> Result<Self, String> {
        let text = match value {
            Value::String(text) => match serde_json::from_str::<Value>(text) {
                // Some clients send the object as a text.
                Ok(inner @ Value::Object(_)) => return Self::of_value(&inner),
                _ => text.as_str(),
            },
            other => {
                let named = ["op", "action"].iter().find_map(|key| other.get(key)?.as_str());
                named.unwrap_or_default()
            }
        };
        Self::parse(text.trim()).ok_or_else(|| text.trim().chars().take(40).collect())
    }
}

/// What comes of a press.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is done, or would be.
    Done(CardOp),
    /// Somebody did it before.
    Already {
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// The platform did not say who pressed.
    Nobody,
    /// The account is no team member's.
    NotLinked,
    /// The member has no licence (D11). Where that is not known nobody is refused.
    NoLicence,
    /// The room is disbanded, or the bot is no longer in it.
    RoomOver,
    /// This larkdeck changes nothing.
    ReadOnly,
    /// The role of this larkdeck does not reach.
    RoleTooLow {
        /// Who it is where roles are assigned.
        who: String,
        /// What it is.
        role: Role,
    },
    /// The button asks for something that larkdeck does not do. Foreign text.
    UnknownAction(String),
}

impl Verdict {
    /// The stable word, as JSON has it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Done(_) => "ok",
            Self::Already { .. } => "already",
            Self::Nobody => "no_presser",
            Self::NotLinked => "not_linked",
            Self::NoLicence => "no_licence",
            Self::RoomOver => "room_over",
            Self::ReadOnly => "read_only",
            Self::RoleTooLow { .. } => "role_too_low",
            Self::UnknownAction(_) => "unknown_action",
        }
    }

    /// Whether it is as the presser wanted.
    pub const fn is_good(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Already { .. })
    }

    /// What the presser reads.
    pub fn text(&self, lang: Lang) -> String {
        const ACKNOWLEDGED: Phrase = phrase("Acknowledged.", "已确认。");
        const ALREADY: Phrase = phrase("{} acknowledged this already.", "{} 已确认过。");
        const NOBODY: Phrase =
            phrase("Nothing was done: it is not known who pressed.", "未执行：无法识别操作人。");
        const NOT_LINKED: Phrase = phrase(
            "Nothing was done: your account is not linked to a team member. Go to Workspace, search for this \
             app, choose Open App and sign in once, then press again. If you have signed in already, switch \
             accounts in the menu at the top right and sign in anew.",
            "未执行：您的账号尚未绑定团队成员。请在工作台搜索并打开本应用，登录一次后再试。\
             若已登录过，请在右上角菜单切换账号并重新登录。",
        );
        const NO_LICENCE: Phrase = phrase(
            "Nothing was done: you have no licence, and handling incidents takes one; being told of them does not. \
             Ask an administrator to give you one in the console: Billing Center.",
            "未执行：您没有许可证，处理故障需要许可证（接收通知不需要）。请联系管理员在控制台“费用中心”为您分配。",
        );
        const ROOM_OVER: Phrase = phrase(
            "Nothing was done: this room is over. Its history is kept.",
            "未执行：该群已解散或机器人已移出，历史记录仍保留。",
        );
        const READ_ONLY: Phrase = phrase(
            "Nothing was done: larkdeck is set to read-only here. Ask whoever runs it.",
            "未执行：larkdeck 当前为只读模式，请联系管理员。",
        );
        const ROLE_TOO_LOW: Phrase = phrase(
            "Nothing was done: larkdeck works here as {}, whose role is {}; this takes {}. An admin of larkdeck can \
             change that: larkdeck role set {} {}",
            "未执行：larkdeck 在此以 {} 运行，其角色为 {}，该操作需要 {}。请联系 larkdeck 管理员更改：\
             larkdeck role set {} {}",
        );
        const UNKNOWN: Phrase = phrase(
            "Nothing was done: larkdeck does not know the action \"{}\". Do it where the card comes from.",
            "未执行：larkdeck 不支持操作“{}”，请在卡片来源系统中处理。",
        );
        match self {
            Self::Done(CardOp::Acknowledge) => ACKNOWLEDGED.get(lang).to_owned(),
            Self::Already { by, .. } => ALREADY.fill(lang, &[by]),
            Self::Nobody => NOBODY.get(lang).to_owned(),
            Self::NotLinked => NOT_LINKED.get(lang).to_owned(),
            Self::NoLicence => NO_LICENCE.get(lang).to_owned(),
            Self::RoomOver => ROOM_OVER.get(lang).to_owned(),
            Self::ReadOnly => READ_ONLY.get(lang).to_owned(),
            Self::RoleTooLow { who, role } => {
                let needed = Right::Respond.least();
                ROLE_TOO_LOW.fill(lang, &[who, role, &needed, who, &needed])
            }
            Self::UnknownAction(word) => UNKNOWN.fill(lang, &[word]),
        }
    }

    /// The answer to the callback (`feishu/events` 7): a toast in both languages.
    pub fn toast(&self) -> Value {
        let kind = match self {
            Self::Done(_) => "success",
            Self::Already { .. } => "info",
            Self::UnknownAction(_) => "warning",
            _ => "error",
        };
        let (en, zh) = (self.text(Lang::En), self.text(Lang::Zh));
        json!({"toast": {"type": kind, "content": en, "i18n": {"zh_cn": zh, "en_us": en}}})
    }
}

/// What would come of a press by a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PressPreview {
    /// The member.
    pub member: MemberId,
    /// The member's name.
    pub name: String,
    /// The verdict, by the code that judges a real press.
    pub verdict: Verdict,
}

/// A press that may be acted on.
struct Allowed {
    member: MemberId,
    name: String,
    op: CardOp,
}

impl Deck {
    /// What happens if this member presses this in this room? Nothing is done and nothing is logged.
    ///
    /// # Errors
    /// NotFound for the member, or the store's.
    pub async fn preview_press(
        &self,
        integration: &IntegrationId,
        member: &MemberId,
        chat: Option<&ChatId>,
        action: &str,
    ) -> Answer<PressPreview> {
        let op = CardOp::of_value(&Value::from(action));
        let member = self.member(Some(integration), member).await?;
        let verdict = match member.link {
            None => Verdict::NotLinked,
            Some(link) => match self.judge(integration, Some(&link.open_id), chat, op).await? {
                Ok(allowed) => Verdict::Done(allowed.op),
                Err(verdict) => verdict,
            },
        };
        Ok(PressPreview { member: member.id, name: member.name, verdict })
    }

    /// Judges a press, does what it asks for, and answers the person. `is_first`: it was not seen before, so
    /// what comes of it is logged. Only the store is asked; what needs the platform is done after the answer.
    pub(super) async fn press(
        &self,
        integration: &IntegrationId,
        action: Box<CardAction>,
        is_first: bool,
    ) -> Answer<Value> {
        let op = CardOp::of_value(&action.value);
        let chat = action.chat_id.as_ref();
        let judged = self.judge(integration, action.operator.as_ref(), chat, op).await?;
        let (verdict, name) = match judged {
            Ok(allowed) => {
                let verdict = self.act(integration, &action, &allowed).await?;
                (verdict, Some(allowed.name))
            }
            Err(verdict) => (verdict, None),
        };
        if is_first {
            self.log_press(&action, &verdict, name).await;
        }
        Ok(verdict.toast())
    }

    /// Presser, link, licence, room, access, action: the first that fails is the verdict.
    async fn judge(
        &self,
        integration: &IntegrationId,
        presser: Option<&OpenId>,
        chat: Option<&ChatId>,
        op: Result<CardOp, String>,
    ) -> Answer<Result<Allowed, Verdict>> {
        let Some(open_id) = presser else { return Ok(Err(Verdict::Nobody)) };
        let found = self.inner.store.member_of_account(integration, open_id).await.told()?;
        let Some((member, _)) = found else { return Ok(Err(Verdict::NotLinked)) };
        let Member { name, licence, .. } = self.member(Some(integration), &member).await?;
        if licence == Some(Licence::None) {
            return Ok(Err(Verdict::NoLicence));
        }
        if let Some(chat) = chat {
            let reader = self.reader_at(integration).await?;
            let room = self.inner.store.room(chat, &reader).await.told()?;
            if room.is_some_and(|(_, room)| room.status != RoomStatus::Open) {
                return Ok(Err(Verdict::RoomOver));
            }
        }
        let op = match op {
            Ok(op) => op,
            Err(word) => return Ok(Err(Verdict::UnknownAction(word))),
        };
        match self.refusal(Right::Respond).await? {
            None => {}
            Some(fault) if fault.kind == Kind::Permission => {
                let who = self.inner.store.identity().to_owned();
                return Ok(Err(Verdict::RoleTooLow { who, role: self.role().await? }));
            }
            Some(_) => return Ok(Err(Verdict::ReadOnly)),
        }
        Ok(Ok(Allowed { member, name, op }))
    }

    async fn act(
        &self,
        integration: &IntegrationId,
        action: &CardAction,
        allowed: &Allowed,
    ) -> Answer<Verdict> {
        let Some(message_id) = &action.message_id else {
            return Err(Fault::new(Kind::Remote, "the press names no card"));
        };
        let press = NewPress {
            integration: integration.clone(),
            message_id: message_id.clone(),
            action: allowed.op.as_str(),
            member_id: allowed.member.clone(),
            member_name: allowed.name.clone(),
        };
        let store = self.gate(Right::Respond, OPERATION, message_id).await?;
        let pressed = store.press(press).await.told()?;
        if pressed.member_id != allowed.member {
            return Ok(Verdict::Already { by: pressed.member_name, at: pressed.at });
        }
        if pressed.is_first {
            self.tell_room_later(integration.clone(), action, allowed);
        }
        Ok(Verdict::Done(allowed.op))
    }

    /// The others in the room learn of it by a reply to the card, and by the card itself: the toast is the
    /// presser's alone.
    fn tell_room_later(&self, integration: IntegrationId, action: &CardAction, allowed: &Allowed) {
        let (deck, card, chat_id) = (self.clone(), action.message_id.clone(), action.chat_id.clone());
        let (op, name) = (allowed.op, allowed.name.clone());
        self.inner.tasks.spawn(async move {
            const TOLD: Phrase = phrase("{} acknowledged this.", "{} 已确认。");
            let kind = deck.inner.store.integration(&integration).await.map(|it| it.kind);
            let lang = if matches!(kind, Ok(ImKind::Lark)) { Lang::En } else { Lang::Zh };
            let text = TOLD.fill(lang, &[&name]);
            if let Some(chat_id) = chat_id {
                let draft = Draft { chat_id, text: text.clone(), reply_to: card.clone(), in_thread: false };
                if let Err(fault) = deck.send(&integration, draft).await {
                    tracing::warn!(%fault, "the room was not told of a press");
                }
            }
            let Some(card) = card else { return };
            match deck.show_on_card(&integration, &card, op, &format!("✅ {text}")).await {
                Ok(is_shown) => tracing::debug!(%card, is_shown, "a press on its card"),
                Err(fault) => tracing::warn!(%card, %fault, "a press is not shown on its card"),
            }
        });
    }

    async fn log_press(&self, action: &CardAction, verdict: &Verdict, name: Option<String>) {
        let target = action.message_id.as_ref().map_or_else(|| action.token.clone(), ToString::to_string);
        let mut row = NewOperation::ok(OPERATION, target);
        if !verdict.is_good() {
            row.result = OperationResult::Refused;
        }
        let who = name.or_else(|| action.operator.as_ref().map(ToString::to_string)).unwrap_or_default();
        row.reason = Some(format!("{}: {who}", verdict.code()));
        row.hint = (!verdict.is_good()).then(|| verdict.text(Lang::En));
        self.log(row).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_action_is_read_from_whatever_a_card_sets() {
        for value in
            [json!({"op": "ack"}), json!({"action": "acknowledge"}), json!("ack"), json!("{\"op\":\"ack\"}")]
        {
            assert_eq!(CardOp::of_value(&value), Ok(CardOp::Acknowledge), "{value}");
        }
        assert_eq!(CardOp::of_value(&json!({"op": "reboot"})), Err("reboot".to_owned()));
        for value in [json!(null), json!({}), json!(7), json!([1])] {
            assert_eq!(CardOp::of_value(&value), Err(String::new()), "{value}");
        }
    }

    #[test]
    fn every_verdict_is_said_in_both_languages() {
        let verdicts = [
            Verdict::Done(CardOp::Acknowledge),
            Verdict::Already { by: "Ann".into(), at: Timestamp::from_ms(0) },
            Verdict::Nobody,
            Verdict::NotLinked,
            Verdict::NoLicence,
            Verdict::RoomOver,
            Verdict::ReadOnly,
            Verdict::RoleTooLow { who: "ann".into(), role: Role::Viewer },
            Verdict::UnknownAction("reboot".into()),
        ];
        for verdict in verdicts {
            let toast = verdict.toast();
            let said = &toast["toast"]["i18n"];
            assert_ne!(said["zh_cn"], said["en_us"]);
            assert!(
                !said["zh_cn"].as_str().unwrap().is_empty()
                    && !said["en_us"].as_str().unwrap().contains("{}")
            );
        }
    }
}
