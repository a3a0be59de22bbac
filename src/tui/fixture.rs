//! Models that show something on every pane, for tests of the screen.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use tui_input::Input;

use crate::{
    app::{
        command::{COMMANDS, Command, Risk},
        event::{
            CheckLine, CheckReport, ConsoleRow, ConsolesView, IntegrationRow, LinkOutcome, LinkPlan,
            LinkProgress, LinkResult, MemberQuery, Place, PressVerdict, Size,
        },
        keymap::Keymap,
        model::*,
        session::Session,
    },
    core::{
        error::{Fault, Kind},
        ids::{AppKey, ChatId, MessageId, Seq},
        integration::{AppSummary, Holder, ImKind, Integration, IntegrationUrls, Live, LiveState, Receive},
        lang::{Lang, phrase},
        member::{Filter, Licence, Link, LinkOrigin, Member, MemberCounts, Reason},
        message::{SenderKind, Via},
        operation::{NewOperation, Operation},
        permit::Feature,
        quota::{BucketUse, EndpointUse, MonthUse, QuotaReport, QuotaSource},
        role,
        room::{Missing, Outgoing, OutgoingState, Room, RoomKind, RoomMember, RoomStatus, Seam},
        text::{SafeText, wrap},
        time::Timestamp,
    },
};

const HOSTILE: &str = "e\u{1b}[31m\u{202e}vil\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}";

/// 2026-11-22T03:12:00+08:00.
fn now() -> Timestamp {
    Timestamp::from_ms(1_795_288_320_000)
}

fn ago(minutes: u64) -> Timestamp {
    now().minus(Duration::from_secs(minutes * 60))
}

fn me() -> Holder {
    Holder { user: "ann".into(), host: "bastion-1".into(), pid: 42 }
}

/// A console before anything is known.
pub(super) fn empty(lang: Lang, columns: u16, rows: u16) -> Model {
    Model::new(Start {
        now: now(),
        zone: TimeZone::fixed(jiff::tz::offset(8)),
        lang,
        theme: "dark".into(),
        themes: vec!["dark".into(), "light".into()],
        glyphs: Glyphs::Unicode,
        size: Size { columns, rows },
        mouse: true,
        bell: crate::config::Bell::Mention,
        access: Access::Write,
        role: role::Role::Admin,
        me: me(),
        keymap: Arc::new(Keymap::default()),
        session: Session::default(),
        integration: None,
    })
}

fn integration(id: &str, name: &str, kind: ImKind, state: LiveState) -> IntegrationItem {
    let id: crate::core::ids::IntegrationId = id.parse().unwrap();
    let app = kind.base_url().map(|base| AppSummary {
        key: AppKey { base_url: base.into(), app_id: "cli_a1b2c3d4e5f6".parse().unwrap() },
        tenant: Some("2ed263bf32cf1651".parse().unwrap()),
        bot_name: Some("ops-bot".into()),
        bot_open_id: Some("ou_bot".into()),
        app_secret_masked: "••••••••3f2a".into(),
        encrypt_key_masked: None,
        verification_token_masked: Some("••••••••91bc".into()),
    });
    IntegrationItem::new(IntegrationRow {
        urls: app.as_ref().map(|_| IntegrationUrls::new("https://ops.example.com/larkdeck", &id)),
        integration: Integration {
            war_room: name == "ops-prod",
            id,
            name: name.into(),
            kind,
            app,
            receive: Receive::LongConnection,
            created_at: ago(9000),
        },
        live: Live {
            state,
            holder: Some(Holder { user: "ann".into(), host: "bastion-2".into(), pid: 7 }),
            since_at: Some(ago(12)),
            last_event_at: Some(now().minus(Duration::from_secs(4))),
            last_event_via: Some(Via::Live),
        },
    })
}

fn report() -> QuotaReport {
    let bucket = |name: &str, limit, window_s, used, waiting| BucketUse {
        name: name.into(),
        limit,
        window_s,
        used,
        waiting,
        paused_until: (name == "send").then(|| now().plus(Duration::from_secs(9))),
    };
    QuotaReport {
        month: MonthUse {
            used: 6214,
            exempt: 1320,
            unknown: 3,
            limit: Some(10_000),
            source: QuotaSource::CountedHere,
            resets_at: now().plus(Duration::from_secs(8 * 86_400)),
            forecast_empty_at: None,
            exhausted: false,
        },
        buckets: vec![
            bucket("app", 50, 1, 12, 0),
            bucket("send", 1000, 60, 870, 3),
            bucket("webhook", 100, 60, 0, 0),
            bucket("receiver", 5, 1, 5, 1),
            bucket("im.message.list", 1000, 60, 44, 0),
        ],
        endpoints: [
            ("im.message.create", 4120, 0, 2),
            ("im.message.list", 1800, 0, 0),
            ("contact.batch_get_id", 0, 1200, 31),
        ]
        .map(|(endpoint, counted, exempt, failed)| EndpointUse {
            endpoint: endpoint.into(),
            counted,
            exempt,
            failed,
        })
        .to_vec(),
        features: vec![
            (Feature::Ai, 3790),
            (Feature::Live, 1210),
            (Feature::Send, 800),
            (Feature::History, 414),
        ],
        minutes: (0..60).map(|n| (n * 7 + n * n) % 23).collect(),
    }
}

fn room(id: &str, name: &str, unread: u32, minutes: u64, status: RoomStatus) -> RoomRow {
    RoomRow::new(Room {
        chat_id: id.parse().unwrap(),
        name: name.into(),
        description: String::new(),
        kind: if unread > 0 { RoomKind::WarRoom } else { RoomKind::Group },
        status,
        member_count: Some(12),
        unread,
        mentioned: unread == 7,
        last_message_at: Some(ago(minutes)),
        complete_to: Some(now()),
    })
}

fn base(lang: Lang, columns: u16, rows: u16) -> Model {
    let mut model = empty(lang, columns, rows);
    model.integrations.items = vec![
        integration("i1", "ops-prod", ImKind::Feishu, LiveState::Live),
        integration(
            "i2",
            "支付业务-海外",
            ImKind::Lark,
            LiveState::Reconnecting {
                retry_at: now().plus(Duration::from_secs(9)),
                reason: format!("connection reset {HOSTILE}"),
            },
        ),
        integration("i3", "Slack-Prod", ImKind::Slack, LiveState::Off),
    ];
    model.integrations.load = Load::Ready;
    model.integrations.selected = Some("i1".parse().unwrap());
    model.active = Some("i1".parse().unwrap());
    model.quota.report = Some(report());
    model.quota.load = Load::Ready;
    model.users.load = Load::Ready;
    model.users.counts = MemberCounts { all: 320, linked: 279 };
    model.rooms.load = Load::Ready;
    model.rooms.list = vec![
        room("oc_1", "支付网关超时", 7, 0, RoomStatus::Open),
        room("oc_2", "checkout latency", 2, 1, RoomStatus::Open),
        room("oc_3", "数据库主从延迟告警处置群", 12_345, 14, RoomStatus::Open),
        room("oc_4", "k8s node pressure", 0, 60, RoomStatus::Open),
        room("oc_5", HOSTILE, 0, 3000, RoomStatus::Open),
        room("oc_6", "cert renewal", 0, 120, RoomStatus::Disbanded),
    ];
    model.rooms.selected = Some("oc_1".parse().unwrap());
    model
}

struct Said<'a> {
    minutes: u64,
    sender: (&'a str, &'a str, SenderKind),
    msg_type: &'a str,
    text: &'a str,
}

fn message(n: usize, said: &Said<'_>, cells: usize) -> Item {
    let id: MessageId = format!("om_{n:03}").parse().unwrap();
    let text = SafeText::block(said.text);
    let mut rows: Vec<LineRow> = wrap(text.as_str(), cells).into_iter().map(LineRow::Text).collect();
    let (quote, reactions, replies) = match n {
        0 => (
            None,
            vec![("THUMBSUP".to_owned(), 3), ("DONE".to_owned(), 1)],
            Some((4, SafeText::line("李娜"), ago(2))),
        ),
        1 => (Some(SafeText::line("王伟: 网关 p99 到 4.2 s 了")), Vec::new(), None),
        _ => (None, Vec::new(), None),
    };
    if quote.is_some() {
        rows.insert(0, LineRow::Quote);
    }
    if !reactions.is_empty() {
        rows.push(LineRow::Reactions);
    }
    if replies.is_some() {
        rows.push(LineRow::Replies);
    }
    match n {
        0 => rows.insert(0, LineRow::Day),
        2 => rows.insert(0, LineRow::Unread),
        _ => {}
    }
    Item {
        key: ItemKey::message(Place { at: ago(said.minutes), message_id: id.clone() }),
        rows,
        continues: n == 5,
        body: ItemBody::Message(Box::new(MessageItem {
            message_id: id,
            created_at: ago(said.minutes),
            sender_id: said.sender.0.into(),
            sender_kind: said.sender.2,
            msg_type: said.msg_type.into(),
            sender: SafeText::line(said.sender.1),
            is_named: true,
            text,
            quote,
            parent_id: None,
            root_id: None,
            thread_id: None,
            is_edited: n == 4,
            is_recalled: n == 6,
            is_own: false,
            mentions_us: n == 1,
            reactions,
            replies,
        })),
    }
}

const SAID: [Said<'static>; 8] = {
    const WANG: (&str, &str, SenderKind) = ("ou_1", "王伟", SenderKind::User);
    const ANN: (&str, &str, SenderKind) = ("ou_2", "Ann Lee", SenderKind::User);
    const AI: (&str, &str, SenderKind) = ("cli_ai", "AI SRE", SenderKind::Bot);
    const LI: (&str, &str, SenderKind) = ("ou_3", "李娜", SenderKind::User);
    const SYS: (&str, &str, SenderKind) = ("", "", SenderKind::System);
    [
        Said {
            minutes: 4,
            sender: WANG,
            msg_type: "text",
            text: "网关 p99 到 4.2 s 了，[checkout] 开始报 504，看 https://grafana.example.com/d/pay?from=now-15m",
        },
        Said {
            minutes: 3,
            sender: ANN,
            msg_type: "text",
            text: "rolling back pay-gw to 2026.11.3  @王伟 watch error budget",
        },
        Said {
            minutes: 1,
            sender: AI,
            msg_type: "interactive",
            text: "Likely cause: connection pool exhausted after deploy 2026.11.4\n1. pool_wait p99 rose from 3 ms to 2.1 s at 03:01\n2. no change in upstream latency",
        },
        Said { minutes: 1, sender: LI, msg_type: "file", text: "[file] pay-gw-threads.txt 84 KB" },
        Said { minutes: 1, sender: WANG, msg_type: "text", text: "已经恢复一半，继续观察" },
        Said { minutes: 1, sender: WANG, msg_type: "text", text: "👩‍💻 e\u{301}tude" },
        Said { minutes: 1, sender: LI, msg_type: "text", text: "" },
        Said { minutes: 0, sender: SYS, msg_type: "system", text: "李娜 invited 赵敏 to the group" },
    ]
};

/// War Rooms with one open.
pub(super) fn rooms(lang: Lang, columns: u16, rows: u16) -> Model {
    let mut model = base(lang, columns, rows);
    model.pane = Pane::Rooms;
    let chat: ChatId = "oc_1".parse().unwrap();
    let mut open = OpenRoom::new(chat.clone(), 7);
    open.load = Load::Ready;
    // As the console does: rows are made for the cells that the view has for them.
    model.room = Some(open.clone());
    model.rooms.focus = RoomFocus::Transcript;
    let area = ratatui::layout::Rect::new(0, 0, columns, rows);
    let theme = super::theme::Theme::fallback(super::theme::Depth::Mono);
    let drawn = super::view::draw(&model, &theme, &mut ratatui::buffer::Buffer::empty(area));
    let cells = usize::from(drawn.painted.sizes.transcript_cells).max(1);
    open.items = SAID.iter().enumerate().map(|(n, said)| message(n, said, cells)).collect::<VecDeque<_>>();
    open.items.insert(
        1,
        Item {
            key: ItemKey::Fixed { at: ago(4), message_id: None, seq: 9 },
            rows: vec![LineRow::Seam],
            continues: false,
            body: ItemBody::Seam(Seam {
                seq: Seq(9),
                chat_id: chat.clone(),
                from: ago(6),
                to: ago(5),
                recovered: 4,
                missing: Missing::Nothing,
            }),
        },
    );
    let outgoing = |uuid: &str, text: &str, state| {
        let safe = SafeText::block(text);
        let mut rows: Vec<LineRow> = wrap(safe.as_str(), cells).into_iter().map(LineRow::Text).collect();
        rows.push(LineRow::State);
        Item {
            key: ItemKey::Outgoing { at: now(), uuid: uuid.into() },
            rows,
            continues: false,
            body: ItemBody::Outgoing(
                Box::new(Outgoing {
                    uuid: uuid.into(),
                    chat_id: chat.clone(),
                    reply_to: None,
                    text: text.into(),
                    author: "ann".into(),
                    state,
                    queued_at: now(),
                }),
                safe,
            ),
        }
    };
    open.items.push_back(outgoing("u1", "收到", OutgoingState::Sending));
    open.items.push_back(outgoing(
        "u2",
        "second",
        OutgoingState::Failed { reason: "230002 bot is not in the chat".into() },
    ));

    open.divider = Some(Divider { after: Some(open.items[2].key.clone()), count: 7 });
    open.people = ["王伟", "Ann Lee", "李娜", "赵敏"]
        .into_iter()
        .zip([true, true, true, false])
        .map(|(name, is_linked)| PersonRow {
            person: RoomMember {
                open_id: format!("ou_{is_linked}").parse().unwrap(),
                name: name.into(),
                is_linked,
            },
            name: SafeText::line(name),
        })
        .collect();
    open.people_load = Load::Ready;
    model.room = Some(open);
    model.rooms.focus = RoomFocus::Transcript;
    model
}

/// An open room with nothing in it, at full width.
pub(super) fn streaming(columns: u16, rows: u16) -> Model {
    let mut model = self::rooms(Lang::En, columns, rows);
    model.is_zoomed = true;
    if let Some(room) = &mut model.room {
        room.items.clear();
        room.divider = None;
    }
    model
}

/// Puts message `n` at the end of it.
pub(super) fn append(model: &mut Model, n: usize) {
    const WHO: [(&str, &str, SenderKind); 3] = [
        ("ou_1", "王伟", SenderKind::User),
        ("ou_2", "Ann Lee", SenderKind::User),
        ("ou_3", "李娜", SenderKind::User),
    ];
    let text = format!("#{n} checkout p99 {} ms，支付网关 pool_wait {} of {n}", n * 13 % 977, n * 7 % 31);
    let said = Said { minutes: 0, sender: WHO[n % 3], msg_type: "text", text: &text };
    let mut item = message(n + 100, &said, 90);
    item.continues = false;
    if let Some(room) = &mut model.room {
        room.items.push_back(item);
    }
}

/// Writing a reply.
pub(super) fn composing(lang: Lang, columns: u16, rows: u16) -> Model {
    let mut model = self::rooms(lang, columns, rows);
    model.rooms.focus = RoomFocus::Composer;
    if let Some(room) = &mut model.room {
        room.composer.insert("收到。I keep an eye on pool_wait @");
        let people = room.people.clone();
        room.composer.suggest(&people, "everybody");
        let place = room.items[0].key.place().unwrap();
        let said = (SafeText::line("王伟"), SafeText::line("网关 p99"));
        room.reply = Some(ReplyTarget { place, sender: said.0, excerpt: said.1, in_thread: false });
    }
    model
}

/// Reading further up, with a thread open.
pub(super) fn reading(lang: Lang, columns: u16, rows: u16) -> Model {
    let mut model = self::rooms(lang, columns, rows);
    model.rooms.focus = RoomFocus::Thread;
    if let Some(room) = &mut model.room {
        let key = room.items[0].key.clone();
        room.scroll = Scroll::At { key: key.clone(), row: 1 };
        room.cursor = Some(key);
        room.new_below = 12;
        let mut thread = Thread::new("om_000".parse().unwrap());
        thread.load = Load::Ready;
        thread.items = room.items.iter().filter(|item| item.message().is_some()).take(3).cloned().collect();
        room.thread = Some(thread);
    }
    model
}

/// Integrations, in the details.
pub(super) fn integrations(lang: Lang, columns: u16, rows: u16) -> Model {
    let mut model = base(lang, columns, rows);
    model.pane = Pane::Integrations;
    model.integrations.focus = IntegrationFocus::Details;
    model
}

/// Integrations, in the list.
pub(super) fn integration_list(lang: Lang, columns: u16, rows: u16) -> Model {
    let mut model = self::integrations(lang, columns, rows);
    model.integrations.focus = IntegrationFocus::List;
    model.integrations.selected = Some("i2".parse().unwrap());
    model
}

fn member(n: u32, name: &str, email: Option<&str>, phone: Option<&str>, reason: Option<Reason>) -> Member {
    Member {
        id: format!("m{n}").parse().unwrap(),
        name: name.into(),
        email: email.map(Into::into),
        phone: phone.map(Into::into),
        team: Some(if n.is_multiple_of(2) { "SRE" } else { "Payments" }.into()),
        licence: None,
        link: reason.is_none().then(|| Link {
            open_id: "ou_7f3a".parse().unwrap(),
            linked_at: ago(30),
            origin: LinkOrigin::OneClick,
        }),
        reason,
        looked_up_at: Some(ago(70)),
    }
}

/// Linked users, the unlinked ones, searched.
pub(super) fn users(lang: Lang, columns: u16, rows: u16) -> Model {
    let mut model = base(lang, columns, rows);
    model.pane = Pane::Users;
    let users = &mut model.users;
    users.filter = Filter::Unlinked;
    users.search = Input::from("wang");
    users.is_searching = true;
    users.rows = [
        member(1, "王芳", Some("wang.fang@ex.test"), Some("+8613812340042"), Some(Reason::NotFound)),
        member(2, "Wang Lei", Some("wlei@corp.ex.test"), None, Some(Reason::EnterpriseMailbox)),
        member(3, "王建国", None, None, Some(Reason::NoContact)),
        member(
            4,
            HOSTILE,
            Some("a.very.long.address.that.goes.on@mail.example.org"),
            Some("+14155550100"),
            None,
        ),
        member(5, "欧阳娜娜·阿不都热西提·买买提", Some("x@y.test"), None, Some(Reason::ConflictTwoPeople)),
    ]
    .map(UserRow::new)
    .to_vec();
    users.total = 41;
    users.cursor = 0;
    users.shown = Some(MemberQuery { filter: Filter::Unlinked, search: "wang".into(), offset: 0, limit: 50 });
    model
}

/// The same where the roster tells of licences.
pub(super) fn licences(lang: Lang, columns: u16, rows: u16) -> Model {
    let mut model = users(lang, columns, rows);
    model.users.is_searching = false;
    let told = [Some(Licence::None), Some(Licence::Temporary), Some(Licence::Fixed), None];
    for (row, licence) in model.users.rows.iter_mut().zip(told) {
        row.member.licence = licence;
    }
    model
}

/// The call budget.
pub(super) fn quota(lang: Lang, columns: u16, rows: u16) -> Model {
    let mut model = base(lang, columns, rows);
    model.pane = Pane::Quota;
    model
}

fn operations() -> Vec<Operation> {
    let fault = Fault {
        code: Some(99_991_672),
        log_id: Some("202611220312".into()),
        ..Fault::new(Kind::Permission, "app lacks contact:user.base")
    };
    [
        NewOperation::ok("room.send", "支付网关超时"),
        NewOperation::failed("member.link", HOSTILE, &fault),
        NewOperation::failed(
            "integration.war_room",
            "支付业务-海外",
            &Fault::new(Kind::Refused, "ops-prod has War Room").with_hint("Disable it there first."),
        ),
    ]
    .into_iter()
    .zip(1i64..)
    .map(|(new, n)| Operation {
        seq: Seq(n),
        at: ago(n.unsigned_abs() * 7),
        author: me(),
        operation: new.operation.into(),
        target: new.target,
        result: new.result,
        code: new.code,
        log_id: new.log_id,
        reason: new.reason,
        hint: new.hint,
    })
    .collect()
}

/// The operation log.
pub(super) fn log(lang: Lang, columns: u16, rows: u16) -> Model {
    let mut model = base(lang, columns, rows);
    model.pane = Pane::Log;
    model.log.load = Load::Ready;
    model.log.rows = operations().into_iter().map(LogRow::new).collect();
    model.log.selected = Some(Seq(2));
    model.log.has_older = true;
    model
}

/// A console whose store and platform have nothing to give.
pub(super) fn broken(lang: Lang, columns: u16, rows: u16) -> Model {
    let mut model = base(lang, columns, rows);
    model.rooms.list.clear();
    let fault = Fault::new(Kind::Offline, "cannot list chats: connection refused")
        .with_hint("Look at the proxy settings.");
    model.rooms.load = Load::Failed(Box::new(fault));
    model.access = Access::ReadOnly { can_lift: true };
    model.toasts = vec![Toast {
        level: Level::Error,
        text: SafeText::line("cannot link ou_7f to Grafana: app lacks contact:user.base (code 99991672)"),
        hint: Some(SafeText::line("Ask an admin to grant the scope, then press R.")),
        until: now(),
    }];
    model.quota.report = Some(QuotaReport {
        month: MonthUse { used: 9_980, forecast_empty_at: Some(ago(0)), ..report().month },
        ..report()
    });
    model
}

/// Every popup, each over a pane.
pub(super) fn overlays(lang: Lang, columns: u16, rows: u16) -> Vec<Model> {
    let fault = Fault {
        code: Some(99_991_672),
        log_id: Some("20261122031200ABC".into()),
        missing_scopes: vec!["contact:user.id:readonly".into()],
        ..Fault::new(Kind::Permission, format!("cannot look members up: {HOSTILE}"))
            .with_hint("Apply for the scope, publish, then press R.")
    };
    let results: Vec<LinkResult> = (0..30)
        .map(|n| LinkResult {
            member_id: format!("m{n}").parse().unwrap(),
            name: if n % 3 == 0 { "王建国".into() } else { format!("Member {n}") },
            reason: (n < 15).then_some(Reason::NotFound),
        })
        .collect();
    let plan = LinkPlan { members: 41, phones: 33, emails: 39, calls: 1 };
    let link = |stage| {
        Overlay::Link(Box::new(LinkFlow {
            integration: "i1".parse().unwrap(),
            members: None,
            who: None,
            stage,
            selected: 0,
            top: 0,
        }))
    };
    let outcome = LinkOutcome {
        members: 41,
        calls: 1,
        linked: 26,
        unlinked: 15,
        elapsed: Duration::from_millis(840),
        is_cancelled: false,
        batch: None,
        reasons: vec![(Reason::NotFound, 6), (Reason::EnterpriseMailbox, 3), (Reason::NoContact, 2)],
        results,
    };
    let field = |field, text: &str, is_secret, error| FormField {
        field,
        input: Input::from(text),
        is_secret,
        is_kept: false,
        error,
        warning: None,
    };
    let form = Form {
        edit: None,
        kind: ImKind::Feishu,
        receive: Receive::LongConnection,
        fields: [
            field(Field::Name, "ops-prod", false, None),
            field(
                Field::AppId,
                "app_1",
                false,
                Some(phrase("an App ID begins with cli_", "App ID 以 cli_ 开头")),
            ),
            field(Field::AppSecret, "s3cret", true, None),
            field(Field::VerificationToken, "", true, None),
            field(Field::EncryptKey, "", true, None),
        ],
        focus: Field::AppId,
        fault: Some(Box::new(Fault::new(Kind::Auth, "the platform refuses the credentials (10014)"))),
        is_saving: false,
        check: true,
    };
    let palette = Palette {
        input: Input::from("li"),
        rows: COMMANDS
            .iter()
            .filter(|spec| spec.in_palette)
            .take(30)
            .map(|spec| PaletteRow { command: spec.command, keys: "ctrl-x".into(), disabled: None })
            .collect(),
        selected: 1,
    };
    let help = Help {
        rows: std::iter::once(HelpRow::Title(phrase("Transcript", "消息流")))
            .chain(COMMANDS.iter().take(40).map(|spec| HelpRow::Entry {
                keys: "k, up".into(),
                label: spec.label,
                help: spec.help,
                disabled: (spec.command == Command::Write).then_some(phrase("not read-only", "不是只读")),
                risk: spec.risk,
            }))
            .collect(),
        scroll: 0,
    };
    let all = vec![
        Overlay::Help(help),
        Overlay::Palette(palette),
        Overlay::Form(Box::new(form)),
        Overlay::Confirm(Box::new(Confirm {
            title: "Remove ops-prod?".into(),
            lines: vec!["Its secrets are wiped.".into()],
            risk: Risk::Destroy,
            typed_name: Some((SafeText::line("ops-prod"), Input::from("ops"))),
            ask: ConfirmAsk::AllowWrites,
        })),
        Overlay::Confirm(Box::new(Confirm {
            title: "Allow changes?".into(),
            lines: vec![HOSTILE.into()],
            risk: Risk::Change,
            typed_name: None,
            ask: ConfirmAsk::AllowWrites,
        })),
        link(LinkStage::Planning),
        link(LinkStage::Preview(plan)),
        link(LinkStage::Running(
            plan,
            LinkProgress {
                calls_done: 7,
                calls: 20,
                linked: 210,
                unlinked: 12,
                waiting_until: Some(now().plus(Duration::from_secs(3))),
            },
        )),
        link(LinkStage::Finished(Box::new(outcome))),
        link(LinkStage::Failed(Box::new(fault.clone()))),
        Overlay::Member(Box::new(MemberDetail {
            row: UserRow::new(member(
                1,
                "王芳",
                Some("wang.fang@ex.test"),
                Some("+8613812340042"),
                Some(Reason::NotFound),
            )),
            message: "王芳，请在飞书打开：工作台 → 搜索 ops → 打开应用，登录一次即可收到告警通知。".into(),
            scroll: 0,
        })),
        Overlay::Operation(Box::new(operations().remove(1)), 0),
        Overlay::Fault(Box::new(fault), 0),
        Overlay::Check(Box::new(CheckState {
            integration: "i1".parse().unwrap(),
            name: SafeText::line("ops-prod"),
            report: Some(CheckReport {
                lines: vec![
                    CheckLine {
                        what: "App ID and App Secret".into(),
                        passed: Some(true),
                        detail: "tenant token in 120 ms".into(),
                    },
                    CheckLine {
                        what: "bot".into(),
                        passed: Some(false),
                        detail: "the Bot capability is off".into(),
                    },
                    CheckLine {
                        what: "callbacks".into(),
                        passed: None,
                        detail: "cannot be checked from here".into(),
                    },
                ],
            }),
            scroll: 0,
        })),
        Overlay::Qr(Qr {
            label: phrase("Web Configuration URL", "网页配置 URL"),
            url: "https://ops.example.com/larkdeck/i/i1/".into(),
        }),
        Overlay::Plain(PlainText {
            text: SafeText::block("https://ops.example.com/larkdeck/i/i1/\n第二行"),
            scroll: 0,
        }),
        Overlay::React(React {
            chat_id: "oc_1".parse().unwrap(),
            message: Place { at: now(), message_id: "om_1".parse().unwrap() },
            message_id: "om_1".parse().unwrap(),
            excerpt: SafeText::line("王伟: 网关 p99"),
            selected: 2,
        }),
        Overlay::Press(
            Box::new(PressVerdict {
                name: "王芳".into(),
                acts: false,
                en: "Nothing was done: your account is not linked to a team member. Go to Workspace, search for \
                     this app, choose Open App and sign in once, then press again."
                    .into(),
                zh: "未执行：您的账号尚未绑定团队成员。请在工作台搜索并打开本应用，登录一次后再试。".into(),
            }),
            0,
        ),
        Overlay::Consoles(Some(Box::new(consoles())), 0),
    ];
    all.into_iter()
        .map(|overlay| {
            let mut model = users(lang, columns, rows);
            model.users.is_searching = false;
            model.overlays = vec![overlay];
            model
        })
        .collect()
}

fn consoles() -> ConsolesView {
    let row = |user: &str, host: &str, what: &str, role, is_me| ConsoleRow {
        holder: Holder { user: user.into(), host: host.into(), pid: 4711 },
        what: what.into(),
        role,
        since_at: Some(now().minus(std::time::Duration::from_secs(3 * 3600))),
        is_me,
    };
    ConsolesView {
        consoles: vec![
            row("ann", "bastion-1", "console", role::Role::Admin, true),
            row("larkdeck", "gateway-1.example.com", "gateway", role::Role::Admin, false),
            row("值班李娜", "bastion-2", "tail", role::Role::Responder, false),
        ],
        roles: vec![
            ("ann@bastion-1".to_owned(), role::Role::Admin),
            ("larkdeck@gateway-1.example.com".to_owned(), role::Role::Admin),
            ("ops@bastion-2".to_owned(), role::Role::Responder),
            ("*".to_owned(), role::Role::Viewer),
        ],
        me: "ann@bastion-1".to_owned(),
        mine: role::Role::Admin,
        are_enforced: false,
    }
}

/// All of them, with names.
pub(super) fn all(lang: Lang, columns: u16, rows: u16) -> Vec<(String, Model)> {
    type Screen = fn(Lang, u16, u16) -> Model;
    let panes: [(&str, Screen); 12] = [
        ("empty", empty),
        ("rooms", rooms),
        ("composing", composing),
        ("reading", reading),
        ("integrations", integrations),
        ("integration-list", integration_list),
        ("users", users),
        ("licences", licences),
        ("quota", quota),
        ("log", log),
        ("broken", broken),
        ("zoomed", |lang, columns, rows| {
            let mut model = self::rooms(lang, columns, rows);
            model.is_zoomed = true;
            model
        }),
    ];
    let mut all: Vec<(String, Model)> =
        panes.into_iter().map(|(name, make)| (name.to_owned(), make(lang, columns, rows))).collect();
    for (n, model) in overlays(lang, columns, rows).into_iter().enumerate() {
        let name = model.overlay().map_or("none", Overlay::name);
        all.push((format!("overlay-{n:02}-{name}"), model));
    }
    all
}
