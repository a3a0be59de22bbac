//! The long connection and the webhook together.

use larkdeck::{
    core::{
        ids::Seq,
        integration::{LiveState, Receive},
    },
    service::LiveMode,
    sim::{Scenario, Sim, SimOptions, Speech, Way, WebhookPlan},
};

use crate::{
    common::{PATIENCE, deck},
    stand::{Serving, send_card},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_by_both_ways_is_there_once() {
    let sim = Sim::start(SimOptions::local(Scenario::still().unwrap())).await.unwrap();
    let (access, control) = (sim.access().clone(), sim.control());
    let chat = control.chats()[0].0.clone();
    let folder = tempfile::tempdir().unwrap();
    let deck = deck::open(folder.path(), "serve").await;
    let id = deck::connect(&deck, &access, Receive::Both).await;
    let serving = Serving::start(&deck, LiveMode::TakePart).await;
    let mut changes = deck.follow(Seq(0));
    let live = async {
        while deck.integration("ops").await.unwrap().live.state != LiveState::Live {
            changes.next().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, live).await.expect("live");

    // Every event twice by both ways, the second time in another order.
    let url = format!("{}/i/{id}/event", serving.url);
    let plan = WebhookPlan { mode: Way::Both, url, ..WebhookPlan::default() };
    control.set_webhook("", plan).await.unwrap();
    let mut said = Vec::new();
    for round in 1..=5 {
        for _ in 0..20 {
            let speech = Speech { chat: chat.clone(), text: "rolling back".into(), ..Speech::default() };
            said.push(control.say(&speech).unwrap());
        }
        // 7 and the number of messages have no divisor in common.
        for at in (0..20).map(|at| (at * 7 + round) % 20) {
            control.repeat(&said[(round - 1) * 20 + at]).unwrap();
        }
    }
    assert!(control.wait_acked(PATIENCE).await, "{:?}", control.counters());
    assert_eq!(control.counters().acked, 400);
    let stored = deck.history(&chat.parse().unwrap(), None, 0).await.unwrap();
    let mut ids: Vec<String> = stored.iter().map(|one| one.body.message_id.to_string()).collect();
    ids.sort();
    let mut wanted: Vec<String> = control.messages(&chat).into_iter().map(|(id, ..)| id).collect();
    wanted.sort();
    assert_eq!(ids, wanted);

    // A press by the long connection is judged by the same code as one by webhook.
    let cards = chat.clone();
    tokio::task::spawn_blocking(move || send_card(&access, &cards)).await.unwrap();
    let pressed = control.press("", "").await.unwrap();
    let toast = pressed.answer.unwrap()["toast"].clone();
    assert_eq!((toast["type"].as_str(), pressed.code), (Some("error"), Some(200)), "{toast}");
    assert!(toast["i18n"]["zh_cn"].as_str().unwrap().contains("工作台"), "{toast}");
    serving.end().await;
    deck.shut().await;
    drop(sim);
}
