//! Gateways of one database are on hosts whose clocks differ: what one of them gives out, another takes.

use std::sync::atomic::Ordering;

use crate::{
    browser::{Browser, assert_page, split},
    place::{MINUTE_MS, Place, WANG_EMAIL},
};

const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The next request is answered by a host whose clock is so far from the right one.
fn host(place: &Place, ahead_ms: i64) {
    place.clock.0.store(ahead_ms, Ordering::SeqCst);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_goes_over_hosts_whose_clocks_are_hours_apart() {
    let Some(place) = Place::telling_a_database().await else { return };
    let wang = place.add("Wang Wei", Some(WANG_EMAIL), None).await;
    for (begins, ends) in
        [(-3 * HOUR_MS, 3 * HOUR_MS), (3 * HOUR_MS, -3 * HOUR_MS), (-90 * DAY_MS, 90 * DAY_MS)]
    {
        let mut browser = Browser::default();
        host(&place, begins);
        let back = browser.go_to_platform(&place, &place.page());
        host(&place, ends);
        let answer = browser.get(&place, &back);
        assert_eq!(answer.header("location"), Some("./?signed-in"), "{answer:?}");
        // And the session holds on each of them.
        for ahead_ms in [begins, 0, ends] {
            host(&place, ahead_ms);
            assert_page(&browser.get(&place, &place.page()), 200, "You are linked");
        }
    }
    assert!(place.member(&wang).await.link.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_good_for_a_week_of_the_database() {
    let Some(place) = Place::telling_a_database().await else { return };
    let guest = place.add("Guest", None, None).await;
    host(&place, -30 * DAY_MS);
    let invited = place.deck.invite(&place.integration, &guest).await.unwrap();
    let (_, path) = split(invited.url.reveal());
    for ahead_ms in [-60 * DAY_MS, 0, 60 * DAY_MS] {
        host(&place, ahead_ms);
        assert_page(&Browser::default().get(&place, &path), 200, "Are you Guest?");
    }
}
