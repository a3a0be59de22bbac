//! The gateway as a process: what it prints, what it answers, how it ends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod common;

use common::{Home, Sim, serve::Gateway};

#[test]
fn the_first_line_says_where_it_listens_and_the_urls_of_every_integration() {
    let sim = Sim::start(&[]);
    let home = Home::new();
    home.add(&sim);
    let gateway = Gateway::start(&home, &["--public-url", "https://deck.test/larkdeck/"]);
    let shown = &gateway.first_line["integrations"];
    assert_eq!(shown.as_array().unwrap().len(), 1);
    let id =
        home.run(&["integration", "show", "--json"]).expect(0).object()["id"].as_str().unwrap().to_owned();
    assert_eq!(shown[0]["name"], "ops");
    assert_eq!(shown[0]["web_config_url"], format!("https://deck.test/larkdeck/i/{id}/"));
    assert_eq!(shown[0]["redirect_url"], format!("https://deck.test/larkdeck/i/{id}/redirect"));
    assert_eq!(shown[0]["message_card_request_url"], format!("https://deck.test/larkdeck/i/{id}/event"));
    // Both for a proxy that takes the prefix off and for one that leaves it.
    assert_eq!(gateway.get("/healthz").status, 200);
    assert_eq!(gateway.get("/larkdeck/healthz").status, 200);
    assert_eq!(gateway.get("/elsewhere").status, 404);
    assert_eq!(gateway.running.end("TERM"), Some(0));
}

#[test]
fn without_a_public_url_the_urls_begin_with_its_own_address() {
    let sim = Sim::start(&[]);
    let home = Home::new();
    home.add(&sim);
    let gateway = Gateway::start(&home, &["--no-long-connection"]);
    let url = gateway.first_line["integrations"][0]["redirect_url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{}/i/", gateway.listening)), "{url}");
    assert_eq!(gateway.running.end("INT"), Some(130));
}

#[test]
fn an_address_that_is_taken_is_said_at_once() {
    let home = Home::new();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let ran = home.run(&["serve", "--listen", &address]).expect(3);
    assert!(ran.stderr.contains("cannot listen"), "{ran:?}");
    assert!(home.run(&["serve", "--listen", "nowhere"]).expect(2).stderr.contains("listen"));
}
