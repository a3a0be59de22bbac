//! `larkdeck link invite`: from the command to "linked by login", and every way in which a link is no good.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod common;

use common::{Home, Sim, browser::Browser, http::Answer, serve::Gateway};
use serde_json::{Value, json};

/// A store with two members whom the platform does not know by phone or email.
struct Place {
    home: Home,
    gateway: Gateway,
    _sim: Sim,
}

impl Place {
    fn new() -> Self {
        let (home, sim) = (Home::new(), Sim::start(&[]));
        home.add(&sim);
        for name in ["Guest", "Other"] {
            home.run(&["member", "add", name]).expect(0);
        }
        let gateway = Gateway::start(&home, &[]);
        sim.order("redirect", &json!({"urls": [gateway.url("redirect_url")]}));
        Self { home, gateway, _sim: sim }
    }

    fn public(&self) -> [(&'static str, &str); 1] {
        [("LARKDECK_SERVER_PUBLIC_URL", &self.gateway.listening)]
    }

    #[track_caller]
    fn invite(&self, member: &str) -> String {
        let ran = self.home.run_with(&["link", "invite", member, "--json"], &self.public()).expect(0);
        let invited = ran.object();
        assert_eq!(invited["member"]["name"], member);
        assert!(invited["expires_at"].is_string(), "{invited}");
        let url = invited["url"].as_str().unwrap().to_owned();
        assert!(url.starts_with(&self.gateway.url("web_config_url")), "{url}");
        url
    }

    fn member(&self, name: &str) -> Value {
        self.home.run(&["member", "list", "--search", name, "--json"]).expect(0).objects().remove(0)
    }
}

/// Opens an invitation, chooses to go on, and signs in as `who`.
fn follow(url: &str, who: &str) -> Answer {
    let mut browser = Browser::default();
    let asked = browser.visit(url);
    let Some((_, rest)) = asked.body.split_once("href=\"login?invitation=") else { return asked };
    let token = rest.split_once('"').unwrap().0;
    browser.sign_in(&format!("login?invitation={token}"), who)
}

#[track_caller]
fn assert_page(answer: &Answer, status: u16, words: &str) {
    assert!(answer.status == status && answer.body.contains(words), "{status} {words}: {answer:?}");
}

#[test]
fn an_invitation_links_whom_it_names_once() {
    let place = Place::new();
    let (url, second) = (place.invite("Guest"), place.invite("Guest"));
    let asked = Browser::default().visit(&url);
    assert_page(&asked, 200, "Are you Guest?");

    assert_page(&follow(&url, "王伟"), 200, "You are linked");
    let guest = place.member("Guest");
    assert_eq!((&guest["status"], &guest["origin"]), (&json!("linked"), &json!("login")));
    // Used: nobody is linked by it again, nor by another one of the same member.
    for used in [&url, &second] {
        assert_page(&follow(used, "李娜"), 410, "This invitation was used already");
    }
    let ran = place.home.run_with(&["link", "invite", "Guest"], &place.public());
    assert!(ran.code != 0 && ran.stderr.contains("Guest"), "{ran:?}");

    // An account that is another member's stays there.
    let other = place.invite("Other");
    assert_page(&follow(&other, "王伟"), 409, "Your account is linked to another member");
    assert_eq!(place.member("Other")["status"], "unlinked");
    assert_eq!(place.member("Guest")["open_id"], guest["open_id"]);
    assert_page(&follow(&other, "李娜"), 200, "You are linked");

    let shown = place.home.run(&["log", "--json"]).expect(0).stdout;
    let secret = url.split_once("?t=").unwrap().1;
    assert!(shown.contains("member.invite") && !shown.contains(secret), "the log has no link in it");
}

#[test]
fn what_is_no_invitation_any_more_says_so() {
    let place = Place::new();
    let url = place.invite("Guest");
    let (rest, last) = url.split_at(url.len() - 1);
    let forged = format!("{rest}{}", if last == "A" { "B" } else { "A" });
    assert_page(&follow(&forged, "王伟"), 404, "This invitation is not known here");
    let removed = place.invite("Other");
    place.home.run(&["member", "remove", "Other"]).expect(0);
    assert_page(&follow(&removed, "王伟"), 410, "The invited member is gone");
    expire_all(&place.home);
    assert_page(&follow(&url, "王伟"), 410, "This invitation has ended");
    assert_eq!(place.member("Guest")["status"], "unlinked");
    assert_page(&follow(&place.invite("Guest"), "王伟"), 200, "You are linked");
}

/// A week passes for every invitation of the store.
fn expire_all(home: &Home) {
    use sqlx::{Connection as _, SqliteConnection};
    let path = home.path("data/larkdeck/larkdeck.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut store = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
        let week = 7 * 24 * 3600 * 1000;
        let done = sqlx::query("update invitation set expires_at = expires_at - ?").bind(week);
        assert_eq!(done.execute(&mut store).await.unwrap().rows_affected(), 2);
    });
}
