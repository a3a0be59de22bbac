//! `larkdeck console …` and `larkdeck role …`.

use serde_json::{Value, json};

use super::{
    error::CliError,
    output::note,
    people_args::{ConsoleCommand, RoleCommand},
    setup::Context,
    table::{Align, Table},
};
use crate::{
    core::role::{EVERYBODY_ELSE, Role},
    service::{Granted, Roles, grants},
};

pub(super) async fn console(context: &mut Context, command: &ConsoleCommand) -> Result<(), CliError> {
    match command {
        ConsoleCommand::List => list_consoles(context).await,
    }
}

pub(super) async fn role(context: &mut Context, command: &RoleCommand) -> Result<(), CliError> {
    match command {
        RoleCommand::List => list_roles(context).await,
        RoleCommand::Set { who, role } => set(context, who, *role).await,
        RoleCommand::Remove { who } => remove(context, who).await,
        RoleCommand::Grants { login, role } => context.out.raw(grants(login, *role)?.as_bytes()),
    }
}

async fn list_consoles(context: &mut Context) -> Result<(), CliError> {
    let connected = context.deck().await?.consoles().await?;
    let out = &mut context.out;
    if out.is_json() {
        for one in &connected {
            let since_at = out.time_json(one.console.since_at);
            let holder = &one.console.holder;
            out.object(&json!({
                "user": holder.user, "host": holder.host, "pid": holder.pid, "identity": one.console.identity,
                "what": Some(&one.console.what).filter(|what| !what.is_empty()), "role": one.role,
                "since_at": since_at,
            }))?;
        }
        return Ok(());
    }
    let left = ["NAME", "IDENTITY", "WHAT", "ROLE"].map(|name| (name, Align::Left));
    let mut table =
        Table::new([left[0], left[1], ("PID", Align::Right), left[2], left[3], ("SINCE", Align::Left)]);
    for one in &connected {
        table.row([
            one.console.holder.to_string(),
            one.console.identity.clone(),
            one.console.holder.pid.to_string(),
            one.console.what.clone(),
            one.role.to_string(),
            out.time(one.console.since_at),
        ]);
    }
    out.table(&table)
}

async fn list_roles(context: &mut Context) -> Result<(), CliError> {
    let roles = context.deck().await?.roles().await?;
    let out = &mut context.out;
    if out.is_json() {
        for row in &roles.assigned {
            let set_at = out.time_json(Some(row.set_at));
            out.object(&json!({ "who": row.who, "role": row.role, "set_by": row.set_by, "set_at": set_at }))?;
        }
        return Ok(());
    }
    if roles.assigned.is_empty() {
        out.line("No roles are assigned: everybody is admin.")?;
    } else {
        let mut table = Table::new(["WHO", "ROLE", "ASSIGNED BY", "SINCE"].map(|name| (name, Align::Left)));
        for row in &roles.assigned {
            let who = if row.who == EVERYBODY_ELSE { "* (everybody else)" } else { &row.who };
            table.row([who.to_owned(), row.role.to_string(), row.set_by.clone(), out.time(Some(row.set_at))]);
        }
        out.table(&table)?;
    }
    note(&format!("{} is {} here", roles.me, roles.mine));
    advise(&roles);
    Ok(())
}

/// Says what a role is worth on this engine.
fn advise(roles: &Roles) {
    if !roles.are_enforced {
        note("on SQLite roles are advice that larkdeck keeps to: whoever can open the file is its owner");
    }
}

async fn set(context: &mut Context, who: &str, role: Role) -> Result<(), CliError> {
    let deck = context.deck().await?;
    let (who, change) = deck.set_role(who, role).await?;
    if let Some(me) = &change.made_admin {
        note(&format!("{me} is admin: whoever assigns the first role is"));
    }
    let roles = deck.roles().await?;
    let out = &mut context.out;
    if out.is_json() {
        out.object(&json!({
            "who": who, "role": role, "before": change.before, "made_admin": change.made_admin,
            "grants": grants_json(&roles, &change.grants),
        }))?;
    } else {
        out.line(&format!("{who} is {role}"))?;
        advise(&roles);
    }
    tell_of_grants(&roles, &who, &change.grants)
}

async fn remove(context: &mut Context, who: &str) -> Result<(), CliError> {
    let deck = context.deck().await?;
    let (who, change) = deck.remove_role(who).await?;
    let roles = deck.roles().await?;
    let (role, before) = (roles.of(&who), change.before);
    let out = &mut context.out;
    if out.is_json() {
        let grants = grants_json(&roles, &change.grants);
        out.object(&json!({ "who": who, "role": role, "before": before, "grants": grants }))?;
    } else {
        let before = before.map_or("none", Role::as_str);
        out.line(&format!("{who} was {before} and is {role} now, like everybody who is not listed"))?;
    }
    tell_of_grants(&roles, &who, &change.grants)
}

/// `null` where the engine has no logins.
fn grants_json(roles: &Roles, grants: &[Granted]) -> Option<Value> {
    let one = |one: &Granted| {
        json!({
            "login": one.login, "role": one.role, "kept": one.is_kept(), "lacks": one.lacks,
            "exceeds": one.exceeds, "owners": one.owners, "hint": one.fault().and_then(|fault| fault.hint),
        })
    };
    roles.are_enforced.then(|| grants.iter().map(one).collect())
}

/// Says which logins the database keeps to their roles by now, and why it does not keep the others to them.
fn tell_of_grants(roles: &Roles, who: &str, grants: &[Granted]) -> Result<(), CliError> {
    if roles.are_enforced && grants.is_empty() {
        note(&match who {
            EVERYBODY_ELSE => {
                "no login that is not listed was granted anything: nothing to change in the database"
                    .to_owned()
            }
            _ => format!(
                "the database has no login {who}: larkdeck itself keeps to the role. Once there is the login, \
                 assign it again."
            ),
        });
    }
    for one in grants.iter().filter(|one| one.is_kept()) {
        note(&format!("the database keeps the login {} to {}", one.login, one.role));
    }
    let faults: Vec<_> = grants.iter().filter_map(Granted::fault).collect();
    let Some((last, before)) = faults.split_last() else { return Ok(()) };
    for fault in before {
        note(&fault.message);
    }
    Err(CliError::Fault(last.clone()))
}
