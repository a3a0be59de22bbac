//! One thing in full: a member, an operation, a fault, a check; and plain text.

use super::{Canvas, Line, Role, Scene, fact, text_cells, text_popup, wrap_into};
use crate::{
    app::{
        event::PressVerdict,
        model::{CheckState, MemberDetail, PlainText},
    },
    core::{
        error::Fault,
        lang::phrase,
        operation::{Operation, OperationResult},
        text::{self, SafeText},
    },
    tui::{
        canvas::{Run, cells},
        view::words,
    },
};

const COLUMNS: u16 = 78;

/// A member in full.
pub(super) fn member(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, detail: &MemberDetail) {
    let room = text_cells(canvas, COLUMNS);
    let mut lines: Vec<Line> = Vec::new();
    let row = &detail.row;
    fact(scene, &mut lines, room, scene.t(phrase("email", "邮箱")), row.email.as_str());
    fact(scene, &mut lines, room, scene.t(phrase("phone", "手机")), row.phone.as_str());
    fact(scene, &mut lines, room, scene.t(phrase("team", "团队")), row.team.as_str());
    let looked = row
        .member
        .looked_up_at
        .map_or_else(|| scene.t(phrase("never", "从未")).to_owned(), |at| words::date_time(scene, at));
    fact(scene, &mut lines, room, scene.t(phrase("looked up", "查找时间")), &looked);
    if let Some(link) = &row.member.link {
        fact(
            scene,
            &mut lines,
            room,
            scene.t(phrase("linked", "关联时间")),
            &words::date_time(scene, link.linked_at),
        );
        fact(scene, &mut lines, room, "open_id", link.open_id.as_str());
    } else if let Some(reason) = row.member.reason {
        lines.push(Vec::new());
        wrap_into(&mut lines, &format!("✗ {}", scene.t(reason.text())), room, scene.s(Role::Warn));
        wrap_into(&mut lines, scene.t(reason.fix()), room, scene.s(Role::Text));
    }
    if !detail.message.is_empty() {
        lines.push(Vec::new());
        let title = scene.t(phrase("MESSAGE TO SEND (y copies it)", "可发送的消息（按 y 复制）"));
        lines.push(vec![Run::new(title, scene.s(Role::Title))]);
        wrap_into(&mut lines, SafeText::block(&detail.message).as_str(), room, scene.s(Role::Text));
    }
    text_popup(scene, canvas, row.name.as_str(), COLUMNS, detail.scroll, &lines);
}

/// An operation in full.
pub(super) fn operation(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, operation: &Operation, scroll: u16) {
    let room = text_cells(canvas, COLUMNS);
    let mut lines: Vec<Line> = Vec::new();
    let (word, role) = match operation.result {
        OperationResult::Ok => (phrase("✓ done", "✓ 完成"), Role::Ok),
        OperationResult::Failed => (phrase("✗ failed", "✗ 失败"), Role::Error),
        OperationResult::Refused => (phrase("! refused", "! 拒绝"), Role::Warn),
    };
    lines.push(vec![Run::new(scene.t(word), scene.s(role))]);
    fact(scene, &mut lines, room, scene.t(phrase("when", "时间")), &operation.at.rfc3339(&scene.model.zone));
    fact(
        scene,
        &mut lines,
        room,
        scene.t(phrase("who", "操作者")),
        SafeText::line(&operation.author.to_string()).as_str(),
    );
    fact(scene, &mut lines, room, scene.t(phrase("on", "对象")), SafeText::line(&operation.target).as_str());
    if let Some(code) = operation.code {
        fact(scene, &mut lines, room, scene.t(phrase("code", "错误码")), &code.to_string());
    }
    if let Some(id) = &operation.log_id {
        fact(scene, &mut lines, room, "log id", SafeText::line(id).as_str());
    }
    for (body, role) in [(&operation.reason, Role::Text), (&operation.hint, Role::Accent)] {
        if let Some(body) = body {
            lines.push(Vec::new());
            wrap_into(&mut lines, SafeText::block(body).as_str(), room, scene.s(role));
        }
    }
    text_popup(scene, canvas, &operation.operation, COLUMNS, scroll, &lines);
}

/// A fault in full: what failed, code, log id, scopes, what to do.
pub(super) fn fault(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, fault: &Fault, scroll: u16) {
    let room = text_cells(canvas, COLUMNS);
    let mut lines: Vec<Line> = Vec::new();
    wrap_into(&mut lines, SafeText::block(&fault.message).as_str(), room, scene.s(Role::Text));
    lines.push(Vec::new());
    if let Some(code) = fault.code {
        fact(scene, &mut lines, room, scene.t(phrase("code", "错误码")), &code.to_string());
    }
    if let Some(id) = &fault.log_id {
        fact(scene, &mut lines, room, "log id", SafeText::line(id).as_str());
    }
    if !fault.missing_scopes.is_empty() {
        let scopes = SafeText::line(&fault.missing_scopes.join(", "));
        fact(scene, &mut lines, room, scene.t(phrase("missing scope", "缺少权限")), scopes.as_str());
    }
    if let Some(hint) = &fault.hint {
        lines.push(Vec::new());
        wrap_into(&mut lines, SafeText::block(hint).as_str(), room, scene.s(Role::Accent));
    }
    let title = scene.t(phrase("What went wrong", "错误详情"));
    text_popup(scene, canvas, title, COLUMNS, scroll, &lines);
}

/// What would come of a press.
pub(super) fn press(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, verdict: &PressVerdict, scroll: u16) {
    let room = text_cells(canvas, COLUMNS);
    let mut lines: Vec<Line> = Vec::new();
    let name = SafeText::line(&verdict.name);
    let nothing = phrase("✗ Nothing is done, and {} reads:", "✗ 不会执行，{} 会看到：");
    wrap_into(&mut lines, &scene.fill(nothing, &[&name]), room, scene.s(Role::Warn));
    lines.push(Vec::new());
    let said = SafeText::block(verdict.said(scene.model.lang));
    wrap_into(&mut lines, said.as_str(), room, scene.s(Role::Text));
    let title = scene.fill(phrase("If {} presses Acknowledge", "{} 按下“确认”会怎样"), &[&name]);
    text_popup(scene, canvas, &title, COLUMNS, scroll, &lines);
}

/// What a check found.
pub(super) fn check(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, check: &CheckState) {
    let room = text_cells(canvas, COLUMNS);
    let mut lines: Vec<Line> = Vec::new();
    match &check.report {
        None => {
            lines.push(vec![Run::new(scene.t(phrase("asking Feishu…", "正在询问飞书…")), scene.s(Role::Dim))])
        }
        Some(report) => {
            for line in &report.lines {
                let (sign, role) = match line.passed {
                    Some(true) => ("✓ ", Role::Ok),
                    Some(false) => ("✗ ", Role::Error),
                    None => ("? ", Role::Warn),
                };
                let what = SafeText::line(&line.what).to_string();
                lines.push(vec![Run::new(sign, scene.s(role)), Run::new(what, scene.s(Role::Text))]);
                let detail = SafeText::line(&line.detail);
                for range in text::wrap(detail.as_str(), room.saturating_sub(2).max(1)) {
                    let part = detail.as_str().get(range).unwrap_or_default();
                    if !part.is_empty() {
                        lines.push(vec![Run::new(format!("  {part}"), scene.s(Role::Dim))]);
                    }
                }
            }
        }
    }
    let title = scene.fill(phrase("Check of {}", "检查 {}"), &[&check.name]);
    text_popup(scene, canvas, &title, COLUMNS, check.scroll, &lines);
}

/// Plain text over the whole pane, without a frame, so that a terminal's own selection gets it clean.
pub(super) fn plain(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, plain: &PlainText) {
    canvas.fill(scene.theme.ground());
    let ranges = text::wrap(plain.text.as_str(), usize::from(canvas.width()));
    let (rows, total) = (canvas.height(), cells(ranges.len()));
    scene.drawn.painted.sizes.overlay_rows = rows;
    scene.drawn.painted.sizes.overlay_total = total;
    let first = plain.scroll.min(total.saturating_sub(rows));
    for (y, range) in (0..rows).zip(ranges.into_iter().skip(usize::from(first))) {
        canvas.text(0, y, plain.text.as_str().get(range).unwrap_or_default(), scene.s(Role::Text));
    }
}
