//! Tests of `update`: model and action in, fields and effects out.

use std::sync::Arc;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::{
    app::{command::Command, event::*, key::Key, keymap::Keymap, model::*, route::route, session::Session},
    config::{Bell, Glyphs},
    core::{
        ids::{AppKey, ChatId, Seq},
        integration::{AppSummary, Holder, ImKind, Integration, IntegrationUrls, Live, LiveState, Receive},
        lang::Lang,
        member::{Filter, Link, LinkOrigin, Member, MemberCounts, Reason},
        message::{Message, NewMessage, Sender, SenderKind, Via},
        operation::{Operation, OperationResult},
        role::{Right, Role},
        room::{Outgoing, OutgoingState, Room, RoomKind, RoomMember, RoomStatus},
        secret::Secret,
        time::Timestamp,
    },
};

const NOON: i64 = 1_795_320_000_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(NOON + ms)
}

fn me() -> Holder {
    Holder { user: "ann".into(), host: "bastion".into(), pid: 1 }
}

fn integration(id: &str, kind: ImKind, war_room: bool) -> IntegrationRow {
    let id: crate::core::ids::IntegrationId = id.parse().unwrap();
    let app = kind.base_url().map(|base| AppSummary {
        key: AppKey { base_url: base.into(), app_id: "cli_1".parse().unwrap() },
        tenant: None,
        bot_name: Some("ops".into()),
        bot_open_id: Some("ou_bot".into()),
        app_secret_masked: "••••".into(),
        encrypt_key_masked: None,
        verification_token_masked: None,
    });
    IntegrationRow {
        urls: Some(IntegrationUrls::new("https://x.test", &id)),
        integration: Integration {
            name: id.to_string(),
            id,
            kind,
            app,
            war_room,
            receive: Receive::LongConnection,
            created_at: at(0),
        },
        live: Live {
            state: LiveState::Live,
            since_at: Some(at(0)),
            last_event_at: Some(at(0)),
            ..Live::default()
        },
    }
}

fn room(id: &str, unread: u32, last: i64) -> Room {
    Room {
        chat_id: id.parse().unwrap(),
        name: format!("room {id}"),
        description: String::new(),
        kind: RoomKind::Group,
        status: RoomStatus::Open,
        member_count: None,
        unread,
        mentioned: false,
        last_message_at: Some(at(last)),
        complete_to: None,
    }
}

fn message(chat: &str, n: i64) -> Message {
    Message {
        seq: Seq(n),
        body: NewMessage {
            chat_id: chat.parse().unwrap(),
            message_id: format!("om_{n:05}").parse().unwrap(),
            root_id: None,
            parent_id: None,
            thread_id: None,
            sender: Sender { id: "ou_w".into(), name: Some("王伟".into()), kind: SenderKind::User },
            msg_type: "text".into(),
            content: format!("{{\"text\":\"line {n}\"}}"),
            mentions: Vec::new(),
            created_at: at(n * 1000),
            updated_at: None,
            edited: false,
            recalled: false,
        },
        via: Via::Live,
        reactions: Vec::new(),
    }
}

fn member(n: u64, linked: bool) -> Member {
    Member {
        id: format!("m{n}").parse().unwrap(),
        name: format!("Member {n}"),
        email: Some(format!("m{n}@ex.test")),
        phone: Some("+8613800000042".into()),
        team: None,
        licence: None,
        link: linked.then(|| Link {
            open_id: "ou_1".parse().unwrap(),
            linked_at: at(0),
            origin: LinkOrigin::OneClick,
        }),
        reason: (!linked).then_some(Reason::NotFound),
        looked_up_at: None,
    }
}

/// A console with somebody at its keys.
struct Desk {
    model: Model,
    sent: Vec<Effect>,
}

impl Desk {
    fn new(access: Access) -> Self {
        Self::with(access, Session::default())
    }

    fn with(access: Access, session: Session) -> Self {
        let model = Model::new(Start {
            now: at(0),
            zone: TimeZone::UTC,
            lang: Lang::En,
            theme: "dark".into(),
            themes: vec!["dark".into(), "light".into()],
            glyphs: Glyphs::Unicode,
            size: Size { columns: 120, rows: 40 },
            mouse: false,
            bell: Bell::Mention,
            access,
            role: Role::Admin,
            me: me(),
            keymap: Arc::new(Keymap::default()),
            session,
            integration: None,
        });
        let mut desk = Self { model, sent: Vec::new() };
        let sizes = Sizes {
            list_rows: 20,
            transcript_rows: 10,
            transcript_cells: 40,
            thread_rows: 10,
            thread_cells: 40,
            composer_cells: 40,
            overlay_rows: 10,
            overlay_total: 30,
            pane_total: 50,
        };
        desk.event(Event::Started);
        desk.event(Event::Painted(Painted { hits: Vec::new(), sizes }));
        desk
    }

    /// The same with two integrations and three rooms.
    fn ready(access: Access) -> Self {
        let mut desk = Self::new(access);
        desk.load();
        desk
    }

    fn load(&mut self) {
        self.answer(Answer::Integrations(vec![
            integration("int_a", ImKind::Feishu, true),
            integration("int_b", ImKind::Slack, false),
        ]));
        self.answer(Answer::Rooms(vec![room("oc_1", 0, 5), room("oc_2", 3, 1), room("oc_3", 0, 9)]));
    }

    fn event(&mut self, event: Event) -> Vec<Effect> {
        let mut out = Vec::new();
        let keymap = self.model.keymap.clone();
        for action in route(&self.model, &keymap, event) {
            out.extend(update(&mut self.model, action));
        }
        self.sent.extend(out.iter().cloned());
        out
    }

    fn keys(&mut self, keys: &str) -> Vec<Ask> {
        let mut asks = Vec::new();
        for key in keys.split(' ') {
            let effects = self.event(Event::KeyPressed(key.parse().unwrap()));
            asks.extend(effects.into_iter().filter_map(ask_of));
        }
        asks
    }

    fn typed(&mut self, text: &str) {
        for c in text.chars() {
            self.event(Event::KeyPressed(Key::char(c)));
        }
    }

    /// Answers the latest effect that wants this kind of answer.
    fn answer(&mut self, answer: Answer) -> Vec<Effect> {
        let wants = |ask: &Ask| {
            matches!(
                (ask, &answer),
                (Ask::LoadIntegrations, Answer::Integrations(_))
                    | (Ask::LoadRooms(_), Answer::Rooms(_))
                    | (Ask::LoadTranscript { .. }, Answer::Transcript(_))
                    | (Ask::QueryMembers { .. }, Answer::Members(_))
                    | (Ask::PlanLink { .. }, Answer::LinkPlanned(_))
                    | (Ask::RunLink { .. }, Answer::LinkFinished(_))
                    | (Ask::Send { .. }, Answer::Queued(_))
                    | (Ask::LoadRoomMembers(_), Answer::RoomMembers(_))
                    | (Ask::LoadNames(_), Answer::Names(_))
                    | (Ask::SetWarRoom { .. }, Answer::WarRoomHeld { .. })
                    | (Ask::SaveIntegration { .. }, Answer::IntegrationSaved(_))
                    | (Ask::LoadLog { .. }, Answer::Log(_))
                    | (Ask::Invite { .. }, Answer::Invited { .. })
            )
        };
        let id = self.sent.iter().rev().find_map(|effect| match effect {
            Effect::Ask { id, ask } if wants(ask) => Some(*id),
            _ => None,
        });
        self.event(Event::Answered { id: id.expect("nobody asked"), answer: Box::new(answer) })
    }

    fn page(&mut self, anchor: Anchor, range: std::ops::Range<i64>, older: bool, newer: bool) {
        let chat = self.model.room.as_ref().unwrap().chat_id.clone();
        let page = TranscriptPage {
            messages: range.map(|n| message(chat.as_str(), n)).collect(),
            chat_id: chat,
            anchor,
            seams: Vec::new(),
            outgoing: Vec::new(),
            has_older: older,
            has_newer: newer,
            read_to: None,
        };
        self.answer(Answer::Transcript(page));
    }

    /// In the transcript of a room of 100 lines.
    fn reading() -> Self {
        let mut desk = Self::ready(Access::Write);
        desk.keys("enter");
        desk.page(Anchor::Latest, 0..100, true, false);
        desk
    }

    fn news(&mut self, range: std::ops::Range<i64>) -> Vec<Effect> {
        let chat = self.model.room.as_ref().unwrap().chat_id.clone();
        let news = RoomNews {
            messages: range.map(|n| message(chat.as_str(), n)).collect(),
            chat_id: chat,
            left_out: 0,
            seams: Vec::new(),
            outgoing: Vec::new(),
            members: false,
        };
        self.event(Event::FeedArrived(Box::new(FeedBatch { room: Some(news), ..FeedBatch::default() })))
    }

    fn room(&self) -> &OpenRoom {
        self.model.room.as_ref().unwrap()
    }

    fn first_seen(&self) -> (ItemKey, usize) {
        let seen = self.room().visible(10);
        (seen[0].0.key.clone(), seen[0].1.start)
    }
}

fn ask_of(effect: Effect) -> Option<Ask> {
    match effect {
        Effect::Ask { ask, .. } => Some(ask),
        Effect::Terminal(_) => None,
    }
}

#[test]
fn the_first_room_follows_the_list_until_the_person_does_something() {
    let silent = |id: &str| Room { last_message_at: None, ..room(id, 0, 0) };
    let feed = |desk: &mut Desk, rooms: Vec<Room>| {
        desk.event(Event::Ticked(desk.model.now.plus(Duration::from_secs(1))));
        desk.event(Event::FeedArrived(Box::new(FeedBatch { rooms: true, ..FeedBatch::default() })));
        desk.answer(Answer::Rooms(rooms));
    };
    let mut desk = Desk::new(Access::Write);
    desk.answer(Answer::Integrations(vec![integration("int_a", ImKind::Feishu, true)]));
    desk.answer(Answer::Rooms(vec![silent("oc_1"), silent("oc_2")]));
    assert!(desk.model.room.is_none(), "nobody has written in any room yet");
    feed(&mut desk, vec![room("oc_1", 0, 1), silent("oc_2")]);
    assert_eq!(desk.room().chat_id.as_str(), "oc_1");
    feed(&mut desk, vec![room("oc_1", 0, 1), room("oc_2", 0, 9)]);
    assert_eq!(desk.room().chat_id.as_str(), "oc_2", "the listing is still under way");
    let mut other = desk.model.clone();
    desk.keys("j");
    feed(&mut desk, vec![room("oc_1", 4, 10), room("oc_2", 0, 9)]);
    assert_eq!(desk.room().chat_id.as_str(), "oc_2", "a key was pressed");
    other.now = other.now.plus(Duration::from_secs(60));
    desk.model = other;
    feed(&mut desk, vec![room("oc_1", 0, 1), room("oc_2", 0, 11)]);
    feed(&mut desk, vec![room("oc_1", 4, 12), room("oc_2", 0, 11)]);
    assert_eq!(desk.room().chat_id.as_str(), "oc_2", "time has passed");
}

#[test]
fn a_name_that_is_learned_later_reaches_the_lines_that_are_on_screen() {
    let mut desk = Desk::ready(Access::Write);
    desk.keys("enter");
    let chat = desk.room().chat_id.clone();
    let mut messages: Vec<Message> = (0..4).map(|n| message(chat.as_str(), n)).collect();
    for message in &mut messages {
        message.body.sender.id = "ou_1234567890abcdef".to_owned();
        message.body.sender.name = None;
    }
    messages[3].body.parent_id = Some(messages[0].body.message_id.clone());
    desk.answer(Answer::Transcript(TranscriptPage {
        messages,
        chat_id: chat,
        anchor: Anchor::Latest,
        seams: Vec::new(),
        outgoing: Vec::new(),
        has_older: false,
        has_newer: false,
        read_to: None,
    }));
    let sender = |desk: &Desk| desk.room().items[0].message().unwrap().sender.to_string();
    assert_eq!(sender(&desk), "ou_1234567…");
    let asks: Vec<Ask> = desk
        .event(Event::FeedArrived(Box::new(FeedBatch { names: true, ..FeedBatch::default() })))
        .into_iter()
        .filter_map(ask_of)
        .collect();
    assert!(
        matches!(asks.as_slice(), [Ask::LoadNames(ids)] if ids == &["ou_1234567890abcdef"]),
        "once for all lines: {asks:?}"
    );
    desk.answer(Answer::Names(vec![("ou_1234567890abcdef".to_owned(), "Wang\u{1b}[2J Wei".to_owned())]));
    assert_eq!(sender(&desk), SafeText::line("Wang\u{1b}[2J Wei").to_string());
    let quote = desk.room().items[3].message().unwrap().quote.clone().unwrap();
    assert!(quote.as_str().starts_with("Wang"), "{quote}");
    let again = desk.event(Event::FeedArrived(Box::new(FeedBatch { names: true, ..FeedBatch::default() })));
    assert!(!again.into_iter().filter_map(ask_of).any(|ask| matches!(ask, Ask::LoadNames(_))));
}

#[test]
fn the_start_loads_everything_and_shows_the_unread_room_without_marking_it() {
    let mut desk = Desk::ready(Access::Write);
    assert_eq!(desk.model.active.as_ref().unwrap().as_str(), "int_a");
    assert_eq!(desk.room().chat_id.as_str(), "oc_2");
    let order: Vec<&str> = desk.model.rooms.visible().map(|row| row.room.chat_id.as_str()).collect();
    assert_eq!(order, ["oc_2", "oc_3", "oc_1"]);
    desk.page(Anchor::Latest, 0..20, false, false);
    assert_eq!(desk.room().divider.as_ref().unwrap().count, 3);
    let unread: Vec<_> =
        desk.room().items.iter().filter(|item| item.rows.contains(&LineRow::Unread)).collect();
    assert_eq!(unread.len(), 1);
    assert_eq!(unread[0].message().unwrap().text.as_str(), "line 17");
    assert!(!desk.sent.iter().any(|effect| matches!(effect, Effect::Ask { ask: Ask::MarkRead { .. }, .. })));
    let asks = desk.keys("enter");
    assert!(asks.iter().any(|ask| matches!(ask, Ask::MarkRead { .. })), "{asks:?}");
    assert_eq!(desk.model.rooms.list.iter().map(|row| row.room.unread).sum::<u32>(), 0);
}

#[test]
fn the_selection_stays_with_its_room() {
    let mut desk = Desk::ready(Access::Write);
    desk.keys("j");
    assert_eq!(desk.model.rooms.selected.as_ref().unwrap().as_str(), "oc_3");
    desk.event(Event::Ticked(at(1000)));
    desk.event(Event::FeedArrived(Box::new(FeedBatch { rooms: true, ..FeedBatch::default() })));
    desk.answer(Answer::Rooms(vec![room("oc_1", 9, 50), room("oc_2", 3, 1), room("oc_3", 0, 9)]));
    assert_eq!(desk.model.rooms.selected.as_ref().unwrap().as_str(), "oc_3");
    assert_eq!(desk.model.rooms.visible().next().unwrap().room.chat_id.as_str(), "oc_1");
}

#[test]
fn new_messages_never_move_what_is_being_read() {
    let mut desk = Desk::reading();
    desk.keys("pgup");
    let before = desk.first_seen();
    desk.news(100..150);
    assert_eq!(desk.first_seen(), before);
    assert_eq!(desk.room().new_below, 50);
    desk.keys("G");
    assert_eq!(desk.room().new_below, 0);
    assert_eq!(desk.room().scroll, Scroll::End);
}

#[test]
fn an_end_that_is_followed_keeps_little() {
    let mut desk = Desk::reading();
    for n in 0..20 {
        desk.news(100 + n * 50..150 + n * 50);
    }
    assert!(desk.room().items.len() <= 300);
    assert!(desk.room().has_older);
    assert_eq!(desk.room().current_message().unwrap().text.as_str(), "line 1099");
}

#[test]
fn older_pages_are_loaded_near_the_top_and_do_not_move_the_screen() {
    let mut desk = Desk::reading();
    let asks = desk.keys("pgup pgup pgup pgup pgup pgup pgup pgup");
    assert!(asks.iter().any(|ask| matches!(ask, Ask::LoadTranscript { anchor: Anchor::Before(_), .. })));
    let before = desk.first_seen();
    let place = Place::of(&message("oc_2", 0));
    desk.page(Anchor::Before(place), -50..0, false, false);
    assert_eq!(desk.first_seen(), before);
    assert_eq!(desk.room().items.len(), 150);
}

#[test]
fn repeated_and_reordered_news_change_nothing() {
    let mut desk = Desk::reading();
    desk.news(100..110);
    let once = desk.room().items.clone();
    desk.news(105..110);
    desk.news(100..105);
    assert_eq!(desk.room().items, once);
}

#[test]
fn what_is_skipped_in_a_flood_stays_in_the_store() {
    let mut desk = Desk::reading();
    let news = RoomNews {
        chat_id: desk.room().chat_id.clone(),
        messages: (5000..5100).map(|n| message("oc_2", n)).collect(),
        left_out: 4900,
        seams: Vec::new(),
        outgoing: Vec::new(),
        members: false,
    };
    desk.event(Event::FeedArrived(Box::new(FeedBatch { room: Some(news), ..FeedBatch::default() })));
    assert_eq!(desk.room().items.len(), 100);
    assert!(desk.room().has_older);
}

#[test]
fn the_chosen_reaction_is_added_or_taken_back() {
    for (key, adds) in [("enter", true), ("-", false), ("x", false)] {
        let mut desk = Desk::ready(Access::Write);
        desk.page(Anchor::Latest, 0..20, false, false);
        desk.keys("enter + right");
        let asks = desk.keys(key);
        let [Ask::React { emoji, add, .. }] = asks.as_slice() else { panic!("{key}: {asks:?}") };
        assert_eq!((emoji.as_str(), *add), (crate::core::emoji::CHOICES[1], adds), "{key}");
        assert!(desk.model.overlays.is_empty());
    }
    let mut desk = Desk::ready(Access::ReadOnly { can_lift: true });
    desk.page(Anchor::Latest, 0..20, false, false);
    assert!(desk.keys("enter + - x").iter().all(|ask| !matches!(ask, Ask::React { .. })), "read-only");
}

#[test]
fn answers_for_a_room_that_was_left_change_nothing() {
    let mut desk = Desk::ready(Access::Write);
    desk.keys("enter");
    let id = desk
        .sent
        .iter()
        .rev()
        .find_map(|effect| match effect {
            Effect::Ask { id, ask: Ask::LoadTranscript { .. } } => Some(*id),
            _ => None,
        })
        .unwrap();
    desk.event(Event::KeyPressed(Key::plain(crate::app::key::KeyCode::Esc)));
    desk.keys("j enter");
    assert_eq!(desk.room().chat_id.as_str(), "oc_3");
    let page = TranscriptPage {
        chat_id: "oc_2".parse().unwrap(),
        anchor: Anchor::Latest,
        messages: vec![message("oc_2", 1)],
        seams: Vec::new(),
        outgoing: Vec::new(),
        has_older: false,
        has_newer: false,
        read_to: None,
    };
    desk.event(Event::Answered { id, answer: Box::new(Answer::Transcript(page)) });
    assert!(desk.room().items.is_empty());
}

#[test]
fn a_message_is_typed_sent_and_comes_back_when_it_fails() {
    let mut desk = Desk::reading();
    desk.keys("i");
    desk.typed("q 1?");
    assert_eq!(desk.room().composer.text(), "q 1?");
    desk.keys("alt-enter");
    desk.event(Event::Pasted("a\nb\n".into()));
    assert_eq!(desk.room().composer.text(), "q 1?\na\nb\n");
    let asks = desk.keys("enter");
    assert!(matches!(&asks[..], [Ask::Send { text, .. }] if text == "q 1?\na\nb"), "{asks:?}");
    assert!(desk.room().composer.is_empty());
    let id = desk
        .sent
        .iter()
        .rev()
        .find_map(|effect| match effect {
            Effect::Ask { id, ask: Ask::Send { .. } } => Some(*id),
            _ => None,
        })
        .unwrap();
    desk.event(Event::Failed { id, fault: Box::new(Fault::new(Kind::Storage, "disk full")) });
    assert_eq!(desk.room().composer.text(), "q 1?\na\nb\n");
    assert_eq!(desk.model.toasts.len(), 1);
}

#[test]
fn an_outgoing_message_shows_until_it_has_arrived() {
    let mut desk = Desk::reading();
    desk.keys("i");
    desk.typed("hello");
    desk.keys("enter");
    let outgoing = |state| Outgoing {
        uuid: "u1".into(),
        chat_id: "oc_2".parse().unwrap(),
        reply_to: None,
        text: "hello".into(),
        author: "ann".into(),
        state,
        queued_at: at(99_500),
    };
    desk.answer(Answer::Queued(outgoing(OutgoingState::Queued)));
    assert!(matches!(desk.room().items.back().unwrap().body, ItemBody::Outgoing(..)));
    desk.news(100..101);
    assert!(matches!(desk.room().items.back().unwrap().body, ItemBody::Outgoing(..)));
    let news = RoomNews {
        chat_id: "oc_2".parse().unwrap(),
        messages: vec![message("oc_2", 101)],
        left_out: 0,
        seams: Vec::new(),
        outgoing: vec![outgoing(OutgoingState::Sent { message_id: "om_00101".parse().unwrap() })],
        members: false,
    };
    desk.event(Event::FeedArrived(Box::new(FeedBatch { room: Some(news), ..FeedBatch::default() })));
    assert!(desk.room().items.iter().all(|item| item.message().is_some()));
}

#[test]
fn a_large_paste_asks_first() {
    let mut desk = Desk::reading();
    desk.keys("i");
    desk.event(Event::Pasted("line\n".repeat(1000)));
    assert_eq!(desk.model.overlay().unwrap().name(), "confirm");
    assert!(desk.room().composer.is_empty());
    desk.keys("y");
    assert_eq!(desk.room().composer.text().len(), 5000);
}

#[test]
fn drafts_and_place_come_back_after_a_restart() {
    let mut desk = Desk::reading();
    desk.keys("k k k k k k k k k k k k i");
    desk.typed("later");
    let effects = desk.event(Event::KeyPressed(Key::ctrl('c')));
    let session = effects
        .into_iter()
        .filter_map(ask_of)
        .find_map(|ask| match ask {
            Ask::SaveSession(session) => Some(*session),
            _ => None,
        })
        .unwrap();
    assert!(desk.event(Event::KeyPressed(Key::char('x'))).is_empty(), "it is over");
    let mut again = Desk::with(Access::Write, session.clone());
    again.load();
    assert_eq!(again.room().composer.text(), "later");
    assert_eq!(again.room().chat_id.as_str(), "oc_2");
    let reading = session.reading.unwrap();
    assert!(again.sent.iter().any(|effect| matches!(effect,
        Effect::Ask { ask: Ask::LoadTranscript { anchor: Anchor::From(place), .. }, .. } if *place == reading)));
}

#[test]
fn filters_and_search_ask_for_windows() {
    let mut desk = Desk::ready(Access::Write);
    desk.keys("2");
    let page = |query: MemberQuery, total| MemberPage {
        rows: (query.offset..(query.offset + query.limit).min(total)).map(|n| member(n, false)).collect(),
        query,
        total,
        counts: MemberCounts { all: 320, linked: 279 },
    };
    let asks = desk.keys("tab tab");
    let Some(Ask::QueryMembers { query, .. }) = asks.last() else { panic!("{asks:?}") };
    assert_eq!(query.filter, Filter::Unlinked);
    desk.answer(Answer::Members(page(query.clone(), 41)));
    assert_eq!(desk.model.header().counts[1], Some(41));
    desk.keys("j j");
    assert_eq!(desk.model.users.selected.as_ref().unwrap().as_str(), "m2");
    desk.keys("/");
    desk.typed("wq");
    assert_eq!(desk.model.users.search.value(), "wq");
    let Some(Effect::Ask { ask: Ask::QueryMembers { query, .. }, .. }) = desk
        .sent
        .iter()
        .rev()
        .find(|effect| matches!(effect, Effect::Ask { ask: Ask::QueryMembers { .. }, .. }))
    else {
        panic!()
    };
    assert_eq!(query.search, "wq");
    desk.keys("esc");
    assert_eq!(desk.model.users.search.value(), "");
}

#[test]
fn linking_previews_runs_and_reports() {
    let mut desk = Desk::ready(Access::Write);
    desk.keys("2");
    let query = desk.model.users.shown.clone().unwrap_or(MemberQuery {
        filter: Filter::All,
        search: String::new(),
        offset: 0,
        limit: 80,
    });
    desk.answer(Answer::Members(MemberPage {
        rows: (0..41).map(|n| member(n, false)).collect(),
        query,
        total: 41,
        counts: MemberCounts { all: 41, linked: 0 },
    }));
    let asks = desk.keys("L");
    assert!(matches!(asks[..], [Ask::PlanLink { members: None, .. }]), "{asks:?}");
    desk.answer(Answer::LinkPlanned(LinkPlan { members: 41, phones: 33, emails: 39, calls: 1 }));
    let asks = desk.keys("enter");
    assert!(matches!(asks[..], [Ask::RunLink { members: None, .. }]), "{asks:?}");
    desk.keys("esc");
    assert!(desk.model.overlays.is_empty() && desk.model.linking.is_some());
    desk.answer(Answer::LinkFinished(Box::new(LinkOutcome {
        linked: 26,
        unlinked: 15,
        ..Default::default()
    })));
    assert_eq!(desk.model.toasts.len(), 1);
}

#[test]
fn an_invitation_is_shown_where_it_was_asked_for() {
    let mut desk = Desk::ready(Access::Write);
    desk.keys("2");
    let query = MemberQuery { filter: Filter::All, search: String::new(), offset: 0, limit: 80 };
    let rows = || (0..3).map(|n| member(n, n == 2)).collect();
    let counts = MemberCounts { all: 3, linked: 1 };
    desk.answer(Answer::Members(MemberPage { rows: rows(), query, total: 3, counts }));
    let asks = desk.keys("i");
    let [Ask::Invite { member, .. }] = &asks[..] else { panic!("{asks:?}") };
    let invited =
        || Answer::Invited { member: member.clone(), url: Secret::new("https://x.test/i/i1/invite?t=t") };
    desk.answer(invited());
    let Some(Overlay::Qr(qr)) = desk.model.overlays.last() else { panic!("no code") };
    assert_eq!(qr.url, "https://x.test/i/i1/invite?t=t");
    desk.keys("esc");
    // Whoever has gone on is not called back.
    desk.keys("i j");
    desk.answer(invited());
    assert!(desk.model.overlays.is_empty());
    // Who is linked is not invited.
    assert!(desk.keys("j i").iter().all(|ask| !matches!(ask, Ask::Invite { .. })));
    let mut reader = Desk::ready(Access::ReadOnly { can_lift: false });
    assert!(reader.keys("2 i").iter().all(|ask| !matches!(ask, Ask::Invite { .. })));
}

#[test]
fn war_room_elsewhere_is_refused_with_a_way_there() {
    let mut desk = Desk::ready(Access::Write);
    desk.keys("1");
    assert!(desk.keys("j w").is_empty(), "refused without asking");
    let Some(Overlay::Confirm(confirm)) = desk.model.overlay() else { panic!() };
    assert!(confirm.title.contains("int_a"), "{}", confirm.title);
    desk.keys("enter");
    assert_eq!(desk.model.integrations.selected.as_ref().unwrap().as_str(), "int_a");
}

#[test]
fn removing_takes_the_name_and_never_enter() {
    let mut desk = Desk::ready(Access::Write);
    desk.keys("1");
    assert!(desk.keys("x enter").is_empty());
    desk.typed("int_");
    assert!(desk.keys("enter").is_empty());
    desk.typed("a");
    assert!(matches!(&desk.keys("enter")[..], [Ask::RemoveIntegration(id)] if id.as_str() == "int_a"));
}

#[test]
fn the_form_says_what_is_wrong_with_each_field() {
    let mut desk = Desk::ready(Access::Write);
    desk.keys("1 a");
    assert!(desk.keys("ctrl-s").is_empty());
    let form = |desk: &Desk| match desk.model.overlay() {
        Some(Overlay::Form(form)) => form.clone(),
        other => panic!("{other:?}"),
    };
    let errors = form(&desk).fields.iter().filter(|row| row.error.is_some()).count();
    assert_eq!(errors, 3);
    assert_eq!(form(&desk).focus, Field::Name);
    desk.typed("prod q");
    desk.keys("tab");
    desk.typed("cli_9");
    desk.keys("tab");
    desk.event(Event::Pasted("s3cret\n".into()));
    let asks = desk.keys("ctrl-s");
    let [Ask::SaveIntegration { edit: None, draft, check: true }] = &asks[..] else { panic!("{asks:?}") };
    assert_eq!(draft.name, "prod q");
    assert_eq!(draft.app_secret.as_ref().unwrap().reveal(), "s3cret");
    assert!(form(&desk).is_saving);
    desk.answer(Answer::IntegrationSaved("int_c".parse().unwrap()));
    assert!(desk.model.overlays.is_empty());
}

#[test]
fn the_palette_finds_runs_and_says_why_not() {
    let mut desk = Desk::ready(Access::ReadOnly { can_lift: true });
    desk.keys(":");
    desk.typed("write");
    let Some(Overlay::Palette(palette)) = desk.model.overlay() else { panic!() };
    assert_eq!(palette.rows[0].command, Command::Write);
    desk.keys("enter");
    assert_eq!(desk.keys("y"), [Ask::AllowWrites]);
    let id = desk.model.busy.id_of(&Topic::Access).unwrap();
    desk.event(Event::Answered { id, answer: Box::new(Answer::Done) });
    assert!(!desk.model.is_read_only());
}

#[test]
fn time_alone_draws_only_when_something_changes() {
    let mut desk = Desk::ready(Access::Write);
    desk.event(Event::Ticked(at(1000)));
    let rev = desk.model.rev;
    for s in 2..10 {
        desk.event(Event::Ticked(at(s * 1000)));
    }
    assert_eq!(desk.model.rev, rev);
    desk.event(Event::Ticked(at(10_000)));
    assert!(desk.model.rev > rev);
}

#[test]
fn the_log_keeps_its_selection() {
    let mut desk = Desk::ready(Access::Write);
    desk.keys("5");
    let rows = |range: std::ops::RangeInclusive<i64>| {
        range
            .rev()
            .map(|n| Operation {
                seq: Seq(n),
                at: at(n),
                author: me(),
                operation: "room.send".into(),
                target: "oc_1".into(),
                result: OperationResult::Ok,
                code: None,
                log_id: None,
                reason: None,
                hint: None,
            })
            .collect::<Vec<_>>()
    };
    desk.answer(Answer::Log(LogPage { before: None, rows: rows(1..=10), has_older: false }));
    desk.keys("j j");
    assert_eq!(desk.model.log.selected, Some(Seq(8)));
    desk.event(Event::Ticked(at(1000)));
    desk.event(Event::FeedArrived(Box::new(FeedBatch { operations: true, ..FeedBatch::default() })));
    desk.answer(Answer::Log(LogPage { before: None, rows: rows(5..=14), has_older: true }));
    assert_eq!(desk.model.log.selected, Some(Seq(8)));
    assert_eq!(desk.model.log.rows.len(), 14);
}

/// Something that can happen, from two numbers.
fn any_event(kind: u8, n: u16, desk: &Desk) -> Event {
    let keys = [
        "1",
        "2",
        "3",
        "4",
        "5",
        "j",
        "k",
        "enter",
        "esc",
        "tab",
        "shift-tab",
        "/",
        ":",
        "?",
        "i",
        "r",
        "T",
        "t",
        "+",
        "y",
        "v",
        "G",
        "g",
        "pgup",
        "pgdn",
        "L",
        "l",
        "x",
        "u",
        "a",
        "e",
        "w",
        "c",
        "o",
        "N",
        "R",
        "n",
        "z",
        "p",
        "s",
        "f",
        "d",
        "space",
        "@",
        "left",
        "right",
        "up",
        "down",
        "ctrl-s",
        "alt-enter",
        "ctrl-x",
        "backspace",
        "!",
        "中",
        "f1",
        "alt-2",
        "ctrl-z",
    ];
    let number = i64::from(n % 300);
    let chat: ChatId = format!("oc_{}", n % 4).parse().unwrap();
    let id = EffectId(u64::from(n % 90));
    let answered = |answer| Event::Answered { id, answer: Box::new(answer) };
    let anchor = match n % 3 {
        0 => Anchor::Latest,
        1 => Anchor::Before(Place::of(&message("oc_1", number))),
        _ => Anchor::After(Place::of(&message("oc_1", number))),
    };
    let page = |anchor| TranscriptPage {
        messages: (number..number + i64::from(n % 40)).map(|n| message(chat.as_str(), n)).collect(),
        chat_id: chat.clone(),
        anchor,
        seams: Vec::new(),
        outgoing: Vec::new(),
        has_older: n.is_multiple_of(2),
        has_newer: n.is_multiple_of(5),
        read_to: None,
    };
    match kind % 24 {
        0 => Event::Pasted("@a\nb".repeat(usize::from(n % 900))),
        1 => Event::Resized(Size { columns: n % 200, rows: n % 60 }),
        2 => Event::Ticked(at(i64::from(n) * 700)),
        3 => Event::FocusChanged(n.is_multiple_of(2)),
        4 => answered(Answer::Integrations(vec![
            integration("int_a", ImKind::Feishu, n.is_multiple_of(2)),
            integration(if n.is_multiple_of(3) { "int_b" } else { "int_c" }, ImKind::Lark, false),
        ])),
        5 => answered(Answer::Rooms(
            (0..n % 5).map(|i| room(&format!("oc_{i}"), u32::from(n % 7), number)).collect(),
        )),
        6 => answered(Answer::Transcript(page(anchor))),
        7 => answered(Answer::Members(MemberPage {
            query: desk.model.users.shown.clone().unwrap_or(MemberQuery {
                filter: Filter::All,
                search: String::new(),
                offset: u64::from(n % 50),
                limit: 60,
            }),
            rows: (0..u64::from(n % 60)).map(|i| member(i, n.is_multiple_of(2))).collect(),
            total: u64::from(n % 90),
            counts: MemberCounts { all: 90, linked: u64::from(n % 91) },
        })),
        8 => answered(Answer::LinkPlanned(LinkPlan { members: u64::from(n), ..LinkPlan::default() })),
        9 => answered(Answer::LinkFinished(Box::default())),
        10 => answered(Answer::Done),
        11 => Event::Failed { id, fault: Box::new(Fault::new(Kind::Offline, "no answer")) },
        12 | 13 => {
            let news = RoomNews {
                messages: (number..number + i64::from(n % 9)).map(|n| message(chat.as_str(), n)).collect(),
                chat_id: chat,
                left_out: u64::from(n % 11 / 10),
                seams: Vec::new(),
                outgoing: Vec::new(),
                members: n.is_multiple_of(8),
            };
            Event::FeedArrived(Box::new(FeedBatch {
                integrations: n.is_multiple_of(2),
                members: n.is_multiple_of(3),
                rooms: n.is_multiple_of(4),
                operations: n.is_multiple_of(5),
                names: n.is_multiple_of(7),
                is_reload: n.is_multiple_of(50),
                room: Some(news),
            }))
        }
        14 => answered(Answer::RoomMembers(vec![RoomMember {
            open_id: "ou_a".parse().unwrap(),
            name: "Ann".into(),
            is_linked: true,
        }])),
        17 => answered(Answer::Names(vec![("ou_a".to_owned(), "Ann\u{1b}[2J".to_owned())])),
        15 => answered(Answer::OlderFetched {
            stored: u64::from(n % 2),
            is_start: n.is_multiple_of(3),
            kept_from: None,
        }),
        16 => answered(Answer::Thread(vec![message("oc_1", number), message("oc_1", 3)])),
        _ => Event::KeyPressed(keys[usize::from(n) % keys.len()].parse().unwrap()),
    }
}

fn right(effect: &Effect) -> Option<Right> {
    match effect {
        Effect::Ask { ask, .. } => ask.right(),
        Effect::Terminal(_) => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_nothing_leaves_that_access_or_role_forbid(
        events in proptest::collection::vec((any::<u8>(), any::<u16>()), 0..200),
        can_lift: bool,
        is_write in 0u8..3,
        role in 0usize..3,
    ) {
        let access = if is_write == 0 { Access::Write } else { Access::ReadOnly { can_lift } };
        let mut desk = Desk::ready(access);
        let role = Role::ALL[role];
        desk.event(Event::RoleChanged(role));
        for (kind, n) in events {
            let event = any_event(kind, n, &desk);
            // Writes are allowed from here on.
            let lifts = desk.model.busy.has(&Topic::Access);
            let effects = desk.event(event);
            if desk.model.is_read_only() && !lifts {
                for effect in &effects {
                    prop_assert!(matches!(right(effect), None | Some(Right::Keep)), "{:?}", effect);
                }
            }
            for effect in &effects {
                prop_assert!(right(effect).is_none_or(|right| role.may(right)), "{role}: {:?}", effect);
            }
            _ = desk.model.footer();
            _ = desk.model.header();
            if let Some(room) = &desk.model.room {
                prop_assert!(room.items.iter().zip(room.items.iter().skip(1)).all(|(a, b)| a.key < b.key));
                prop_assert!(room.items.iter().all(|item| !item.rows.is_empty()));
                let seen: usize = room.visible(10).iter().map(|(_, rows)| rows.len()).sum();
                prop_assert!(seen <= 10);
            }
        }
    }
}

#[test]
fn a_store_that_is_away_is_told_in_the_header_and_nothing_is_live_then() {
    use crate::{app::model::LiveLine, core::health::StoreHealth};
    let mut desk = Desk::ready(Access::Write);
    desk.event(Event::StoreReached(StoreHealth { away_since: Some(at(0)), ..Default::default() }));
    assert!(matches!(desk.model.header().live, LiveLine::StoreAway { .. }));
    desk.event(Event::StoreReached(StoreHealth { is_told: false, ..Default::default() }));
    let header = desk.model.header();
    assert!(!matches!(header.live, LiveLine::StoreAway { .. }) && header.is_told_late);
    desk.event(Event::StoreReached(StoreHealth::default()));
    assert!(!desk.model.header().is_told_late);
    desk.event(Event::StoreReached(StoreHealth { is_newer: true, ..Default::default() }));
    assert_eq!(desk.model.header().live, LiveLine::StoreNewer);
}

#[test]
fn what_fails_while_the_store_is_away_is_loaded_by_itself_once_it_is_back() {
    use crate::core::health::StoreHealth;
    let away =
        || Box::new(Fault { is_store_away: true, ..Fault::new(Kind::Storage, "cannot list the roles") });
    let mut desk = Desk::ready(Access::Write);
    desk.event(Event::StoreReached(StoreHealth { away_since: Some(at(0)), ..StoreHealth::default() }));
    // What nobody asked for is in the header alone.
    desk.event(Event::Noticed(away()));
    desk.keys("5");
    let id = desk.model.busy.id_of(&Topic::Log).unwrap();
    desk.event(Event::Failed { id, fault: away() });
    assert!(desk.model.toasts.is_empty(), "{:?}", desk.model.toasts);
    assert!(matches!(&desk.model.log.load, Load::Failed(fault) if fault.is_store_away));
    desk.event(Event::Ticked(at(10_000)));
    assert!(!desk.model.busy.has(&Topic::Log), "it is not asked for as long as there is no answer");
    desk.event(Event::StoreReached(StoreHealth::default()));
    assert!(desk.model.busy.has(&Topic::Log));
}

#[test]
fn esc_closes_the_thread_also_from_the_transcript_beside_it() {
    let mut desk = Desk::reading();
    desk.keys("t");
    update(&mut desk.model, Action::FocusRoom(RoomFocus::Transcript));
    desk.keys("esc");
    assert!(desk.model.room.as_ref().unwrap().thread.is_none());
    assert_eq!(desk.model.rooms.focus, RoomFocus::Transcript);
    desk.keys("esc");
    assert_eq!(desk.model.rooms.focus, RoomFocus::List);
}

#[test]
fn an_answer_that_the_store_did_not_take_is_still_there_and_that_is_said() {
    use crate::core::health::StoreHealth;
    let mut desk = Desk::reading();
    desk.keys("i");
    desk.typed("rolling back");
    desk.event(Event::StoreReached(StoreHealth { away_since: Some(at(0)), ..StoreHealth::default() }));
    desk.keys("enter");
    let chat = desk.model.room.as_ref().unwrap().chat_id.clone();
    let id = desk.model.busy.id_of(&Topic::Send(chat)).unwrap();
    let fault = Fault { is_store_away: true, ..Fault::new(Kind::Storage, "cannot list the roles") };
    desk.event(Event::Failed { id, fault: Box::new(fault) });
    assert_eq!(desk.model.room.as_ref().unwrap().composer.text(), "rolling back");
    let told: Vec<&str> = desk.model.toasts.iter().map(|toast| toast.text.as_str()).collect();
    assert_eq!(told, ["Not sent: the store does not answer. What you wrote is still there."]);
}
