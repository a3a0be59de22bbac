//! Links that invite one member.

use std::sync::atomic::Ordering;

use larkdeck::core::member::LinkOrigin;

use crate::{
    browser::{Browser, assert_page, split},
    place::{MINUTE_MS, Place, WANG},
};

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
