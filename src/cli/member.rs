//! `larkdeck member …`, and how a member is printed.

use std::{io::Read as _, path::Path};

use serde_json::{Value, json};

use super::{
    args::{MemberCommand, MemberFields, MemberFilter, MemberList},
    error::CliError,
    output::Output,
    setup::Context,
    table::{Align, Table},
};
use crate::{
    core::{
        error::Kind,
        ids::IntegrationId,
        lang::Lang,
        member::{Filter, Licence, Member, Reason},
    },
    service::{Deck, ImportReport, LineNote, MemberDraft, MemberEdit, MemberQuery},
};

/// Members that are fetched at a time.
const PAGE: u64 = 1000;

/// Largest roster that is read, in bytes: a hundred thousand members are under 10 MiB.
const MAX_IMPORT_BYTES: u64 = 256 << 20;

pub(super) async fn run(context: &mut Context, command: MemberCommand) -> Result<(), CliError> {
    match command {
        MemberCommand::Import { file, dry_run } => import(context, &file, dry_run).await,
        MemberCommand::List(args) => list(context, &args).await,
        MemberCommand::Add(args) => add(context, args).await,
        MemberCommand::Edit(args) => edit(context, args).await,
        MemberCommand::Remove { member } => remove(context, &member).await,
    }
}

/// The integration whose links are shown: the one that is meant, or none where there is none yet. A roster
/// exists before any integration does.
async fn shown_integration(context: &mut Context) -> Result<(Deck, Option<IntegrationId>), CliError> {
    let deck = context.deck().await?;
    let named = context.setup.global.integration.clone();
    match deck.choose_integration(named.as_deref()).await {
        Ok(view) => Ok((deck, Some(view.integration.id))),
        Err(fault) if named.is_none() && fault.kind == Kind::Config => Ok((deck, None)),
        Err(fault) => Err(fault.into()),
    }
}

async fn import(context: &mut Context, path: &Path, dry_run: bool) -> Result<(), CliError> {
    let deck = context.deck().await?;
    let bytes = read_input(path).await?;
    let report = deck.import_members(bytes.as_slice(), dry_run).await?;
    let out = &mut context.out;
    if out.is_json() {
        out.object(&report_json(&report))?;
    } else {
        print_report(out, &report, dry_run)?;
    }
    match report.rejected.len() {
        0 => Ok(()),
        1 => Err(CliError::Partial("1 line was rejected".to_owned())),
        n => Err(CliError::Partial(format!("{n} lines were rejected"))),
    }
}

/// Reads a file, or stdin for `-`.
pub(super) async fn read_input(path: &Path) -> Result<Vec<u8>, CliError> {
    let path = path.to_owned();
    let shown = path.display().to_string();
    let read = move || {
        let mut bytes = Vec::new();
        let source: Box<dyn std::io::Read> = if path == Path::new("-") {
            Box::new(std::io::stdin())
        } else {
            Box::new(std::fs::File::open(&path)?)
        };
        source.take(MAX_IMPORT_BYTES).read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes =
        tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    bytes.map_err(|error| CliError::new(Kind::Usage, format!("cannot read {shown}: {error}")))
}

fn notes_json(notes: &[LineNote]) -> Vec<Value> {
    notes.iter().map(|note| json!({ "line": note.line, "reason": note.reason })).collect()
}

fn report_json(report: &ImportReport) -> Value {
    json!({
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "rejected": notes_json(&report.rejected),
        "warnings": notes_json(&report.warnings),
    })
}

fn print_report(out: &mut Output, report: &ImportReport, dry_run: bool) -> Result<(), CliError> {
    let would = if dry_run { " (dry run: nothing was changed)" } else { "" };
    out.line(&format!(
        "{} added, {} updated, {} unchanged, {} rejected{would}",
        report.added,
        report.updated,
        report.unchanged,
        report.rejected.len()
    ))?;
    for (word, notes) in [("rejected", &report.rejected), ("warning", &report.warnings)] {
        for note in notes {
            out.line(&format!("  line {}: {word}: {}", note.line, note.reason))?;
        }
    }
    Ok(())
}

async fn list(context: &mut Context, args: &MemberList) -> Result<(), CliError> {
    let (deck, integration) = shown_integration(context).await?;
    let lang = context.setup.loaded.lang;
    let mut rows = Rows::new(context, args);
    let mut left = if args.limit == 0 { u64::MAX } else { u64::from(args.limit) };
    let mut offset = 0;
    while left > 0 {
        let query = MemberQuery {
            filter: match args.filter {
                MemberFilter::All => Filter::All,
                MemberFilter::Linked => Filter::Linked,
                MemberFilter::Unlinked => Filter::Unlinked,
            },
            search: args.search.clone().unwrap_or_default(),
            offset,
            limit: left.min(PAGE),
        };
        let page = deck.members(integration.as_ref(), query).await?;
        let count = page.rows.len() as u64;
        for member in &page.rows {
            rows.print(member, lang)?;
        }
        offset += count;
        left -= count;
        if count == 0 || offset >= page.total {
            break;
        }
    }
    rows.end()
}

/// The three forms of a member list.
enum Rows<'a> {
    Json(&'a mut Output),
    Csv(&'a mut Output, bool),
    Table(&'a mut Output, Table),
}

impl<'a> Rows<'a> {
    fn new(context: &'a mut Context, args: &MemberList) -> Self {
        let out = &mut context.out;
        if out.is_json() {
            return Self::Json(out);
        }
        if args.csv {
            return Self::Csv(out, false);
        }
        let columns = ["NAME", "EMAIL", "PHONE", "TEAM", "LICENCE", "STATUS", "WHY NOT LINKED"];
        Self::Table(out, Table::new(columns.map(|name| (name, Align::Left))))
    }

    fn print(&mut self, member: &Member, lang: Lang) -> Result<(), CliError> {
        match self {
            Self::Json(out) => {
                let object = member_json(out, member, lang);
                out.object(&object)
            }
            Self::Csv(out, has_header) => {
                if !*has_header {
                    *has_header = true;
                    out.csv_row(CSV_HEADER)?;
                }
                let text = |field: &'_ Option<String>| field.clone().unwrap_or_default();
                let reason = reason_of(member).map(Reason::code).unwrap_or_default();
                out.csv_row(&[
                    member.id.as_str(),
                    &member.name,
                    &text(&member.email),
                    &text(&member.phone),
                    &text(&member.team),
                    licence(member),
                    status(member),
                    reason,
                ])
            }
            Self::Table(_, table) => {
                table.row([
                    member.name.as_str(),
                    member.email.as_deref().unwrap_or_default(),
                    member.phone.as_deref().unwrap_or_default(),
                    member.team.as_deref().unwrap_or_default(),
                    licence(member),
                    status(member),
                    reason_of(member).map(|reason| reason.text().get(lang)).unwrap_or_default(),
                ]);
                Ok(())
            }
        }
    }

    fn end(self) -> Result<(), CliError> {
        match self {
            Self::Json(_) => Ok(()),
            // An empty list is a header too: `member import` takes it.
            Self::Csv(out, false) => out.csv_row(CSV_HEADER),
            Self::Csv(_, true) => Ok(()),
            Self::Table(out, table) => out.table(&table),
        }
    }
}

const CSV_HEADER: &[&str] = &["id", "name", "email", "phone", "team", "licence", "status", "reason"];

const fn status(member: &Member) -> &'static str {
    if member.link.is_some() { "linked" } else { "unlinked" }
}

/// Empty where it is not known.
fn licence(member: &Member) -> &'static str {
    member.licence.map(Licence::as_str).unwrap_or_default()
}

/// Why a member is not linked; nobody having tried is a reason too.
fn reason_of(member: &Member) -> Option<Reason> {
    match member.link {
        Some(_) => None,
        None => Some(member.reason.unwrap_or(Reason::NeverTried)),
    }
}

/// A member as JSON.
pub(super) fn member_json(out: &Output, member: &Member, lang: Lang) -> Value {
    let link = member.link.as_ref();
    json!({
        "id": member.id,
        "name": member.name,
        "email": member.email,
        "phone": member.phone,
        "team": member.team,
        "licence": member.licence,
        "status": status(member),
        "open_id": link.map(|link| &link.open_id),
        "linked_at": out.time_json(link.map(|link| link.linked_at)),
        "origin": link.map(|link| link.origin),
        "reason": reason_of(member).map(|reason| json!({
            "code": reason.code(),
            "text": reason.text().get(lang),
            "fix": reason.fix().get(lang),
            "fixer": reason.fixer(),
        })),
    })
}

/// A member in one line, with what came of it.
pub(super) fn member_line(member: &Member, lang: Lang) -> String {
    let name = &member.name;
    match (&member.link, reason_of(member)) {
        (Some(link), _) => format!("{name}: linked to {}", link.open_id),
        (None, Some(reason)) => {
            format!("{name}: {}. {}", reason.text().get(lang), reason.fix().get(lang))
        }
        (None, None) => format!("{name}: not linked"),
    }
}

async fn add(context: &mut Context, args: MemberFields) -> Result<(), CliError> {
    let draft = draft_of(args)?;
    let deck = context.deck().await?;
    let member = deck.add_member(draft).await?;
    changed(context, "added", &member)
}

/// What MEMBER means for a member that does not exist yet: the name, unless `--name` says that; then it is
/// the email or the id.
fn draft_of(args: MemberFields) -> Result<MemberDraft, CliError> {
    let mut draft = MemberDraft {
        id: None,
        name: String::new(),
        email: args.email,
        phone: args.phone,
        team: args.team,
        licence: args.licence,
    };
    match args.name {
        None if args.member.contains('@') => {
            return Err(CliError::new(Kind::Usage, "the new member needs a name: --name NAME"));
        }
        None => draft.name = args.member,
        Some(name) => {
            draft.name = name;
            if !args.member.contains('@') {
                draft.id = Some(args.member);
            } else if draft.email.is_none() {
                draft.email = Some(args.member);
            } else if draft.email.as_deref() != Some(args.member.as_str()) {
                return Err(CliError::new(Kind::Usage, "two emails were given: MEMBER and --email"));
            }
        }
    }
    Ok(draft)
}

async fn edit(context: &mut Context, args: MemberFields) -> Result<(), CliError> {
    let edit = MemberEdit {
        name: args.name,
        email: args.email,
        phone: args.phone,
        team: args.team,
        licence: args.licence,
    };
    if edit == MemberEdit::default() {
        return Err(CliError::new(Kind::Usage, "nothing to change was named")
            .hint("Give --name, --email, --phone, --team or --licence; an empty text takes a value away."));
    }
    let deck = context.deck().await?;
    let id = deck.resolve_member(&args.member).await?;
    let member = deck.edit_member(&id, edit).await?;
    changed(context, "changed", &member)
}

async fn remove(context: &mut Context, text: &str) -> Result<(), CliError> {
    let (deck, integration) = shown_integration(context).await?;
    let id = deck.resolve_member(text).await?;
    let member = deck.member(integration.as_ref(), &id).await?;
    deck.remove_member(&id).await?;
    changed(context, "removed", &member)
}

fn changed(context: &mut Context, verb: &str, member: &Member) -> Result<(), CliError> {
    let lang = context.setup.loaded.lang;
    let out = &mut context.out;
    if out.is_json() {
        let object = member_json(out, member, lang);
        return out.object(&object);
    }
    out.line(&format!("{verb} {} ({})", member.name, member.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(member: &str, name: Option<&str>, email: Option<&str>) -> MemberFields {
        MemberFields {
            member: member.to_owned(),
            name: name.map(str::to_owned),
            email: email.map(str::to_owned),
            phone: None,
            team: None,
            licence: None,
        }
    }

    #[test]
    fn what_a_new_member_is_called() {
        let draft = draft_of(fields("Ann Lee", None, Some("ann@ex.test"))).unwrap();
        assert_eq!((draft.id, draft.name.as_str()), (None, "Ann Lee"));
        let draft = draft_of(fields("m-1", Some("Ann"), None)).unwrap();
        assert_eq!((draft.id.as_deref(), draft.name.as_str()), (Some("m-1"), "Ann"));
        let draft = draft_of(fields("ann@ex.test", Some("Ann"), None)).unwrap();
        assert_eq!((draft.id, draft.email.as_deref()), (None, Some("ann@ex.test")));
        assert!(draft_of(fields("ann@ex.test", None, None)).is_err());
        assert!(draft_of(fields("ann@ex.test", Some("Ann"), Some("b@ex.test"))).is_err());
    }
}
