use super::{
    super::{Anchor, FillKind, FillPage, Ingested, NewOutgoing, NewSeam, Place},
    *,
};
use crate::core::{
    ids::Seq,
    message::Mention,
    room::{Missing, OutgoingState, RoomStatus},
};

on_each_engine! {
    edits_recalls_and_reactions_are_changes_in_place,
    a_recall_may_come_first,
    history_pages_meet_without_gap_or_overlap,
    a_page_carries_its_mark_and_its_seam,
    unread_counts_follow_the_mark_of_each_reader,
    rooms_come_and_go_by_events,
    an_outgoing_message_is_sent_once_or_said_to_be_unknown,
}

fn event(id: &IntegrationId, event_id: &str, what: Incoming) -> IngestItem {
    IngestItem { integration: id.clone(), event_id: Some(event_id.to_owned()), via: Via::Live, what }
}

fn place(message: &NewMessage) -> Place {
    Place { at: message.created_at, message_id: message.message_id.clone() }
}

async fn edits_recalls_and_reactions_are_changes_in_place(bed: Bed) {
    let store = bed.open().await;
    let id = integration(&store).await;
    let room = chat(1);
    store.ingest((0..3).map(|n| item(&id, message(n, &room, 1000 + n as i64))).collect()).await.unwrap();
    let before = store.head().await.unwrap();
    let mut edited = message(1, &room, 1001);
    edited.content = "{\"text\":\"better\"}".to_owned();
    edited.updated_at = Some(Timestamp::from_ms(5000));
    let edit = Incoming::Edited { message: edited.clone(), own: false };
    assert!(matches!(
        store.ingest(vec![event(&id, "e1", edit.clone())]).await.unwrap()[0],
        Ingested::Changed(_)
    ));
    assert_eq!(store.ingest(vec![event(&id, "e1", edit)]).await.unwrap(), [Ingested::Duplicate]);
    // An older edit that comes later changes nothing.
    edited.content = "{\"text\":\"worse\"}".to_owned();
    edited.updated_at = Some(Timestamp::from_ms(4000));
    let edit = Incoming::Edited { message: edited, own: false };
    assert_eq!(store.ingest(vec![event(&id, "e0", edit)]).await.unwrap(), [Ingested::Duplicate]);
    let react = |event_id: &str, operator: &str, added| {
        let what = Incoming::Reaction {
            message_id: message_id(0),
            emoji: "OK".to_owned(),
            operator: operator.to_owned(),
            added,
        };
        event(&id, event_id, what)
    };
    store
        .ingest(vec![react("r1", "ou_1", true), react("r2", "ou_2", true), react("r1", "ou_1", true)])
        .await
        .unwrap();
    let recall = Incoming::Recalled { chat_id: room.clone(), message_id: message_id(2) };
    store.ingest(vec![event(&id, "x1", recall)]).await.unwrap();
    let page = store.history(&room, &Anchor::Latest, 10).await.unwrap();
    let ids: Vec<&MessageId> = page.iter().map(|message| &message.body.message_id).collect();
    assert_eq!(ids, [&message_id(0), &message_id(1), &message_id(2)]);
    assert_eq!(page[0].reactions, [("OK".to_owned(), 2)]);
    assert_eq!((page[1].body.content.as_str(), page[1].body.edited), ("{\"text\":\"better\"}", true));
    assert!(page[2].body.recalled);
    let changed = store.messages_after(before, Some(&room), 10).await.unwrap();
    assert_eq!(changed.len(), 3);
    assert!(changed.is_sorted_by_key(|message| message.seq));
    store.ingest(vec![react("r3", "ou_2", false)]).await.unwrap();
    assert_eq!(store.message(&message_id(0)).await.unwrap().unwrap().reactions, [("OK".to_owned(), 1)]);
}

async fn a_recall_may_come_first(bed: Bed) {
    let store = bed.open().await;
    let id = integration(&store).await;
    let recall = Incoming::Recalled { chat_id: chat(1), message_id: message_id(7) };
    store.ingest(vec![event(&id, "x1", recall)]).await.unwrap();
    store
        .ingest(vec![item(&id, message(7, &chat(1), 1000)), item(&id, message(8, &chat(1), 1000))])
        .await
        .unwrap();
    assert!(store.message(&message_id(7)).await.unwrap().unwrap().body.recalled);
    assert!(!store.message(&message_id(8)).await.unwrap().unwrap().body.recalled);
}

async fn history_pages_meet_without_gap_or_overlap(bed: Bed) {
    let store = bed.open().await;
    let id = integration(&store).await;
    // Several messages in the same millisecond, stored in a muddled order.
    let order = (0..50usize).map(|n| (n * 37) % 50);
    store
        .ingest(order.map(|n| item(&id, message(n, &chat(1), 1000 + (n / 4) as i64))).collect())
        .await
        .unwrap();
    let mut page = store.history(&chat(1), &Anchor::Latest, 7).await.unwrap();
    let mut all = page.clone();
    while let Some(first) = page.first() {
        page = store.history(&chat(1), &Anchor::Before(place(&first.body)), 7).await.unwrap();
        all.splice(0..0, page.iter().cloned());
    }
    let numbers: Vec<MessageId> = all.iter().map(|message| message.body.message_id.clone()).collect();
    assert_eq!(numbers, (0..50).map(message_id).collect::<Vec<_>>());
    let after = store.history(&chat(1), &Anchor::After(place(&all[9].body)), 3).await.unwrap();
    assert_eq!(after, all[10..13]);
    let from = store.history(&chat(1), &Anchor::From(Timestamp::from_ms(1002)), 2).await.unwrap();
    assert_eq!(from, all[8..10]);
    assert_eq!(store.seq_at(Timestamp::from_ms(99_999)).await.unwrap(), store.head().await.unwrap());
}

async fn a_page_carries_its_mark_and_its_seam(bed: Bed) {
    let store = bed.open().await;
    let id = integration(&store).await;
    let room = chat(1);
    store.ingest(vec![item(&id, message(1, &room, 2000))]).await.unwrap();
    let mut newer = message(1, &room, 2000);
    newer.thread_id = Some("omt_1".parse().unwrap());
    let page = FillPage {
        integration: id.clone(),
        chat_id: room.clone(),
        messages: vec![(message(0, &room, 1000), false), (newer, false), (message(2, &room, 3000), true)],
        complete_to: Some(Timestamp::from_ms(3000)),
        seam: Some(NewSeam {
            from: Timestamp::from_ms(500),
            to: Timestamp::from_ms(3000),
            recovered: 2,
            missing: Missing::ThreadReplies,
        }),
        kind: FillKind::Gap,
    };
    let answers = store.fill_page(page.clone()).await.unwrap();
    assert!(answers[0].is_new() && matches!(answers[1], Ingested::Changed(_)) && answers[2].is_new());
    let again = FillPage { seam: None, complete_to: Some(Timestamp::from_ms(100)), ..page };
    assert_eq!(store.fill_page(again).await.unwrap(), [Ingested::Duplicate; 3]);
    let (_, listed) = store.room(&room, &reader("ann")).await.unwrap().unwrap();
    assert_eq!(listed.complete_to, Some(Timestamp::from_ms(3000)));
    assert_eq!(listed.unread, 2, "the own message is never unread");
    let seams = store.seams(&room, Timestamp::from_ms(2000), Timestamp::from_ms(9000)).await.unwrap();
    assert_eq!((seams.len(), seams[0].recovered, seams[0].missing), (1, 2, Missing::ThreadReplies));
    assert_eq!(store.thread(&room, &"omt_1".parse().unwrap(), 10).await.unwrap().len(), 1);
    let app = app("cli_a");
    let super::super::Acquired::Ours { epoch, .. } = store.try_acquire(&app, None).await.unwrap() else {
        panic!()
    };
    for (epoch, filled_to, to) in [(epoch, 3000, 8000), (epoch, 8001, 9000), (epoch + 1, 3000, 9500)] {
        let (filled_to, to) = (Timestamp::from_ms(filled_to), Timestamp::from_ms(to));
        store.advance_complete(&id, (&app, epoch), filled_to, to).await.unwrap();
    }
    let (_, listed) = store.room(&room, &reader("ann")).await.unwrap().unwrap();
    assert_eq!(listed.complete_to, Some(Timestamp::from_ms(8000)));
}

async fn unread_counts_follow_the_mark_of_each_reader(bed: Bed) {
    let store = bed.open().await;
    let id = integration(&store).await;
    let room = chat(1);
    let li = Reader { name: "li".to_owned(), open_ids: vec!["ou_li".parse().unwrap()] };
    let of = async |reader: &Reader| {
        let (_, room) = store.room(&room, reader).await.unwrap().unwrap();
        (room.unread, room.mentioned)
    };
    let mut mention = message(5, &room, 1005);
    mention.mentions =
        vec![Mention { key: "@_user_1".to_owned(), id: "ou_li".to_owned(), name: "Li".to_owned() }];
    let mut items: Vec<IngestItem> = (0..5).map(|n| item(&id, message(n, &room, 1000 + n as i64))).collect();
    items.push(item(&id, mention.clone()));
    store.ingest(items).await.unwrap();
    assert_eq!(of(&li).await, (6, true));
    assert_eq!(of(&reader("ann")).await, (6, false));
    store.mark_read("li", &room, &place(&message(3, &room, 1003))).await.unwrap();
    assert_eq!(of(&li).await, (2, true));
    store.mark_read("li", &room, &place(&mention)).await.unwrap();
    store.mark_read("li", &room, &place(&message(0, &room, 1000))).await.unwrap();
    assert_eq!(of(&li).await, (0, false), "a mark never moves backwards");
    assert_eq!(store.read_mark("li", &room).await.unwrap(), Some(place(&mention)));
    // What a fill recovers behind the mark was not read either; what a person scrolls back to was.
    let page = |kind, number| FillPage {
        integration: id.clone(),
        chat_id: room.clone(),
        messages: vec![(message(number, &room, 900), false)],
        complete_to: None,
        seam: None,
        kind,
    };
    store.fill_page(page(FillKind::Gap, 100)).await.unwrap();
    store.fill_page(page(FillKind::Older, 101)).await.unwrap();
    assert_eq!(of(&li).await, (1, false));
    store.mark_read("li", &room, &place(&mention)).await.unwrap();
    assert_eq!(of(&li).await, (0, false));
    assert_eq!(of(&reader("ann")).await, (7, false));
}

async fn rooms_come_and_go_by_events(bed: Bed) {
    let store = bed.open().await;
    let id = integration(&store).await;
    let people =
        vec![("ou_1".parse().unwrap(), "李雷".to_owned()), ("ou_2".parse().unwrap(), "Han".to_owned())];
    let items = vec![
        event(&id, "1", Incoming::BotAdded { chat_id: chat(1), name: "Checkout".to_owned() }),
        event(&id, "2", Incoming::MembersAdded { chat_id: chat(1), people }),
        event(&id, "3", Incoming::MembersLeft { chat_id: chat(1), people: vec!["ou_2".parse().unwrap()] }),
        event(
            &id,
            "4",
            Incoming::ChatUpdated {
                chat_id: chat(1),
                name: Some("Checkout down".to_owned()),
                description: Some("since 03:06".to_owned()),
            },
        ),
        event(&id, "5", Incoming::Seen),
        item(&id, message(1, &chat(1), 1000)),
    ];
    store.ingest(items).await.unwrap();
    let message = store.message(&message_id(1)).await.unwrap().unwrap();
    assert_eq!(message.body.sender.name.as_deref(), Some("李雷"));
    assert_eq!(store.room_members(&chat(1)).await.unwrap().len(), 1);
    let gone = event(&id, "6", Incoming::ChatDisbanded { chat_id: chat(1) });
    let answers = store.ingest(vec![gone.clone(), gone, event(&id, "5", Incoming::Seen)]).await.unwrap();
    assert!(matches!(answers[0], Ingested::Changed(_)));
    assert_eq!(answers[1..], [Ingested::Duplicate; 2]);
    let room = &store.rooms(&id, &reader("ann")).await.unwrap()[0];
    assert_eq!((room.name.as_str(), room.status), ("Checkout down", RoomStatus::Disbanded));
    assert_eq!(store.history(&chat(1), &Anchor::Latest, 10).await.unwrap().len(), 1, "history stays");
    store.set_room_members(&chat(1), vec![("ou_9".parse().unwrap(), "Nine".to_owned())]).await.unwrap();
    let members = store.room_members(&chat(1)).await.unwrap();
    assert_eq!((members.len(), members[0].name.as_str()), (1, "Nine"));
}

async fn an_outgoing_message_is_sent_once_or_said_to_be_unknown(bed: Bed) {
    let clock = Hand::new();
    let store = bed.open_with("ann", clock.clone()).await.unwrap();
    let id = integration(&store).await;
    let new = |uuid: &str| NewOutgoing {
        uuid: uuid.to_owned(),
        integration: id.clone(),
        chat_id: chat(1),
        reply_to: None,
        in_thread: false,
        text: "rolling back".to_owned(),
        author: "ann".to_owned(),
    };
    store.queue_outgoing(new("u1")).await.unwrap();
    store.queue_outgoing(new("u2")).await.unwrap();
    assert!(store.set_outgoing("u1", &OutgoingState::Sending).await.unwrap());
    assert_eq!(store.orphan_outgoing().await.unwrap(), [], "its process lives");
    let now = store.now().await.unwrap().ms();
    let sent = message(1, &chat(1), now);
    let seq = store.outgoing_sent("u1", sent.clone()).await.unwrap();
    assert_eq!(store.outgoing_sent("u1", sent).await.unwrap(), seq);
    assert!(!store.set_outgoing("u1", &OutgoingState::Unknown).await.unwrap());
    assert_eq!(store.pending_outgoing(Some(&chat(1))).await.unwrap().len(), 1);
    pass(&store, &clock, 3_700_000).await;
    let lost = store.orphan_outgoing().await.unwrap();
    assert_eq!((lost.len(), &lost[0].outgoing.state), (1, &OutgoingState::Unknown));
    assert_eq!(store.reconcile_outgoing(&chat(1)).await.unwrap(), []);
    let mut back = item(
        &id,
        NewMessage { content: "{\"text\":\"rolling back\"}".to_owned(), ..message(2, &chat(1), now + 500) },
    );
    if let Incoming::Message { own, .. } = &mut back.what {
        *own = true;
    }
    store.ingest(vec![back]).await.unwrap();
    assert_eq!(store.reconcile_outgoing(&chat(1)).await.unwrap(), [("u2".to_owned(), message_id(2))]);
    assert_eq!(store.pending_outgoing(None).await.unwrap(), []);
    store.queue_outgoing(new("u3")).await.unwrap();
    assert!(!store.discard_outgoing("u3").await.unwrap());
    let failed = OutgoingState::Failed { reason: "no".to_owned() };
    assert!(store.set_outgoing("u3", &failed).await.unwrap());
    assert!(store.requeue_outgoing("u3").await.unwrap());
    assert!(store.set_outgoing("u3", &failed).await.unwrap());
    assert!(store.discard_outgoing("u3").await.unwrap());
    assert_eq!(store.outgoing("u3").await.unwrap(), None);
    assert!(store.changes(Seq(0), 1000).await.unwrap().is_sorted_by_key(|change| change.seq));
}
