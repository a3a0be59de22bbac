//! What a console that quits leaves behind.

use super::*;
use crate::{app::model::Pane, test_deck};

/// Nothing of it has run yet when the console asks for it and ends.
#[tokio::test]
async fn the_session_of_a_console_that_quits_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let deck = test_deck::open(folder.path(), "ann").await;
    let (sender, _events) = mpsc::channel(64);
    let runtime = Runtime::start(deck, sender);
    let session = Session { pane: Pane::Quota, zoomed: true, ..Session::default() };
    let ask = Ask::SaveSession(Box::new(session.clone()));
    runtime.perform(Effect::Ask { id: EffectId(1), ask });
    runtime.stop().await;
    let deck = test_deck::open(folder.path(), "ann").await;
    assert_eq!(Runtime::last_session(&deck).await, session);
    deck.shut().await;
}
