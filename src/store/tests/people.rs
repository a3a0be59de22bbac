use super::{
    super::{Imported, LinkChange, LinkOutcome, MemberPatch, MemberRow},
    *,
};
use crate::core::{
    ids::{MemberId, Seq},
    member::{Filter, Licence, LinkOrigin, Reason},
};

on_each_engine! {
    an_import_adds_updates_and_repeats_without_change,
    links_are_journalled_and_undone,
    the_roster_comes_packed_and_its_changes_after_it,
    names_are_told_only_when_they_are_news,
    two_that_import_the_same_names_at_once_make_them_once,
    a_licence_stays_until_a_source_says_otherwise,
}

fn row(id: Option<&str>, name: &str, email: Option<&str>) -> MemberRow {
    MemberRow {
        id: id.map(|id| id.parse().unwrap()),
        name: name.to_owned(),
        email: email.map(str::to_owned),
        phone: None,
        team: None,
        licence: None,
    }
}

fn member(id: &str) -> MemberId {
    id.parse().unwrap()
}

fn change(id: &str, open_id: Option<&str>) -> LinkChange {
    LinkChange {
        member: member(id),
        open_id: open_id.map(|id| id.parse().unwrap()),
        origin: LinkOrigin::OneClick,
        reason: None,
    }
}

async fn a_licence_stays_until_a_source_says_otherwise(bed: Bed) {
    let store = bed.open().await;
    let id = integration(&store).await;
    let told = |licence| MemberRow { licence, ..row(Some("m_1"), "Ann", None) };
    let now = async || store.member(&id, &member("m_1")).await.unwrap().licence;
    for (source, kept) in [
        (None, None),
        (Some(Licence::Fixed), Some(Licence::Fixed)),
        (None, Some(Licence::Fixed)),
        (Some(Licence::None), Some(Licence::None)),
        (Some(Licence::Temporary), Some(Licence::Temporary)),
    ] {
        store.import_members(vec![told(source)]).await.unwrap();
        assert_eq!(now().await, kept);
    }
    let again = store.import_members(vec![told(Some(Licence::Temporary))]).await.unwrap();
    assert!(matches!(again[0], Imported::Unchanged(_)), "{again:?}");
    // By hand, a name or a licence alone.
    let patch = MemberPatch { name: Some("Anna".to_owned()), ..Default::default() };
    store.update_member(&member("m_1"), patch).await.unwrap();
    assert_eq!(now().await, Some(Licence::Temporary));
    store
        .update_member(&member("m_1"), MemberPatch { licence: Some(None), ..Default::default() })
        .await
        .unwrap();
    assert_eq!(now().await, None);
}

async fn an_import_adds_updates_and_repeats_without_change(bed: Bed) {
    let store = bed.open().await;
    let id = integration(&store).await;
    let rows = vec![
        row(Some("m_1"), "Ann", Some("Ann@Example.com")),
        row(None, "Bob", Some("bob@example.com")),
        row(Some("m_3"), "Cy\u{1f}d", None),
    ];
    let dry = store.compare_members(rows.clone()).await.unwrap();
    assert!(dry.iter().all(|one| matches!(one, Imported::Added(_))));
    assert_eq!(store.member_counts(&id).await.unwrap().all, 0);
    let added = store.import_members(rows.clone()).await.unwrap();
    assert!(added.iter().all(|one| matches!(one, Imported::Added(_))));
    let head = store.head().await.unwrap();
    let again = store.import_members(rows).await.unwrap();
    assert!(again.iter().all(|one| matches!(one, Imported::Unchanged(_))), "{again:?}");
    assert_eq!(store.head().await.unwrap(), head);
    let rows = vec![
        row(Some("m_9"), "Thief", Some("ANN@example.com")),
        row(None, "Bobby", Some("BOB@example.com")),
        row(Some("m_1"), "Ann", None),
    ];
    let mixed = store.import_members(rows).await.unwrap();
    assert_eq!(mixed[0], Imported::EmailTaken(member("m_1")));
    assert!(matches!(&mixed[1], Imported::Updated(_)));
    assert_eq!(mixed[2], Imported::Unchanged(member("m_1")), "an absent field empties nothing");
    let found = store.find_members(&id, "bob").await.unwrap();
    assert_eq!(found[0].name, "Bobby");
    assert_eq!(store.find_members(&id, "ann@EXAMPLE.com").await.unwrap()[0].id, member("m_1"));
    for exact in ["m_1", "ann@EXAMPLE.com", "Ann"] {
        assert_eq!(store.named_member(&id, exact).await.unwrap().unwrap().id, member("m_1"), "{exact}");
    }
    assert_eq!(store.named_member(&id, "Bob").await.unwrap(), None, "a part of a name is no name");
    let taken = store
        .update_member(
            &member("m_3"),
            MemberPatch { email: Some(Some("ann@example.com".to_owned())), ..Default::default() },
        )
        .await;
    assert!(matches!(taken, Err(StoreError::MemberTaken { .. })));
    store.remove_member(&member("m_1")).await.unwrap();
    store.add_member(row(Some("m_1"), "Ann again", Some("ann@example.com"))).await.unwrap();
    let names: Vec<String> =
        store.list_members(&id, Filter::All, 0, 10).await.unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["Ann again", "Bobby", "Cy d"]);
}

async fn links_are_journalled_and_undone(bed: Bed) {
    let store = bed.open().await;
    let id = integration(&store).await;
    let rows = (1..=4).map(|n| row(Some(&format!("m_{n}")), &format!("N{n}"), None)).collect();
    store.import_members(rows).await.unwrap();
    let batch = store.new_batch_id();
    let changes = vec![
        change("m_1", Some("ou_1")),
        change("m_2", Some("ou_1")),
        change("m_3", Some("ou_3")),
        change("m_9", Some("ou_9")),
    ];
    let outcomes = store.apply_links(&id, &batch, changes.clone()).await.unwrap();
    assert_eq!(
        outcomes,
        [
            LinkOutcome::Applied,
            LinkOutcome::TakenBy(member("m_1")),
            LinkOutcome::Applied,
            LinkOutcome::NoMember
        ]
    );
    let head = store.head().await.unwrap();
    let again = store.apply_links(&id, &batch, changes).await.unwrap();
    assert_eq!(again[0], LinkOutcome::Unchanged);
    assert_eq!(store.head().await.unwrap(), head, "a repeat doubles nothing");
    assert_eq!(store.member(&id, &member("m_2")).await.unwrap().reason, Some(Reason::AlreadyLinked));
    let at = Timestamp::from_ms(77);
    store
        .set_reasons(
            &id,
            vec![(member("m_1"), Reason::NotFound, Some(at)), (member("m_4"), Reason::NotFound, Some(at))],
        )
        .await
        .unwrap();
    assert_eq!(store.member(&id, &member("m_1")).await.unwrap().reason, None, "linked ones are left alone");
    let four = store.member(&id, &member("m_4")).await.unwrap();
    assert_eq!((four.reason, four.looked_up_at), (Some(Reason::NotFound), Some(at)));
    let patch = MemberPatch { email: Some(Some("new@example.com".to_owned())), ..Default::default() };
    store.update_member(&member("m_4"), patch).await.unwrap();
    assert_eq!(store.member(&id, &member("m_4")).await.unwrap().reason, None, "new contact data, new chance");
    let counts = store.member_counts(&id).await.unwrap();
    assert_eq!((counts.all, counts.linked, counts.unlinked()), (4, 2, 2));
    // Somebody relinks one of them by hand: the undo leaves that alone.
    store.apply_links(&id, "b_hand", vec![change("m_3", None)]).await.unwrap();
    store.apply_links(&id, "b_hand", vec![change("m_3", Some("ou_33"))]).await.unwrap();
    let report = store.undo_links(&id, Some(&batch)).await.unwrap();
    assert_eq!((report.restored, report.skipped), (vec![member("m_1")], vec![member("m_3")]));
    assert!(store.undo_links(&id, Some(&batch)).await.is_err());
    assert_eq!(store.member_of_account(&id, &"ou_1".parse().unwrap()).await.unwrap(), None);
    // The latest batch that is not undone: by hand, two changes of one member, back to the first link.
    let report = store.undo_links(&id, None).await.unwrap();
    assert_eq!(report.batch, "b_hand");
    let three = store.member(&id, &member("m_3")).await.unwrap().link.unwrap();
    assert_eq!(three.open_id.as_str(), "ou_3");
    assert!(store.link_batches(&id, 10).await.unwrap().len() >= 3);
}

async fn the_roster_comes_packed_and_its_changes_after_it(bed: Bed) {
    let store = bed.open().await;
    let id = integration(&store).await;
    let rows = (0..9000).map(|n| {
        let email = format!("u{n}@example.com");
        row(Some(&format!("m_{n}")), &format!("成员 {n}"), (n % 3 != 0).then_some(email.as_str()))
    });
    store.import_members(rows.collect()).await.unwrap();
    let linked = ["m_1", "m_17", "m_8999"];
    let changes = linked.iter().enumerate().map(|(n, id)| change(id, Some(&format!("ou_{n}")))).collect();
    store.apply_links(&id, "b_1", changes).await.unwrap();
    let (head, chunks) = store.roster(&id).await.unwrap();
    let all: Vec<_> = chunks.iter().flat_map(|chunk| chunk.rows()).collect();
    assert_eq!(all.len(), 9000);
    assert_eq!(chunks.iter().map(|chunk| chunk.len()).sum::<usize>(), 9000);
    let mut flagged: Vec<&str> = all.iter().filter(|row| row.linked).map(|row| row.id).collect();
    flagged.sort_unstable();
    assert_eq!(flagged, ["m_1", "m_17", "m_8999"]);
    let one = all.iter().find(|row| row.id == "m_4").unwrap();
    assert_eq!((one.name, one.email), ("成员 4", "u4@example.com"));
    assert!(store.roster_after(&id, head).await.unwrap().1.is_empty());
    store.apply_links(&id, "b_2", vec![change("m_1", None), change("m_2", Some("ou_x"))]).await.unwrap();
    let (_, news) = store.roster_after(&id, head).await.unwrap();
    let news: Vec<(&str, bool)> = news[0].rows().map(|row| (row.id, row.linked)).collect();
    assert_eq!(news, [("m_1", false), ("m_2", true)]);
    assert!(store.head().await.unwrap() > Seq(0));
}

async fn names_are_told_only_when_they_are_news(bed: Bed) {
    let store = bed.open().await;
    let names = vec![("ou_1".to_owned(), Some("李雷".to_owned())), ("ou_2".to_owned(), None)];
    store.put_people(names.clone()).await.unwrap();
    let head = store.head().await.unwrap();
    store.put_people(names).await.unwrap();
    store.put_people(vec![("ou_1".to_owned(), None)]).await.unwrap();
    assert_eq!(store.head().await.unwrap(), head);
    let known = store.people(&["ou_1".to_owned(), "ou_2".to_owned(), "ou_3".to_owned()]).await.unwrap();
    assert_eq!(known.len(), 2);
    assert_eq!(known[0].name.as_deref(), Some("李雷"));
}

async fn two_that_import_the_same_names_at_once_make_them_once(bed: Bed) {
    let (one, two) = (bed.open().await, bed.open().await);
    let id = integration(&one).await;
    let rows: Vec<MemberRow> = (0..1500).map(|n| row(None, &format!("Member {}", n % 1000), None)).collect();
    let (first, second) = tokio::join!(one.import_members(rows.clone()), two.import_members(rows.clone()));
    let added =
        |answers: &[Imported]| answers.iter().filter(|answer| matches!(answer, Imported::Added(_))).count();
    assert_eq!(added(&first.unwrap()) + added(&second.unwrap()), 1500);
    assert_eq!(one.member_counts(&id).await.unwrap().all, 1500);
}
