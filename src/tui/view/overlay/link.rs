//! Linking: what it would do, how far it is, what came of it.

use super::{Canvas, Line, Role, Scene, text_cells, text_popup, wrap_into};
use crate::{
    app::{
        action::Action,
        event::{LinkOutcome, LinkPlan, LinkProgress},
        model::{LinkFlow, LinkStage},
    },
    core::{
        lang::phrase,
        text::{self, SafeText},
    },
    tui::{
        canvas::{Run, cells},
        view::words,
        widget::{gauge, number, popup},
    },
};

const COLUMNS: u16 = 76;

/// Draws the stage that linking is in.
pub(super) fn draw(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, flow: &LinkFlow) {
    let title = flow.who.as_ref().map_or_else(
        || scene.t(phrase("One-click link", "一键关联")).to_owned(),
        |who| scene.fill(phrase("Link {}", "关联 {}"), &[who]),
    );
    let dim = scene.s(Role::Dim);
    match &flow.stage {
        LinkStage::Planning => {
            let words = scene.t(phrase("counting who can be looked up…", "正在统计可查找的成员…"));
            text_popup(scene, canvas, &title, COLUMNS, 0, &[vec![Run::new(words, dim)]]);
        }
        LinkStage::Preview(plan) => {
            let lines = preview(scene, plan);
            text_popup(scene, canvas, &title, COLUMNS, 0, &lines);
        }
        LinkStage::Running(plan, progress) => running(scene, canvas, &title, plan, progress),
        LinkStage::Finished(outcome) => finished(scene, canvas, &title, flow, outcome),
        LinkStage::Failed(fault) => {
            let room = text_cells(canvas, COLUMNS);
            let mut lines: Vec<Line> = Vec::new();
            wrap_into(&mut lines, &format!("✗ {}", words::fault_line(fault)), room, scene.s(Role::Error));
            if let Some(hint) = &fault.hint {
                wrap_into(&mut lines, SafeText::line(hint).as_str(), room, dim);
            }
            text_popup(scene, canvas, &title, COLUMNS, 0, &lines);
        }
    }
}

fn preview(scene: &Scene<'_>, plan: &LinkPlan) -> Vec<Line> {
    let line = |label: &str, value: u64, note: &'static str| {
        vec![
            Run::new(text::fit(label, 20), scene.s(Role::Dim)),
            Run::new(format!("{:>8}", number(value)), scene.s(Role::Strong)),
            Run::new(format!("  {note}"), scene.s(Role::Dim)),
        ]
    };
    let hint = if plan.calls == 0 {
        phrase(
            "Nobody can be looked up: add a phone or an email first.",
            "没有可查找的成员：请先补充手机号或邮箱。",
        )
    } else {
        phrase("Nothing has happened yet. Enter begins, Esc leaves.", "尚未执行。按 Enter 开始，Esc 返回。")
    };
    vec![
        line(scene.t(phrase("members", "成员")), plan.members, ""),
        line(scene.t(phrase("phones", "手机号")), plan.phones, scene.t(phrase("to look up", "待查找"))),
        line(scene.t(phrase("emails", "邮箱")), plan.emails, scene.t(phrase("to look up", "待查找"))),
        line(
            scene.t(phrase("calls", "调用")),
            plan.calls,
            scene.t(phrase("not counted against the month", "不计入月度调用量")),
        ),
        Vec::new(),
        vec![Run::new(scene.t(hint), scene.s(Role::Text))],
    ]
}

fn running(
    scene: &mut Scene<'_>,
    canvas: &mut Canvas<'_>,
    title: &str,
    plan: &LinkPlan,
    progress: &LinkProgress,
) {
    let looks = scene.popup_looks();
    let place = popup::place(canvas.area(), COLUMNS, 7);
    let mut inside = popup::open(canvas, place, title, "", looks);
    let w = inside.width();
    let dim = scene.s(Role::Dim);
    gauge::bar(
        &mut inside,
        (0, 0),
        w,
        (progress.calls_done, progress.calls.max(1)),
        scene.s(Role::Gauge),
        scene.s(Role::GaugeRest),
    );
    let calls = scene.fill(
        phrase("call {} of {}", "调用 {} / {}"),
        &[&number(progress.calls_done), &number(progress.calls)],
    );
    let runs = [
        Run::new(
            scene.fill(phrase("✓ {} linked", "✓ 已关联 {}"), &[&number(progress.linked)]),
            scene.s(Role::Ok),
        ),
        Run::new(
            scene.fill(phrase("   ✗ {} not", "   ✗ 未关联 {}"), &[&number(progress.unlinked)]),
            scene.s(Role::Warn),
        ),
        Run::new(
            scene.fill(phrase("   of {} members   {}", "   共 {} 人   {}"), &[&number(plan.members), &calls]),
            dim,
        ),
    ];
    inside.runs(0, 2, w, &runs);
    let waiting = progress.waiting_until.filter(|at| *at > scene.model.now);
    let words = waiting.map_or_else(
        || scene.t(phrase("s stops after the calls under way", "按 s 在当前调用完成后停止")).to_owned(),
        |at| {
            scene.fill(
                phrase("waiting for the rate limit until {}", "等待限流至 {}"),
                &[&words::clock_s(scene, at)],
            )
        },
    );
    inside.clip(0, 4, w, &words, dim);
}

fn finished(
    scene: &mut Scene<'_>,
    canvas: &mut Canvas<'_>,
    title: &str,
    flow: &LinkFlow,
    outcome: &LinkOutcome,
) {
    let looks = scene.popup_looks();
    let reasons = cells(outcome.reasons.len()).min(6);
    let results = cells(outcome.results.len());
    let wanted = 4 + reasons + u16::from(reasons > 0) + results;
    let place = popup::place(canvas.area(), COLUMNS, wanted.min(40) + 2);
    let note = if outcome.results.is_empty() {
        String::new()
    } else {
        format!(
            "{} / {}",
            flow.selected + 1,
            number(u64::try_from(outcome.results.len()).unwrap_or(u64::MAX))
        )
    };
    let mut inside = popup::open(canvas, place, title, &note, looks);
    let (w, h) = (inside.width(), inside.height());
    let dim = scene.s(Role::Dim);
    let head = [
        Run::new(
            scene.fill(phrase("✓ {} linked", "✓ 已关联 {}"), &[&number(outcome.linked)]),
            scene.s(Role::Ok),
        ),
        Run::new(
            scene.fill(phrase("   ✗ {} not", "   ✗ 未关联 {}"), &[&number(outcome.unlinked)]),
            scene.s(Role::Warn),
        ),
        Run::new(
            scene.fill(
                phrase("   {} calls, {}", "   {} 次调用，{}"),
                &[&number(outcome.calls), &words::duration(scene, outcome.elapsed)],
            ),
            dim,
        ),
        Run::new(
            if outcome.is_cancelled { scene.t(phrase("   stopped early", "   提前停止")) } else { "" },
            scene.s(Role::Warn),
        ),
    ];
    inside.runs(0, 0, w, &head);
    let mut y = 2;
    let shown_reasons = reasons.min(h.saturating_sub(6));
    for (reason, count) in outcome.reasons.iter().take(usize::from(shown_reasons)) {
        inside.right(6, y, 6, &number(*count), scene.s(Role::Text));
        inside.clip(8, y, w.saturating_sub(8), scene.t(reason.text()), dim);
        y += 1;
    }
    y += u16::from(shown_reasons > 0);
    let rows = h.saturating_sub(y);
    scene.drawn.painted.sizes.overlay_rows = rows;
    scene.drawn.painted.sizes.overlay_total = results;
    let top = flow.top.min(outcome.results.len().saturating_sub(usize::from(rows)));
    for ((row, result), n) in (y..h).zip(outcome.results.iter().skip(top)).zip(top..) {
        let mut line = inside.row(row);
        let (sign, role, why) = match result.reason {
            None => ("✓", Role::Ok, scene.t(phrase("linked", "已关联"))),
            Some(reason) => ("✗", Role::Warn, scene.t(reason.text())),
        };
        line.text(2, 0, sign, scene.s(role));
        let name = SafeText::line(&result.name);
        let name_cells = (w / 3).max(8);
        line.clip(4, 0, name_cells, name.as_str(), scene.s(Role::Text));
        let x = 4 + name_cells + 2;
        line.clip(x, 0, w.saturating_sub(x), why, dim);
        if n == flow.selected {
            scene.select(&mut line, true);
        }
        scene.click(line.area(), Action::SelectOverlayRow(n));
    }
}
