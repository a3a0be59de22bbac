//! States, codes, sessions and cookies.

use std::sync::atomic::Ordering;

use larkdeck::{core::operation::OperationResult, sim::SignIn};

use crate::{
    browser::{Browser, assert_page},
    common::http,
    place::{MINUTE_MS, Place, WANG, WANG_EMAIL},
};

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
