//! The lines that are on every screen: header, panes, footer; and notices in passing.

use ratatui::{layout::Rect, style::Style};

use super::{Canvas, Role, Scene};
use crate::{
    app::{
        action::Action,
        model::{Header, Level, LiveLine, Model, MonthLine, Pane, age_words},
        phrase::role_word,
    },
    core::{
        lang::{Phrase, phrase},
        text::{self, SafeText},
    },
    tui::{
        canvas::{Run, cells, runs_width, width},
        widget::{gauge, number, tabs},
    },
};

const NO_INTEGRATION: Phrase = phrase("no integration", "未选择集成");
const LIVE: Phrase = phrase("● live", "● 已连接");
const CONNECTING: Phrase = phrase("◌ connecting", "◌ 连接中");
const RECONNECTING: Phrase = phrase("↻ reconnecting", "↻ 正在重连");
const RECONNECTING_IN: Phrase = phrase("↻ link lost, again in {} s", "↻ 连接断开，{} 秒后重试");
const REFUSED: Phrase = phrase("✗ refused", "✗ 被拒绝");
const REFUSED_IN: Phrase = phrase("✗ refused, again in {} s", "✗ 被拒绝，{} 秒后重试");
const CACHED: Phrase = phrase("○ not live", "○ 未连接");
const CACHED_SINCE: Phrase = phrase("○ not live, as of {}", "○ 未连接，数据截至 {}");
const STORE_AWAY: Phrase = phrase("✗ store away since {}, retrying", "✗ 存储自 {} 起无响应，正在重试");
const STORE_NEWER: Phrase =
    phrase("✗ the store is a newer larkdeck's: restart", "✗ 存储已由新版 larkdeck 升级：请重启");
const TOLD_LATE: Phrase = phrase("store asked every 5 s", "每 5 秒查询存储");
const EVENT_AGO: Phrase = phrase("event {} ago", "{}前收到事件");
const WEBHOOK_AGO: Phrase = phrase("webhook event {} ago", "{}前收到 webhook 事件");
const WEBHOOK: Phrase = phrase("○ webhook", "○ webhook");
const NO_EVENT: Phrase = phrase("no event yet", "尚无事件");
const MONTH: Phrase = phrase("month", "本月");
const UNLIMITED: Phrase = phrase("calls, no limit", "次调用，不限量");
const DAYS_LEFT: Phrase = phrase("{} d left", "剩 {} 天");
const EMPTY_ON: Phrase = phrase("empty on {}", "预计 {} 用尽");
const USED_UP: Phrase = phrase("used up", "已用尽");
const READ_ONLY: Phrase = phrase("READ-ONLY", "只读");
const MOUSE: Phrase = phrase("mouse", "鼠标");

/// Cells of the header's gauge.
const BAR_CELLS: u16 = 10;

/// A piece of a line; where room is short, those of the highest rank go first.
struct Piece<'a> {
    rank: u8,
    runs: Vec<Run<'a>>,
}

fn piece(rank: u8, text: impl Into<String>, style: Style) -> Piece<'static> {
    Piece { rank, runs: vec![Run::new(text.into(), style)] }
}

/// The header line.
pub(super) fn header(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>) {
    let header = scene.model.header();
    let mut left = who(scene, &header);
    left.extend(live(scene, &header));
    let mut right = Vec::new();
    if let Some(month) = &header.month {
        right = month_pieces(scene, month);
    }
    if let Some(role) = header.role {
        right.push(piece(0, format!(" {} ", scene.t(role_word(role))), scene.s(Role::Badge)));
    }
    if header.is_read_only {
        right.push(piece(0, format!(" {} ", scene.t(READ_ONLY)), scene.s(Role::Badge)));
    }
    let total = |left: &[Piece<'_>], right: &[Piece<'_>]| -> u16 {
        let pieces = left.iter().chain(right);
        pieces.map(|piece| runs_width(&piece.runs) + 2).fold(1, u16::saturating_add)
    };
    while total(&left, &right) > canvas.width() {
        let worst = left.iter().chain(&right).map(|piece| piece.rank).max().unwrap_or_default();
        if worst == 0 {
            break;
        }
        left.retain(|piece| piece.rank != worst);
        right.retain(|piece| piece.rank != worst);
    }
    if !right.iter().any(|piece| piece.rank == 1)
        && let Some(month) = &header.month
    {
        // Where nothing else of it fits, the share alone: the budget is always in sight.
        let short = short_month(scene, month);
        if total(&left, &right) + runs_width(&short.runs) + 2 <= canvas.width() {
            right.insert(0, short);
        }
    }
    let right_cells: u16 = right.iter().map(|piece| runs_width(&piece.runs) + 2).sum();
    let end = canvas.width().saturating_sub(right_cells);
    let mut x = 1;
    for piece in &left {
        x = canvas.runs(x, 0, end.saturating_sub(x), &piece.runs) + 2;
    }
    let mut x = end.max(1);
    for piece in &right {
        let room = canvas.width().saturating_sub(x);
        x = canvas.runs(x, 0, room, &piece.runs) + 2;
    }
}

fn who(scene: &Scene<'_>, header: &Header) -> Vec<Piece<'static>> {
    let Some(name) = &header.integration else {
        return vec![piece(0, scene.t(NO_INTEGRATION), scene.s(Role::Dim))];
    };
    let mut pieces = vec![piece(0, text::truncate(name.as_str(), 24), scene.s(Role::Strong))];
    pieces.extend(header.kind.map(|kind| piece(7, kind.label(), scene.s(Role::Dim))));
    pieces
}

fn live(scene: &Scene<'_>, header: &Header) -> Vec<Piece<'static>> {
    let dim = scene.s(Role::Dim);
    let mut pieces = Vec::new();
    let retry = |plain: Phrase, counted: Phrase, in_s: Option<u64>| match in_s {
        Some(s) => scene.fill(counted, &[&s]),
        None => scene.t(plain).to_owned(),
    };
    match &header.live {
        LiveLine::Unknown => {}
        LiveLine::Live { age } => {
            pieces.push(piece(0, scene.t(LIVE), scene.s(Role::Ok)));
            pieces.extend(age.map(|age| piece(6, age_words(age, scene.lang()), dim)));
        }
        LiveLine::Webhook => pieces.push(piece(0, scene.t(WEBHOOK), scene.s(Role::Text))),
        LiveLine::Connecting => pieces.push(piece(0, scene.t(CONNECTING), scene.s(Role::Warn))),
        LiveLine::Reconnecting { in_s, reason } => {
            pieces.push(piece(0, retry(RECONNECTING, RECONNECTING_IN, *in_s), scene.s(Role::Warn)));
            pieces.push(piece(9, text::truncate(reason.as_str(), 40), dim));
        }
        LiveLine::Refused { in_s, reason } => {
            pieces.push(piece(0, retry(REFUSED, REFUSED_IN, *in_s), scene.s(Role::Error)));
            pieces.push(piece(5, text::truncate(reason.as_str(), 40), dim));
        }
        LiveLine::StoreAway { since } => {
            pieces.push(piece(0, scene.fill(STORE_AWAY, &[since]), scene.s(Role::Error)));
        }
        LiveLine::StoreNewer => pieces.push(piece(0, scene.t(STORE_NEWER), scene.s(Role::Error))),
        LiveLine::Cached { since } => {
            let words = since
                .as_ref()
                .map_or_else(|| scene.t(CACHED).to_owned(), |at| scene.fill(CACHED_SINCE, &[at]));
            pieces.push(piece(0, words, scene.s(Role::Warn)));
        }
    }
    if header.is_told_late {
        pieces.push(piece(3, scene.t(TOLD_LATE), scene.s(Role::Warn)));
    }
    if let Some(holder) = &header.holder {
        pieces.push(piece(8, text::truncate(&format!("· {holder}"), 26), dim));
    }
    if matches!(header.live, LiveLine::Live { .. } | LiveLine::Webhook) {
        let ago = if header.is_by_webhook { WEBHOOK_AGO } else { EVENT_AGO };
        let words = header.last_event.map_or_else(
            || scene.t(NO_EVENT).to_owned(),
            |age| scene.fill(ago, &[&age_words(age, scene.lang())]),
        );
        pieces.push(piece(4, words, dim));
    }
    pieces
}

fn month_pieces(scene: &Scene<'_>, month: &MonthLine) -> Vec<Piece<'static>> {
    let dim = scene.s(Role::Dim);
    let Some(limit) = month.limit else {
        let runs = vec![
            Run::new(format!("{} ", scene.t(MONTH)), dim),
            Run::new(number(month.used), scene.s(Role::Text)),
            Run::new(format!(" {}", scene.t(UNLIMITED)), dim),
        ];
        return vec![Piece { rank: 1, runs }];
    };
    let (style, bar_style) = scene.gauge_styles(month.used, limit, month.is_exhausted);
    let figures = vec![
        Run::new(format!("{} ", scene.t(MONTH)), dim),
        Run::new(number(month.used), style),
        Run::new(format!(" / {}", number(limit)), dim),
    ];
    let mut pieces = vec![Piece { rank: 1, runs: figures }];
    let (full, rest) = gauge_text(month.used, limit);
    pieces.push(Piece {
        rank: 3,
        runs: vec![Run::new(full, bar_style), Run::new(rest, scene.s(Role::GaugeRest))],
    });
    pieces.push(match &month.empty_on {
        _ if month.is_exhausted => piece(2, scene.t(USED_UP), scene.s(Role::Error)),
        Some(day) => piece(2, scene.fill(EMPTY_ON, &[day]), scene.s(Role::Warn)),
        None => piece(5, scene.fill(DAYS_LEFT, &[&month.days_left]), dim),
    });
    pieces
}

fn short_month(scene: &Scene<'_>, month: &MonthLine) -> Piece<'static> {
    match month.limit {
        Some(limit) => {
            let percent = u128::from(month.used) * 100 / u128::from(limit.max(1));
            let (style, _) = scene.gauge_styles(month.used, limit, month.is_exhausted);
            piece(0, format!("{} {percent} %", scene.t(MONTH)), style)
        }
        None => piece(0, format!("{} {}", scene.t(MONTH), number(month.used)), scene.s(Role::Text)),
    }
}

/// The header's gauge as text, because the header moves its pieces about.
fn gauge_text(used: u64, limit: u64) -> (String, String) {
    let mut buffer = ratatui::buffer::Buffer::empty(Rect::new(0, 0, BAR_CELLS, 1));
    let mut canvas = Canvas::new(&mut buffer);
    gauge::bar(&mut canvas, (0, 0), BAR_CELLS, (used, limit), Style::new(), Style::new());
    let all: String = buffer.content.iter().map(|cell| cell.symbol()).collect();
    let split = all.find('░').unwrap_or(all.len());
    let (full, rest) = all.split_at(split);
    (full.to_owned(), rest.to_owned())
}

impl Scene<'_> {
    /// Colours of a figure and of its gauge, by how much of it is used.
    pub(super) fn gauge_styles(&self, used: u64, limit: u64, is_exhausted: bool) -> (Style, Style) {
        let percent = u128::from(used) * 100 / u128::from(limit.max(1));
        match percent {
            97.. => (self.s(Role::Error), self.s(Role::GaugeFull)),
            _ if is_exhausted => (self.s(Role::Error), self.s(Role::GaugeFull)),
            80.. => (self.s(Role::Warn), self.s(Role::GaugeWarn)),
            _ => (self.s(Role::Text), self.s(Role::Gauge)),
        }
    }
}

/// The line of the panes, with the time at its end.
pub(super) fn tabs(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>) {
    let model = scene.model;
    let header = model.header();
    let keys = ["1", "2", "3", "4", "5"];
    let rows: Vec<tabs::Tab<'_>> = Pane::ALL
        .iter()
        .zip(keys)
        .zip(header.counts)
        .map(|((pane, key), count)| tabs::Tab {
            key,
            name: scene.t(Model::pane_title(*pane)),
            count: count.filter(|n| *n > 0).map(number),
            is_active: *pane == model.pane,
        })
        .collect();
    let looks = tabs::Looks {
        active: scene.s(Role::TabActive),
        idle: scene.s(Role::Dim),
        key: scene.s(Role::Dim),
        count: scene.s(Role::Unread),
    };
    // The time takes what room the names leave: with its zone, without, or not at all.
    let names = tabs::full_width(&rows);
    let mouse = if model.mouse { format!("{} · ", scene.t(MOUSE)) } else { String::new() };
    let short = header.clock.split(' ').next().unwrap_or_default();
    let clocks = [format!("{mouse}{} ", header.clock), format!("{mouse}{short} "), format!("{short} ")];
    let mut end = canvas.width();
    if let Some(clock) = clocks.iter().find(|clock| names + width(clock) < canvas.width()) {
        end = end.saturating_sub(width(clock));
        canvas.text(end, 0, clock, scene.s(Role::Dim));
    }
    let places = tabs::draw(canvas, (0, 0), end.saturating_sub(1), &rows, looks);
    let area = canvas.area();
    for ((from, to), pane) in places.into_iter().zip(Pane::ALL) {
        scene.click(Rect::new(area.x + from, area.y, to - from, 1), Action::ShowPane(pane));
    }
}

/// The footer: keys of what has the focus; one that cannot be used says why.
pub(super) fn footer(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>) {
    let footer = scene.model.footer();
    let (key, label, off) = (scene.s(Role::Key), scene.s(Role::Dim), scene.s(Role::Dim));
    let area = canvas.area();
    let mut x = 1;
    let (on, disabled): (Vec<_>, Vec<_>) = footer.hints.iter().partition(|hint| hint.disabled.is_none());
    for hint in on.into_iter().chain(disabled) {
        let name = scene.t(hint.label);
        let mut runs = vec![Run::new(hint.key.as_str(), if hint.disabled.is_some() { off } else { key })];
        runs.push(Run::new(format!(" {name}"), label));
        if let Some(reason) = hint.disabled {
            runs.push(Run::new(format!(" ({})", scene.t(reason).trim_end_matches(['.', '。'])), off));
        }
        let cells = runs_width(&runs);
        if x + cells > canvas.width() {
            continue;
        }
        let start = x;
        x = canvas.runs(x, 0, cells, &runs);
        scene.click(Rect::new(area.x + start, area.y, x - start, 1), Action::Run(hint.command));
        x += 3;
    }
}

/// Notices in passing, at the top right of the pane.
pub(super) fn toasts(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>) {
    let room = canvas.width().saturating_sub(4).min(64);
    if room < 12 || canvas.height() < 4 {
        return;
    }
    let looks = scene.popup_looks();
    let mut y = 0;
    for toast in scene.model.toasts.iter().rev().take(3) {
        let (role, sign) = match toast.level {
            Level::Info => (Role::Accent, "·"),
            Level::Ok => (Role::Ok, "✓"),
            Level::Warn => (Role::Warn, "!"),
            Level::Error => (Role::Error, "✗"),
        };
        let lines = toast_lines(&toast.text, toast.hint.as_ref(), usize::from(room - 4));
        let cells = lines.iter().map(|(line, _)| width(line)).max().unwrap_or_default() + 4;
        let height = cells_of(lines.len());
        let x = canvas.width().saturating_sub(cells + 1);
        if y + height > canvas.height() {
            break;
        }
        let mut own = canvas.sub(x, y, cells, height);
        own.fill(looks.ground.patch(scene.s(Role::Selection)));
        for (row, (line, is_hint)) in (0..).zip(&lines) {
            if row == 0 {
                own.text(1, row, sign, scene.s(role));
            }
            own.text(3, row, line, scene.s(if *is_hint { Role::Dim } else { Role::Text }));
        }
        y += height + 1;
    }
}

fn cells_of(count: usize) -> u16 {
    cells(count)
}

fn toast_lines(body: &SafeText, hint: Option<&SafeText>, room: usize) -> Vec<(String, bool)> {
    let wrapped = |body: &SafeText, is_hint: bool, most: usize| {
        let all = text::wrap(body.as_str(), room);
        let is_cut = all.len() > most;
        let mut lines: Vec<(String, bool)> = all
            .into_iter()
            .take(most)
            .map(|range| (body.as_str().get(range).unwrap_or_default().trim_end().to_owned(), is_hint))
            .collect();
        if let Some((last, _)) = lines.last_mut().filter(|_| is_cut) {
            *last = format!("{}…", text::prefix(last, room.saturating_sub(1)));
        }
        lines
    };
    let mut lines = wrapped(body, false, 3);
    lines.extend(hint.into_iter().flat_map(|hint| wrapped(hint, true, 2)));
    lines
}

/// The whole console where there is room for one line only.
pub(super) fn line(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>) {
    let header = scene.model.header();
    let (sign, role) = match header.live {
        LiveLine::Live { .. } => ("●", Role::Ok),
        LiveLine::Connecting | LiveLine::Reconnecting { .. } => ("↻", Role::Warn),
        LiveLine::Refused { .. } | LiveLine::StoreAway { .. } | LiveLine::StoreNewer => ("✗", Role::Error),
        LiveLine::Webhook => ("○", Role::Text),
        LiveLine::Unknown | LiveLine::Cached { .. } => ("○", Role::Warn),
    };
    let unread: u64 = scene.model.rooms.list.iter().map(|row| u64::from(row.room.unread)).sum();
    let name = header.integration.as_ref().map_or("larkdeck", SafeText::as_str);
    let news = scene.fill(phrase("{} new", "{} 条新消息"), &[&unread]);
    let runs = [
        Run::new(sign, scene.s(role)),
        Run::new(format!(" {news}"), scene.s(if unread > 0 { Role::Unread } else { Role::Dim })),
        Run::new(format!(" {name}"), scene.s(Role::Dim)),
    ];
    let room = canvas.width();
    canvas.runs(0, 0, room, &runs);
}
