//! The way to the database is as safe as the URL says: whom the built program takes for the database, and what it
//! says to whoever it does not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

#[path = "common/authority.rs"]
mod authority;
mod common;
#[path = "common/postgres.rs"]
mod postgres;

use authority::{Authority, Holds, Signed};
use common::{Home, Ran, Sim, serve::Gateway};
use postgres::{PASSWORD, Server, Settings, Tls, USER};

/// Linux takes it for this host, and larkdeck for one that has to prove who it is.
const ELSEWHERE: &str = "0.0.0.0";

fn server(shown: &Signed, clients: &Authority, hba: Option<&str>) -> Option<Server> {
    let tls = Tls { cert: &shown.cert, key: &shown.key, clients: &clients.cert() };
    postgres::start(&Settings { tcp: true, no_fsync: true, tls: Some(tls), hba, ..Settings::default() })
}

fn home() -> Home {
    let mut home = Home::new();
    home.variables.push(("LARKDECK_STORE_PASSWORD", PASSWORD.to_owned()));
    home
}

fn url(server: &Server, host: &str, parameters: &str) -> String {
    format!("postgres://{USER}@{host}:{}/postgres{parameters}", server.port())
}

fn store(home: &Home, url: &str, command: &str) -> Ran {
    home.run(&["--store", url, "store", command])
}

/// The program ends with "configuration", names the store and the reason, and says what helps.
#[track_caller]
fn refused(ran: Ran, reason: &str, way_out: &str) {
    let ran = ran.expect(3);
    for part in ["no safe connection to the database of the store postgres://", reason, way_out] {
        assert!(ran.stderr.contains(part), "{part:?} is not in: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains(PASSWORD), "{}", ran.stderr);
}

#[test]
fn a_database_has_to_prove_who_it_is_unless_it_is_on_this_host_or_less_was_asked_for() {
    let (ours, other) = (Authority::new(), Authority::new());
    let shown = ours.sign("db", &["localhost", "127.0.0.1", ELSEWHERE], Holds::ForADay);
    let Some(server) = server(&shown, &ours, None) else { return };
    let home = home();
    let roots = home.write("ca.pem", &ours.cert()).display().to_string();
    let wrong = home.write("other.pem", &other.cert()).display().to_string();
    let at = |host: &str, parameters: &str| url(&server, host, parameters);

    store(&home, &at(ELSEWHERE, &format!("?sslrootcert={roots}")), "init").expect(0);
    for (host, parameters) in [
        ("localhost", format!("?sslmode=verify-full&sslrootcert={roots}")),
        ("127.0.0.1", format!("?sslmode=verify-ca&sslrootcert={roots}")),
        (ELSEWHERE, format!("?sslmode=require&sslrootcert={roots}")),
        // Encrypted, whoever it is; not even that; and what a local way gets by itself.
        (ELSEWHERE, "?sslmode=require".to_owned()),
        (ELSEWHERE, "?sslmode=disable".to_owned()),
        ("localhost", String::new()),
    ] {
        store(&home, &at(host, &parameters), "check").expect(0);
    }
    // Authorities of the system, and what libpq's variables say.
    home.run_with(&["--store", &at(ELSEWHERE, ""), "store", "check"], &[("SSL_CERT_FILE", &roots)]).expect(0);
    home.run_with(&["--store", &at(ELSEWHERE, ""), "store", "check"], &[("PGSSLROOTCERT", &roots)]).expect(0);

    let by_nobody = "signed by nobody who is trusted here";
    let name_it = "?sslrootcert=";
    refused(store(&home, &at(ELSEWHERE, ""), "check"), by_nobody, name_it);
    refused(store(&home, &at("localhost", "?sslmode=verify-full"), "check"), by_nobody, name_it);
    for mode in ["", "&sslmode=verify-ca", "&sslmode=require"] {
        let url = at(ELSEWHERE, &format!("?sslrootcert={wrong}{mode}"));
        refused(store(&home, &url, "check"), by_nobody, name_it);
    }
    let by_variable = [("PGSSLMODE", "require"), ("PGSSLROOTCERT", wrong.as_str())];
    let ran = home.run_with(&["--store", &at(ELSEWHERE, ""), "store", "check"], &by_variable);
    refused(ran, by_nobody, name_it);

    let missing = home.path("nowhere.pem").display().to_string();
    let ran = store(&home, &at(ELSEWHERE, &format!("?sslrootcert={missing}")), "check");
    refused(ran, &missing, "names a PEM file");
    let empty = home.write("empty.pem", "").display().to_string();
    let ran = store(&home, &at(ELSEWHERE, &format!("?sslrootcert={empty}")), "check");
    refused(ran, "there is no certificate in it", "names a PEM file");
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    let ours = Authority::new();
    let shown = ours.sign("db", &["db.larkdeck.test"], Holds::ForADay);
    let Some(server) = server(&shown, &ours, None) else { return };
    let home = home();
    let roots = home.write("ca.pem", &ours.cert()).display().to_string();
    let ran = store(&home, &url(&server, ELSEWHERE, &format!("?sslrootcert={roots}")), "init");
    refused(ran, "db.larkdeck.test", "Write the host of the URL as it stands in the certificate");
    // Whoever asks for the authority alone gets that.
    let url = url(&server, ELSEWHERE, &format!("?sslmode=verify-ca&sslrootcert={roots}"));
    store(&home, &url, "init").expect(0);
}

#[test]
fn a_certificate_that_has_expired_is_refused() {
    let ours = Authority::new();
    let shown = ours.sign("db", &[ELSEWHERE], Holds::UntilYesterday);
    let Some(server) = server(&shown, &ours, None) else { return };
    let home = home();
    let roots = home.write("ca.pem", &ours.cert()).display().to_string();
    for mode in ["", "&sslmode=verify-ca"] {
        let ran = store(&home, &url(&server, ELSEWHERE, &format!("?sslrootcert={roots}{mode}")), "init");
        refused(ran, "has expired", "clock of this host");
    }
}

#[test]
fn a_certificate_of_an_authority_is_no_servers() {
    let ours = Authority::new();
    let Some(server) = server(&ours.itself(), &ours, None) else { return };
    let home = home();
    let roots = home.write("ca.pem", &ours.cert()).display().to_string();
    let ran = store(&home, &url(&server, ELSEWHERE, &format!("?sslrootcert={roots}")), "init");
    refused(ran, "an authority's own", "CA:FALSE");
}

#[test]
fn a_database_without_tls_is_refused() {
    let settings = Settings { tcp: true, no_fsync: true, ..Settings::default() };
    let Some(server) = postgres::start(&settings) else { return };
    let home = home();
    let ran = store(&home, &url(&server, ELSEWHERE, ""), "init");
    refused(ran, "does not speak TLS", "sslmode=disable");
    store(&home, &url(&server, "127.0.0.1", "?sslmode=prefer"), "init").expect(0);
}

#[test]
fn a_login_may_be_a_certificate() {
    let (ours, other) = (Authority::new(), Authority::new());
    let shown = ours.sign("db", &[ELSEWHERE], Holds::ForADay);
    let hba = "hostssl all all 127.0.0.1/32 cert\n";
    let Some(server) = server(&shown, &ours, Some(hba)) else { return };
    // No password anywhere.
    let home = Home::new();
    let roots = home.write("ca.pem", &ours.cert()).display().to_string();
    let login = |authority: &Authority, name: &str| {
        let (cert, key) = authority.sign(USER, &[], Holds::ForADay).write(&home.path(""), name);
        (format!("?sslrootcert={roots}&sslcert={}&sslkey={}", cert.display(), key.display()), key)
    };
    let (right, key) = login(&ours, "right");
    store(&home, &url(&server, ELSEWHERE, &right), "init").expect(0);
    store(&home, &url(&server, ELSEWHERE, &right), "check").expect(0);

    let (stranger, _) = login(&other, "stranger");
    let ran = store(&home, &url(&server, ELSEWHERE, &stranger), "check");
    refused(ran, "the database ends the handshake", "sslcert and sslkey");
    let without = store(&home, &url(&server, ELSEWHERE, &format!("?sslrootcert={roots}")), "check").expect(3);
    assert!(without.stderr.contains("certificate"), "{}", without.stderr);
    let half = format!("?sslrootcert={roots}&sslkey={}", key.display());
    refused(
        store(&home, &url(&server, ELSEWHERE, &half), "check"),
        "only one is named",
        "sslcert and sslkey",
    );
    common::expose(&key);
    let wanted = if rustix::process::geteuid().is_root() { 640 } else { 600 };
    let chmod = format!("chmod {wanted} {}", key.display());
    refused(store(&home, &url(&server, ELSEWHERE, &right), "check"), "others can read it", &chmod);
}

/// All of a gateway's connections go the same way: those that read and write, the one that listens, the ledger's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connection_is_encrypted_and_there_are_no_more_than_the_guide_says() {
    let ours = Authority::new();
    let shown = ours.sign("db", &[ELSEWHERE], Holds::ForADay);
    let Some(server) = server(&shown, &ours, None) else { return };
    let sim = Sim::start(&[]);
    let mut home = home();
    let roots = home.write("ca.pem", &ours.cert()).display().to_string();
    home.variables.push(("LARKDECK_STORE", url(&server, ELSEWHERE, &format!("?sslrootcert={roots}"))));
    home.run(&["store", "init"]).expect(0);
    home.add(&sim);
    let gateway = Gateway::start(&home, &[]);
    let mut watcher = server.named("postgres").connect().await;
    let mut sessions = async || -> Vec<(bool, String)> {
        sqlx::query_as(
            "select s.ssl, a.query from pg_stat_activity a join pg_stat_ssl s using (pid)
             where a.application_name like 'larkdeck%'",
        )
        .fetch_all(&mut watcher)
        .await
        .unwrap()
    };
    let patience = std::time::Instant::now();
    loop {
        let found = sessions().await;
        assert!(found.iter().all(|(is_encrypted, _)| *is_encrypted), "{found:?}");
        assert!(found.len() <= 6, "{found:?}");
        let listens = found.iter().any(|(_, query)| query.starts_with("listen"));
        if listens && found.len() >= 4 && gateway.get("/readyz").status == 200 {
            break;
        }
        assert!(patience.elapsed() < common::PATIENCE, "{found:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(gateway.running.end("TERM"), Some(0));
}
