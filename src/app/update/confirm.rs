//! Questions: what a yes does. The targets are those of the moment when the question was asked.

use super::Turn;
use crate::app::{
    busy::Topic,
    effect::Ask,
    model::{ConfirmAsk, IntegrationFocus, Level, Overlay, Pane},
};
use crate::core::lang::{Phrase, phrase};

impl Turn<'_> {
    /// Yes. Where a name has to be typed, only with that name.
    pub(super) fn accept(&mut self) {
        let Some(Overlay::Confirm(confirm)) = self.m.overlays.last() else { return };
        if let Some((name, typed)) = &confirm.typed_name
            && typed.value().trim() != name.as_str().trim()
        {
            return self.toast(Level::Info, TYPE_NAME);
        }
        let ask = confirm.ask.clone();
        self.m.overlays.pop();
        match ask {
            ConfirmAsk::RemoveIntegration(id) => {
                self.ask(Topic::Remove(id.clone()), Ask::RemoveIntegration(id));
            }
            ConfirmAsk::SetWarRoom(integration, on) => {
                self.ask(Topic::WarRoom(integration.clone()), Ask::SetWarRoom { integration, on });
            }
            ConfirmAsk::JumpTo(id) => {
                self.m.pane = Pane::Integrations;
                self.m.integrations.selected = Some(id);
                self.m.integrations.focus = IntegrationFocus::List;
            }
            ConfirmAsk::Unlink(integration, members) => {
                self.ask(Topic::Unlink, Ask::Unlink { integration, members });
            }
            ConfirmAsk::UndoLink(integration, batch) => {
                self.m.overlays.retain(|overlay| !matches!(overlay, Overlay::Link(_)));
                self.ask(Topic::Unlink, Ask::UndoLink { integration, batch });
            }
            ConfirmAsk::Paste(chat, text) => {
                if self.m.room.as_ref().is_some_and(|room| room.chat_id == chat) {
                    self.type_text(&text);
                }
            }
            ConfirmAsk::DiscardSend(chat_id, uuid) => {
                let ask = Ask::DiscardSend { chat_id: chat_id.clone(), uuid: uuid.clone() };
                if self.ask(Topic::Outgoing(chat_id), ask).is_some() {
                    self.hide_outgoing(&uuid);
                }
            }
            ConfirmAsk::AllowWrites => {
                self.ask(Topic::Access, Ask::AllowWrites);
            }
            ConfirmAsk::CancelLink(id) => {
                self.ask(Topic::Cancel, Ask::CancelLink(id));
            }
        }
    }
}

const TYPE_NAME: Phrase = phrase("Type the name exactly, then Enter.", "请准确输入名称，然后按回车。");
