//! What the gateway says of itself.

use larkdeck::{
    core::integration::Receive,
    service::{CheckMode, IntegrationEdit},
};

use crate::{
    common::http,
    stand::{KEY, Request, Stand, message},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_asks_the_store_and_the_way_events_come() {
    let stand = Stand::new().await;
    let base = stand.base.clone();
    let ready = async || {
        let base = base.clone();
        tokio::task::spawn_blocking(move || http::get(&base, "/readyz")).await.unwrap()
    };
    assert_eq!(ready().await.status, 200);
    let edit = IntegrationEdit { receive: Some(Receive::LongConnection), ..IntegrationEdit::default() };
    stand.deck.edit_integration(&stand.id, edit, CheckMode::NoCheck).await.unwrap();
    let answer = ready().await;
    assert_eq!((answer.status, answer.body.contains("receiving: 0 of 1")), (503, true), "{answer:?}");
    stand.deck.store().close().await;
    assert_eq!(ready().await.status, 503);
    assert_eq!(stand.send(&Request::event(KEY, &message(1))).await.status, 503);
    stand.serving.end().await;
}
