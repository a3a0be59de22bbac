//! `larkdeck link`, `link undo`, `link invite`, `unlink`.

use std::{
    collections::HashMap,
    io::{IsTerminal as _, Write as _},
};

use serde_json::json;
use tokio::sync::mpsc;

use super::{
    args::{LinkArgs, LinkCommand},
    error::CliError,
    member::{member_json, member_line},
    output::note,
    setup::Context,
};
use crate::{
    core::{
        error::Kind,
        ids::{IntegrationId, MemberId},
        member::{Filter, Member, Reason},
    },
    service::login::Invited,
    service::{Deck, LinkOutcome, LinkPlan, LinkProgress, LinkResult, LinkScope, LinkSummary, Undone},
};

pub(super) async fn run(context: &mut Context, args: LinkArgs) -> Result<(), CliError> {
    let (deck, view) = context.integration(None).await?;
    let integration = view.integration.id;
    match args.command {
        Some(LinkCommand::Undo { id }) => {
            let undone = deck.undo_link(&integration, id.as_deref()).await?;
            return print_undone(context, &deck, &integration, &undone).await;
        }
        Some(LinkCommand::Invite { member }) => {
            let member = deck.resolve_member(&member).await?;
            let invited = deck.invite(&integration, &member).await?;
            return print_invited(context, &invited);
        }
        None => {}
    }
    let scope = scope(&deck, &args.members).await?;
    let plan = deck.plan_link(&integration, scope).await?;
    if args.dry_run {
        return print_plan(context, &deck, &plan).await;
    }
    let (sender, progress) = mpsc::channel(16);
    let shown = tokio::spawn(show_progress(progress, !context.out.is_json()));
    let summary = deck.run_link(plan, sender, context.cancel.clone()).await;
    // The other end of the channel is gone by now; a note that failed harms nobody.
    _ = shown.await;
    print(context, &deck, &integration, &summary?, Unlinked::IsPartial).await
}

pub(super) async fn unlink(context: &mut Context, members: &[String]) -> Result<(), CliError> {
    let (deck, view) = context.integration(None).await?;
    let integration = view.integration.id;
    let mut ids = Vec::with_capacity(members.len());
    for member in members {
        ids.push(deck.resolve_member(member).await?);
    }
    let summary = deck.unlink(&integration, &ids).await?;
    print(context, &deck, &integration, &summary, Unlinked::IsFine).await
}

async fn scope(deck: &Deck, members: &[String]) -> Result<LinkScope, CliError> {
    if members.is_empty() {
        return Ok(LinkScope::Unlinked);
    }
    let mut ids = Vec::with_capacity(members.len());
    for member in members {
        let id = deck.resolve_member(member).await?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(LinkScope::Members(ids))
}

/// A line on a terminal that says how far it is; nothing elsewhere.
async fn show_progress(mut progress: mpsc::Receiver<LinkProgress>, wanted: bool) {
    let mut stderr = std::io::stderr();
    let is_shown = wanted && stderr.is_terminal();
    let mut has_line = false;
    while let Some(at) = progress.recv().await {
        if is_shown {
            let text = format!(
                "\rlinking: {} of {} members, {} of {} calls, {} linked ",
                at.done, at.members, at.calls, at.planned_calls, at.linked
            );
            _ = stderr.write_all(text.as_bytes());
            has_line = true;
        }
    }
    if has_line {
        _ = stderr.write_all(b"\r\x1b[K");
    }
}

/// Whether members that end unlinked make the command end "in part".
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unlinked {
    IsFine,
    IsPartial,
}

async fn print(
    context: &mut Context,
    deck: &Deck,
    integration: &IntegrationId,
    summary: &LinkSummary,
    unlinked: Unlinked,
) -> Result<(), CliError> {
    let members = members_of(deck, integration, summary.results.iter().map(|result| &result.member)).await?;
    for result in &summary.results {
        if let Some(member) = members.get(&result.member) {
            print_result(context, member, result)?;
        }
    }
    let out = &mut context.out;
    if out.is_json() {
        out.object(&json!({ "summary": {
            "members": summary.members,
            "calls": summary.calls,
            "linked": summary.linked,
            "unlinked": summary.unlinked,
            "elapsed_ms": summary.elapsed_ms(),
            "id": summary.batch,
        }}))?;
    } else {
        out.line(&format!(
            "{} members, {} calls: {} linked, {} not, {} ms. To undo: larkdeck link undo {}",
            summary.members,
            summary.calls,
            summary.linked,
            summary.unlinked,
            summary.elapsed_ms(),
            summary.batch
        ))?;
    }
    if let Some(fault) = &summary.stopped {
        return Err(fault.clone().into());
    }
    if unlinked == Unlinked::IsPartial && summary.unlinked > 0 {
        return Err(CliError::Partial(format!("{} members stay unlinked", summary.unlinked)));
    }
    Ok(())
}

async fn print_undone(
    context: &mut Context,
    deck: &Deck,
    integration: &IntegrationId,
    undone: &Undone,
) -> Result<(), CliError> {
    let members = members_of(deck, integration, undone.restored.iter().chain(&undone.skipped)).await?;
    for (ids, is_restored) in [(&undone.restored, true), (&undone.skipped, false)] {
        for member in ids.iter().filter_map(|id| members.get(id)) {
            let word = match (is_restored, &member.link) {
                (true, Some(_)) => "linked",
                (true, None) => "unlinked",
                (false, _) => "unchanged",
            };
            print_member(context, member, word)?;
        }
    }
    let (restored, skipped) = (undone.restored.len(), undone.skipped.len());
    let out = &mut context.out;
    if out.is_json() {
        out.object(&json!({ "summary": { "id": undone.batch, "restored": restored, "skipped": skipped } }))?;
    } else {
        out.line(&format!("{restored} put back as they were, {skipped} left alone"))?;
    }
    match skipped {
        0 => Ok(()),
        _ => Err(CliError::Partial(format!("{skipped} members have changed since and were left alone"))),
    }
}

/// The link itself is what was asked for: it goes to stdout and nowhere else.
fn print_invited(context: &mut Context, invited: &Invited) -> Result<(), CliError> {
    let out = &mut context.out;
    let expires_at = out.time_json(Some(invited.expires_at));
    if out.is_json() {
        return out.object(&json!({
            "member": { "id": invited.member.id, "name": invited.member.name },
            "url": invited.url.reveal(),
            "expires_at": expires_at,
        }));
    }
    out.line(invited.url.reveal())?;
    let until = expires_at.as_str().unwrap_or_default();
    note(&format!("For {} alone: good once, until {until}.", invited.member.name));
    Ok(())
}

fn print_result(context: &mut Context, member: &Member, result: &LinkResult) -> Result<(), CliError> {
    let word = match result.outcome {
        LinkOutcome::Linked(_) => "linked",
        LinkOutcome::Unlinked(_) => "unlinked",
        LinkOutcome::Unchanged => "unchanged",
    };
    print_member(context, member, word)
}

fn print_member(context: &mut Context, member: &Member, word: &str) -> Result<(), CliError> {
    let lang = context.setup.loaded.lang;
    let out = &mut context.out;
    if !out.is_json() {
        return out.line(&member_line(member, lang));
    }
    let mut object = member_json(out, member, lang);
    if let Some(object) = object.as_object_mut() {
        object.insert("result".to_owned(), word.into());
    }
    out.object(&object)
}

async fn print_plan(context: &mut Context, deck: &Deck, plan: &LinkPlan) -> Result<(), CliError> {
    let asked = plan.batches.iter().flat_map(|batch| &batch.members).map(|candidate| &candidate.id);
    let ids: Vec<&MemberId> = asked.chain(plan.not_askable.iter().map(|(id, _)| id)).collect();
    let members = members_of(deck, &plan.integration, ids.iter().copied()).await?;
    let is_out = |one: &&LinkResult| one.outcome == LinkOutcome::Unlinked(Reason::OptedOut);
    let opted_out = plan.settled.iter().filter(is_out).count();
    if context.out.is_json() {
        for id in ids {
            if let Some(member) = members.get(id) {
                print_member(context, member, "unchanged")?;
            }
        }
        return context.out.object(&json!({ "summary": {
            "members": plan.members,
            "calls": plan.calls,
            "linked": 0,
            "unlinked": plan.members,
            "elapsed_ms": 0,
            "id": null,
            "phones": plan.phones,
            "emails": plan.emails,
            "no_contact": plan.not_askable.len(),
            "opted_out": opted_out,
        }}));
    }
    let out = &mut context.out;
    out.line(&format!(
        "{} members: {} phones and {} emails to look up in {} calls; {} cannot be looked up. Nothing was done.",
        plan.members,
        plan.phones,
        plan.emails,
        plan.calls,
        plan.not_askable.len()
    ))?;
    if opted_out > 0 {
        note(&format!("{opted_out} took their own link away and are left out; name them to link them."));
    }
    Ok(())
}

/// The members of a result, as they are now.
async fn members_of(
    deck: &Deck,
    integration: &IntegrationId,
    ids: impl Iterator<Item = &MemberId>,
) -> Result<HashMap<MemberId, Member>, CliError> {
    let wanted: std::collections::HashSet<&MemberId> = ids.collect();
    let mut found = HashMap::with_capacity(wanted.len());
    if wanted.len() <= 64 {
        for id in wanted {
            match deck.member(Some(integration), id).await {
                Ok(member) => _ = found.insert(id.clone(), member),
                // Removed by somebody else in the meantime.
                Err(fault) if fault.kind == Kind::NotFound => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        return Ok(found);
    }
    let all = deck.member_list(Some(integration), Filter::All, "").await?;
    Ok(all.into_iter().filter(|row| wanted.contains(&row.id)).map(|row| (row.id.clone(), row)).collect())
}
