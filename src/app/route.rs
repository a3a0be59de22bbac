//! From what happened to what to do.

use super::{
    action::{Action, AnswerBox},
    event::{Event, Mouse, MouseKind},
    key::Key,
    keymap::{Keymap, contexts},
    model::Model,
};

/// Rows that one turn of the wheel moves.
const WHEEL_ROWS: i32 = 3;

/// Decides what `event` means where the model is now.
pub fn route(model: &Model, keymap: &Keymap, event: Event) -> Vec<Action> {
    let action = match event {
        Event::Started => Action::Start,
        Event::KeyPressed(key) => of_key(model, keymap, key),
        Event::Pasted(text) => Action::Paste(text),
        Event::MouseUsed(mouse) => return of_mouse(model, mouse).into_iter().collect(),
        Event::Resized(size) => Action::Resize(size),
        Event::FocusChanged(on) => Action::SetFocus(on),
        Event::Painted(painted) => Action::TakePainted(painted),
        Event::Ticked(now) => Action::Tick(now),
        Event::Answered { id, answer } => Action::Receive { id, answer: Box::new(AnswerBox(*answer)) },
        Event::Failed { id, fault } => Action::Fail { id, fault },
        Event::LinkProgressed { id, progress } => Action::ShowLinkProgress { id, progress },
        Event::FeedArrived(batch) => Action::Merge(batch),
        Event::LiveChanged { integration, live } => Action::SetLive { integration, live },
        Event::QuotaChanged(report) => Action::SetQuota(report),
        Event::RoleChanged(role) => Action::SetRole(role),
        Event::StoreReached(health) => Action::SetStore(health),
        Event::Noticed(fault) => Action::Notice(fault),
        Event::Copied(outcome) => Action::TellCopy(outcome),
    };
    vec![action]
}

fn of_key(model: &Model, keymap: &Keymap, key: Key) -> Action {
    let contexts = contexts(model);
    match keymap.resolve(&contexts, key) {
        Some(command) => Action::Run(command),
        None if contexts.first().is_some_and(|context| context.types_text()) => Action::Type(key),
        None => Action::Ignore(key),
    }
}

fn of_mouse(model: &Model, mouse: Mouse) -> Option<Action> {
    if !model.mouse {
        return None;
    }
    let mut hits = model.painted.hits.iter().rev().filter(|hit| hit.area.contains(mouse.column, mouse.row));
    match mouse.kind {
        MouseKind::Click => hits.find_map(|hit| hit.click.clone()),
        MouseKind::WheelUp => {
            hits.find_map(|hit| hit.wheel).map(|target| Action::Scroll { target, rows: -WHEEL_ROWS })
        }
        MouseKind::WheelDown => {
            hits.find_map(|hit| hit.wheel).map(|target| Action::Scroll { target, rows: WHEEL_ROWS })
        }
    }
}
