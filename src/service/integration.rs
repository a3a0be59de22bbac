//! Integrations: add, edit, remove, check, War Room.

use std::time::Duration;

use crate::{
    core::{
        error::{Fault, Kind, Problem},
        ids::{AppId, AppKey, IntegrationId},
        integration::{AppCredentials, AppSummary, ImKind, Integration, IntegrationUrls, Live},
        operation::NewOperation,
        permit::{Class, Feature},
        role::Right,
        secret::Secret,
    },
    feishu::{Ask, Client},
    store::{IntegrationPatch, NewIntegration, SecretPatch, Store},
};

use super::{
    deck::{Answer, Deck, Told},
    view::*,
};

const MAX_NAME_CHARS: usize = 64;
/// `activate_status` of a bot that is in use (`feishu/app`).
const BOT_ENABLED: i64 = 2;
const CHECK_PATIENCE: Duration = Duration::from_secs(15);

impl Deck {
    /// All integrations, by name.
    ///
    /// # Errors
    /// The store's.
    pub async fn integrations(&self) -> Answer<Vec<IntegrationView>> {
        let mut views = Vec::new();
        for integration in self.inner.store.integrations().await.told()? {
            views.push(self.view(integration).await?);
        }
        Ok(views)
    }

    /// One integration, by id or name.
    ///
    /// # Errors
    /// NotFound, or the store's.
    pub async fn integration(&self, name_or_id: &str) -> Answer<IntegrationView> {
        let integration = self.inner.store.integration_by_name(name_or_id).await.told()?;
        self.view(integration).await
    }

    /// The integration that is named, else the only one that has an app.
    ///
    /// # Errors
    /// NotFound for a wrong name, Config where there is none yet, Usage where there are several.
    pub async fn choose_integration(&self, name: Option<&str>) -> Answer<IntegrationView> {
        if let Some(name) = name {
            return self.integration(name).await;
        }
        let mut with_app: Vec<Integration> = self.inner.store.integrations().await.told()?;
        with_app.retain(|integration| integration.app.is_some());
        match (with_app.pop(), with_app.len()) {
            (Some(only), 0) => self.view(only).await,
            (None, _) => Err(Fault::new(Kind::Config, "there is no integration with Feishu or Lark yet")
                .with_hint("larkdeck integration add NAME --app-id cli_…")),
            (Some(last), _) => {
                let mut names: Vec<&str> = with_app.iter().map(|one| one.name.as_str()).collect();
                names.push(&last.name);
                let message = format!("there are several integrations: {}", names.join(", "));
                Err(Fault::new(Kind::Usage, message).with_hint("Name one with --integration NAME."))
            }
        }
    }

    /// Adds an integration; with [`CheckMode::Check`] only when the platform takes its credentials.
    ///
    /// # Errors
    /// Usage for a bad field, Refused for a name or an app that is taken, Auth and the like from the check.
    pub async fn add_integration(
        &self,
        draft: IntegrationDraft,
        check: CheckMode,
    ) -> Answer<IntegrationView> {
        const OPERATION: &str = "integration.add";
        let name = draft.name.trim().to_owned();
        let store = self.gate(Right::Administer, OPERATION, &name).await?;
        let done = self.try_add(store, draft, check).await;
        let integration = self.logged(OPERATION, &name, done).await?;
        self.view(integration).await
    }

    async fn try_add(&self, store: &Store, draft: IntegrationDraft, check: CheckMode) -> Answer<Integration> {
        let name = checked_name(&draft.name)?;
        let app = credentials_of(&draft)?;
        let taken = self.inner.store.integration_by_name(&name).await;
        if taken.is_ok_and(|other| other.name == name) {
            return Err(Fault::new(Kind::Refused, format!("there is already an integration named {name:?}"))
                .with_hint("Choose another name, or edit that one."));
        }
        let report = match (&app, check) {
            (Some(app), CheckMode::Check) => Some(ask_bot(&self.make_client(store, app.clone())?).await?),
            _ => None,
        };
        let new = NewIntegration { name, kind: draft.kind, app, receive: draft.receive };
        let integration = store.add_integration(new).await.told()?;
        if let Some(report) = report {
            self.remember_bot(&integration, &report).await?;
        }
        self.inner.store.integration(&integration.id).await.told()
    }

    /// Changes an integration; new credentials are checked first with [`CheckMode::Check`].
    ///
    /// # Errors
    /// As [`Deck::add_integration`].
    pub async fn edit_integration(
        &self,
        id: &IntegrationId,
        edit: IntegrationEdit,
        check: CheckMode,
    ) -> Answer<IntegrationView> {
        const OPERATION: &str = "integration.edit";
        let before = self.inner.store.integration(id).await.told()?;
        let store = self.gate(Right::Administer, OPERATION, &before.name).await?;
        let done = self.try_edit(store, &before, edit, check).await;
        let integration = self.logged(OPERATION, &before.name, done).await?;
        self.inner.edited.send_modify(|count| *count += 1);
        self.view(integration).await
    }

    async fn try_edit(
        &self,
        store: &Store,
        before: &Integration,
        edit: IntegrationEdit,
        check: CheckMode,
    ) -> Answer<Integration> {
        let name = edit.name.as_deref().map(checked_name).transpose()?;
        let app = match &before.app {
            Some(app) => edited_app(app, before.kind, &edit)?,
            None if edit.app_id.is_some() || edit.app_secret.is_some() || edit.base_url.is_some() => {
                return Err(no_app(before.kind));
            }
            None => None,
        };
        let is_new_app = app.is_some() || edit.app_secret.is_some();
        let report = if is_new_app && check == CheckMode::Check {
            let mut credentials = self.inner.store.credentials(&before.id).await.told()?;
            credentials.key = app.clone().unwrap_or(credentials.key);
            credentials.app_secret = edit.app_secret.clone().unwrap_or(credentials.app_secret);
            Some(ask_bot(&self.make_client(store, credentials)?).await?)
        } else {
            None
        };
        let patch = IntegrationPatch {
            name,
            app,
            app_secret: edit.app_secret.filter(|secret| !secret.is_empty()),
            encrypt_key: secret_patch(edit.encrypt_key),
            verification_token: secret_patch(edit.verification_token),
            receive: edit.receive,
        };
        let integration = store.update_integration(&before.id, patch).await.told()?;
        if let Some(report) = report {
            self.remember_bot(&integration, &report).await?;
        }
        self.inner.store.integration(&integration.id).await.told()
    }

    /// Removes an integration with its secrets, links and rooms.
    ///
    /// # Errors
    /// NotFound, read-only, or the store's.
    pub async fn remove_integration(&self, id: &IntegrationId) -> Answer<()> {
        const OPERATION: &str = "integration.remove";
        let before = self.inner.store.integration(id).await.told()?;
        let store = self.gate(Right::Administer, OPERATION, &before.name).await?;
        let done = store.remove_integration(id).await.told();
        self.inner.edited.send_modify(|count| *count += 1);
        self.logged(OPERATION, &before.name, done).await
    }

    /// Asks the platform whether it takes the credentials, and who the bot is.
    ///
    /// # Errors
    /// Auth where it does not, Offline where it cannot be reached.
    pub async fn check_integration(&self, id: &IntegrationId) -> Answer<CheckReport> {
        let integration = self.inner.store.integration(id).await.told()?;
        let done = match self.client(id).await {
            Ok(client) => ask_bot(&client).await,
            Err(fault) => Err(fault),
        };
        let report = self.logged("integration.check", &integration.name, done).await?;
        self.remember_bot(&integration, &report).await?;
        Ok(report)
    }

    /// Turns War Room on or off. One integration of the store at most has it (R37).
    ///
    /// # Errors
    /// Refused with the name of the one that has it.
    pub async fn set_war_room(&self, id: &IntegrationId, on: bool) -> Answer<IntegrationView> {
        let operation = if on { "integration.war_room.enable" } else { "integration.war_room.disable" };
        let before = self.inner.store.integration(id).await.told()?;
        let store = self.gate(Right::Administer, operation, &before.name).await?;
        let done = store.set_war_room(id, on).await.told();
        self.logged(operation, &before.name, done).await?;
        let after = self.inner.store.integration(id).await.told()?;
        self.view(after).await
    }

    /// The app of an integration that has one.
    pub(super) async fn app_of(&self, id: &IntegrationId) -> Answer<AppSummary> {
        let integration = self.inner.store.integration(id).await.told()?;
        integration.app.ok_or_else(|| no_app(integration.kind))
    }

    pub(super) async fn view(&self, integration: Integration) -> Answer<IntegrationView> {
        let live = match &integration.app {
            Some(app) => self.inner.store.live(&app.key).await.told()?,
            None => Live::default(),
        };
        let base = self.inner.settings.public_url.as_deref().filter(|_| integration.app.is_some());
        let urls = base.map(|base| IntegrationUrls::new(base, &integration.id));
        Ok(IntegrationView { integration, urls, live })
    }

    async fn remember_bot(&self, integration: &Integration, report: &CheckReport) -> Answer<()> {
        let bot = report.bot_open_id.as_ref().map(AsRef::as_ref);
        let name = Some(report.bot_name.as_str()).filter(|name| !name.is_empty());
        self.keeping().await?.set_app_facts(&integration.id, None, name, bot).await.told()?;
        for warning in &report.warnings {
            let mut row = NewOperation::ok("integration.check", &integration.name);
            row.reason = Some(warning.clone());
            self.log(row).await;
        }
        Ok(())
    }
}

/// Token and bot facts. That the bot capability is off is a warning: it may be switched on later.
async fn ask_bot(client: &Client) -> Answer<CheckReport> {
    let ask = Ask::new(Class::Person, Feature::Setup).within(CHECK_PATIENCE);
    match client.bot_info(ask).await {
        Ok(bot) => {
            let is_active = bot.activate_status == BOT_ENABLED;
            let warning = "The app is not enabled in the tenant yet: publish a version and have it approved.";
            Ok(CheckReport {
                bot_name: bot.app_name,
                bot_open_id: bot.open_id,
                is_active,
                warnings: if is_active { Vec::new() } else { vec![warning.to_owned()] },
            })
        }
        Err(error) if error.kind() == Kind::Remote && error.code().is_some() => Ok(CheckReport {
            bot_name: String::new(),
            bot_open_id: None,
            is_active: false,
            warnings: vec![format!(
                "The credentials are good, but the app has no bot: enable the Bot capability and publish ({error})."
            )],
        }),
        Err(error) => Err(Fault::of(&error)),
    }
}

fn usage(message: impl Into<String>) -> Fault {
    Fault::new(Kind::Usage, message)
}

fn no_app(kind: ImKind) -> Fault {
    usage(format!("an integration with {} has no app: larkdeck speaks Feishu and Lark", kind.label()))
        .with_hint("Choose a Feishu or Lark integration.")
}

fn checked_name(name: &str) -> Answer<String> {
    let name = name.trim();
    if name.is_empty() {
        return Err(usage("an integration needs a name"));
    }
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(usage(format!("the name is longer than {MAX_NAME_CHARS} characters")));
    }
    if name.chars().any(char::is_control) {
        return Err(usage("the name has a control character"));
    }
    Ok(name.to_owned())
}

/// Scheme, host and port of a base URL, as [`AppKey`] wants them.
///
/// # Errors
/// Usage for anything but `http://host` or `https://host`, with or without a port.
pub fn checked_base_url(text: &str) -> Answer<Box<str>> {
    let bad =
        |why: &str| usage(format!("the base URL {text:?} {why}")).with_hint("Such as https://open.feishu.cn");
    let url = url::Url::parse(text.trim()).map_err(|error| bad(&format!("is no URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("is neither http nor https"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(bad("names no host"));
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(bad("has more than scheme, host and port"));
    }
    if url.path() != "/" {
        return Err(bad("has a path"));
    }
    Ok(url.as_str().trim_end_matches('/').into())
}

fn app_key(kind: ImKind, app_id: &str, base_url: Option<&str>) -> Answer<AppKey> {
    let app_id: AppId = app_id.trim().parse().map_err(|error| usage(format!("{error}")))?;
    let base_url = match (base_url.map(str::trim).filter(|url| !url.is_empty()), kind.base_url()) {
        (Some(given), _) => checked_base_url(given)?,
        (None, Some(known)) => known.into(),
        (None, None) => return Err(no_app(kind)),
    };
    Ok(AppKey { base_url, app_id })
}

fn credentials_of(draft: &IntegrationDraft) -> Answer<Option<AppCredentials>> {
    let some = |secret: &Option<Secret>| secret.clone().filter(|secret| !secret.is_empty());
    let app_secret = some(&draft.app_secret);
    let app_id = draft.app_id.as_deref().filter(|id| !id.trim().is_empty());
    if draft.kind.base_url().is_none() {
        return if app_id.is_none() && app_secret.is_none() { Ok(None) } else { Err(no_app(draft.kind)) };
    }
    let app_id = app_id.ok_or_else(|| usage("an integration with Feishu or Lark needs an App ID (cli_…)"))?;
    let key = app_key(draft.kind, app_id, draft.base_url.as_deref())?;
    let app_secret =
        app_secret.ok_or_else(|| usage("an integration with Feishu or Lark needs an App Secret"))?;
    Ok(Some(AppCredentials {
        key,
        app_secret,
        encrypt_key: some(&draft.encrypt_key),
        verification_token: some(&draft.verification_token),
    }))
}

fn edited_app(app: &AppSummary, kind: ImKind, edit: &IntegrationEdit) -> Answer<Option<AppKey>> {
    if edit.app_id.is_none() && edit.base_url.is_none() {
        return Ok(None);
    }
    let app_id = edit.app_id.as_deref().unwrap_or(app.key.app_id.as_str());
    let base_url = edit.base_url.as_deref().unwrap_or(&app.key.base_url);
    let key = app_key(kind, app_id, Some(base_url))?;
    Ok((key != app.key).then_some(key))
}

fn secret_patch(edit: Edit<Secret>) -> SecretPatch {
    match edit {
        Edit::Keep => SecretPatch::Keep,
        Edit::Clear => SecretPatch::Clear,
        Edit::Set(secret) if secret.is_empty() => SecretPatch::Clear,
        Edit::Set(secret) => SecretPatch::Set(secret),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_scheme_host_and_port() {
        assert_eq!(&*checked_base_url(" http://127.0.0.1:8080/ ").unwrap(), "http://127.0.0.1:8080");
        assert_eq!(&*checked_base_url("https://open.feishu.cn").unwrap(), "https://open.feishu.cn");
        for bad in
            ["", "open.feishu.cn", "ftp://x", "https://u:p@x", "https://x/api", "https://x?y", "https://"]
        {
            assert_eq!(checked_base_url(bad).unwrap_err().kind, Kind::Usage, "{bad}");
        }
    }

    #[test]
    fn only_feishu_and_lark_have_an_app() {
        let mut draft = IntegrationDraft {
            name: "x".into(),
            kind: ImKind::Slack,
            app_id: None,
            base_url: None,
            app_secret: None,
            encrypt_key: None,
            verification_token: None,
            receive: Default::default(),
        };
        assert_eq!(credentials_of(&draft), Ok(None));
        draft.app_id = Some("cli_1".into());
        assert!(credentials_of(&draft).is_err());
        draft.kind = ImKind::Lark;
        assert!(credentials_of(&draft).is_err());
        draft.app_secret = Some(Secret::new("s"));
        draft.encrypt_key = Some(Secret::new(" "));
        let app = credentials_of(&draft).unwrap().unwrap();
        assert_eq!(&*app.key.base_url, "https://open.larksuite.com");
        assert_eq!(app.encrypt_key, None);
    }
}
