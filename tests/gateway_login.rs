//! Signing in over real HTTP, at the simulated platform: who is linked, who is refused and why, and what a
//! browser can and cannot do with what it holds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod common;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use common::http::{self, Answer};
use larkdeck::{
    core::{
        ids::{IntegrationId, MemberId},
        integration::{Holder, ImKind, Receive},
        member::{LinkOrigin, Member},
        operation::{Operation, OperationResult},
        secret::Secret,
        time::{Clock, SystemClock, Timestamp},
    },
    server::{Bound, ServeOptions, Server},
    service::{
        Access, CheckMode, Deck, DeckSettings, IntegrationDraft, KeyOrigin, LiveMode, MemberDraft,
        MemberQuery, Opening,
    },
    sim::{Control, PersonChange, Scenario, SignIn, Sim, SimOptions},
};
use tokio_util::sync::CancellationToken;

const MINUTE_MS: i64 = 60_000;
const WANG: &str = "王伟";
const WANG_EMAIL: &str = "wang.wei@lumenpay.example";

/// The machine's clock, moved by a test.
struct Moved(AtomicI64);

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(SystemClock.now().ms() + self.0.load(Ordering::SeqCst))
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }
}

/// A platform, a gateway and its deck.
struct Place {
    _sim: Sim,
    folder: tempfile::TempDir,
    control: Control,
    deck: Deck,
    clock: Arc<Moved>,
    integration: IntegrationId,
    listening: String,
    prefix: String,
    stop: CancellationToken,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn open(folder: &Path, user: &str, public_url: &str, clock: Arc<dyn Clock>) -> Deck {
    let me = Holder { user: user.into(), host: "test".into(), pid: std::process::id() };
    Opening {
        store_url: format!("sqlite:{}", folder.join("larkdeck.db").display()),
        key: KeyOrigin::File(folder.join("key")),
        month_limit: None,
        quota_zone: jiff::tz::TimeZone::UTC,
        me,
        reader: format!("{user}@test"),
        settings: DeckSettings { public_url: Some(public_url.to_owned()), ..DeckSettings::default() },
        access: Access::Write,
        clock,
    }
    .open()
    .await
    .unwrap()
}

impl Place {
    async fn new(prefix: &str, scopes: &[&str]) -> Self {
        let mut scenario = Scenario::still().unwrap();
        scenario.app.scopes.extend(scopes.iter().map(|&scope| scope.to_owned()));
        let sim = Sim::start(SimOptions::local(scenario)).await.unwrap();
        let control = sim.control();
        let folder = tempfile::tempdir().unwrap();
        let bound = Bound::take("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
        let listening = bound.url();
        let public_url = format!("{listening}{prefix}");
        let clock = Arc::new(Moved(AtomicI64::new(0)));
        let deck = open(folder.path(), "gate", &public_url, clock.clone()).await;
        let access = sim.access();
        let draft = IntegrationDraft {
            name: "ops".into(),
            kind: ImKind::Feishu,
            app_id: Some(access.app_id.clone()),
            base_url: Some(access.base_url.clone()),
            app_secret: Some(Secret::new(access.app_secret.clone())),
            encrypt_key: None,
            verification_token: None,
            receive: Receive::Webhook,
        };
        let view = deck.add_integration(draft, CheckMode::Check).await.unwrap();
        control.set_redirect_urls("", &[&view.urls.as_ref().unwrap().redirect_url]).unwrap();
        let options = ServeOptions {
            trust_forwarded: false,
            live: LiveMode::FollowOnly,
            zone: jiff::tz::TimeZone::UTC,
        };
        let stop = CancellationToken::new();
        tokio::spawn(Server::new(bound, deck.clone(), options).run(stop.clone()));
        let integration = view.integration.id;
        let place = Self {
            _sim: sim,
            folder,
            control,
            deck,
            clock,
            integration,
            listening,
            prefix: prefix.to_owned(),
            stop,
        };
        place.sits(WANG);
        place
    }

    /// Everything that a login may tell.
    async fn telling() -> Self {
        Self::new("", &["contact:user.email:readonly", "contact:user.phone:readonly"]).await
    }

    /// Who sits at the browser and agrees.
    fn sits(&self, who: &str) {
        self.control.set_sign_in(Some(SignIn { who: who.to_owned(), refuses: false }));
    }

    async fn add(&self, name: &str, email: Option<&str>, phone: Option<&str>) -> MemberId {
        let draft = MemberDraft {
            id: None,
            name: name.into(),
            email: email.map(str::to_owned),
            phone: phone.map(str::to_owned),
            team: Some("SRE".into()),
        };
        self.deck.add_member(draft).await.unwrap().id
    }

    async fn member(&self, id: &MemberId) -> Member {
        self.deck.member(Some(&self.integration), id).await.unwrap()
    }

    async fn log(&self) -> Vec<Operation> {
        self.deck.operations_since(None).await.unwrap()
    }

    async fn refusals(&self) -> Vec<String> {
        let rows = self.log().await.into_iter().filter(|row| row.operation == "member.login");
        rows.map(|row| {
            assert_eq!(row.result, OperationResult::Refused);
            row.reason.unwrap()
        })
        .collect()
    }

    fn page(&self) -> String {
        format!("{}/i/{}/", self.prefix, self.integration)
    }

    /// The phone and the email of somebody at the platform.
    fn contact(&self, name: &str) -> (String, String) {
        let csv = self.control.members_csv();
        let line = csv.lines().find(|line| line.starts_with(&format!("\"{name}\""))).unwrap();
        let fields: Vec<&str> = line.split(',').map(|field| field.trim_matches('"')).collect();
        (fields[1].to_owned(), fields[2].to_owned())
    }
}

/// A browser with cookies, for the gateway alone.
#[derive(Clone, Default)]
struct Browser {
    cookies: BTreeMap<String, String>,
    keeps_none: bool,
}

impl Browser {
    fn cookie_header(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn request(&mut self, place: &Place, method: &str, path: &str, body: &str) -> Answer {
        let cookies = self.cookie_header();
        let mut headers = vec![("accept-language", "en")];
        if !cookies.is_empty() {
            headers.push(("cookie", &cookies));
        }
        if method == "POST" {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
        }
        let answer = http::request(&place.listening, method, path, &headers, body.as_bytes());
        self.keep(place, &answer);
        assert_private(&answer);
        answer
    }

    fn keep(&mut self, place: &Place, answer: &Answer) {
        for (_, text) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, rest) = text.split_once('=').unwrap();
            let (value, rest) = rest.split_once(';').unwrap();
            assert!(rest.contains("HttpOnly") && rest.contains("SameSite=Lax"), "{text}");
            assert!(rest.contains(&format!("Path={};", place.page())), "{text}");
            if rest.contains("Max-Age=0;") {
                self.cookies.remove(name);
            } else if !self.keeps_none {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn get(&mut self, place: &Place, path: &str) -> Answer {
        self.request(place, "GET", path, "")
    }

    fn login_cookies(&self) -> Vec<String> {
        self.cookies.keys().filter(|name| name.starts_with("larkdeck_login_")).cloned().collect()
    }

    fn session(&self) -> Option<&String> {
        self.cookies.get("larkdeck_session")
    }

    /// Begins at `path` and goes as far as the platform's answer: the path that the platform sends it to.
    fn go_to_platform(&mut self, place: &Place, path: &str) -> String {
        let begun = self.get(place, path);
        assert_eq!(begun.status, 303, "{begun:?}");
        let authorize = begun.header("location").unwrap().to_owned();
        let (base, path) = split(&authorize);
        assert_ne!(base, place.listening);
        let agreed = http::get(&base, &path);
        assert_eq!(agreed.status, 302, "{agreed:?}");
        let (base, path) = split(agreed.header("location").unwrap());
        assert_eq!(base, place.listening);
        assert!(path.starts_with(&format!("{}redirect?", place.page())), "{path}");
        path
    }

    /// Begins at `path` and follows to the end.
    fn sign_in_at(&mut self, place: &Place, path: &str) -> Answer {
        let back = self.go_to_platform(place, path);
        let answer = self.get(place, &back);
        match answer.header("location") {
            None => answer,
            Some(next) => {
                assert_eq!(next, "./?signed-in");
                self.get(place, &format!("{}?signed-in", place.page()))
            }
        }
    }

    fn sign_in(&mut self, place: &Place) -> Answer {
        self.sign_in_at(place, &place.page())
    }
}

fn split(url: &str) -> (String, String) {
    let at = url.find("://").unwrap() + 3;
    let slash = at + url[at..].find('/').unwrap();
    (url[..slash].to_owned(), url[slash..].to_owned())
}

/// Every answer keeps itself from caches, frames, scripts and referrers.
#[track_caller]
fn assert_private(answer: &Answer) {
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    if !answer.body.is_empty() {
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert!(!answer.body.contains("<script"));
    }
}

#[track_caller]
fn assert_page(answer: &Answer, status: u16, words: &str) {
    assert!(answer.status == status && answer.body.contains(words), "{status} {words}: {answer:?}");
}

fn csrf(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("name=\"csrf\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_links_as_one_click_does_and_an_open_console_sees_it() {
    let place = Place::telling().await;
    let wang = place.add("Wang Wei", Some(WANG_EMAIL), None).await;
    place.add("Nobody", Some("nobody@nowhere.test"), None).await;
    let console = open(place.folder.path(), "ann", &place.listening, Arc::new(SystemClock)).await;
    let query = MemberQuery { limit: 10, ..MemberQuery::default() };
    assert_eq!(console.members(Some(&place.integration), query.clone()).await.unwrap().counts.linked, 0);
    let mut follow = console.follow(console.head().await.unwrap());

    let mut browser = Browser::default();
    let page = browser.sign_in(&place);
    assert_page(&page, 200, "You are linked");
    assert!(
        page.body.contains("Wang Wei") && page.body.contains(WANG) && page.body.contains("w•••@lumenpay")
    );
    assert_eq!(browser.login_cookies(), Vec::<String>::new(), "they have done their work");

    // The open console is told by the feed: members, and the row of the log.
    let (mut has_members, mut has_row) = (false, false);
    while !(has_members && has_row) {
        let batch = tokio::time::timeout(common::PATIENCE, follow.next()).await.unwrap().unwrap();
        has_members |= batch.members;
        has_row |= batch.operations;
    }
    assert_eq!(console.members(Some(&place.integration), query).await.unwrap().counts.linked, 1);
    let row = console.operations(None, 1).await.unwrap().pop().unwrap();
    assert_eq!((row.operation.as_str(), row.target.as_str()), ("member.link", wang.as_str()));
    assert!(row.reason.unwrap().contains("by signing in"));

    let link = place.member(&wang).await.link.unwrap();
    assert_eq!(link.origin, LinkOrigin::Login);
    // The same journal: it can be undone.
    let undone = place.deck.undo_link(&place.integration, None).await.unwrap();
    assert_eq!(undone.restored, std::slice::from_ref(&wang));
    assert_page(&browser.get(&place, &place.page()), 200, "You are not linked");
    assert_page(&browser.sign_in_at(&place, &format!("{}login", place.page())), 200, "You are linked");
    assert_eq!(place.member(&wang).await.link.unwrap().open_id, link.open_id);
    console.shut().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_twelve_permissions_are_enough() {
    let place = Place::new("/deck", &[]).await;
    let (_, phone) = place.contact(WANG);
    let wang = place.add(WANG, None, Some(&phone)).await;
    let begun = Browser::default().get(&place, &place.page());
    assert!(!begun.header("location").unwrap().contains("scope="), "it asks for what the app has, no more");
    assert_page(&Browser::default().sign_in(&place), 200, "You are linked");
    assert!(place.member(&wang).await.link.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_visit_is_silent_rotates_and_a_copied_cookie_ends_it() {
    let place = Place::telling().await;
    place.add("Wang Wei", Some(WANG_EMAIL), None).await;
    let mut browser = Browser::default();
    browser.sign_in(&place);
    let old = browser.clone();
    let calls = place.control.counters();
    assert_page(&browser.get(&place, &place.page()), 200, "You are linked");
    assert_ne!(browser.session(), old.session(), "it rotates with each visit");
    let after = place.control.counters();
    assert_eq!(format!("{calls:?}"), format!("{after:?}"), "and costs no call");

    // The answer that carried the new cookie may be lost: the old one is good until its successor is used.
    assert_page(&old.clone().get(&place, &place.page()), 200, "You are linked");
    assert_page(&browser.get(&place, &place.page()), 200, "You are linked");
    // Requests that were under way together.
    let mut late = old.clone();
    assert_page(&late.get(&place, &place.page()), 200, "You are linked");
    assert_eq!(late.session(), old.session(), "no older cookie is put over a newer one");

    place.clock.0.fetch_add(MINUTE_MS, Ordering::SeqCst);
    assert_eq!(old.clone().get(&place, &place.page()).status, 303, "the copy is found out");
    assert_eq!(browser.clone().get(&place, &place.page()).status, 303, "and ends the session for both");
    let row = place.log().await.pop().unwrap();
    assert_eq!((row.operation.as_str(), row.result), ("member.session", OperationResult::Refused));

    let mut forged = Browser::default();
    let id = browser.session().unwrap().clone();
    let mut letters: Vec<char> = id.chars().collect();
    letters[3] = if letters[3] == 'A' { 'B' } else { 'A' };
    forged.cookies.insert("larkdeck_session".into(), letters.into_iter().collect());
    assert_eq!(forged.get(&place, &place.page()).status, 303);
    assert_page(&browser.sign_in(&place), 200, "You are linked");
    place.clock.0.fetch_add(31 * 24 * 60 * MINUTE_MS, Ordering::SeqCst);
    assert_eq!(browser.get(&place, &place.page()).status, 303, "it ends by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_good_once_in_time_and_in_its_own_browser() {
    let place = Place::telling().await;
    place.add("Wang Wei", Some(WANG_EMAIL), None).await;
    let redirect = format!("{}redirect", place.page());

    let mut browser = Browser::default();
    let back = browser.go_to_platform(&place, &place.page());
    // Whoever has the address alone: another browser, a scanner of links. It spoils nothing.
    assert_page(&Browser::default().get(&place, &back), 400, "Your browser kept no cookie");
    let mut other = Browser::default();
    other.go_to_platform(&place, &place.page());
    let name = browser.login_cookies().pop().unwrap();
    other.cookies.insert(name.clone(), other.cookies[&other.login_cookies()[0]].clone());
    assert_page(&other.get(&place, &back), 400, "Another browser began this sign-in");
    let kept = browser.clone();
    assert_eq!(browser.get(&place, &back).status, 303);
    // Back, or reloaded: with the cookie and without.
    assert_page(&browser.get(&place, &back), 400, "This sign-in was used already");
    assert_page(&kept.clone().get(&place, &back), 400, "This sign-in was used already");

    let mut slow = Browser::default();
    let back = slow.go_to_platform(&place, &place.page());
    place.clock.0.fetch_add(11 * MINUTE_MS, Ordering::SeqCst);
    assert_page(&slow.get(&place, &back), 400, "This sign-in took too long");
    let again = slow.get(&place, &back);
    assert!(again.body.contains("href=\"login\""), "and a way to start again");

    for query in ["", "?state=x&code=y", "?code=y", "?state=%00%ff&code=y", "?state=a&state=b"] {
        assert_page(&slow.get(&place, &format!("{redirect}{query}")), 400, "not known here");
    }
    assert_eq!(place.refusals().await, Vec::<String>::new(), "nobody can fill the log with it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_good_once_and_a_no_is_a_no() {
    let place = Place::telling().await;
    place.add("Wang Wei", Some(WANG_EMAIL), None).await;
    let mut one = Browser::default();
    let first = one.go_to_platform(&place, &place.page());
    let code = first.split('&').find_map(|part| part.split_once("code=")).unwrap().1.to_owned();
    assert_eq!(one.get(&place, &first).status, 303);
    // A state of its own, and a code that was used, or that nobody gave.
    for code in [code.as_str(), "made-up"] {
        let mut two = Browser::default();
        let back = two.go_to_platform(&place, &format!("{}login", place.page()));
        let state = back.split(['?', '&']).find(|part| part.starts_with("state=")).unwrap();
        let answer = two.get(&place, &format!("{}redirect?{state}&code={code}", place.page()));
        assert_page(&answer, 400, "does not take this sign-in");
        assert!(answer.body.contains("Code 200"), "{answer:?}");
        assert_eq!(two.session(), None);
    }
    place.control.set_sign_in(Some(SignIn { who: WANG.to_owned(), refuses: true }));
    let mut no = Browser::default();
    assert_page(&no.sign_in(&place), 403, "You did not agree");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webview_without_cookies_gets_an_honest_page_and_no_loop() {
    let place = Place::telling().await;
    place.add("Wang Wei", Some(WANG_EMAIL), None).await;
    let mut bare = Browser { keeps_none: true, ..Browser::default() };
    let page = bare.sign_in(&place);
    assert_page(&page, 400, "Your browser kept no cookie");
    assert!(page.body.contains("Open App"));
    // One that keeps the login's cookie but not the session's.
    let mut half = Browser::default();
    let back = half.go_to_platform(&place, &place.page());
    assert_eq!(half.get(&place, &back).header("location"), Some("./?signed-in"));
    half.cookies.clear();
    assert_page(
        &half.get(&place, &format!("{}?signed-in", place.page())),
        400,
        "Your browser kept no cookie",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leads_elsewhere() {
    let place = Place::telling().await;
    let page = place.page();
    let tried = ["//evil.test", "https://evil.test/", "/\\evil.test", "javascript:alert(1)"];
    for place_to_go in tried {
        let value: String = url::form_urlencoded::byte_serialize(place_to_go.as_bytes()).collect();
        for name in ["next", "redirect", "redirect_uri", "return_to", "url", "continue", "signed-in"] {
            for path in ["", "login", "bye", "redirect", "invite"] {
                let answer = Browser::default().get(&place, &format!("{page}{path}?{name}={value}"));
                let location = answer.header("location").unwrap_or_default();
                assert!(!location.contains("evil") && !answer.body.contains("evil"), "{answer:?}");
            }
        }
    }
    // An id that is no id, and the page without its slash.
    for id in ["%2F%2Fevil.test", "..%2F..", "i_none", "%00", "%E4%B8%AD"] {
        for path in [format!("/i/{id}"), format!("/i/{id}/"), format!("/i/{id}/login")] {
            assert_page(&Browser::default().get(&place, &path), 404, "There is nothing here");
        }
    }
    let answer = Browser::default().get(&place, page.trim_end_matches('/'));
    assert_eq!(answer.header("location"), Some(format!("{}{page}", place.listening).as_str()));
    // The host that a client claims is not believed.
    let answer = http::request(&place.listening, "GET", &page, &[("x-forwarded-host", "evil.test")], b"");
    assert!(!answer.header("location").unwrap().contains("evil"));
    assert!(!answer.header("location").unwrap().contains("deck.test"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_fit_is_refused_and_in_the_log() {
    let place = Place::telling().await;
    let (_, phone) = place.contact(WANG);
    let mut browser = Browser::default();
    let answer = browser.sign_in(&place);
    assert_page(&answer, 403, "You are not on the list of the team");
    assert!(answer.body.contains("Who can help") && answer.body.contains(WANG));
    assert_eq!(browser.session(), None);

    let by_email = place.add("Wang Wei", Some(WANG_EMAIL), None).await;
    let by_phone = place.add("Wei Wang", None, Some(&phone)).await;
    assert_page(&browser.sign_in(&place), 409, "Two members fit your account");
    place.deck.remove_member(&by_phone).await.unwrap();

    // The email is Wang's, the phone another person's.
    let (_, other_phone) = place.contact("李娜");
    let edit = larkdeck::service::MemberEdit { phone: Some(other_phone), ..Default::default() };
    place.deck.edit_member(&by_email, edit).await.unwrap();
    assert_page(&browser.sign_in(&place), 409, "Your entry names two people");
    let edit = larkdeck::service::MemberEdit { phone: Some(String::new()), ..Default::default() };
    place.deck.edit_member(&by_email, edit).await.unwrap();

    // The member is linked to somebody else's account already: never a silent change.
    place.sits("李娜");
    let li = place.add("Li Na", Some(&place.contact("李娜").0), None).await;
    assert_page(&Browser::default().sign_in(&place), 200, "You are linked");
    let li_account = place.member(&li).await.link.unwrap().open_id;
    place.deck.unlink(&place.integration, std::slice::from_ref(&li)).await.unwrap();
    let taken = vec![(by_email.clone(), li_account.clone())];
    place.deck.link_accounts(&place.integration, taken, LinkOrigin::Manual).await.unwrap();
    assert_page(&Browser::default().sign_in(&place), 409, "Your account is linked to another member");
    place.sits(WANG);
    assert_page(&browser.sign_in(&place), 409, "You are linked to another account");
    assert_eq!(place.member(&by_email).await.link.unwrap().open_id, li_account);
    assert_eq!(place.member(&li).await.link, None);

    let reasons = place.refusals().await;
    let expected = [
        "no member has the account's email or phone",
        "name more than one member",
        "phone and email are two people",
        "the account is linked to another member",
        "the member is linked to another account",
    ];
    assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
    for (reason, words) in reasons.iter().zip(expected) {
        assert!(reason.contains(words), "{reason}: {words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_tenants_and_accounts_that_have_left_stay_out() {
    let place = Place::telling().await;
    let wang = place.add("Wang Wei", Some(WANG_EMAIL), None).await;
    let change = |tenant: &str| PersonChange { tenant_key: Some(tenant.to_owned()), ..Default::default() };
    // The first login proves the tenant, by what the app itself can see.
    assert_page(&Browser::default().sign_in(&place), 200, "You are linked");
    place.deck.unlink(&place.integration, std::slice::from_ref(&wang)).await.unwrap();
    place.control.change_person(WANG, &change("tk_other")).unwrap();
    assert_page(&Browser::default().sign_in(&place), 403, "belongs to another organisation");
    assert_eq!(place.member(&wang).await.link, None);
    place.control.change_person(WANG, &change("")).unwrap();
    let mut browser = Browser::default();
    let back = browser.go_to_platform(&place, &place.page());
    let frozen = PersonChange { is_frozen: Some(true), ..Default::default() };
    place.control.change_person(WANG, &frozen).unwrap();
    assert_page(&browser.get(&place, &back), 403, "This account may not sign in");
    assert_eq!(place.member(&wang).await.link, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_links_its_member_once() {
    let place = Place::telling().await;
    let guest = place.add("Guest", None, None).await;
    let other = place.add("Other", None, None).await;
    let invited = place.deck.invite(&place.integration, &guest).await.unwrap();
    let second = place.deck.invite(&place.integration, &guest).await.unwrap();
    let (_, path) = split(invited.url.reveal());
    assert!(path.starts_with(&format!("{}invite?t=", place.page())));
    let token = path.split_once("?t=").unwrap().1.to_owned();
    let login = |token: &str| format!("{}login?invitation={token}", place.page());

    let mut browser = Browser::default();
    for _ in 0..2 {
        let page = browser.get(&place, &path);
        assert_page(&page, 200, "Are you Guest?");
        assert!(page.body.contains(&format!("href=\"login?invitation={token}\"")));
    }
    // A changed letter, or another integration's.
    let mut letters: Vec<char> = token.chars().collect();
    letters[20] = if letters[20] == 'A' { 'B' } else { 'A' };
    let tampered: String = letters.into_iter().collect();
    for wrong in [tampered.as_str(), "x", "", &"A".repeat(9000)] {
        let answer = browser.get(&place, &format!("{}invite?t={wrong}", place.page()));
        assert_page(&answer, 404, "This invitation is not known here");
    }
    assert_page(&browser.get(&place, &login(&tampered)), 404, "This invitation is not known here");

    assert_page(&browser.sign_in_at(&place, &login(&token)), 200, "You are linked");
    let link = place.member(&guest).await.link.unwrap();
    assert_eq!(link.origin, LinkOrigin::Login);
    // Used, and with it every other one of the member.
    place.sits("李娜");
    for (_, path) in [split(invited.url.reveal()), split(second.url.reveal())] {
        assert_page(&Browser::default().get(&place, &path), 410, "This invitation was used already");
    }
    assert_page(&Browser::default().get(&place, &login(&token)), 410, "This invitation was used already");
    assert_eq!(place.member(&guest).await.link.unwrap().open_id, link.open_id);
    assert!(place.deck.invite(&place.integration, &guest).await.is_err(), "who is linked is not invited");

    // Somebody who is linked already is not moved by an invitation for another member.
    place.sits(WANG);
    let for_other = place.deck.invite(&place.integration, &other).await.unwrap();
    let token = for_other.url.reveal().split_once("?t=").unwrap().1.to_owned();
    assert_page(
        &Browser::default().sign_in_at(&place, &login(&token)),
        409,
        "Your account is linked to another member",
    );
    place.clock.0.fetch_add(8 * 24 * 60 * MINUTE_MS, Ordering::SeqCst);
    assert_page(&Browser::default().get(&place, &login(&token)), 410, "This invitation has ended");
    let gone = place.deck.invite(&place.integration, &other).await.unwrap();
    place.deck.remove_member(&other).await.unwrap();
    let answer = Browser::default().get(&place, &split(gone.url.reveal()).1);
    assert_page(&answer, 410, "The invited member is gone");
    let log = place.log().await;
    assert!(log.iter().all(|row| !format!("{row:?}").contains(&token)), "no log has the link");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_with_one_invitation_make_one_link() {
    let place = Place::telling().await;
    let guest = place.add("Guest", None, None).await;
    let invited = place.deck.invite(&place.integration, &guest).await.unwrap();
    let token = invited.url.reveal().split_once("?t=").unwrap().1.to_owned();
    let login = format!("{}login?invitation={token}", place.page());
    let (mut one, mut two) = (Browser::default(), Browser::default());
    let first = one.go_to_platform(&place, &login);
    place.sits("李娜");
    let second = two.go_to_platform(&place, &login);
    let place = &place;
    let (a, b) = std::thread::scope(|scope| {
        let a = scope.spawn(|| one.get(place, &first).status);
        let b = scope.spawn(|| two.get(place, &second).status);
        (a.join().unwrap(), b.join().unwrap())
    });
    assert!(a == 303 && matches!(b, 409 | 410) || b == 303 && matches!(a, 409 | 410), "{a} {b}");
    assert!(place.member(&guest).await.link.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_belong_to_their_session() {
    let place = Place::telling().await;
    let wang = place.add("Wang Wei", Some(WANG_EMAIL), None).await;
    place.add("Li Na", Some(&place.contact("李娜").0), None).await;
    let mut browser = Browser::default();
    let page = browser.sign_in(&place);
    let token = csrf(&page);
    place.sits("李娜");
    let mut other = Browser::default();
    let other_token = csrf(&other.sign_in(&place));
    let unlink = format!("{}unlink", place.page());
    let sign_out = format!("{}sign-out", place.page());
    for (form, is_signed_in) in [
        (String::new(), true),
        ("csrf=".to_owned(), true),
        (format!("csrf={other_token}"), true),
        (format!("csrf={token}"), false),
        (format!("x={token}"), true),
    ] {
        let mut sender = if is_signed_in { browser.clone() } else { Browser::default() };
        assert_page(&sender.request(&place, "POST", &unlink, &form), 403, "Nothing was changed");
        if is_signed_in {
            assert_eq!(sender.request(&place, "POST", &sign_out, &form).status, 403);
        }
    }
    assert!(place.member(&wang).await.link.is_some());
    assert_eq!(
        http::request(&place.listening, "GET", &unlink, &[("cookie", &browser.cookie_header())], b"").status,
        405
    );
    let big = format!("csrf={}", "x".repeat(10_000));
    assert_eq!(http::request(&place.listening, "POST", &unlink, &[], big.as_bytes()).status, 413);

    // The page's own form, also one that was opened some visits ago.
    browser.get(&place, &place.page());
    browser.get(&place, &place.page());
    let answer = browser.request(&place, "POST", &unlink, &format!("csrf={token}"));
    assert_eq!((answer.status, answer.header("location")), (303, Some("./")));
    assert_page(&browser.get(&place, &place.page()), 200, "You are not linked");
    assert_eq!(place.member(&wang).await.link, None);
    let row = place.log().await.pop().unwrap();
    assert_eq!((row.operation.as_str(), row.target.as_str()), ("member.unlink", wang.as_str()));
    assert!(row.reason.unwrap().contains(WANG));
    place.deck.undo_link(&place.integration, None).await.unwrap();
    assert!(place.member(&wang).await.link.is_some(), "journalled like any other");

    let kept = browser.clone();
    let answer = browser.request(&place, "POST", &sign_out, &format!("csrf={token}"));
    assert_eq!((answer.status, answer.header("location")), (303, Some("bye")));
    assert_eq!(browser.session(), None);
    assert_page(&browser.get(&place, &format!("{}bye", place.page())), 200, "Signed out");
    assert_eq!(kept.clone().get(&place, &place.page()).status, 303, "out is out, whoever kept the cookie");
    assert!(place.member(&wang).await.link.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_links_and_unlinks_nobody() {
    let place = Place::telling().await;
    let wang = place.add("Wang Wei", Some(WANG_EMAIL), None).await;
    place.deck.set_access(Access::ReadOnly);
    assert_page(&Browser::default().sign_in(&place), 403, "Linking is switched off here");
    assert_eq!(place.member(&wang).await.link, None);
    place.deck.set_access(Access::Write);
    let mut browser = Browser::default();
    let token = csrf(&browser.sign_in(&place));
    place.deck.set_access(Access::ReadOnly);
    let answer =
        browser.request(&place, "POST", &format!("{}unlink", place.page()), &format!("csrf={token}"));
    assert_page(&answer, 403, "Linking is switched off here");
    assert_page(&browser.get(&place, &place.page()), 200, "You are linked");
    assert!(place.deck.invite(&place.integration, &wang).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_platform_refuses_is_said_to_those_who_can_help() {
    let place = Place::telling().await;
    place.add("Wang Wei", Some(WANG_EMAIL), None).await;
    let mut browser = Browser::default();
    let back = browser.go_to_platform(&place, &place.page());
    let edit = larkdeck::service::IntegrationEdit {
        app_secret: Some(Secret::new("not-the-secret-any-more")),
        ..Default::default()
    };
    place.deck.edit_integration(&place.integration, edit, CheckMode::NoCheck).await.unwrap();
    let answer = browser.get(&place, &back);
    assert_page(&answer, 502, "The app is not ready for sign-ins");
    let row = place.log().await.pop().unwrap();
    assert_eq!((row.operation.as_str(), row.code), ("member.login", Some(20_002)));
    assert!(!format!("{row:?}").contains("not-the-secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_integration_keeps_its_urls_and_sessions() {
    let place = Place::new("/deck", &["contact:user.email:readonly"]).await;
    place.add("Wang Wei", Some(WANG_EMAIL), None).await;
    let mut browser = Browser::default();
    assert_page(&browser.sign_in(&place), 200, "You are linked");
    let edit = larkdeck::service::IntegrationEdit { name: Some("pager".into()), ..Default::default() };
    place.deck.edit_integration(&place.integration, edit, CheckMode::NoCheck).await.unwrap();
    let page = browser.get(&place, &place.page());
    assert_page(&page, 200, "pager");
    // A proxy that takes the prefix off: the same page at the root.
    let bare = place.page().replace("/deck", "");
    assert_page(&browser.get(&place, &bare), 200, "pager");
    place.deck.remove_integration(&place.integration).await.unwrap();
    let gone = http::request(&place.listening, "GET", &place.page(), &[("accept-language", "zh")], b"");
    assert_page(&gone, 404, "页面不存在");
}
