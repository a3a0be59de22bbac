//! Overlays: opening, closing, choosing.

use super::Turn;
use crate::{
    app::{
        busy::Topic,
        effect::Ask,
        event::ConsolesView,
        keymap,
        model::{Field, Help, LinkStage, Overlay, Palette, React, RoomFocus},
    },
    core::emoji::CHOICES,
};

impl Turn<'_> {
    pub(super) fn show_help(&mut self) {
        if matches!(self.m.overlay(), Some(Overlay::Help(_))) {
            return;
        }
        let contexts = keymap::contexts(self.m);
        let rows = keymap::help(self.m, &contexts);
        self.m.overlays.push(Overlay::Help(Help { rows, scroll: 0 }));
    }

    pub(super) fn show_palette(&mut self) {
        let rows = keymap::palette(self.m, "");
        let palette = Palette { input: tui_input::Input::default(), rows, selected: 0 };
        self.m.overlays.push(Overlay::Palette(palette));
    }

    /// What is typed in the palette has changed: other rows. Judged for what lies under the palette.
    pub(super) fn filter_palette(&mut self) {
        let Some(Overlay::Palette(mut palette)) = self.m.overlays.pop() else { return };
        palette.rows = keymap::palette(self.m, palette.input.value());
        palette.selected = 0;
        self.m.overlays.push(Overlay::Palette(palette));
    }

    pub(super) fn run_from_palette(&mut self) {
        let Some(Overlay::Palette(palette)) = self.m.overlays.last() else { return };
        let command = palette.rows.get(palette.selected).map(|row| row.command);
        if let Some(command) = command {
            self.m.overlays.pop();
            self.run(command);
        }
    }

    /// Who is connected, as of now.
    pub(super) fn show_consoles(&mut self) {
        if matches!(self.m.overlay(), Some(Overlay::Consoles(..))) {
            return;
        }
        self.m.overlays.push(Overlay::Consoles(None, 0));
        self.load_consoles();
    }

    pub(super) fn load_consoles(&mut self) {
        self.ask_latest(Topic::Consoles, Ask::LoadConsoles);
    }

    pub(super) fn take_consoles(&mut self, found: Box<ConsolesView>) {
        let shown = self.m.overlays.iter_mut().find_map(|overlay| match overlay {
            Overlay::Consoles(shown, _) => Some(shown),
            _ => None,
        });
        if let Some(shown) = shown {
            *shown = Some(found);
            self.m.touch();
        }
    }

    /// Takes away the top overlay. Linking that is under way goes on behind it.
    pub(super) fn close_overlay(&mut self) {
        match self.m.overlays.pop() {
            Some(Overlay::Link(flow)) => {
                let runs = matches!(flow.stage, LinkStage::Running(..));
                if flow.stage == LinkStage::Planning {
                    self.m.busy.forget(&Topic::Plan);
                }
                self.m.linking = runs.then_some(flow);
            }
            // What is being saved cannot be taken back.
            Some(Overlay::Form(form)) if form.is_saving => self.m.overlays.push(Overlay::Form(form)),
            _ => {}
        }
    }

    /// Enter in an overlay.
    pub(super) fn open_in_overlay(&mut self) {
        match self.m.overlays.last() {
            Some(Overlay::Palette(_)) => self.run_from_palette(),
            Some(Overlay::Form(form)) if form.focus == Field::Save => self.save_form(),
            Some(Overlay::Form(_)) => self.move_field(1),
            Some(Overlay::Confirm(confirm)) if confirm.typed_name.is_some() => self.accept(),
            Some(Overlay::Confirm(confirm)) if confirm.risk != crate::app::command::Risk::Destroy => {
                self.accept()
            }
            Some(Overlay::Link(flow)) => match flow.stage {
                LinkStage::Preview(_) => self.run_link(),
                LinkStage::Finished(_) => self.open_result(),
                LinkStage::Failed(_) => self.close_overlay(),
                LinkStage::Planning | LinkStage::Running(..) => {}
            },
            Some(Overlay::React(_)) => self.react(true),
            Some(Overlay::Confirm(_)) | None => {}
            Some(_) => self.close_overlay(),
        }
    }

    pub(super) fn select_overlay_row(&mut self, row: usize) {
        match self.m.overlays.last_mut() {
            Some(Overlay::Palette(palette)) if row < palette.rows.len() => palette.selected = row,
            Some(Overlay::Form(form)) if !form.is_saving => {
                if let Some(field) = Field::ALL.get(row).filter(|field| form.has(**field)) {
                    form.focus = *field;
                }
            }
            Some(Overlay::Link(flow)) => match &flow.stage {
                LinkStage::Finished(outcome) if row < outcome.results.len() => flow.selected = row,
                _ => {}
            },
            Some(Overlay::React(react)) if row < CHOICES.len() => react.selected = row,
            _ => {}
        }
    }

    pub(super) fn show_reactions(&mut self) {
        let Some(room) = self.m.room.as_ref() else { return };
        let Some(message) = room.current_message() else { return };
        let react = React {
            chat_id: room.chat_id.clone(),
            message: crate::app::event::Place {
                at: message.created_at,
                message_id: message.message_id.clone(),
            },
            message_id: message.message_id.clone(),
            excerpt: super::window::excerpt(&message.text),
            selected: 0,
        };
        self.m.rooms.focus = RoomFocus::Transcript;
        self.m.overlays.push(Overlay::React(react));
    }

    /// Adds the chosen reaction, or takes the bot's own back.
    pub(super) fn react(&mut self, add: bool) {
        let Some(Overlay::React(react)) = self.m.overlays.pop() else { return };
        let Some(emoji) = CHOICES.get(react.selected) else { return };
        let ask = Ask::React {
            chat_id: react.chat_id,
            message_id: react.message_id,
            emoji: (*emoji).to_owned(),
            add,
        };
        self.ask(if add { Topic::React } else { Topic::Unreact }, ask);
    }
}
