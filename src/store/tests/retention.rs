//! What is past its time goes, with what hangs on it, and does not come back.

use proptest::prelude::*;

use super::{
    super::{
        Anchor, FillKind, FillPage, Ingested, NewOutgoing, NewPress, NewSeam, Place,
        sql::{Query, Text, q},
    },
    *,
};
use crate::core::{ids::Seq, message::Mention, operation::NewOperation, room::Missing};

on_each_engine! {
    old_messages_go_with_what_hangs_on_them_and_do_not_come_back,
    events_feed_log_and_outbox_each_have_their_time,
    a_reaction_whose_message_does_not_come_goes_with_the_events_of_its_time,
}

const DAY: i64 = 24 * 3_600_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

async fn prune_room(store: &Store, room: &ChatId, before: Timestamp) -> u64 {
    let mut gone = 0;
    loop {
        match store.prune_room(room, before).await.unwrap() {
            0 => break,
            rows => gone += rows,
        }
    }
    store.settle_room(room, before).await.unwrap();
    gone
}

async fn count(store: &Store, table: &str) -> u64 {
    let text = Text::Built(format!("select count(*) from {table}").into());
    let mut read = store.db().read("count").await.unwrap();
    let row = Query { text, values: Vec::new() }.must(&mut read).await.unwrap();
    u64::try_from(row.int(0).unwrap()).unwrap()
}

/// Rows that this handle has written so far, where the engine says so.
async fn written(bed: &Bed, store: &Store) -> i64 {
    if !bed.is_file() {
        return 0;
    }
    let mut tx = store.db().write("count").await.unwrap();
    q("select total_changes()").must(&mut tx).await.unwrap().int(0).unwrap()
}

async fn old_messages_go_with_what_hangs_on_them_and_do_not_come_back(bed: Bed) {
    let store = bed.open().await;
    let id = integration(&store).await;
    let room = chat(1);
    let mut items = Vec::new();
    for n in 0..200 {
        let mut message = message(n, &room, 1_000 * i64::try_from(n).unwrap());
        let key = "@_user_1".to_owned();
        message.mentions = vec![Mention { key, id: "ou_ann".to_owned(), name: "Ann".to_owned() }];
        items.push(item(&id, message));
        items.push(IngestItem {
            integration: id.clone(),
            event_id: Some(format!("e{n}")),
            via: Via::Live,
            what: Incoming::Reaction {
                message_id: message_id(n),
                emoji: "OK".to_owned(),
                operator: "ou_2".to_owned(),
                added: true,
            },
        });
    }
    store.ingest(items).await.unwrap();
    for n in [3, 150] {
        let press = NewPress {
            integration: id.clone(),
            message_id: message_id(n),
            action: "ack",
            member_id: "m_1".parse().unwrap(),
            member_name: "Ann".to_owned(),
        };
        store.press(press).await.unwrap();
    }
    for (from, to) in [(1_000, 2_000), (150_000, 160_000)] {
        let seam = NewSeam { from: at(from), to: at(to), recovered: 1, missing: Missing::Nothing };
        let page = FillPage {
            integration: id.clone(),
            chat_id: room.clone(),
            messages: Vec::new(),
            complete_to: None,
            seam: Some(seam),
            kind: FillKind::Gap,
        };
        store.fill_page(page).await.unwrap();
    }

    let before = at(100_000);
    assert_eq!(store.rooms_with_old(&id, before).await.unwrap(), std::slice::from_ref(&room));
    store.keep_from(Some(before)).await.unwrap();
    let head = store.head().await.unwrap();
    assert_eq!(prune_room(&store, &room, before).await, 100);
    assert!(store.rooms_with_old(&id, before).await.unwrap().is_empty());
    assert!(store.changes(head, 10).await.unwrap().iter().any(|change| change.key == room.as_str()), "told");
    for (table, left) in [("message", 100), ("mention", 100), ("reaction", 100), ("press", 1), ("seam", 1)] {
        assert_eq!(count(&store, table).await, left, "{table}");
    }

    // By whatever way it comes again, it is not stored.
    let again = store.ingest(vec![item(&id, message(5, &room, 5_000))]).await.unwrap();
    assert_eq!(again, [Ingested::Duplicate]);
    let page = FillPage {
        integration: id.clone(),
        chat_id: room.clone(),
        messages: vec![
            (message(6, &room, 6_000), false),
            (message(900, &room, 99_999), false),
            (message(901, &room, 100_000), false),
        ],
        complete_to: None,
        seam: None,
        kind: FillKind::Older,
    };
    let stored = store.fill_page(page).await.unwrap();
    assert_eq!(stored.iter().map(|one| one.is_new()).collect::<Vec<_>>(), [false, false, true]);
    let oldest = store.history(&room, &Anchor::From(at(0)), 1).await.unwrap();
    assert_eq!(oldest[0].body.created_at, before);

    // For ever again: what was too old may come back.
    store.keep_from(None).await.unwrap();
    assert!(store.ingest(vec![item(&id, message(5, &room, 5_000))]).await.unwrap()[0].is_new());
}

async fn events_feed_log_and_outbox_each_have_their_time(bed: Bed) {
    let clock = Hand::new();
    let store = bed.open_with("ann", clock.clone()).await.unwrap();
    let id = integration(&store).await;
    let seen = |name: &str| IngestItem {
        integration: id.clone(),
        event_id: Some(name.to_owned()),
        via: Via::Webhook,
        what: Incoming::Seen,
    };
    let recall = IngestItem {
        what: Incoming::Recalled { chat_id: chat(1), message_id: message_id(77) },
        ..seen("recall")
    };
    store.ingest(vec![seen("old"), recall, item(&id, message(1, &chat(1), 1))]).await.unwrap();
    store.log(NewOperation::ok("test", "old")).await.unwrap();
    let outgoing = |uuid: &str| NewOutgoing {
        uuid: uuid.to_owned(),
        integration: id.clone(),
        chat_id: chat(1),
        reply_to: None,
        in_thread: false,
        text: "x".to_owned(),
        author: "ann".to_owned(),
    };
    store.queue_outgoing(outgoing("sent")).await.unwrap();
    store.outgoing_sent("sent", message(2, &chat(1), 2)).await.unwrap();
    store.queue_outgoing(outgoing("waits")).await.unwrap();
    store.mark_feed().await.unwrap();
    let old_head = store.head().await.unwrap();
    pass(&store, &clock, 2 * DAY).await;
    store.ingest(vec![seen("new")]).await.unwrap();
    store.log(NewOperation::ok("test", "new")).await.unwrap();
    store.mark_feed().await.unwrap();

    let before = store.now().await.unwrap().minus(std::time::Duration::from_secs(24 * 3600));
    while store.prune_events(before).await.unwrap() > 0 {}
    while store.prune_log(before).await.unwrap() > 0 {}
    while store.prune_feed(before).await.unwrap() > 0 {}
    assert_eq!(count(&store, "event_seen").await, 1);
    assert_eq!(count(&store, "early_recall").await, 0);
    assert_eq!(count(&store, "operation").await, 1);
    assert_eq!(store.pending_outgoing(None).await.unwrap().len(), 1, "what waits is not forgotten");
    assert!(store.outgoing("sent").await.unwrap().is_none());
    assert_eq!(store.feed_floor().await.unwrap(), old_head);
    assert!(store.changes(Seq(0), 100).await.unwrap().iter().all(|change| change.seq > old_head));
    assert_eq!(count(&store, "feed_mark").await, 2, "one to know the rest by");

    // Nothing more happens: nothing is written.
    let was = written(&bed, &store).await;
    store.mark_feed().await.unwrap();
    while store.prune_events(before).await.unwrap() > 0 {}
    while store.prune_log(before).await.unwrap() > 0 {}
    while store.prune_feed(before).await.unwrap() > 0 {}
    store.keep_from(None).await.unwrap();
    assert_eq!(written(&bed, &store).await, was);
    let kept = store.kept().await.unwrap();
    assert_eq!(kept.iter().find(|kind| kind.what == "operations").unwrap().rows, 1);
}

async fn a_reaction_whose_message_does_not_come_goes_with_the_events_of_its_time(bed: Bed) {
    let clock = Hand::new();
    let store = bed.open_with("ann", clock.clone()).await.unwrap();
    let id = integration(&store).await;
    let react = |event: &str, number: usize| IngestItem {
        integration: id.clone(),
        event_id: Some(event.to_owned()),
        via: Via::Webhook,
        what: Incoming::Reaction {
            message_id: message_id(number),
            emoji: "OK".to_owned(),
            operator: "ou_1".to_owned(),
            added: true,
        },
    };
    // One to a message that was forgotten, one to a message that is on its way.
    store.ingest(vec![item(&id, message(1, &chat(1), 1_000))]).await.unwrap();
    assert_eq!(prune_room(&store, &chat(1), at(2_000)).await, 1);
    store.ingest(vec![react("a", 1), react("b", 2)]).await.unwrap();
    assert_eq!(count(&store, "reaction").await, 2);
    store.ingest(vec![item(&id, message(2, &chat(1), 3_000))]).await.unwrap();

    let day = std::time::Duration::from_secs(24 * 3600);
    let forget = async || {
        let before = store.now().await.unwrap().minus(day);
        while store.prune_events(before).await.unwrap() > 0 {}
    };
    forget().await;
    assert_eq!(count(&store, "reaction").await, 2, "its message may come yet");
    pass(&store, &clock, 2 * DAY).await;
    store.ingest(vec![react("c", 3)]).await.unwrap();
    forget().await;
    assert_eq!(count(&store, "reaction").await, 2, "the one of now, and the one whose message came");
    let came = store.message(&message_id(2)).await.unwrap().unwrap();
    assert_eq!(came.reactions, [("OK".to_owned(), 1)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Whoever has read whatever, and whatever was fetched from before: after old messages are gone, a room has
    /// as many unread as there are messages of others after the reader's mark.
    #[test]
    fn unread_counts_stay_right_when_old_messages_go(
        fetched in 0usize..20,
        live in 1usize..60,
        own in proptest::collection::vec(any::<bool>(), 80),
        reads in proptest::collection::vec(0usize..80, 0..4),
        cut in 0usize..90,
        later in 0usize..5,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let bed = Bed::sqlite();
            let store = bed.open().await;
            let id = integration(&store).await;
            let room = chat(1);
            let time = |n: usize| i64::try_from(n).unwrap() * 1_000;
            let one = |n: usize| IngestItem {
                what: Incoming::Message { message: message(n, &room, time(n)), own: own[n % own.len()] },
                ..item(&id, message(n, &room, time(n)))
            };
            store.ingest((fetched..fetched + live).map(one).collect()).await.unwrap();
            let page = FillPage {
                integration: id.clone(),
                chat_id: room.clone(),
                messages: (0..fetched).map(|n| (message(n, &room, time(n)), own[n])).collect(),
                complete_to: None,
                seam: None,
                kind: FillKind::Older,
            };
            store.fill_page(page).await.unwrap();
            let total = fetched + live;
            let cut = cut.min(total);
            for (who, read) in reads.iter().enumerate() {
                let n = read % total;
                let place = Place { at: at(time(n)), message_id: message_id(n) };
                store.mark_read(&format!("reader{who}"), &room, &place).await.unwrap();
            }
            let before = at(time(cut));
            prune_room(&store, &room, before).await;
            store.ingest((total..total + later).map(one).collect()).await.unwrap();
            for (who, read) in reads.iter().enumerate() {
                let mark = read % total;
                let after = (0..total + later).filter(|n| *n > mark && *n >= cut && !own[n % own.len()]).count();
                let (_, shown) = store.room(&room, &reader(&format!("reader{who}"))).await.unwrap().unwrap();
                prop_assert_eq!(usize::try_from(shown.unread).unwrap(), after, "mark {} cut {}", mark, cut);
            }
            // Who never read anything has what came, as far as it is still there.
            let came = (fetched..total + later).filter(|n| *n >= cut && !own[n % own.len()]).count();
            let left = (0..total + later).filter(|n| *n >= cut && !own[n % own.len()]).count();
            let (_, shown) = store.room(&room, &reader("nobody")).await.unwrap().unwrap();
            let unread = usize::try_from(shown.unread).unwrap();
            prop_assert!(unread <= left && unread >= came, "{} of {} {}", unread, came, left);
            Ok(())
        })?;
    }
}
