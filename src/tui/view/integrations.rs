//! Pane 1: integrations, and one of them in full.

use super::{Canvas, Role, Scene, words};
use crate::{
    app::{
        action::Action,
        model::{DetailRow, IntegrationFocus, IntegrationItem, URLS},
    },
    core::{
        integration::{Live, LiveState, Receive},
        lang::{Phrase, phrase},
        message::Via,
        text::{self, SafeText},
    },
    tui::{
        canvas::{Run, width},
        widget::number,
    },
};

/// From this width on list and details stand side by side.
const SPLIT_COLUMNS: u16 = 100;
/// In a narrower one, from this height on, they stand one above the other.
const STACK_ROWS: u16 = 16;
/// Cells of the list side by side.
const LIST_COLUMNS: u16 = 36;

/// Draws the pane.
pub(super) fn draw(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>) {
    let model = scene.model;
    let (w, h) = (canvas.width(), canvas.height());
    let on_list = model.integrations.focus == IntegrationFocus::List;
    if model.integrations.items.is_empty() {
        let empty = (
            scene.t(phrase("No integration yet", "还没有集成")),
            scene.t(phrase(
                "Press a to add a Feishu or Lark app: name, App ID and App Secret are enough to begin.",
                "按 a 添加飞书或 Lark 应用：名称、App ID 与 App Secret 即可开始。",
            )),
        );
        words::nothing(scene, canvas, &model.integrations.load, empty);
    } else if w >= SPLIT_COLUMNS {
        list(scene, &mut canvas.sub(0, 0, LIST_COLUMNS, h), on_list);
        for y in 0..h {
            canvas.text(LIST_COLUMNS, y, "│", scene.s(Role::Border));
        }
        details(scene, &mut canvas.sub(LIST_COLUMNS + 1, 0, w - LIST_COLUMNS - 1, h), !on_list);
    } else if h >= STACK_ROWS {
        // A list of integrations is short: it stands above what is said of the selected one.
        let rows = super::rooms::rows(model.integrations.items.len() + 1).min(h / 3);
        list(scene, &mut canvas.sub(0, 0, w, rows), on_list);
        canvas.rule(1, w.saturating_sub(1), rows, "─", scene.s(Role::Border));
        details(scene, &mut canvas.sub(0, rows + 1, w, h - rows - 1), !on_list);
    } else if on_list {
        list(scene, canvas, true);
    } else {
        details(scene, canvas, true);
    }
}

fn list(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, has_keys: bool) {
    let model = scene.model;
    let (w, h) = (canvas.width(), canvas.height());
    let items = &model.integrations.items;
    let count = number(u64::try_from(items.len()).unwrap_or(u64::MAX));
    let title = scene.t(phrase("INTEGRATIONS", "集成"));
    let runs = [
        Run::new(title, scene.s(Role::Title)),
        Run::new(format!(" {count}  "), scene.s(Role::Text)),
        Run::new(words::load_mark(scene, &model.integrations.load), scene.s(Role::Dim)),
    ];
    canvas.runs(2, 0, w.saturating_sub(3), &runs);
    let rows = h.saturating_sub(1);
    scene.drawn.painted.sizes.list_rows = rows;
    let at = model.integrations.position().unwrap_or_default();
    let first = (at + 1).saturating_sub(usize::from(rows));
    for (y, item) in (1..=rows).zip(items.iter().skip(first)) {
        let mut line = canvas.row(y);
        list_row(scene, &mut line, item);
        if Some(item.id()) == model.integrations.selected.as_ref() {
            scene.select(&mut line, has_keys);
        }
        scene.click(line.area(), Action::SelectIntegration(item.id().clone()));
    }
}

fn list_row(scene: &Scene<'_>, line: &mut Canvas<'_>, item: &IntegrationItem) {
    let integration = &item.row.integration;
    let (sign, role) = live_sign(&item.row.live.state);
    let w = line.width();
    line.text(2, 0, sign, scene.s(role));
    let is_used = Some(item.id()) == scene.model.active.as_ref();
    let kind = integration.kind.label();
    let war_room = if integration.war_room { scene.t(phrase("War Room", "作战室")) } else { "" };
    let end = w.saturating_sub(1);
    line.right(end, 0, 9, war_room, scene.s(Role::Accent));
    let kind_end = end.saturating_sub(10);
    line.right(kind_end, 0, 8, kind, scene.s(Role::Dim));
    let name = scene.s(if is_used { Role::Strong } else { Role::Text });
    line.clip(4, 0, kind_end.saturating_sub(width(kind) + 5), item.name.as_str(), name);
}

const fn live_sign(state: &LiveState) -> (&'static str, Role) {
    match state {
        LiveState::Live => ("●", Role::Ok),
        LiveState::Connecting => ("◌", Role::Warn),
        LiveState::Reconnecting { .. } => ("↻", Role::Warn),
        LiveState::Refused { .. } => ("✗", Role::Error),
        LiveState::Off => ("○", Role::Dim),
    }
}

/// A line of the details: a heading, a fact, an explanation, or one that can be selected.
enum Row<'a> {
    Gap,
    Fact(&'static str, Vec<Run<'a>>),
    Note(String),
    Choice(DetailRow, &'static str, String),
}

fn details(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, has_keys: bool) {
    let model = scene.model;
    let Some(item) = model.integrations.current() else { return };
    let (w, h) = (canvas.width(), canvas.height());
    let kind = item.row.integration.kind.label();
    let runs = [
        Run::new(item.name.as_str(), scene.s(Role::Strong)),
        Run::new(format!("  {kind}"), scene.s(Role::Dim)),
    ];
    canvas.runs(2, 0, w.saturating_sub(3), &runs);
    let rows = rows(scene, item);
    let label = rows.iter().map(|row| match row {
        Row::Fact(label, _) | Row::Choice(_, label, _) => width(label),
        _ => 0,
    });
    let label = label.max().unwrap_or_default().min(w / 3);
    let is_narrow = w < 70;
    let (mut lines, mut selected) = (Vec::new(), 0);
    for row in &rows {
        if let Row::Choice(which, ..) = row
            && DetailRow::ALL.get(model.integrations.detail) == Some(which)
        {
            selected = lines.len();
        }
        lines.extend(line_plan(row, is_narrow, w, label));
    }
    let total = lines.len();
    let room = usize::from(h.saturating_sub(2));
    // The selected row and what explains it stay in view.
    let first =
        if has_keys { (selected + 4).saturating_sub(room).min(total.saturating_sub(room)) } else { 0 };
    scene.drawn.painted.sizes.pane_total = super::rooms::rows(total);
    for (y, plan) in (2..h).zip(lines.iter().skip(first)) {
        let mut line = canvas.row(y);
        detail_line(scene, &mut line, plan, label, has_keys);
    }
}

/// One screen line of the details.
enum Line<'a> {
    Gap,
    Fact(&'static str, &'a [Run<'a>]),
    Note(String),
    Choice(DetailRow, &'static str, Option<&'a str>),
    Value(DetailRow, &'a str),
}

fn line_plan<'a>(row: &'a Row<'a>, is_narrow: bool, w: u16, label: u16) -> Vec<Line<'a>> {
    match row {
        Row::Gap => vec![Line::Gap],
        Row::Fact(name, runs) => vec![Line::Fact(name, runs)],
        Row::Note(note) => {
            let room = usize::from(w.saturating_sub(if is_narrow { 6 } else { label + 6 }).max(8));
            let wrapped = text::wrap(note, room);
            wrapped
                .into_iter()
                .map(|range| Line::Note(note.get(range).unwrap_or_default().to_owned()))
                .collect()
        }
        Row::Choice(which, name, value) if width(value) + label + 6 > w => {
            vec![Line::Choice(*which, name, None), Line::Value(*which, value)]
        }
        Row::Choice(which, name, value) => vec![Line::Choice(*which, name, Some(value))],
    }
}

fn detail_line(scene: &mut Scene<'_>, line: &mut Canvas<'_>, plan: &Line<'_>, label: u16, has_keys: bool) {
    let dim = scene.s(Role::Dim);
    let w = line.width();
    let value_at = label + 4;
    let is_narrow = w < 70;
    let which = match plan {
        Line::Gap => None,
        Line::Fact(name, runs) => {
            line.clip(2, 0, label, name, dim);
            line.runs(value_at, 0, w.saturating_sub(value_at + 1), runs);
            None
        }
        Line::Note(note) => {
            let x = if is_narrow { 4 } else { value_at };
            line.clip(x, 0, w.saturating_sub(x + 1), note, dim);
            None
        }
        Line::Choice(which, name, value) => {
            line.clip(
                2,
                0,
                if value.is_some() { label } else { w.saturating_sub(3) },
                name,
                scene.s(Role::Text),
            );
            if let Some(value) = value {
                line.clip(value_at, 0, w.saturating_sub(value_at + 1), value, scene.link(value));
            }
            Some(*which)
        }
        Line::Value(which, value) => {
            line.clip(4, 0, w.saturating_sub(5), value, scene.link(value));
            Some(*which)
        }
    };
    let Some(which) = which else { return };
    let at = DetailRow::ALL.iter().position(|row| *row == which).unwrap_or_default();
    if has_keys && scene.model.integrations.detail == at {
        scene.select(line, true);
    }
    scene.click(line.area(), Action::SelectDetail(at));
}

fn rows<'a>(scene: &Scene<'_>, item: &'a IntegrationItem) -> Vec<Row<'a>> {
    let mut rows = connection(scene, item);
    rows.push(Row::Gap);
    match &item.row.urls {
        Some(urls) => {
            for url in &URLS {
                rows.push(Row::Choice(url.row, scene.t(url.label), (url.get)(urls).to_owned()));
                rows.push(Row::Note(format!("→ {}", scene.t(url.place))));
            }
        }
        None if item.row.integration.app.is_some() => {
            let words = phrase(
                "The three URLs appear when [server] public_url is set in config.toml: the address under which Feishu reaches `larkdeck serve`.",
                "在 config.toml 中设置 [server] public_url（飞书访问 larkdeck serve 的地址）后显示三个 URL。",
            );
            rows.push(Row::Note(scene.t(words).to_owned()));
        }
        None => {}
    }
    if let Some(app) = &item.row.integration.app {
        let fact = |label: Phrase, value: String, role: Role| {
            Row::Fact(scene.t(label), vec![Run::new(value, scene.s(role))])
        };
        rows.push(Row::Gap);
        rows.push(Row::Choice(
            DetailRow::AppId,
            scene.t(phrase("App ID", "App ID")),
            app.app_id().to_string(),
        ));
        let none = || scene.t(phrase("none: events come unsigned", "无：事件不签名")).to_owned();
        let masked = |value: &Option<String>| value.clone();
        rows.push(fact(phrase("App Secret", "App Secret"), app.app_secret_masked.clone(), Role::Text));
        let token = masked(&app.verification_token_masked);
        rows.push(fact(
            phrase("Verification Token", "Verification Token"),
            token.unwrap_or_else(|| scene.t(phrase("none", "无")).to_owned()),
            Role::Text,
        ));
        let key = masked(&app.encrypt_key_masked);
        let role = if key.is_some() { Role::Text } else { Role::Warn };
        rows.push(fact(phrase("Encrypt Key", "Encrypt Key"), key.unwrap_or_else(none), role));
        rows.push(fact(phrase("platform", "平台"), app.key.base_url.to_string(), Role::Text));
        if let Some(bot) = &item.bot_name {
            rows.push(fact(phrase("bot", "机器人"), bot.to_string(), Role::Text));
        }
        if let Some(tenant) = &app.tenant {
            rows.push(fact(phrase("tenant key", "租户标识"), tenant.to_string(), Role::Text));
        }
    }
    rows.push(fact_created(scene, item));
    rows
}

fn fact_created<'a>(scene: &Scene<'_>, item: &IntegrationItem) -> Row<'a> {
    let at = words::date_time(scene, item.row.integration.created_at);
    Row::Fact(scene.t(phrase("added", "添加于")), vec![Run::new(at, scene.s(Role::Dim))])
}

fn connection<'a>(scene: &Scene<'_>, item: &'a IntegrationItem) -> Vec<Row<'a>> {
    let integration = &item.row.integration;
    let dim = scene.s(Role::Dim);
    let war_room = if integration.war_room {
        vec![Run::new(scene.t(phrase("● on", "● 开启")), scene.s(Role::Ok))]
    } else {
        let holder = scene.model.integrations.war_room_holder();
        let why = holder.map(|holder| {
            scene.fill(
                phrase("  {} has it; switch it off there first", "  {} 已开启，请先在那里关闭"),
                &[&holder.name],
            )
        });
        vec![
            Run::new(scene.t(phrase("○ off", "○ 关闭")), scene.s(Role::Text)),
            Run::new(why.unwrap_or_default(), dim),
        ]
    };
    let mut rows = vec![Row::Fact(scene.t(phrase("War Room", "作战室")), war_room)];
    if integration.app.is_none() {
        rows.push(Row::Note(
            scene
                .t(phrase(
                    "Only its name is kept: it takes part in the War Room rule.",
                    "仅保存名称：用于作战室唯一性规则。",
                ))
                .to_owned(),
        ));
        return rows;
    }
    let live = &item.row.live;
    rows.push(Row::Fact(scene.t(phrase("connection", "连接")), live_runs(scene, live)));
    if let Some(holder) = &live.holder {
        let is_me = *holder == scene.model.me;
        let note = if is_me { scene.t(phrase("  this console", "  本控制台")) } else { "" };
        let name = SafeText::line(&holder.to_string()).to_string();
        rows.push(Row::Fact(
            scene.t(phrase("held by", "持有者")),
            vec![Run::new(name, scene.s(Role::Text)), Run::new(note, dim)],
        ));
    }
    let event = live
        .last_event_at
        .map_or_else(|| scene.t(phrase("none yet", "尚无")).to_owned(), |at| words::ago(scene, at));
    let via = match live.last_event_via {
        Some(Via::Live) => scene.t(phrase("  by long connection", "  经长连接")),
        Some(Via::Webhook) => scene.t(phrase("  by webhook", "  经 webhook")),
        _ => "",
    };
    rows.push(Row::Fact(
        scene.t(phrase("last event", "最近事件")),
        vec![Run::new(event, scene.s(Role::Text)), Run::new(via, dim)],
    ));
    let receive = match integration.receive {
        Receive::LongConnection => phrase("long connection", "长连接"),
        Receive::Webhook => phrase("webhook (larkdeck serve)", "webhook（larkdeck serve）"),
        Receive::Both => phrase("long connection and webhook", "长连接与 webhook"),
    };
    rows.push(Row::Fact(
        scene.t(phrase("receives by", "接收方式")),
        vec![Run::new(scene.t(receive), scene.s(Role::Text))],
    ));
    if integration.receive == Receive::LongConnection {
        let words = phrase("○ needs the webhook", "○ 需要 webhook");
        rows.push(Row::Fact("card.action.trigger_v1", vec![Run::new(scene.t(words), scene.s(Role::Warn))]));
    }
    rows
}

fn live_runs<'a>(scene: &Scene<'_>, live: &Live) -> Vec<Run<'a>> {
    let (sign, role) = live_sign(&live.state);
    let (word, reason) = match &live.state {
        LiveState::Off => (phrase("nobody is connected", "未连接"), None),
        LiveState::Connecting => (phrase("connecting", "连接中"), None),
        LiveState::Live => (phrase("live", "已连接"), None),
        LiveState::Reconnecting { reason, .. } => (phrase("reconnecting", "正在重连"), Some(reason)),
        LiveState::Refused { reason, .. } => (phrase("refused", "被拒绝"), Some(reason)),
    };
    let mut runs = vec![Run::new(format!("{sign} {}", scene.t(word)), scene.s(role))];
    let rest = match (reason, live.since_at) {
        (Some(reason), _) => format!("  {}", SafeText::line(reason)),
        (None, Some(at)) => scene.fill(phrase("  since {}", "  自 {}"), &[&scene.model.short_time(at)]),
        _ => String::new(),
    };
    runs.push(Run::new(rest, scene.s(Role::Dim)));
    runs
}
