//! Pane 4: the month, the buckets, and where the calls go.

use super::{Canvas, Role, Scene, words};
use crate::{
    core::{
        lang::{Phrase, phrase},
        permit::Feature,
        quota::{BucketUse, QuotaReport, QuotaSource},
        text::SafeText,
    },
    tui::{
        canvas::{Run, cells, width},
        widget::{
            gauge, number,
            table::{self, Column, Layout, cell},
        },
    },
};

/// From this width on endpoints and features stand beside the buckets.
const SPLIT_COLUMNS: u16 = 110;
/// Rows of the month, with the empty one below it.
const MONTH_ROWS: u16 = 5;
/// Rows of the history's columns.
const SPARK_ROWS: u16 = 5;
/// Rows of the history: a title, its columns, the time below them.
const HISTORY_ROWS: u16 = SPARK_ROWS + 2;

/// Draws the pane.
pub(super) fn draw(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>) {
    let model = scene.model;
    let Some(report) = &model.quota.report else {
        let empty = (
            scene.t(phrase("No calls yet", "尚无调用")),
            scene.t(phrase("Figures appear with the first call to Feishu.", "首次调用飞书后显示。")),
        );
        words::nothing(scene, canvas, &model.quota.load, empty);
        return;
    };
    let (w, h) = (canvas.width(), canvas.height());
    // The pane scrolls as a text: it is drawn in full on a sheet of its own, and a window of it is shown.
    let rows = height(report, w);
    scene.drawn.painted.sizes.pane_total = rows;
    scene.drawn.painted.sizes.list_rows = h;
    let area = ratatui::layout::Rect::new(0, 0, w, rows.max(1));
    let mut sheet = ratatui::buffer::Buffer::empty(area);
    let mut whole = Canvas::new(&mut sheet);
    whole.fill(scene.theme.ground());
    sheet_of(scene, &mut whole, report);
    let first = model.quota.scroll.min(rows.saturating_sub(h));
    canvas.copy(&sheet, first);
    if rows > h {
        let more = scene
            .fill(phrase(" {}-{} of {} ", " {}-{} / {} 行 "), &[&(first + 1), &(first + h).min(rows), &rows]);
        canvas.right(w.saturating_sub(1), h - 1, 24, &more, scene.s(Role::Badge));
    }
}

const fn is_split(w: u16) -> bool {
    w >= SPLIT_COLUMNS
}

fn height(report: &QuotaReport, w: u16) -> u16 {
    let buckets = cells(report.buckets.len()) + 2;
    let uses = cells(report.endpoints.len()) + 2 + cells(report.features.len()) + 2;
    let left = buckets + HISTORY_ROWS;
    MONTH_ROWS + if is_split(w) { left.max(uses) } else { left + uses }
}

fn sheet_of(scene: &Scene<'_>, canvas: &mut Canvas<'_>, report: &QuotaReport) {
    let (w, h) = (canvas.width(), canvas.height());
    month(scene, &mut canvas.sub(1, 0, w.saturating_sub(2), MONTH_ROWS), report);
    let bucket_rows = cells(report.buckets.len()) + 2;
    let endpoint_rows = cells(report.endpoints.len()) + 2;
    let (mut left, mut right) = if is_split(w) {
        let half = w / 2;
        let rest = h.saturating_sub(MONTH_ROWS);
        ((1, half.saturating_sub(3), MONTH_ROWS), (half + 1, w.saturating_sub(half + 2), rest))
    } else {
        let full = w.saturating_sub(2);
        ((1, full, MONTH_ROWS), (1, full, 0))
    };
    buckets(scene, &mut canvas.sub(left.0, left.2, left.1, bucket_rows), report);
    left.2 += bucket_rows;
    right.2 = if is_split(w) { MONTH_ROWS } else { left.2 };
    endpoints(scene, &mut canvas.sub(right.0, right.2, right.1, endpoint_rows), report);
    right.2 += endpoint_rows;
    let feature_rows = cells(report.features.len()) + 2;
    features(scene, &mut canvas.sub(right.0, right.2, right.1, feature_rows), report);
    if !is_split(w) {
        left.2 = right.2 + feature_rows;
    }
    history(scene, &mut canvas.sub(left.0, left.2, left.1, HISTORY_ROWS), report);
}

fn month(scene: &Scene<'_>, canvas: &mut Canvas<'_>, report: &QuotaReport) {
    let month = &report.month;
    let dim = scene.s(Role::Dim);
    let w = canvas.width();
    let title = scene.t(phrase("MONTH", "本月"));
    let limit = month.limit.unwrap_or(0);
    let (style, bar) = scene.gauge_styles(month.used, limit.max(1), month.exhausted);
    let style = if month.limit.is_some() { style } else { scene.s(Role::Text) };
    let mut runs =
        vec![Run::new(format!("{title}  "), scene.s(Role::Title)), Run::new(number(month.used), style)];
    match month.limit {
        Some(limit) => {
            runs.push(Run::new(format!(" / {} {}", number(limit), scene.t(phrase("calls", "次调用"))), dim))
        }
        None => runs.push(Run::new(scene.t(phrase(" calls, no limit", " 次调用，不限量")).to_owned(), dim)),
    }
    let source = match month.source {
        QuotaSource::CountedHere => phrase("counted here", "本机统计"),
        QuotaSource::Official => phrase("official figure, then counted", "官方数字起计"),
    };
    // The platform tells no program what a tenant may use: who set the figure is said with it.
    let set = scene.t(phrase("limit set by quota.month_limit", "上限由 quota.month_limit 设定"));
    runs.push(Run::new(format!("  {} · {set}", scene.t(source)), dim));
    canvas.runs(0, 0, w, &runs);
    if month.limit.is_some() {
        gauge::bar(canvas, (0, 1), w, (month.used, limit), bar, scene.s(Role::GaugeRest));
    }
    let resets = scene.fill(phrase("resets {}", "重置于 {}"), &[&words::date_time(scene, month.resets_at)]);
    let forecast = match month.forecast_empty_at {
        _ if month.exhausted => (
            scene
                .t(phrase("used up: Feishu refuses calls until then", "已用尽：此前飞书将拒绝调用"))
                .to_owned(),
            Role::Error,
        ),
        Some(at) => (
            scene.fill(
                phrase("empty on {} at this pace", "按此速度将于 {} 用尽"),
                &[&words::date_time(scene, at)],
            ),
            Role::Warn,
        ),
        None if month.limit.is_some() => {
            (scene.t(phrase("lasts at this pace", "按此速度够用")).to_owned(), Role::Ok)
        }
        None => (String::new(), Role::Dim),
    };
    canvas.runs(0, 2, w, &[Run::new(forecast.0, scene.s(forecast.1)), Run::new(format!("   {resets}"), dim)]);
    let rest = scene.fill(
        phrase("{} more did not count · {} without an answer", "另有 {} 次不计入 · {} 次无应答"),
        &[&number(month.exempt), &number(month.unknown)],
    );
    canvas.clip(0, 3, w, &rest, dim);
}

fn bucket_name(name: &str) -> Option<Phrase> {
    Some(match name {
        "app" => phrase("all calls", "全部接口"),
        "send" => phrase("sending", "发送消息"),
        "webhook" => phrase("group-bot webhook", "群机器人 webhook"),
        "receiver" => phrase("to one receiver", "同一接收者"),
        _ => return None,
    })
}

fn buckets(scene: &Scene<'_>, canvas: &mut Canvas<'_>, report: &QuotaReport) {
    let dim = scene.s(Role::Dim);
    let columns: [Column<'_>; 5] = [
        table::left(scene.t(phrase("RATE LIMIT", "频率限制")), 16, 22, 0),
        table::left(scene.t(phrase("WINDOW", "窗口内")), 8, 24, 1),
        table::right(scene.t(phrase("USED", "已用")), 16, 0),
        table::right(scene.t(phrase("WAIT", "等待")), 5, 2),
        table::left(scene.t(phrase("PAUSED", "暂停至")), 8, 8, 3),
    ];
    let w = canvas.width();
    let layout = Layout::new(&columns, w);
    layout.head(canvas, 0, &columns, scene.s(Role::Title));
    for (y, bucket) in (1u16..).zip(&report.buckets) {
        let name = bucket_name(&bucket.name)
            .map_or_else(|| SafeText::line(&bucket.name).to_string(), |name| scene.t(name).to_owned());
        let (style, bar) = scene.gauge_styles(u64::from(bucket.used), u64::from(bucket.limit), false);
        let waiting = if bucket.waiting > 0 { scene.s(Role::Warn) } else { dim };
        let paused =
            bucket.paused_until.filter(|at| *at > scene.model.now).map(|at| words::clock_s(scene, at));
        let row = [
            cell(&name, scene.s(Role::Text)),
            Vec::new(),
            vec![
                Run::new(number(u64::from(bucket.used)), style),
                Run::new(format!(" / {}{}", number(u64::from(bucket.limit)), window(bucket)), dim),
            ],
            vec![Run::new(number(u64::from(bucket.waiting)), waiting)],
            vec![Run::new(paused.unwrap_or_default(), scene.s(Role::Warn))],
        ];
        layout.row(canvas, y, &columns, &row);
        if let Some((x, room)) = layout.place(1) {
            gauge::bar(
                canvas,
                (x, y),
                room,
                (u64::from(bucket.used), u64::from(bucket.limit)),
                bar,
                scene.s(Role::GaugeRest),
            );
        }
    }
}

fn window(bucket: &BucketUse) -> String {
    match bucket.window_s {
        1 => "/s".to_owned(),
        60 => "/min".to_owned(),
        s => format!("/{s}s"),
    }
}

fn endpoints(scene: &Scene<'_>, canvas: &mut Canvas<'_>, report: &QuotaReport) {
    let columns: [Column<'_>; 4] = [
        table::left(scene.t(phrase("ENDPOINT, THIS MONTH", "接口（本月）")), 16, 60, 0),
        table::right(scene.t(phrase("COUNTED", "计入")), 8, 0),
        table::right(scene.t(phrase("EXEMPT", "不计入")), 8, 1),
        table::right(scene.t(phrase("FAILED", "失败")), 6, 2),
    ];
    let dim = scene.s(Role::Dim);
    let layout = Layout::new(&columns, canvas.width());
    layout.head(canvas, 0, &columns, scene.s(Role::Title));
    for (y, row) in (1u16..).zip(&report.endpoints) {
        let failed = if row.failed > 0 { scene.s(Role::Warn) } else { dim };
        let (counted, exempt, failures) = (number(row.counted), number(row.exempt), number(row.failed));
        let cells = [
            cell(&row.endpoint, scene.s(Role::Text)),
            cell(&counted, scene.s(Role::Text)),
            cell(&exempt, dim),
            cell(&failures, failed),
        ];
        layout.row(canvas, y, &columns, &cells);
    }
}

const fn feature_name(feature: Feature) -> Phrase {
    match feature {
        Feature::Setup => phrase("set-up", "配置"),
        Feature::Linking => phrase("linking", "关联"),
        Feature::Live => phrase("live rooms", "实时群"),
        Feature::History => phrase("history", "历史消息"),
        Feature::Send => phrase("sending", "发送"),
        Feature::People => phrase("names", "姓名"),
        Feature::Ai => phrase("AI SRE", "AI SRE"),
        Feature::Notify => phrase("notifications", "通知"),
    }
}

fn features(scene: &Scene<'_>, canvas: &mut Canvas<'_>, report: &QuotaReport) {
    let columns: [Column<'_>; 3] = [
        table::left(scene.t(phrase("FEATURE", "功能")), 12, 20, 0),
        table::left("", 6, 30, 1),
        table::right(scene.t(phrase("CALLS", "调用")), 8, 0),
    ];
    let layout = Layout::new(&columns, canvas.width());
    layout.head(canvas, 0, &columns, scene.s(Role::Title));
    let most = report.features.iter().map(|(_, count)| *count).max().unwrap_or_default();
    for (y, (feature, count)) in (1u16..).zip(&report.features) {
        let calls = number(*count);
        let row = [
            cell(scene.t(feature_name(*feature)), scene.s(Role::Text)),
            Vec::new(),
            cell(&calls, scene.s(Role::Text)),
        ];
        layout.row(canvas, y, &columns, &row);
        if let Some((x, room)) = layout.place(1) {
            gauge::bar(canvas, (x, y), room, (*count, most), scene.s(Role::Gauge), scene.s(Role::GaugeRest));
        }
    }
}

/// Calls by minute, the newest at the right, over a line that says how long ago.
fn history(scene: &Scene<'_>, canvas: &mut Canvas<'_>, report: &QuotaReport) {
    let sum: u64 = report.minutes.iter().map(|n| u64::from(*n)).sum();
    let most = report.minutes.iter().max().copied().unwrap_or_default();
    let (title, figures) = (
        scene.t(phrase("LAST 60 MIN", "最近 60 分钟")),
        scene.fill(
            phrase("  {} calls · most in a minute {}", "  {} 次调用 · 单分钟最多 {}"),
            &[&number(sum), &number(u64::from(most))],
        ),
    );
    let w = canvas.width();
    canvas.runs(0, 0, w, &[Run::new(title, scene.s(Role::Title)), Run::new(figures, scene.s(Role::Dim))]);
    let minutes = cells(report.minutes.len());
    let each = (w / minutes.max(1)).clamp(1, 3);
    let room = (minutes * each).min(w / each * each);
    let shown = room / each;
    gauge::spark(canvas, (0, 1), (room, SPARK_ROWS), each, &report.minutes, scene.s(Role::Gauge));
    let axis = SPARK_ROWS + 1;
    canvas.rule(0, room, axis, "─", scene.s(Role::Border));
    let ago = scene.fill(phrase("{} min ago ", "{} 分钟前 "), &[&shown]);
    canvas.clip(0, axis, room, &ago, scene.s(Role::Dim));
    let now = format!(" {}", scene.t(phrase("now", "现在")));
    canvas.right(room, axis, width(&now), &now, scene.s(Role::Dim));
}
