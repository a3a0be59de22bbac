//! What each action does to the model, and what is to be done outside for it.

use super::{action::Action, effect::Effect, model::Model};

/// Does `action` to the model. Total, synchronous, deterministic.
pub fn update(_model: &mut Model, _action: Action) -> Vec<Effect> {
    Vec::new()
}
