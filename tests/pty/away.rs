//! A console whose database is not there yet.

use crate::{
    home,
    postgres::{self, Settings, Stop},
    terminal::{PATIENCE, Start},
    wait_empty,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_says_why_it_waits_and_opens_once_the_database_is_there() {
    let Some(server) = postgres::start(&Settings::default()) else { return };
    let database = server.database().await;
    let (home, url) = (home(), database.url());
    let start = |args: &[&str]| Start::new(args, home.path()).with("LARKDECK_STORE", &url);
    let mut init = start(&["store", "init"]).start();
    assert_eq!(init.end(PATIENCE), 0);
    server.stop(Stop::Fast);

    let mut terminal = start(&["--lang", "en"]).start();
    terminal.wait_text("the console opens once it answers");
    assert!(terminal.text().contains("is away"), "{}", terminal.text());
    server.start();
    wait_empty(&mut terminal);
    let mut conn = database.connect().await;
    let sessions: i64 =
        sqlx::query_scalar("select count(*) from pg_stat_activity where application_name like 'larkdeck%'")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert!((2..=6).contains(&sessions), "{sessions} connections");
    terminal.type_keys("q");
    assert_eq!(terminal.end(PATIENCE), 0);
    terminal.assert_restored();

    server.stop(Stop::Fast);
    let mut waiting = start(&["--lang", "en"]).start();
    waiting.wait_text("the console opens once it answers");
    waiting.type_keys("\u{3}");
    assert_ne!(waiting.end(PATIENCE), 0, "by the signal");
    waiting.assert_restored();
}
