//! The demo: the simulated platform and a throw-away store in this process, and the console on them. The
//! console cannot tell them from real ones.

use std::sync::Arc;

use larkdeck::{
    cli::{Setup, args::DemoArgs, error::CliError, this_process},
    core::{
        error::Kind,
        ids::IntegrationId,
        integration::{ImKind, Receive},
        member::LinkOrigin,
        secret::Secret,
        time::SystemClock,
    },
    service::{Access, CheckMode, Deck, DeckSettings, IntegrationDraft, KeyOrigin, Opening},
    sim::{self, Scenario, Sim, SimOptions, demo::RosterMember},
};

/// Name of the demo's integration.
const NAME: &str = "ops-prod";
/// Another integration, so that the rule "War Room is on in one at most" has something to bite on.
const OTHER: &str = "Slack-Prod";
/// What a month of the demo's tenant allows.
const MONTH_LIMIT: u64 = 10_000;
/// What the tenant's admin console says of it, as in the scenario.
const MONTH_USED: u64 = 6_214;
/// Where the three URLs of the demo begin; nothing is served there.
const PUBLIC_URL: &str = "https://larkdeck.example.com";

/// Starts everything and runs the console until it ends. Returns the exit code.
pub(crate) async fn run(setup: Setup, args: DemoArgs) -> Result<u8, CliError> {
    let folder = Folder::make()?;
    let scenario = Scenario::demo().map_err(failed)?;
    let options = SimOptions { members: args.members, seed: args.seed, ..SimOptions::local(scenario) };
    let sim = Sim::start(options).await.map_err(failed)?;
    let deck = opening(&folder).open().await?;
    let integration = furnish(&deck, &sim).await?;
    if setup.access() == Access::ReadOnly {
        deck.set_access(Access::ReadOnly);
    }
    let colleague = tokio::spawn(super::colleague::work(deck.clone(), integration.clone()));
    let ended = super::console::on_deck(&setup, deck, Some(integration)).await;
    colleague.abort();
    ended
}

fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::new(Kind::Bug, format!("the demo does not start: {error}"))
}

fn opening(folder: &Folder) -> Opening {
    let me = this_process();
    Opening {
        store_url: format!("sqlite:{}", folder.0.join("larkdeck.db").display()),
        store_password: None,
        key: KeyOrigin::Ephemeral,
        month_limit: Some(MONTH_LIMIT),
        quota_zone: larkdeck::config::Zone::shanghai().tz().clone(),
        reader: me.to_string(),
        me,
        settings: DeckSettings {
            public_url: Some(PUBLIC_URL.to_owned()),
            month_limit: Some(MONTH_LIMIT),
            ..DeckSettings::default()
        },
        access: Access::Write,
        clock: Arc::new(SystemClock),
    }
}

/// Puts the integration and the roster into the store, by the same calls that a person would make.
async fn furnish(deck: &Deck, sim: &Sim) -> Result<IntegrationId, CliError> {
    let access = sim.access();
    let secret = |text: &str| Some(Secret::new(text));
    let added = deck
        .add_integration(
            IntegrationDraft {
                name: NAME.to_owned(),
                kind: ImKind::Feishu,
                app_id: Some(access.app_id.clone()),
                base_url: Some(access.base_url.clone()),
                app_secret: secret(&access.app_secret),
                encrypt_key: secret(&access.encrypt_key),
                verification_token: secret(&access.verification_token),
                receive: Receive::LongConnection,
            },
            CheckMode::Check,
        )
        .await?;
    let other = IntegrationDraft {
        name: OTHER.to_owned(),
        kind: ImKind::Slack,
        app_id: None,
        base_url: None,
        app_secret: None,
        encrypt_key: None,
        verification_token: None,
        receive: Receive::LongConnection,
    };
    deck.add_integration(other, CheckMode::NoCheck).await?;
    let id = added.integration.id;
    deck.set_war_room(&id, true).await?;
    let roster = sim::demo::roster();
    deck.import_members(csv(&roster).as_bytes(), false).await?;
    let mut linked = Vec::new();
    for member in &roster {
        if let (Some(account), Ok(member)) = (&member.linked, member.id.parse()) {
            linked.push((member, account.clone()));
        }
    }
    deck.link_accounts(&id, linked, LinkOrigin::OneClick).await?;
    deck.rebase_quota(&id, MONTH_USED).await?;
    Ok(id)
}

/// The roster as `larkdeck member import` reads it.
fn csv(roster: &[RosterMember]) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut out = String::from("id,name,email,phone,team\n");
    for member in roster {
        let email = member.email.as_deref().unwrap_or_default();
        let phone = member.phone.as_deref().unwrap_or_default();
        let fields = [&member.id, &member.name, email, phone, &member.team].map(quoted);
        out.push_str(&fields.join(","));
        out.push('\n');
    }
    out
}

/// A folder that goes when the demo ends.
struct Folder(std::path::PathBuf);

impl Folder {
    fn make() -> Result<Self, CliError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let mut tag = [0u8; 8];
        getrandom::fill(&mut tag).map_err(failed)?;
        let tag: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = std::env::temp_dir().join(format!("larkdeck-demo-{tag}"));
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(failed)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be taken away is the temporary folder's to clean.
        _ = std::fs::remove_dir_all(&self.0);
    }
}
