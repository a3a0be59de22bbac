//! The service's words in the console's, and back.

use crate::{
    app::{
        effect::IntegrationDraft,
        event::{self, Anchor, CheckLine, IntegrationRow, MemberQuery, Place},
    },
    core::{
        ids::{MemberId, MessageId},
        lang::Lang,
        member::Reason,
        secret::Secret,
    },
    service::{self, Edit, TranscriptAnchor},
};

pub(super) fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

pub(super) fn integration(view: service::IntegrationView) -> IntegrationRow {
    IntegrationRow { integration: view.integration, urls: view.urls, live: view.live }
}

pub(super) fn draft(draft: IntegrationDraft) -> service::IntegrationDraft {
    service::IntegrationDraft {
        name: draft.name,
        kind: draft.kind,
        app_id: Some(draft.app_id).filter(|id| !id.is_empty()),
        base_url: None,
        app_secret: draft.app_secret,
        encrypt_key: draft.encrypt_key,
        verification_token: draft.verification_token,
        receive: draft.receive,
    }
}

/// A form's field that was left alone stays as it is; a secret that was emptied is taken away.
pub(super) fn edit(draft: IntegrationDraft) -> service::IntegrationEdit {
    let secret = |secret: Option<Secret>| match secret {
        None => Edit::Keep,
        Some(secret) if secret.is_empty() => Edit::Clear,
        Some(secret) => Edit::Set(secret),
    };
    service::IntegrationEdit {
        name: Some(draft.name),
        app_id: Some(draft.app_id).filter(|id| !id.is_empty()),
        app_secret: draft.app_secret.filter(|secret| !secret.is_empty()),
        encrypt_key: secret(draft.encrypt_key),
        verification_token: secret(draft.verification_token),
        receive: Some(draft.receive),
        ..service::IntegrationEdit::default()
    }
}

pub(super) fn check(report: service::CheckReport) -> event::CheckReport {
    let line = |what: &str, passed, detail| CheckLine { what: what.to_owned(), passed, detail };
    let mut lines = vec![
        line("App ID, App Secret", Some(true), "tenant_access_token".to_owned()),
        line("Bot", Some(report.is_active), report.bot_name),
    ];
    lines.extend(report.warnings.into_iter().map(|warning| line("!", None, warning)));
    event::CheckReport { lines }
}

pub(super) fn query(query: &MemberQuery) -> service::MemberQuery {
    service::MemberQuery {
        filter: query.filter,
        search: query.search.clone(),
        offset: query.offset,
        limit: query.limit,
    }
}

pub(super) fn page(query: MemberQuery, page: service::MemberPage) -> event::MemberPage {
    event::MemberPage { query, rows: page.rows, total: page.total, counts: page.counts }
}

pub(super) fn press(asked: service::PressPreview) -> event::PressVerdict {
    event::PressVerdict {
        acts: asked.verdict.is_good(),
        en: asked.verdict.text(Lang::En),
        zh: asked.verdict.text(Lang::Zh),
        name: asked.name,
    }
}

pub(super) fn plan(plan: &service::LinkPlan) -> event::LinkPlan {
    event::LinkPlan {
        members: count(plan.members),
        phones: count(plan.phones),
        emails: count(plan.emails),
        calls: count(plan.calls),
    }
}

pub(super) fn progress(step: service::LinkProgress) -> event::LinkProgress {
    event::LinkProgress {
        calls_done: count(step.calls),
        calls: count(step.planned_calls),
        linked: count(step.linked),
        unlinked: count(step.done.saturating_sub(step.linked)),
        waiting_until: None,
    }
}

pub(super) fn outcome(summary: &service::LinkSummary) -> event::LinkOutcome {
    let mut reasons: Vec<(Reason, u64)> = Vec::new();
    for result in &summary.results {
        if let service::LinkOutcome::Unlinked(reason) = result.outcome {
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, count)) => *count += 1,
                None => reasons.push((reason, 1)),
            }
        }
    }
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    event::LinkOutcome {
        members: count(summary.members),
        calls: count(summary.calls),
        linked: count(summary.linked),
        unlinked: count(summary.unlinked),
        elapsed: summary.elapsed,
        is_cancelled: summary.cancelled,
        batch: (summary.linked > 0).then(|| summary.batch.clone()),
        reasons,
        results: Vec::new(),
    }
}

/// The results that a screen shows: those still unlinked first, at most so many.
pub(super) fn telling(summary: &service::LinkSummary, most: usize) -> Vec<&service::LinkResult> {
    let mut results: Vec<&service::LinkResult> =
        summary.results.iter().filter(|result| result.outcome != service::LinkOutcome::Unchanged).collect();
    results.sort_by_key(|result| matches!(result.outcome, service::LinkOutcome::Linked(_)));
    results.truncate(most);
    results
}

pub(super) fn result(result: &service::LinkResult) -> (MemberId, Option<Reason>) {
    let reason = match &result.outcome {
        service::LinkOutcome::Unlinked(reason) => Some(*reason),
        service::LinkOutcome::Linked(_) | service::LinkOutcome::Unchanged => None,
    };
    (result.member.clone(), reason)
}

pub(super) fn place(place: &Place) -> service::Place {
    (place.at, place.message_id.clone())
}

pub(super) fn anchor(anchor: &Anchor) -> TranscriptAnchor {
    match anchor {
        Anchor::Latest => TranscriptAnchor::Latest,
        Anchor::Before(at) => TranscriptAnchor::Before(place(at)),
        Anchor::After(at) => TranscriptAnchor::After(place(at)),
        Anchor::From(at) => TranscriptAnchor::After(just_before(at)),
    }
}

/// The last place before `place`: the largest id of the millisecond before.
fn just_before(at: &Place) -> service::Place {
    let last: Result<MessageId, _> = "~".parse();
    match last {
        Ok(last) => (at.at.minus(std::time::Duration::from_millis(1)), last),
        Err(_) => place(at),
    }
}

pub(super) fn transcript(anchor: Anchor, page: service::TranscriptPage) -> event::TranscriptPage {
    event::TranscriptPage {
        chat_id: page.chat_id,
        anchor,
        messages: page.messages,
        seams: page.seams,
        outgoing: page.outgoing,
        has_older: page.has_older,
        has_newer: page.has_newer,
        read_to: page.read_to.map(|(at, message_id)| Place { at, message_id }),
    }
}

/// Who is connected, as the screen shows it.
pub(super) fn consoles(connected: Vec<service::Connected>, roles: service::Roles) -> event::ConsolesView {
    let row = |one: service::Connected| event::ConsoleRow {
        holder: one.console.holder,
        what: one.console.what,
        role: one.role,
        since_at: one.console.since_at,
        is_me: one.is_me,
    };
    event::ConsolesView {
        consoles: connected.into_iter().map(row).collect(),
        roles: roles.assigned.into_iter().map(|assigned| (assigned.who, assigned.role)).collect(),
        me: roles.me,
        mine: roles.mine,
        are_enforced: roles.are_enforced,
    }
}
