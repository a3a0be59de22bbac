//! A room that was disbanded without a word is found, by one call, once it is silent for longer than usual.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{
    super::{Access, CheckMode, Deck, DeckSettings, IntegrationDraft, KeyOrigin, Opening, deck::lock},
    fill::Filler,
    intake::Intake,
    lease::Held,
    rhythm::Rhythm,
    sink::Sink,
};
use crate::{
    core::{
        ids::ChatId,
        integration::{Holder, ImKind, Receive},
        room::RoomStatus,
        secret::Secret,
        time::{Clock, SystemClock, Timestamp},
    },
    sim::{Scenario, Sim, SimOptions, Speech},
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

async fn open(folder: &std::path::Path, clock: Arc<Ahead>) -> Deck {
    let opening = Opening {
        store_url: format!("sqlite:{}", folder.join("larkdeck.db").display()),
        key: KeyOrigin::Ephemeral,
        month_limit: None,
        quota_zone: jiff::tz::TimeZone::UTC,
        me: Holder { user: "ann".into(), host: "test".into(), pid: 1 },
        reader: "ann@test".into(),
        settings: DeckSettings::default(),
        access: Access::Write,
        clock,
    };
    opening.open().await.unwrap()
}

#[tokio::test]
async fn a_room_disbanded_without_a_word_is_found_when_it_falls_silent() {
    let sim = Sim::start(SimOptions::local(Scenario::still().unwrap())).await.unwrap();
    let (access, control) = (sim.access(), sim.control());
    let chat: ChatId = control.chats()[0].0.parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Ahead::default());
    let deck = open(folder.path(), clock.clone()).await;
    let draft = IntegrationDraft {
        name: "ops".into(),
        kind: ImKind::Feishu,
        app_id: Some(access.app_id.clone()),
        base_url: Some(access.base_url.clone()),
        app_secret: Some(Secret::new(access.app_secret.clone())),
        encrypt_key: None,
        verification_token: None,
        receive: Receive::LongConnection,
    };
    let id = deck.add_integration(draft, CheckMode::Check).await.unwrap().integration.id;
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
