//! A store of every older version, with rows in all of its tables, is brought up to date and has everything that was in
//! it; and what becomes of processes that are older than the store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod common;
#[path = "migration/database.rs"]
mod database;
#[path = "migration/newer.rs"]
mod newer;
#[path = "common/postgres.rs"]
mod postgres;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use common::deck;
use larkdeck::{
    core::{
        ids::{ChatId, IntegrationId, MemberId, MessageId},
        integration::Receive,
        member::{Filter, LinkOrigin},
        message::{Mention, NewMessage, Sender, SenderKind, Via},
        secret::Secret,
        time::Timestamp,
    },
    service::{CheckMode, Deck, IntegrationDraft, MemberDraft, Opening},
    store::{Incoming, IngestItem, LinkChange},
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _, SqliteConnection};

const CHAT: &str = "oc_1";

/// What no verb of the service leaves behind, or only for moments.
const LOOSE_ROWS: &str = "
    insert into early_recall values ('om_early', 1) on conflict do nothing;
    insert into seam values (900001, 'oc_1', 1000, 2000, 3, 'thread_replies');
    update lease set epoch = 7, beat = 42, holder_user = 'ann', holder_host = 'bastion', holder_pid = 12;
    insert into outbox values ('u-1', (select id from integration), 'oc_1', null, 0, 'on my way', 'ann@bastion',
        'ann', 'bastion', 12, '1', 'failed', null, 'no way', 1000, 2000);
    insert into login_state values ('hash of a state', 99);
    insert into session values ('hash of a session', (select id from integration), 'cli_1', 'ou_1', 'Ann', 3, 1, 2, 99);
    insert into invitation values ('hash of one', (select id from integration), (select min(id) from member), 1, 99, null);
    insert into press values ((select id from integration), 'om_1', 'ack', (select min(id) from member), 'Ann', 77);
    insert into role values ('ann@test', 'admin', 'ann@test', 5);
    insert into feed_mark values (1, 1000) on conflict do nothing;
    insert into process (holder_user, holder_host, holder_pid, holder_start, ring, keys, seen_at)
        values ('old', 'elsewhere', 1, '1', 'a file', 'k1', 1) on conflict do nothing;
";

fn scripts(engine: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/migrations").join(engine);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite:{}?mode=rwc", path.display())).await.unwrap()
}

async fn run(conn: &mut SqliteConnection, script: &str) {
    conn.execute(sqlx::raw_sql(AssertSqlSafe(script.to_owned())))
        .await
        .unwrap_or_else(|error| panic!("{error}: {script}"));
}

async fn texts(conn: &mut SqliteConnection, query: &str) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(query.to_owned())).fetch_all(conn).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// The tables of a file with their columns.
async fn tables(conn: &mut SqliteConnection) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for table in texts(conn, "select name from main.sqlite_master where type = 'table'").await {
        let columns = texts(conn, &format!("select name from pragma_table_info('{table}', 'main')")).await;
        found.insert(table, columns);
    }
    found
}

/// Every row of the given columns, written out.
async fn dump(conn: &mut SqliteConnection, table: &str, columns: &[String]) -> Vec<String> {
    let row: Vec<String> = columns.iter().map(|column| format!("quote({column})")).collect();
    let mut rows = texts(conn, &format!("select {} from main.{table}", row.join(" || ',' || "))).await;
    rows.sort();
    rows
}

fn message(number: u32) -> NewMessage {
    NewMessage {
        chat_id: CHAT.parse().unwrap(),
        message_id: format!("om_{number}").parse().unwrap(),
        root_id: (number == 2).then(|| "om_1".parse().unwrap()),
        parent_id: (number == 2).then(|| "om_1".parse().unwrap()),
        thread_id: (number == 2).then(|| "omt_1".parse().unwrap()),
        sender: Sender { id: "ou_1".into(), name: Some("Ann".into()), kind: SenderKind::User },
        msg_type: "text".into(),
        content: format!("{{\"text\":\"@_user_1 line {number}\"}}"),
        mentions: vec![Mention { key: "@_user_1".into(), id: "ou_2".into(), name: "王伟".into() }],
        created_at: Timestamp::from_ms(1_700_000_000_000 + i64::from(number)),
        updated_at: None,
        edited: number == 3,
        recalled: false,
    }
}

/// Fills a store of today by its own verbs.
async fn fill(opening: Opening) {
    let deck = opening.open().await.unwrap();
    let draft = IntegrationDraft {
        encrypt_key: Some(Secret::new("an encrypt key")),
        verification_token: Some(Secret::new("a token")),
        ..deck::draft("http://127.0.0.1:9", "cli_1", "an app secret", Receive::Both)
    };
    let id = deck.add_integration(draft, CheckMode::NoCheck).await.unwrap().integration.id;
    let mut members: Vec<MemberId> = Vec::new();
    for name in ["Ann", "王伟", "Ben"] {
        let (email, phone) = (format!("{name}@x.test"), (name != "Ben").then(|| "+8613800000042".to_owned()));
        let draft = MemberDraft {
            name: name.into(),
            email: Some(email),
            phone,
            team: Some("SRE".into()),
            ..Default::default()
        };
        members.push(deck.add_member(draft).await.unwrap().id);
    }
    let links = (1..).zip(&members).map(|(n, member)| LinkChange {
        member: member.clone(),
        open_id: Some(format!("ou_{n}").parse().unwrap()),
        origin: LinkOrigin::OneClick,
        reason: None,
    });
    deck.store().apply_links(&id, "b_1", links.collect()).await.unwrap();
    deck.unlink(&id, &members[2..]).await.unwrap();

    let chat: ChatId = CHAT.parse().unwrap();
    let first: MessageId = "om_1".parse().unwrap();
    let item = |event: &str, what| IngestItem {
        integration: id.clone(),
        event_id: Some(event.to_owned()),
        via: Via::Webhook,
        what,
    };
    let mut items: Vec<IngestItem> = (1..=3)
        .map(|n| item(&format!("e{n}"), Incoming::Message { message: message(n), own: n == 3 }))
        .collect();
    items.push(item(
        "e4",
        Incoming::Reaction {
            message_id: first.clone(),
            emoji: "OK".into(),
            operator: "ou_2".into(),
            added: true,
        },
    ));
    items.push(item(
        "e5",
        Incoming::MembersAdded {
            chat_id: chat.clone(),
            people: vec![("ou_1".parse().unwrap(), "Ann".into())],
        },
    ));
    deck.store().ingest(items).await.unwrap();
    deck.store().know_room_from(&id, &chat, Timestamp::from_ms(1_700_000_000_000)).await.unwrap();
    let place = (Timestamp::from_ms(1_700_000_000_001), first);
    deck.mark_read(&chat, &place).await.unwrap();
    deck.put_session("pane", "users").await.unwrap();
    deck.shut().await;
}

/// A table's columns and rows.
type Table = (Vec<String>, Vec<String>);

/// A file as a program of that version left it, with what the store of today has of its columns.
async fn older(path: &Path, version: usize, today: &Path) -> BTreeMap<String, Table> {
    let mut conn = connect(path).await;
    for script in &scripts("sqlite")[..version] {
        run(&mut conn, &std::fs::read_to_string(script).unwrap()).await;
    }
    run(&mut conn, &format!("pragma application_id = 1818325611; pragma user_version = {version}")).await;
    run(&mut conn, &format!("attach '{}' as today", today.display())).await;
    let tables = tables(&mut conn).await;
    let mut rows = BTreeMap::new();
    for (table, columns) in tables {
        let names = columns.join(", ");
        run(&mut conn, &format!("insert into main.{table} ({names}) select {names} from today.{table}"))
            .await;
        let all = dump(&mut conn, &table, &columns).await;
        assert!(!all.is_empty(), "no row in {table}: give it one in this test");
        rows.insert(table, (columns, all));
    }
    conn.close().await.unwrap();
    rows
}

/// What the service says of all that is in a store.
async fn everything(opening: Opening) -> String {
    let deck: Deck = opening.open().await.unwrap();
    let mut said = String::new();
    let view = deck.integration("ops").await.unwrap();
    let id: IntegrationId = view.integration.id.clone();
    let secrets = deck.store().credentials(&id).await.unwrap();
    let reveal = |secret: Option<Secret>| secret.map(|secret| secret.reveal().to_owned());
    writeln!(said, "{view:?}").unwrap();
    writeln!(
        said,
        "{} {:?} {:?}",
        secrets.app_secret.reveal(),
        reveal(secrets.encrypt_key),
        reveal(secrets.verification_token)
    )
    .unwrap();
    let members = deck.member_list(Some(&id), Filter::All, "").await.unwrap();
    writeln!(said, "{members:#?}").unwrap();
    writeln!(said, "{:#?}", deck.store().link_batches(&id, 100).await.unwrap()).unwrap();
    writeln!(said, "{:#?}", deck.rooms(&id).await.unwrap()).unwrap();
    let chat: ChatId = CHAT.parse().unwrap();
    writeln!(said, "{:#?}", deck.room_members(&id, &chat).await.unwrap()).unwrap();
    writeln!(said, "{:#?}", deck.transcript(&id, &chat, Default::default(), 100).await.unwrap()).unwrap();
    let log = deck.operations_since(None).await.unwrap();
    writeln!(said, "{log:#?} {:?}", deck.session("pane").await.unwrap()).unwrap();
    deck.shut().await;
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn every_older_version_is_brought_up_to_date_with_all_that_is_in_it() {
    let today = tempfile::tempdir().unwrap();
    fill(deck::opening(today.path(), "ann")).await;
    let mut conn = connect(&today.path().join("larkdeck.db")).await;
    run(&mut conn, LOOSE_ROWS).await;
    conn.close().await.unwrap();
    // Looked at once, so that what opening itself writes is in both.
    let expected = everything(deck::opening(today.path(), "ann")).await;
    assert!(expected.contains("an encrypt key") && expected.contains("line 3") && expected.contains("王伟"));
    for version in 1..=scripts("sqlite").len() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(today.path().join("key"), folder.path().join("key")).unwrap();
        let path = folder.path().join("larkdeck.db");
        let before = older(&path, version, &today.path().join("larkdeck.db")).await;
        assert_eq!(everything(deck::opening(folder.path(), "ann")).await, expected, "from version {version}");

        let mut conn = connect(&path).await;
        let found: i64 = sqlx::query("pragma user_version").fetch_one(&mut conn).await.unwrap().get(0);
        assert_eq!(usize::try_from(found).unwrap(), scripts("sqlite").len());
        for (table, (columns, rows)) in before {
            // It tells a file from its copy, and which processes live.
            if ["store_meta", "process"].contains(&table.as_str()) {
                continue;
            }
            let now = dump(&mut conn, &table, &columns).await;
            assert_eq!(now, rows, "{table} since version {version}");
        }
        conn.close().await.unwrap();
    }
}
