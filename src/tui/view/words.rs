//! Texts that several panes share, and how times and ages are put.

use std::time::Duration;

use super::{Canvas, Role, Scene};
use crate::{
    app::model::{Load, age_words},
    core::{
        error::Fault,
        lang::{Lang, Phrase, duration_words, phrase},
        text::SafeText,
        time::{Age, Timestamp},
    },
    tui::widget::notice,
};

const LOADING: Phrase = phrase("loading…", "加载中…");
const CANNOT_LOAD: Phrase = phrase("This could not be loaded", "加载失败");
const PRESS_REFRESH: Phrase = phrase("R tries again.", "按 R 重试。");
const STORE_AWAY: Phrase = phrase("The store does not answer", "存储无响应");
const COMES_BACK: Phrase = phrase("This is loaded as soon as it is back.", "恢复后会自动加载。");
const NOW: Phrase = phrase("now", "刚刚");
const MINUTES: Phrase = phrase("{} m", "{} 分");
const HOURS: Phrase = phrase("{} h", "{} 时");
const DAYS: Phrase = phrase("{} d", "{} 天");

/// Says that a list is loading, could not be loaded, or is empty (`empty`: what, and what to do next).
pub(super) fn nothing(scene: &Scene<'_>, canvas: &mut Canvas<'_>, load: &Load, empty: (&str, &str)) {
    let dim = scene.s(Role::Dim);
    match load {
        Load::Never | Load::Loading => notice::draw(canvas, (scene.t(LOADING), dim), &[]),
        Load::Failed(fault) if fault.is_store_away => {
            let lines = [("", dim), (scene.t(COMES_BACK), dim)];
            notice::draw(canvas, (scene.t(STORE_AWAY), scene.s(Role::Warn)), &lines);
        }
        Load::Failed(fault) => {
            let (what, hint) = (fault_line(fault), fault.hint.as_deref().map(SafeText::line));
            let hint = hint.as_ref().map_or("", SafeText::as_str);
            let mut lines = vec![("", dim), (what.as_str(), scene.s(Role::Text))];
            lines.extend((!hint.is_empty()).then_some((hint, dim)));
            lines.extend([("", dim), (scene.t(PRESS_REFRESH), dim)]);
            notice::draw(canvas, (scene.t(CANNOT_LOAD), scene.s(Role::Error)), &lines);
        }
        Load::Ready => {
            notice::draw(canvas, (empty.0, scene.s(Role::Strong)), &[("", dim), (empty.1, dim)]);
        }
    }
}

/// A fault in one line, with its code and log id.
pub(super) fn fault_line(fault: &Fault) -> String {
    let mut out = SafeText::line(&fault.message).to_string();
    if let Some(code) = fault.code.filter(|code| !out.contains(&code.to_string())) {
        out.push_str(&format!(" (code {code})"));
    }
    out
}

/// A word for a list that is there but whose last refresh failed, or that is being refreshed.
pub(super) fn load_mark(scene: &Scene<'_>, load: &Load) -> &'static str {
    match load {
        Load::Loading => scene.t(LOADING),
        // Why is in the header.
        Load::Failed(fault) if fault.is_store_away => scene.t(phrase("as it was before", "未刷新")),
        Load::Failed(_) => scene.t(phrase("refresh failed: !", "刷新失败：!")),
        _ => "",
    }
}

/// An age in a few cells: `now`, `5 m`, `2 h`, `3 d`.
pub(super) fn short_age(scene: &Scene<'_>, at: Timestamp) -> String {
    match Age::of(scene.model.now.since(at)) {
        Age::UnderSeconds(_) => scene.t(NOW).to_owned(),
        Age::Minutes(n) => scene.fill(MINUTES, &[&n]),
        Age::Hours(n) => scene.fill(HOURS, &[&n]),
        Age::Days(n) => scene.fill(DAYS, &[&n]),
    }
}

/// How long ago something was, in words.
pub(super) fn ago(scene: &Scene<'_>, at: Timestamp) -> String {
    let age = age_words(Age::of(scene.model.now.since(at)), scene.lang());
    scene.fill(phrase("{} ago", "{}前"), &[&age])
}

/// `03:12`.
pub(super) fn clock(scene: &Scene<'_>, at: Timestamp) -> String {
    at.in_zone(&scene.model.zone).strftime("%H:%M").to_string()
}

/// `03:12:05`.
pub(super) fn clock_s(scene: &Scene<'_>, at: Timestamp) -> String {
    at.in_zone(&scene.model.zone).strftime("%H:%M:%S").to_string()
}

/// `2026-11-22 03:12`.
pub(super) fn date_time(scene: &Scene<'_>, at: Timestamp) -> String {
    at.in_zone(&scene.model.zone).strftime("%Y-%m-%d %H:%M").to_string()
}

/// The day in full: `Sunday 22 November 2026`, `2026年11月22日 星期日`.
pub(super) fn day(scene: &Scene<'_>, at: Timestamp) -> String {
    let at = at.in_zone(&scene.model.zone);
    match scene.lang() {
        Lang::En => at.strftime("%A %-d %B %Y").to_string(),
        Lang::Zh => {
            let days = ["一", "二", "三", "四", "五", "六", "日"];
            let n = usize::try_from(at.weekday().to_monday_zero_offset()).unwrap_or_default();
            format!("{} 星期{}", at.strftime("%Y年%-m月%-d日"), days.get(n).unwrap_or(&""))
        }
    }
}

/// A duration in one unit: `41 s`, `3 min`, `2 h`.
pub(super) fn duration(scene: &Scene<'_>, time: Duration) -> String {
    duration_words(time, scene.lang())
}
