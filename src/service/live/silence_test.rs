//! A room that was disbanded without a word is found, by one call, once it is silent for longer than usual.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{
    super::{KeyOrigin, Opening, deck::lock},
    fill::Filler,
    intake::Intake,
    lease::Held,
    rhythm::Rhythm,
    sink::Sink,
};
use crate::{
    core::{
        ids::ChatId,
        integration::Receive,
        room::RoomStatus,
        time::{Clock, SystemClock, Timestamp},
    },
    sim::{Scenario, Sim, SimOptions, Speech},
    test_deck,
};

/// The machine's clocks, set ahead by hand.
#[derive(Default)]
struct Ahead(Mutex<Duration>);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(*lock(&self.0))
    }
    fn instant(&self) -> Instant {
        SystemClock.instant() + *lock(&self.0)
    }
}

#[tokio::test]
async fn a_room_disbanded_without_a_word_is_found_when_it_falls_silent() {
    let sim = Sim::start(SimOptions::local(Scenario::still().unwrap())).await.unwrap();
    let (access, control) = (sim.access(), sim.control());
    let chat: ChatId = control.chats()[0].0.parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Ahead::default());
    let opening = Opening {
        key: KeyOrigin::Ephemeral,
        clock: clock.clone(),
        ..test_deck::opening(folder.path(), "ann")
    };
    let deck = opening.open().await.unwrap();
    let id = test_deck::connect(&deck, access, Receive::LongConnection).await;
    deck.refresh_rooms(&id).await.unwrap();
    for text in ["one", "two", "three"] {
        control.say(&Speech { chat: chat.to_string(), text: text.into(), ..Speech::default() }).unwrap();
    }
    deck.fetch_older(&id, &chat, None).await.unwrap();

    let app = deck.app_of(&id).await.unwrap();
    let sink = Sink {
        deck: deck.clone(),
        integration: id.clone(),
        app: app.clone(),
        held: Arc::new(Held::new(1, clock.instant(), CancellationToken::new())),
        rhythm: Rhythm::new(clock.instant(), std::time::Duration::from_secs(120)).into(),
        heard_at: Default::default(),
        intake: Intake::new(deck.clone(), id.clone(), app),
    };
    let filler = Filler::new(Arc::new(sink), deck.client(&id).await.unwrap());
    control.disband_silently(chat.as_str()).unwrap();
    let status = async || deck.room(&id, &chat).await.unwrap().status;
    filler.look_at_silence().await;
    assert_eq!(status().await, RoomStatus::Open, "nobody asks while it may just be quiet");
    *lock(&clock.0) = Duration::from_secs(11 * 60);
    filler.look_at_silence().await;
    assert_eq!(status().await, RoomStatus::Disbanded);
    let log = deck.operations(None, 10).await.unwrap();
    assert!(
        log.iter().any(|row| row.operation == "room.disbanded" && row.target == chat.as_str()),
        "{log:?}"
    );
    assert!(!deck.history(&chat, None, 0).await.unwrap().is_empty(), "its history stays");
    deck.shut().await;
}
