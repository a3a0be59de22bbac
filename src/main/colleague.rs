//! Somebody else on call in the demo: writes as the bot now and then, as another console on the store would, so
//! that outbox, log and call budget have something to show.

use std::time::Duration;

use larkdeck::{
    core::{ids::IntegrationId, room::RoomStatus},
    service::{Deck, Draft},
};

const FIRST_AFTER: Duration = Duration::from_secs(5);
const EVERY: Duration = Duration::from_secs(20);

/// A part of a room's name, and what is written there.
const LINES: [(&str, &str); 6] = [
    ("支付网关", "收到，on-call 已接手，我盯着渠道 B 的线程池。"),
    ("replication", "Writes to orders-db are throttled to 60 % until the replica catches up."),
    ("支付网关", "对外公告已发，下一次更新 15 分钟后。"),
    ("Cert renewal", "The new chain is on the canary edge; watching handshake errors."),
    ("replication", "Failover stays off the table while the lag is above 30 s."),
    ("支付网关", "渠道 A 的 QPS 2,150，离上限还有余量。"),
];

/// Writes until the deck is closed.
pub(crate) async fn work(deck: Deck, integration: IntegrationId) {
    tokio::time::sleep(FIRST_AFTER).await;
    for (name, text) in LINES.iter().cycle() {
        let rooms = deck.rooms(&integration).await.unwrap_or_default();
        let room = rooms.into_iter().find(|room| room.status == RoomStatus::Open && room.name.contains(name));
        if let Some(room) = room {
            let draft =
                Draft { chat_id: room.chat_id, text: (*text).to_owned(), reply_to: None, in_thread: false };
            // A read-only demo refuses it: nobody is on call there but the person who looks.
            if deck.send(&integration, draft).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}
