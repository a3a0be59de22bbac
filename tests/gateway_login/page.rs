//! What the page's forms do.

use larkdeck::{
    core::member::{LinkOrigin, Reason},
    service::{Access, CheckMode, IntegrationEdit, LinkOutcome, LinkScope, MemberEdit},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    browser::{Browser, assert_page, csrf},
    common::http,
    place::{Place, WANG, WANG_EMAIL},
};

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
async fn a_renamed_integration_keeps_its_urls_and_sessions() {
    let place = Place::new("/deck", &["contact:user.email:readonly"]).await;
    place.add("Wang Wei", Some(WANG_EMAIL), None).await;
    let mut browser = Browser::default();
    assert_page(&browser.sign_in(&place), 200, "You are linked");
    let edit = IntegrationEdit { name: Some("pager".into()), ..Default::default() };
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

#[tokio::test(flavor = "multi_thread")]
async fn who_unlinked_oneself_is_linked_by_a_login_or_by_name_alone() {
    let place = Place::telling().await;
    let wang = place.add("Wang Wei", Some(WANG_EMAIL), None).await;
    let out = async || {
        let mut browser = Browser::default();
        let token = csrf(&browser.sign_in(&place));
        browser.request(&place, "POST", &format!("{}unlink", place.page()), &format!("csrf={token}"));
        assert_eq!(place.member(&wang).await.reason, Some(Reason::OptedOut));
    };
    let link = async |scope: LinkScope| {
        let plan = place.deck.plan_link(&place.integration, scope).await.unwrap();
        let (progress, _looked_at) = mpsc::channel(8);
        place.deck.run_link(plan, progress, CancellationToken::new()).await.unwrap()
    };
    out().await;
    let summary = link(LinkScope::Unlinked).await;
    assert_eq!((summary.calls, summary.linked), (0, 0), "nothing is spent on whoever wanted out");
    assert_eq!(summary.results[0].outcome, LinkOutcome::Unlinked(Reason::OptedOut));
    // Another address in the roster is no change of mind.
    let (_, phone) = place.contact(WANG);
    let edit = MemberEdit { phone: Some(phone), ..MemberEdit::default() };
    place.deck.edit_member(&wang, edit).await.unwrap();
    assert_eq!(link(LinkScope::Unlinked).await.linked, 0);

    assert_eq!(link(LinkScope::Members(vec![wang.clone()])).await.linked, 1);
    assert_eq!(place.member(&wang).await.reason, None);
    out().await;
    assert_page(&Browser::default().sign_in(&place), 200, "You are linked");
    assert_eq!(place.member(&wang).await.link.unwrap().origin, LinkOrigin::Login);
}
