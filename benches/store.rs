//! What the store costs, beside what SQLite itself costs in the same run.
//!
//! `cargo bench --bench store [-- MESSAGES]`. Every figure is printed next to the floor or the limit that was
//! measured beside it; nothing is asserted.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use larkdeck::{
    core::{
        ids::{AppKey, ChatId, IntegrationId},
        integration::{AppCredentials, Holder, ImKind, Receive},
        member::LinkOrigin,
        message::{NewMessage, Sender, SenderKind, Via},
        secret::Secret,
        time::{SystemClock, Timestamp},
    },
    store::{
        Anchor, Incoming, IngestItem, LinkChange, MemberRow, NewIntegration, Reader, Store, StoreOptions,
        StoreUrl,
        key::{KeyRing, KeySource},
    },
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

const ROOMS: usize = 300;
const MEMBERS: usize = 100_000;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let messages = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(20_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(messages))
}

async fn run(messages: usize) -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("larkdeck-bench-store-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = measure(&folder, messages).await;
    std::fs::remove_dir_all(&folder)?;
    done
}

async fn measure(folder: &Path, messages: usize) -> Result<(), Failure> {
    line("what", "here", "beside it");
    let floor = raw_floor(&folder.join("floor.db"), messages).await?;
    let store = open(folder).await?;
    let integration = store.add_integration(new_integration()?).await?.id;

    let alone = (messages / 20).max(100);
    let took = one_by_one(&store, &integration, alone).await?;
    let single = rate(alone, took);
    line("events committed, one at a time (a commit each)", &per_s(single), "");
    let took = in_flight(&store, &integration, alone, messages).await?;
    let grouped = rate(messages, took);
    line("events committed, 256 in flight (grouped)", &per_s(grouped), &format!("raw {}", per_s(floor)));
    line("  grouped / one at a time", &format!("{:.1} x", grouped / single), "");
    line("  grouped / raw rows of the engine", &format!("{:.0} %", 100.0 * grouped / floor), "");

    let other = open(folder).await?;
    latency(&store, &other, &integration, alone + messages).await?;
    reading(&other, &integration).await?;
    roster(&store, &other, &integration).await?;
    store.close().await;
    other.close().await;
    opening(folder).await
}

async fn open(folder: &Path) -> Result<Store, Failure> {
    let url = StoreUrl::Sqlite(folder.join("store.db"));
    let keys = KeyRing::load(KeySource::File(folder.join("key")), Some(&url))?;
    let me = Holder { user: "bench".to_owned(), host: "here".to_owned(), pid: std::process::id() };
    Ok(Store::open(StoreOptions { url, create: true, me, name: None }, keys, Arc::new(SystemClock)).await?)
}

fn new_integration() -> Result<NewIntegration, Failure> {
    Ok(NewIntegration {
        name: "bench".to_owned(),
        kind: ImKind::Feishu,
        app: Some(AppCredentials {
            key: AppKey { base_url: "https://open.feishu.cn".into(), app_id: "cli_bench".parse()? },
            app_secret: Secret::new("0123456789abcdef"),
            encrypt_key: None,
            verification_token: None,
        }),
        receive: Receive::LongConnection,
    })
}

/// Ids look as random as the platform's: the index on them is what costs.
fn id_text(number: usize) -> String {
    let mixed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("om_{mixed:016x}{:016x}", mixed.rotate_left(29) ^ 0x5bd1_e995)
}

fn chat(number: usize) -> Result<ChatId, Failure> {
    Ok(format!("oc_{:032x}", number % ROOMS).parse()?)
}

fn content(number: usize) -> String {
    format!(
        "{{\"text\":\"p99 of checkout is back to {number} ms, 正在回滚 2026.11.24-rc1 to the last good build\"}}"
    )
}

fn item(integration: &IntegrationId, number: usize) -> Result<IngestItem, Failure> {
    let message = NewMessage {
        chat_id: chat(number)?,
        message_id: id_text(number).parse()?,
        root_id: None,
        parent_id: None,
        thread_id: None,
        sender: Sender { id: format!("ou_{:032x}", number % 40), name: None, kind: SenderKind::User },
        msg_type: "text".to_owned(),
        content: content(number),
        mentions: Vec::new(),
        created_at: Timestamp::from_ms(1_700_000_000_000 + i64::try_from(number)?),
        updated_at: None,
        edited: false,
        recalled: false,
    };
    let what = Incoming::Message { message, own: false };
    Ok(IngestItem { integration: integration.clone(), event_id: None, via: Via::Live, what })
}

/// The engine alone: the same rows and indexes, 64 rows a statement, 256 a commit, nothing around it.
async fn raw_floor(path: &Path, messages: usize) -> Result<f64, Failure> {
    let mut conn = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
        .synchronous(sqlx::sqlite::SqliteSynchronous::Full)
        .disable_statement_logging()
        .connect()
        .await?;
    let tables =
        "create table message (message_id text not null, chat_id text not null, created_at integer not null,
            sender_id text not null, content text not null);
        create unique index message_id on message (message_id);
        create index message_place on message (chat_id, created_at)";
    sqlx::raw_sql(tables).execute(&mut conn).await?;
    let marks: Vec<String> = (0..64)
        .map(|row| {
            format!(
                "(${}, ${}, ${}, ${}, ${})",
                row * 5 + 1,
                row * 5 + 2,
                row * 5 + 3,
                row * 5 + 4,
                row * 5 + 5
            )
        })
        .collect();
    let text: Arc<str> = format!("insert into message values {}", marks.join(", ")).into();
    let began = Instant::now();
    let mut stored = 0;
    while stored < messages {
        sqlx::query("begin immediate").execute(&mut conn).await?;
        for _ in 0..4 {
            let mut query = sqlx::query(AssertSqlSafe(Arc::clone(&text)));
            for number in stored..stored + 64 {
                query = query
                    .bind(id_text(number))
                    .bind(chat(number)?.to_string())
                    .bind(i64::try_from(number)?)
                    .bind(format!("ou_{:032x}", number % 40))
                    .bind(content(number));
            }
            query.execute(&mut conn).await?;
            stored += 64;
        }
        sqlx::query("commit").execute(&mut conn).await?;
    }
    let took = began.elapsed();
    SqliteConnection::close(conn).await?;
    Ok(rate(stored, took))
}

async fn one_by_one(store: &Store, integration: &IntegrationId, count: usize) -> Result<Duration, Failure> {
    let began = Instant::now();
    for number in 0..count {
        store.ingest(vec![item(integration, number)?]).await?;
    }
    Ok(began.elapsed())
}

async fn in_flight(
    store: &Store,
    integration: &IntegrationId,
    first: usize,
    count: usize,
) -> Result<Duration, Failure> {
    let items =
        (first..first + count).map(|number| item(integration, number)).collect::<Result<Vec<_>, _>>()?;
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for item in items {
        if tasks.len() >= 256 {
            tasks.join_next().await.transpose()?.transpose()?;
        }
        let store = store.clone();
        tasks.spawn(async move { store.ingest(vec![item]).await });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(began.elapsed())
}

async fn latency(
    store: &Store,
    other: &Store,
    integration: &IntegrationId,
    first: usize,
) -> Result<(), Failure> {
    let mut watch = other.watch();
    let (mut from_call, mut from_commit) = (Vec::new(), Vec::new());
    for number in first..first + 300 {
        let item = item(integration, number)?;
        let began = Instant::now();
        store.ingest(vec![item]).await?;
        let committed = Instant::now();
        let head = store.head().await?;
        while watch.changed().await? < head {}
        from_call.push(began.elapsed());
        from_commit.push(committed.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    line(
        "event handed in to other handle woken, p50 / p99",
        &percentiles(&mut from_call),
        "goal <= 2 / 5 ms",
    );
    line("commit to other handle woken, p50 / p99", &percentiles(&mut from_commit), "");
    Ok(())
}

async fn reading(store: &Store, integration: &IntegrationId) -> Result<(), Failure> {
    let reader = Reader { name: "ann".to_owned(), open_ids: vec!["ou_ann".parse()?] };
    let (mut rooms, mut pages) = (Vec::new(), Vec::new());
    for number in 0..50 {
        let began = Instant::now();
        let listed = store.rooms(integration, &reader).await?.len();
        rooms.push(began.elapsed());
        let began = Instant::now();
        store.history(&chat(number)?, &Anchor::Latest, 60).await?;
        pages.push(began.elapsed());
        debug_assert_eq!(listed, ROOMS);
    }
    line("list of 300 rooms with unread counts, p50 / p99", &percentiles(&mut rooms), "");
    line("newest 60 messages of a room, p50 / p99", &percentiles(&mut pages), "");
    Ok(())
}

async fn roster(store: &Store, other: &Store, integration: &IntegrationId) -> Result<(), Failure> {
    let rows = (0..MEMBERS).map(|number| MemberRow {
        id: None,
        name: format!("Member {number} 成员"),
        email: Some(format!("member.{number}@example.com")),
        phone: Some(format!("+86138{number:08}")),
        team: Some("sre".to_owned()),
        licence: None,
    });
    let began = Instant::now();
    let imported = store.import_members(rows.collect()).await?;
    line("import of 100,000 members", &ms(began.elapsed()), "");
    let mut changes = Vec::new();
    for (number, one) in imported.iter().enumerate().filter(|(number, _)| number % 5 != 0) {
        let larkdeck::store::Imported::Added(member) = one else { continue };
        let open_id = Some(format!("ou_{number:032x}").parse()?);
        changes.push(LinkChange {
            member: member.clone(),
            open_id,
            origin: LinkOrigin::OneClick,
            reason: None,
        });
    }
    changes.truncate(2_000);
    let (links, began) = (changes.len(), Instant::now());
    store.apply_links(integration, "b_bench", changes).await?;
    line(&format!("{links} links with their journal"), &ms(began.elapsed()), "");
    let mut reads = Vec::new();
    for _ in 0..20 {
        let began = Instant::now();
        let (_, chunks) = other.roster(integration).await?;
        reads.push(began.elapsed());
        debug_assert_eq!(chunks.iter().map(|chunk| chunk.len()).sum::<usize>(), MEMBERS);
    }
    line("index of 100,000 members read, p50 / p99", &percentiles(&mut reads), "start <= 25 ms");
    let mut counts = Vec::new();
    for _ in 0..20 {
        let began = Instant::now();
        other.member_counts(integration).await?;
        counts.push(began.elapsed());
    }
    line("counts of the three filters, p50 / p99", &percentiles(&mut counts), "");
    Ok(())
}

async fn opening(folder: &Path) -> Result<(), Failure> {
    let mut opens = Vec::new();
    for _ in 0..20 {
        let began = Instant::now();
        let store = open(folder).await?;
        store.integrations().await?;
        opens.push(began.elapsed());
        store.close().await;
    }
    line("open the store and list integrations, p50 / p99", &percentiles(&mut opens), "start <= 25 ms");
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn per_s(rate: f64) -> String {
    format!("{rate:.0}/s")
}

fn ms(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1000.0)
}

fn percentiles(took: &mut [Duration]) -> String {
    took.sort_unstable();
    let at =
        |share: usize| took.get((took.len().saturating_sub(1)) * share / 100).copied().unwrap_or_default();
    format!("{:.2} / {:.2} ms", at(50).as_secs_f64() * 1000.0, at(99).as_secs_f64() * 1000.0)
}

#[expect(clippy::print_stdout, reason = "a bench prints")]
fn line(what: &str, here: &str, beside: &str) {
    println!("{what:<58} {here:>12} {beside:>18}");
}
