//! Copying, and plain text to select by hand. What goes out is always safe text.

use std::fmt::Write as _;

use super::Turn;
use crate::{
    app::{
        effect::TerminalEffect,
        event::CopyOutcome,
        model::{DetailRow, Item, ItemBody, LinkStage, Overlay, Pane, PlainText, RoomFocus, URLS},
        phrase::role_word,
    },
    core::{
        error::Fault,
        lang::{Phrase, phrase},
        operation::Operation,
        role::Role,
        text::SafeText,
    },
};

impl Turn<'_> {
    pub(super) fn copy(&mut self) {
        if let Some(text) = self.selected_text() {
            self.copy_text(&text);
        }
    }

    fn copy_text(&mut self, text: &str) {
        let text = SafeText::block(text).to_string();
        self.m.copied.clone_from(&text);
        self.tell(TerminalEffect::CopyText(text));
    }

    pub(super) fn copy_message(&mut self) {
        if let Some(row) = self.m.users.current() {
            let text = self.message_for(row);
            self.copy_text(&text);
        }
    }

    pub(super) fn tell_copy(&mut self, outcome: CopyOutcome) {
        match outcome {
            CopyOutcome::SentToTerminal => self.toast(crate::app::model::Level::Ok, SENT),
            CopyOutcome::ShowPlain => {
                let text = SafeText::block(&self.m.copied);
                self.m.overlays.push(Overlay::Plain(PlainText { text, scroll: 0 }));
            }
        }
    }

    /// Plain text of what is selected; of the transcript, all that is loaded.
    pub(super) fn show_plain(&mut self) {
        let is_room = self.m.pane == Pane::Rooms && self.m.overlays.is_empty();
        let text = if is_room { Some(self.transcript_text()) } else { self.selected_text() };
        if let Some(text) = text {
            let text = SafeText::block(&text);
            self.m.overlays.push(Overlay::Plain(PlainText { text, scroll: 0 }));
        }
    }

    fn transcript_text(&self) -> String {
        let mut out = String::new();
        let Some(room) = &self.m.room else { return out };
        for item in &room.items {
            let at = self.m.short_time(super::window::at_of(&item.key));
            match &item.body {
                ItemBody::Message(message) => _ = writeln!(out, "{at} {}: {}", message.sender, message.text),
                ItemBody::Outgoing(outgoing, text) => _ = writeln!(out, "{at} {}: {text}", outgoing.author),
                ItemBody::Seam(_) => {}
            }
        }
        out
    }

    fn selected_text(&self) -> Option<String> {
        match self.m.overlay() {
            Some(Overlay::Member(detail)) if detail.message.is_empty() => Some(detail.row.name.to_string()),
            Some(Overlay::Member(detail)) => Some(detail.message.clone()),
            Some(Overlay::Operation(operation, _)) => Some(operation_text(operation)),
            Some(Overlay::Fault(fault, _)) => Some(fault_text(fault)),
            Some(Overlay::Press(verdict, _)) => Some(verdict.said(self.m.lang).to_owned()),
            Some(Overlay::Qr(qr)) => Some(qr.url.clone()),
            Some(Overlay::Plain(plain)) => Some(plain.text.to_string()),
            Some(Overlay::Link(flow)) => match &flow.stage {
                LinkStage::Finished(outcome) => {
                    let lang = self.m.lang;
                    let lines = outcome.results.iter().map(|result| match result.reason {
                        Some(reason) => format!("{}: {}", result.name, reason.text().get(lang)),
                        None => format!("{}: {}", result.name, LINKED.get(lang)),
                    });
                    Some(lines.collect::<Vec<_>>().join("\n"))
                }
                LinkStage::Failed(fault) => Some(fault_text(fault)),
                _ => None,
            },
            Some(Overlay::Consoles(Some(found), _)) => {
                let role = |role: Role| role_word(role).get(self.m.lang);
                let consoles = found.consoles.iter();
                let lines = consoles
                    .map(|row| format!("{} (pid {}): {}", row.holder, row.holder.pid, role(row.role)));
                Some(lines.collect::<Vec<_>>().join("\n"))
            }
            Some(Overlay::Check(state)) => state.report.as_ref().map(|report| {
                let lines = report.lines.iter().map(|line| format!("{}: {}", line.what, line.detail));
                lines.collect::<Vec<_>>().join("\n")
            }),
            Some(_) => None,
            None => self.text_in_pane(),
        }
    }

    fn text_in_pane(&self) -> Option<String> {
        match self.m.pane {
            Pane::Integrations => {
                let item = self.m.integrations.current()?;
                let row = DetailRow::ALL.get(self.m.integrations.detail)?;
                match URLS.iter().find(|info| info.row == *row) {
                    Some(info) => item.row.urls.as_ref().map(|urls| (info.get)(urls).to_owned()),
                    None => item.row.integration.app.as_ref().map(|app| app.app_id().to_string()),
                }
            }
            Pane::Users => {
                let row = self.m.users.current()?;
                Some(self.message_for(row)).filter(|text| !text.is_empty())
            }
            Pane::Rooms => {
                let room = self.m.room.as_ref()?;
                let thread = room.thread.as_ref().filter(|_| self.m.rooms.focus == RoomFocus::Thread);
                match thread {
                    Some(thread) => {
                        let texts = thread.items.iter().filter_map(Item::message);
                        let lines = texts.map(|message| format!("{}: {}", message.sender, message.text));
                        Some(lines.collect::<Vec<_>>().join("\n"))
                    }
                    None => match &room.current()?.body {
                        ItemBody::Message(message) => Some(message.text.to_string()),
                        ItemBody::Outgoing(_, text) => Some(text.to_string()),
                        ItemBody::Seam(_) => None,
                    },
                }
            }
            Pane::Log => self.m.log.current().map(|row| operation_text(&row.operation)),
            Pane::Quota => None,
        }
    }
}

/// A fault in full: what, code, log id, scopes, what to do.
fn fault_text(fault: &Fault) -> String {
    let mut out = fault.message.clone();
    if let Some(code) = fault.code {
        _ = write!(out, "\ncode {code}");
    }
    if let Some(log_id) = &fault.log_id {
        _ = write!(out, "\nlog_id {log_id}");
    }
    if !fault.missing_scopes.is_empty() {
        _ = write!(out, "\nscopes {}", fault.missing_scopes.join(", "));
    }
    if let Some(hint) = &fault.hint {
        _ = write!(out, "\n{hint}");
    }
    out
}

fn operation_text(operation: &Operation) -> String {
    let mut out = format!(
        "{} {} {} {} {}",
        operation.at,
        operation.author,
        operation.operation,
        operation.target,
        operation.result.as_str()
    );
    let code = operation.code.map(|code| format!("code {code}"));
    let log_id = operation.log_id.as_ref().map(|id| format!("log_id {id}"));
    for line in [code, log_id, operation.reason.clone(), operation.hint.clone()].into_iter().flatten() {
        _ = write!(out, "\n{line}");
    }
    out
}

const SENT: Phrase = phrase("Sent to the terminal's clipboard.", "已发送到终端剪贴板。");
const LINKED: Phrase = phrase("linked", "已关联");
