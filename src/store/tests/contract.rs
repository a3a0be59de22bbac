use super::{
    super::{Acquired, ChangeKind, IntegrationPatch, OperationQuery, SecretPatch},
    *,
};
use crate::core::{
    ids::Seq,
    integration::LiveState,
    operation::{NewOperation, OperationResult},
};

on_each_engine! {
    one_integration_at_most_has_war_room,
    integrations_are_kept_apart_by_name_and_app,
    a_lease_is_taken_over_only_where_it_stood_still,
    of_many_followers_one_takes_over,
    the_last_event_is_known_to_everybody,
    the_log_names_its_author_and_pages_backwards,
    a_screen_is_kept_for_its_reader,
}

async fn one_integration_at_most_has_war_room(bed: Bed) {
    let (store, other) = (bed.open().await, bed.open().await);
    let first = integration(&store).await;
    let slack = NewIntegration {
        name: "Slack-Prod".to_owned(),
        kind: ImKind::Slack,
        app: None,
        receive: Receive::LongConnection,
    };
    let slack = store.add_integration(slack).await.unwrap().id;
    other.set_war_room(&slack, true).await.unwrap();
    let refused = store.set_war_room(&first, true).await.unwrap_err();
    assert!(matches!(refused, StoreError::WarRoomHeld { ref by } if by == "Slack-Prod"), "{refused}");
    other.set_war_room(&slack, false).await.unwrap();
    // Both at once: one of them wins.
    let (a, b) = tokio::join!(store.set_war_room(&first, true), other.set_war_room(&slack, true));
    assert_eq!(a.is_ok() as u8 + b.is_ok() as u8, 1);
    let on = store.integrations().await.unwrap().iter().filter(|one| one.war_room).count();
    assert_eq!(on, 1);
}

async fn integrations_are_kept_apart_by_name_and_app(bed: Bed) {
    let store = bed.open().await;
    let id = integration(&store).await;
    let taken = store.add_integration(new_integration("Feishu-Prod", "cli_b")).await.unwrap_err();
    assert!(matches!(taken, StoreError::NameTaken { .. }));
    let taken = store.add_integration(new_integration("Other", "cli_a")).await.unwrap_err();
    assert!(matches!(taken, StoreError::AppTaken { ref by, .. } if by == "Feishu-Prod"));
    let patch = IntegrationPatch {
        name: Some("Renamed".to_owned()),
        encrypt_key: SecretPatch::Clear,
        verification_token: SecretPatch::Set(Secret::new("token-0123456789")),
        ..IntegrationPatch::default()
    };
    let changed = store.update_integration(&id, patch).await.unwrap();
    let app = changed.app.unwrap();
    assert_eq!(
        (app.encrypt_key_masked, app.verification_token_masked.as_deref()),
        (None, Some("••••••••89"))
    );
    store.set_app_facts(&id, None, Some("Duty bot"), Some("ou_bot")).await.unwrap();
    let head = store.head().await.unwrap();
    store.set_app_facts(&id, None, Some("Duty bot"), None).await.unwrap();
    assert_eq!(store.head().await.unwrap(), head, "nothing new, nothing told");
    assert_eq!(store.integration_by_name("renamed").await.unwrap().id, id);
    store.ingest((0..600).map(|n| item(&id, message(n, &chat(1), 1000))).collect()).await.unwrap();
    store.remove_integration(&id).await.unwrap();
    assert!(matches!(store.credentials(&id).await, Err(StoreError::NotFound { .. })));
    assert_eq!(store.history(&chat(1), &super::super::Anchor::Latest, 10).await.unwrap(), []);
    store.add_integration(new_integration("Renamed", "cli_a")).await.unwrap();
}

async fn a_lease_is_taken_over_only_where_it_stood_still(bed: Bed) {
    let ann = bed.open_with("ann", Hand::new()).await.unwrap();
    let bob = bed.open_with("bob", Hand::new()).await.unwrap();
    let app = app("cli_a");
    assert_eq!(ann.observe(&app).await.unwrap(), None);
    let Acquired::Ours { epoch: first, taken_over: false } = ann.try_acquire(&app, None).await.unwrap()
    else {
        panic!()
    };
    let Acquired::HeldBy(row) = bob.try_acquire(&app, None).await.unwrap() else { panic!() };
    assert_eq!(row.holder.unwrap().user, "ann");
    assert!(ann.beat(&app, first).await.unwrap());
    assert!(ann.set_live(&app, first, LiveState::Live).await.unwrap());
    // It moved since bob looked.
    assert!(matches!(bob.try_acquire(&app, Some(row.mark)).await.unwrap(), Acquired::HeldBy(_)));
    assert_eq!(bob.live(&app).await.unwrap().state, LiveState::Live);
    let mark = bob.observe(&app).await.unwrap().unwrap().mark;
    let Acquired::Ours { epoch: second, taken_over: true } = bob.try_acquire(&app, Some(mark)).await.unwrap()
    else {
        panic!()
    };
    assert!(second > first);
    // What was taken away does nothing any more.
    assert!(!ann.beat(&app, first).await.unwrap());
    assert!(!ann.check_epoch(&app, first).await.unwrap());
    assert!(!ann.set_live(&app, first, LiveState::Live).await.unwrap());
    ann.release(&app, first).await.unwrap();
    assert!(bob.check_epoch(&app, second).await.unwrap());
    bob.release(&app, second).await.unwrap();
    let live = ann.live(&app).await.unwrap();
    assert_eq!((live.state, live.holder), (LiveState::Off, None));
    assert!(!bob.check_epoch(&app, second).await.unwrap());
    let Acquired::Ours { epoch: third, taken_over: false } = ann.try_acquire(&app, None).await.unwrap()
    else {
        panic!()
    };
    assert!(third > second);
}

async fn of_many_followers_one_takes_over(bed: Bed) {
    let app = app("cli_a");
    let dead = bed.open().await;
    dead.try_acquire(&app, None).await.unwrap();
    let mark = dead.observe(&app).await.unwrap().unwrap().mark;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let (store, app) = (bed.open().await, app.clone());
        tasks.spawn(async move { store.try_acquire(&app, Some(mark)).await.unwrap() });
    }
    let mut winners = 0;
    while let Some(done) = tasks.join_next().await {
        winners += usize::from(matches!(done.unwrap(), Acquired::Ours { .. }));
    }
    assert_eq!(winners, 1);
}

async fn the_last_event_is_known_to_everybody(bed: Bed) {
    let clock = Hand::new();
    let store = bed.open_with("ann", clock.clone()).await.unwrap();
    let id = integration(&store).await;
    store.try_acquire(&app("cli_a"), None).await.unwrap();
    let head = store.head().await.unwrap();
    store.ingest(vec![item(&id, message(1, &chat(1), 1000))]).await.unwrap();
    assert!(store.changed_since(ChangeKind::Live, head).await.unwrap().0, "the first event is told");
    let live = store.live(&app("cli_a")).await.unwrap();
    assert_eq!((live.last_event_at, live.last_event_via), (Some(clock.now()), Some(Via::Live)));
    // Screens are told of the first one, and of later ones now and then.
    let mut told = Vec::new();
    for number in 2..14 {
        let head = store.head().await.unwrap();
        clock.forward(1000);
        store.ingest(vec![item(&id, message(number, &chat(1), 1000))]).await.unwrap();
        told.push(store.changed_since(ChangeKind::Live, head).await.unwrap().0);
    }
    assert_eq!(told.iter().filter(|is_told| **is_told).count(), 2, "{told:?}");
    assert_eq!(store.live(&app("cli_a")).await.unwrap().last_event_at, Some(clock.now()));
}

async fn the_log_names_its_author_and_pages_backwards(bed: Bed) {
    let store = bed.open().await;
    for number in 0..5 {
        let mut operation = NewOperation::ok("member.link", format!("m_{number}"));
        operation.result = OperationResult::Refused;
        operation.reason = Some("a\0b".to_owned());
        store.log(operation).await.unwrap();
    }
    let newest = store.operations(OperationQuery { limit: 2, ..Default::default() }).await.unwrap();
    assert_eq!(newest.iter().map(|row| row.target.as_str()).collect::<Vec<_>>(), ["m_3", "m_4"]);
    assert_eq!((newest[0].author.user.as_str(), newest[0].reason.as_deref()), ("ann", Some("a\u{fffd}b")));
    let before = OperationQuery { before: Some(newest[0].seq), limit: 2, ..Default::default() };
    let older = store.operations(before).await.unwrap();
    assert_eq!(older.iter().map(|row| row.target.as_str()).collect::<Vec<_>>(), ["m_1", "m_2"]);
    assert_eq!(store.operations(OperationQuery::default()).await.unwrap().len(), 5);
    assert!(newest[0].seq > Seq(0));
}

async fn a_screen_is_kept_for_its_reader(bed: Bed) {
    let store = bed.open().await;
    store.put_ui("ann", "draft/oc_1", Some("half a thought")).await.unwrap();
    store.put_ui("ann", "session", Some("{}")).await.unwrap();
    store.put_ui("bob", "draft/oc_1", Some("other")).await.unwrap();
    assert_eq!(
        store.list_ui("ann", "draft/").await.unwrap(),
        [("draft/oc_1".to_owned(), "half a thought".to_owned())]
    );
    store.put_ui("ann", "draft/oc_1", None).await.unwrap();
    assert_eq!(store.get_ui("ann", "draft/oc_1").await.unwrap(), None);
    assert_eq!(store.get_ui("bob", "draft/oc_1").await.unwrap().as_deref(), Some("other"));
}
