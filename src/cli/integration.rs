//! `larkdeck integration …`.

use serde_json::{Value, json};

use super::{
    args::{IntegrationAdd, IntegrationCommand, IntegrationEdit, Switch},
    error::CliError,
    output::Output,
    secrets::{self, Given},
    setup::{Context, environment},
    table::{Align, Table},
};
use crate::{
    core::{error::Kind, integration::Receive, message::Via, secret::Secret},
    service::{self, CheckMode, CheckReport, IntegrationDraft, IntegrationView},
};

pub(super) async fn run(context: &mut Context, command: IntegrationCommand) -> Result<(), CliError> {
    match command {
        IntegrationCommand::Add(args) => add(context, args).await,
        IntegrationCommand::List => list(context).await,
        IntegrationCommand::Show { name } => {
            let (_, view) = context.integration(name.as_deref()).await?;
            show(&mut context.out, &view)
        }
        IntegrationCommand::Edit(args) => edit(context, args).await,
        IntegrationCommand::Remove { name } => remove(context, &name).await,
        IntegrationCommand::Check { name } => check(context, name.as_deref()).await,
        IntegrationCommand::WarRoom { action, name } => war_room(context, action, &name).await,
    }
}

async fn add(context: &mut Context, args: IntegrationAdd) -> Result<(), CliError> {
    let mut given = secrets::given(&args.secrets, &environment)?;
    let has_app = args.kind.base_url().is_some();
    if has_app && args.app_id.is_none() {
        return Err(CliError::new(
            Kind::Usage,
            format!("an integration of kind {} needs --app-id", args.kind),
        )
        .hint("The App ID (cli_…) is on the Credentials page of the app in the developer console."));
    }
    if has_app && given.app_secret.is_none() {
        ask_for_secrets(context, &mut given).await?;
    }
    let draft = IntegrationDraft {
        name: args.name,
        kind: args.kind,
        app_id: args.app_id,
        base_url: args.base_url,
        app_secret: given.app_secret,
        encrypt_key: given.encrypt_key,
        verification_token: given.verification_token,
        receive: args.receive,
    };
    let view = context.deck().await?.add_integration(draft, check_mode(args.no_check)).await?;
    changed(&mut context.out, "added", &view)
}

/// Asks for what is missing, where somebody can be asked.
async fn ask_for_secrets(context: &Context, given: &mut Given) -> Result<(), CliError> {
    if !secrets::can_ask() {
        return Err(CliError::new(Kind::Usage, "the App Secret is missing").hint(
            "Give it by --app-secret-file FILE (- is stdin) or by LARKDECK_APP_SECRET; never on the command line.",
        ));
    }
    given.app_secret = ask(context, "App Secret").await?;
    if given.app_secret.is_none() {
        return Err(CliError::new(Kind::Usage, "the App Secret is missing"));
    }
    if given.encrypt_key.is_none() {
        given.encrypt_key = ask(context, "Encrypt Key (Enter: none)").await?;
    }
    if given.verification_token.is_none() {
        given.verification_token = ask(context, "Verification Token (Enter: none)").await?;
    }
    Ok(())
}

async fn ask(context: &Context, label: &'static str) -> Result<Option<Secret>, CliError> {
    let cancel = context.cancel.clone();
    tokio::task::spawn_blocking(move || secrets::ask(label, &cancel))
        .await
        .map_err(|error| CliError::new(Kind::Bug, format!("the prompt failed: {error}")))?
}

async fn edit(context: &mut Context, args: IntegrationEdit) -> Result<(), CliError> {
    let given = secrets::given(&args.secrets, &environment)?;
    let set = |secret: Option<Secret>| secret.map_or(service::Edit::Keep, service::Edit::Set);
    let edit = service::IntegrationEdit {
        name: args.new_name,
        app_id: args.app_id,
        base_url: args.base_url,
        app_secret: given.app_secret,
        encrypt_key: set(given.encrypt_key),
        verification_token: set(given.verification_token),
        receive: args.receive,
    };
    if edit == service::IntegrationEdit::default() {
        return Err(CliError::new(Kind::Usage, "nothing to change was named")
            .hint("`larkdeck integration edit --help` lists what can be changed."));
    }
    let deck = context.deck().await?;
    let id = deck.integration(&args.name).await?.integration.id;
    let view = deck.edit_integration(&id, edit, check_mode(args.no_check)).await?;
    changed(&mut context.out, "changed", &view)
}

const fn check_mode(no_check: bool) -> CheckMode {
    if no_check { CheckMode::NoCheck } else { CheckMode::Check }
}

async fn remove(context: &mut Context, name: &str) -> Result<(), CliError> {
    let deck = context.deck().await?;
    let view = deck.integration(name).await?;
    deck.remove_integration(&view.integration.id).await?;
    changed(&mut context.out, "removed", &view)
}

async fn war_room(context: &mut Context, action: Switch, name: &str) -> Result<(), CliError> {
    let deck = context.deck().await?;
    let id = deck.integration(name).await?.integration.id;
    let view = deck.set_war_room(&id, action == Switch::Enable).await?;
    let verb = if action == Switch::Enable { "War Room enabled:" } else { "War Room disabled:" };
    changed(&mut context.out, verb, &view)
}

async fn check(context: &mut Context, name: Option<&str>) -> Result<(), CliError> {
    let (deck, view) = context.integration(name).await?;
    let report = deck.check_integration(&view.integration.id).await?;
    let out = &mut context.out;
    if out.is_json() {
        return out.object(&check_json(&view, &report));
    }
    out.line(&format!("{}: the credentials work", view.integration.name))?;
    out.line(&format!("  bot       {}", report.bot_name))?;
    out.line(&format!("  active    {}", if report.is_active { "yes" } else { "no" }))?;
    for warning in &report.warnings {
        out.line(&format!("  warning   {warning}"))?;
    }
    Ok(())
}

fn check_json(view: &IntegrationView, report: &CheckReport) -> Value {
    json!({
        "id": view.integration.id,
        "name": view.integration.name,
        "bot_name": report.bot_name,
        "bot_open_id": report.bot_open_id,
        "active": report.is_active,
        "warnings": report.warnings,
    })
}

fn changed(out: &mut Output, verb: &str, view: &IntegrationView) -> Result<(), CliError> {
    if out.is_json() {
        let object = view_json(out, view);
        return out.object(&object);
    }
    out.line(&format!("{verb} {} ({})", view.integration.name, view.integration.id))
}

async fn list(context: &mut Context) -> Result<(), CliError> {
    let views = context.deck().await?.integrations().await?;
    let out = &mut context.out;
    if out.is_json() {
        for view in &views {
            let object = view_json(out, view);
            out.object(&object)?;
        }
        return Ok(());
    }
    let columns = ["NAME", "KIND", "APP ID", "WAR ROOM", "RECEIVE", "LIVE", "HOLDER"];
    let mut table = Table::new(columns.map(|name| (name, Align::Left)));
    for view in &views {
        let integration = &view.integration;
        table.row([
            integration.name.clone(),
            integration.kind.label().to_owned(),
            integration.app.as_ref().map(|app| app.app_id().to_string()).unwrap_or_default(),
            if integration.war_room { "on" } else { "" }.to_owned(),
            if integration.app.is_some() { integration.receive.as_str() } else { "" }.to_owned(),
            view.live.state.as_str().to_owned(),
            view.live.holder.as_ref().map(ToString::to_string).unwrap_or_default(),
        ]);
    }
    out.table(&table)
}

fn show(out: &mut Output, view: &IntegrationView) -> Result<(), CliError> {
    if out.is_json() {
        let object = view_json(out, view);
        return out.object(&object);
    }
    for (label, value) in facts(out, view) {
        out.line(&format!("{label:<26}{value}"))?;
    }
    Ok(())
}

fn facts(out: &Output, view: &IntegrationView) -> Vec<(&'static str, String)> {
    let integration = &view.integration;
    let mut facts = vec![
        ("Name", integration.name.clone()),
        ("Id", integration.id.to_string()),
        ("Kind", integration.kind.label().to_owned()),
    ];
    if let Some(app) = &integration.app {
        let none = || "none".to_owned();
        facts.push(("App ID", app.app_id().to_string()));
        facts.push(("Platform", app.key.base_url.to_string()));
        facts.push((
            "Tenant",
            app.tenant.as_ref().map_or_else(|| "not known yet".to_owned(), ToString::to_string),
        ));
        facts.push(("Bot", app.bot_name.clone().unwrap_or_else(|| "not known yet".to_owned())));
        facts.push(("App Secret", app.app_secret_masked.clone()));
        facts.push(("Encrypt Key", app.encrypt_key_masked.clone().unwrap_or_else(none)));
        facts.push(("Verification Token", app.verification_token_masked.clone().unwrap_or_else(none)));
        facts.extend(url_facts(view));
        facts.push(("Receive", integration.receive.as_str().to_owned()));
    }
    facts.push(("War Room", if integration.war_room { "on" } else { "off" }.to_owned()));
    if integration.app.is_some() {
        let live = &view.live;
        let holder = live.holder.as_ref().map(|holder| format!(", held by {holder} (pid {})", holder.pid));
        facts.push(("Live", format!("{}{}", live.state.as_str(), holder.unwrap_or_default())));
        facts.push(("Since", out.time(live.since_at)));
        let via = live.last_event_via.map(|via| match via {
            Via::Webhook => " by webhook",
            _ => " by long connection",
        });
        facts.push(("Last event", format!("{}{}", out.time(live.last_event_at), via.unwrap_or_default())));
        if integration.receive == Receive::LongConnection {
            facts.push(("card.action.trigger_v1", "needs the webhook".to_owned()));
        }
    }
    facts
}

fn url_facts(view: &IntegrationView) -> Vec<(&'static str, String)> {
    match &view.urls {
        Some(urls) => vec![
            ("Web Configuration URL", urls.web_config_url.clone()),
            ("Redirect URL", urls.redirect_url.clone()),
            ("Message Card Request URL", urls.message_card_request_url.clone()),
        ],
        None => vec![("URLs", "set [server] public_url to have them".to_owned())],
    }
}

fn view_json(out: &Output, view: &IntegrationView) -> Value {
    let integration = &view.integration;
    let app = integration.app.as_ref();
    let urls = view.urls.as_ref();
    json!({
        "id": integration.id,
        "name": integration.name,
        "kind": integration.kind,
        "app_id": app.map(|app| app.app_id()),
        "base_url": app.map(|app| &app.key.base_url),
        "tenant_key": app.and_then(|app| app.tenant.as_ref()),
        "bot_name": app.and_then(|app| app.bot_name.as_ref()),
        "web_config_url": urls.map(|urls| &urls.web_config_url),
        "redirect_url": urls.map(|urls| &urls.redirect_url),
        "message_card_request_url": urls.map(|urls| &urls.message_card_request_url),
        "war_room": integration.war_room,
        "receive": integration.receive,
        "created_at": out.time_json(Some(integration.created_at)),
        "live": {
            "state": view.live.state.as_str(),
            "holder": view.live.holder,
            "since_at": out.time_json(view.live.since_at),
            "last_event_at": out.time_json(view.live.last_event_at),
            "last_event_via": view.live.last_event_via,
        },
    })
}
