//! Logins by browser.

use super::{
    super::{Invitation, LinkChange, LinkOutcome, MemberRow, Session},
    *,
};
use crate::core::{ids::MemberId, member::LinkOrigin};

on_each_engine! {
    the_signing_key_is_one_for_all_processes_and_is_sealed,
    a_state_is_good_once_whoever_asks,
    sessions_rotate_one_step_at_a_time_and_end,
    a_login_links_like_one_click_and_never_replaces_a_link,
    contacts_name_members,
    invitations_are_used_together_and_forgotten_late,
}

fn session(integration: &IntegrationId, expires_at: i64) -> Session {
    Session {
        integration: integration.clone(),
        app_id: "cli_a".parse().unwrap(),
        open_id: "ou_1".parse().unwrap(),
        name: "Ann".to_owned(),
        generation: 1,
        rotated_at: Timestamp::from_ms(0),
        signed_in_at: Timestamp::from_ms(0),
        expires_at: Timestamp::from_ms(expires_at),
    }
}

async fn member(store: &Store, name: &str, phone: Option<&str>) -> MemberId {
    let row = MemberRow {
        id: None,
        name: name.to_owned(),
        email: Some(format!("{name}@ex.test")),
        phone: phone.map(str::to_owned),
        team: None,
        licence: None,
    };
    store.add_member(row).await.unwrap()
}

async fn the_signing_key_is_one_for_all_processes_and_is_sealed(bed: Bed) {
    let (one, two) = (bed.open().await, bed.open().await);
    let id = integration(&one).await;
    let (a, b) = tokio::join!(one.signing_key(&id), two.signing_key(&id));
    let key = a.unwrap();
    assert_eq!(key, b.unwrap());
    assert_eq!(key.reveal().len(), 64);
    one.close().await;
    two.close().await;
    if bed.is_file() {
        let bytes = std::fs::read(bed.path().join("store.db")).unwrap();
        assert!(!bytes.windows(64).any(|part| part == key.reveal().as_bytes()));
    }
    let again = bed.open().await;
    assert_eq!(again.signing_key(&id).await.unwrap(), key);
    assert!(again.signing_key(&"i_none".parse().unwrap()).await.is_err());
}

async fn a_state_is_good_once_whoever_asks(bed: Bed) {
    let (one, two) = (bed.open().await, bed.open().await);
    let end = Timestamp::from_ms(1_700_000_000_001);
    assert!(!one.is_login_state_used("s").await.unwrap());
    let (a, b) = tokio::join!(one.use_login_state("s", end), two.use_login_state("s", end));
    assert!(a.unwrap() ^ b.unwrap());
    assert!(two.is_login_state_used("s").await.unwrap());
}

async fn sessions_rotate_one_step_at_a_time_and_end(bed: Bed) {
    let clock = Hand::new();
    let store = bed.open_with("ann", clock.clone()).await.unwrap();
    let id = integration(&store).await;
    let end = store.now().await.unwrap().ms() + 60_000;
    store.add_session("h", &session(&id, end)).await.unwrap();
    store.add_session("other", &session(&id, end + 200_000)).await.unwrap();
    let later = Timestamp::from_ms(end + 1000);
    assert!(!store.raise_session("h", 3, later).await.unwrap());
    assert!(store.raise_session("h", 2, later).await.unwrap());
    assert!(!store.raise_session("h", 2, later).await.unwrap());
    assert_eq!(store.session("h").await.unwrap().unwrap().0.generation, 2);
    pass(&store, &clock, 70_000).await;
    assert_eq!(store.session("h").await.unwrap(), None, "it has ended");
    assert_eq!(store.prune_logins(Some(store.now().await.unwrap())).await.unwrap(), 1);
    assert!(store.session("other").await.unwrap().is_some());
    store.remove_integration(&id).await.unwrap();
    assert_eq!(store.session("other").await.unwrap(), None);
}

async fn a_login_links_like_one_click_and_never_replaces_a_link(bed: Bed) {
    let store = bed.open().await;
    let id = integration(&store).await;
    let ann = member(&store, "ann", Some("+8613800000001")).await;
    let change = |open_id: &str| LinkChange {
        member: ann.clone(),
        open_id: Some(open_id.parse().unwrap()),
        origin: LinkOrigin::Login,
        reason: None,
    };
    let apply =
        async |open_id| store.apply_links(&id, &store.new_batch_id(), vec![change(open_id)]).await.unwrap();
    assert_eq!(apply("ou_1").await, [LinkOutcome::Applied]);
    assert_eq!(apply("ou_1").await, [LinkOutcome::Unchanged]);
    assert_eq!(apply("ou_2").await, [LinkOutcome::LinkedOtherwise]);
    let link = store.member(&id, &ann).await.unwrap().link.unwrap();
    assert_eq!((link.open_id.as_str(), link.origin), ("ou_1", LinkOrigin::Login));
    assert_eq!(store.link_batches(&id, 9).await.unwrap().len(), 1, "one row of the journal");
    assert_eq!(store.undo_links(&id, None).await.unwrap().restored, [ann]);
}

async fn contacts_name_members(bed: Bed) {
    let store = bed.open().await;
    let id = integration(&store).await;
    let ann = member(&store, "ann", Some("+8613800000001")).await;
    let bob = member(&store, "bob", Some("+8613800000001")).await;
    let find = async |emails: &[&str], phone| {
        let found = store.members_with_contact(&id, emails, phone).await.unwrap();
        found.into_iter().map(|member| member.id).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(find(&["ANN@ex.test", "x@y"], None).await, [ann.clone()].into());
    assert_eq!(find(&[], Some("+8613800000001")).await, [ann, bob].into());
    assert_eq!(find(&[], None).await, [].into());
}

async fn invitations_are_used_together_and_forgotten_late(bed: Bed) {
    let clock = Hand::new();
    let store = bed.open_with("ann", clock.clone()).await.unwrap();
    let id = integration(&store).await;
    let ann = member(&store, "ann", None).await;
    let invitation =
        Invitation { integration: id.clone(), member: ann.clone(), expires_at: clock.now(), used_at: None };
    for hash in ["a", "b"] {
        store.add_invitation(hash, &invitation).await.unwrap();
    }
    let nobody = Invitation { member: "m_none".parse().unwrap(), ..invitation.clone() };
    assert!(store.add_invitation("c", &nobody).await.is_err());
    assert_eq!(store.invitation("a").await.unwrap(), Some(invitation));
    store.use_invitations(&id, &ann).await.unwrap();
    assert!(store.invitation("b").await.unwrap().unwrap().used_at.is_some());
    clock.forward(10);
    assert_eq!(
        store.prune_logins(Some(clock.now().minus(std::time::Duration::from_secs(1)))).await.unwrap(),
        0
    );
    assert_eq!(store.prune_logins(Some(clock.now())).await.unwrap(), 2);
}
