//! Who is linked by signing in, and who is refused.

use std::sync::Arc;

use larkdeck::{
    core::{member::LinkOrigin, secret::Secret, time::SystemClock},
    service::{CheckMode, IntegrationEdit, MemberEdit, MemberQuery},
    sim::PersonChange,
};

use crate::{
    browser::{Browser, assert_page},
    common,
    place::{Place, WANG, WANG_EMAIL, open},
};

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
    let edit = MemberEdit { phone: Some(other_phone), ..Default::default() };
    place.deck.edit_member(&by_email, edit).await.unwrap();
    assert_page(&browser.sign_in(&place), 409, "Your entry names two people");
    let edit = MemberEdit { phone: Some(String::new()), ..Default::default() };
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
async fn what_the_platform_refuses_is_said_to_those_who_can_help() {
    let place = Place::telling().await;
    place.add("Wang Wei", Some(WANG_EMAIL), None).await;
    let mut browser = Browser::default();
    let back = browser.go_to_platform(&place, &place.page());
    let edit =
        IntegrationEdit { app_secret: Some(Secret::new("not-the-secret-any-more")), ..Default::default() };
    place.deck.edit_integration(&place.integration, edit, CheckMode::NoCheck).await.unwrap();
    let answer = browser.get(&place, &back);
    assert_page(&answer, 502, "The app is not ready for sign-ins");
    let row = place.log().await.pop().unwrap();
    assert_eq!((row.operation.as_str(), row.code), ("member.login", Some(20_002)));
    assert!(!format!("{row:?}").contains("not-the-secret"));
}
