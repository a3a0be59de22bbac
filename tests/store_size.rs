//! How much of a disk messages take on each engine: what the guide says of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod common;
#[path = "common/postgres.rs"]
mod postgres;

use common::deck;
use larkdeck::{
    core::{
        integration::Receive,
        message::{Mention, NewMessage, Sender, SenderKind, Via},
        time::Timestamp,
    },
    service::{CheckMode, Opening},
    store::{Incoming, IngestItem},
};

const MESSAGES: usize = 100_000;

/// What people write during an incident: some words, now and then somebody's name.
fn message(number: usize) -> NewMessage {
    let is_to_somebody = number.is_multiple_of(5);
    let mentions = is_to_somebody.then(|| Mention {
        key: "@_user_1".into(),
        id: format!("ou_{:032x}", number % 50),
        name: "王伟".into(),
    });
    let to = if is_to_somebody { "@_user_1 " } else { "" };
    NewMessage {
        chat_id: format!("oc_{:032x}", number % 20).parse().unwrap(),
        message_id: format!("om_{number:032x}").parse().unwrap(),
        root_id: None,
        parent_id: None,
        thread_id: None,
        sender: Sender {
            id: format!("ou_{:032x}", number % 97),
            name: Some("Ann".into()),
            kind: SenderKind::User,
        },
        msg_type: "text".into(),
        content: format!(
            "{{\"text\":\"{to}支付网关 p99 is back to {number} ms after the rollback of build {number}\"}}"
        ),
        mentions: mentions.into_iter().collect(),
        created_at: Timestamp::from_ms(1_700_000_000_000 + i64::try_from(number).unwrap() * 250),
        updated_at: None,
        edited: false,
        recalled: false,
    }
}

async fn load(opening: Opening) {
    let deck = opening.open().await.unwrap();
    let draft = deck::draft("http://127.0.0.1:9", "cli_1", "an app secret", Receive::Both);
    let id = deck.add_integration(draft, CheckMode::NoCheck).await.unwrap().integration.id;
    for first in (0..MESSAGES).step_by(200) {
        let items = (first..first + 200).map(|number| IngestItem {
            integration: id.clone(),
            event_id: Some(format!("{number:032x}")),
            via: Via::Live,
            what: Incoming::Message { message: message(number), own: false },
        });
        deck.store().ingest(items.collect()).await.unwrap();
    }
    deck.shut().await;
}

fn each(bytes: u64) -> u64 {
    bytes / u64::try_from(MESSAGES).unwrap()
}

/// `cargo test --test store_size -- --ignored --nocapture` prints the figures of docs/TEAM.md.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute"]
async fn a_message_takes_what_the_guide_says() {
    let folder = tempfile::tempdir().unwrap();
    load(deck::opening(folder.path(), "ann")).await;
    let file = each(std::fs::metadata(folder.path().join("larkdeck.db")).unwrap().len());
    println!("SQLite: {file} bytes a message");
    assert!((300..=1_200).contains(&file), "{file}");

    let Some(database) = postgres::database().await else { return };
    load(Opening { store_url: database.url(), ..deck::opening(folder.path(), "ann") }).await;
    let mut conn = database.connect().await;
    let tables: Vec<(String, i64, i64)> = sqlx::query_as(
        "select relname::text, pg_total_relation_size(oid), (xpath('/row/c/text()',
            query_to_xml(format('select count(*) as c from %I', relname), false, true, '')))[1]::text::bigint
         from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
         order by 2 desc limit 8",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    for (table, bytes, rows) in &tables {
        println!(
            "PostgreSQL: {table}: {rows} rows, {} bytes a message",
            each(u64::try_from(*bytes).unwrap())
        );
    }
    let all = each(tables.iter().map(|(_, bytes, _)| u64::try_from(*bytes).unwrap()).sum());
    println!("PostgreSQL: {all} bytes a message");
    assert!((300..=1_800).contains(&all), "{all}");
}
