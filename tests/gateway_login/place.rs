//! A platform, a gateway and its deck, at a clock that a test moves.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use larkdeck::{
    core::{
        ids::{IntegrationId, MemberId},
        integration::Receive,
        member::Member,
        operation::{Operation, OperationResult},
        time::{Clock, SystemClock, Timestamp},
    },
    server::{Bound, ServeOptions, Server},
    service::{CheckMode, Deck, DeckSettings, LiveMode, MemberDraft, Opening},
    sim::{Control, Scenario, SignIn, Sim, SimOptions},
};
use tokio_util::sync::CancellationToken;

use crate::common::deck;

pub(crate) const MINUTE_MS: i64 = 60_000;
const TELLING: [&str; 2] = ["contact:user.email:readonly", "contact:user.phone:readonly"];
pub(crate) const WANG: &str = "王伟";
pub(crate) const WANG_EMAIL: &str = "wang.wei@lumenpay.example";

/// The machine's clock, moved by a test.
pub(crate) struct Moved(pub(crate) AtomicI64);

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(SystemClock.now().ms() + self.0.load(Ordering::SeqCst))
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }
}

/// A platform, a gateway and its deck.
pub(crate) struct Place {
    _sim: Sim,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) control: Control,
    pub(crate) deck: Deck,
    pub(crate) clock: Arc<Moved>,
    pub(crate) integration: IntegrationId,
    pub(crate) listening: String,
    prefix: String,
    stop: CancellationToken,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn opening(folder: &Path, user: &str, public_url: &str, clock: Arc<dyn Clock>) -> Opening {
    let settings = DeckSettings { public_url: Some(public_url.to_owned()), ..DeckSettings::default() };
    Opening { settings, clock, ..deck::opening(folder, user) }
}

pub(crate) async fn open(folder: &Path, user: &str, public_url: &str, clock: Arc<dyn Clock>) -> Deck {
    opening(folder, user, public_url, clock).open().await.unwrap()
}

impl Place {
    pub(crate) async fn new(prefix: &str, scopes: &[&str]) -> Self {
        Self::in_store(prefix, scopes, None).await
    }

    /// The same on this store; none: on a file of its own.
    pub(crate) async fn in_store(prefix: &str, scopes: &[&str], store_url: Option<String>) -> Self {
        let mut scenario = Scenario::still().unwrap();
        scenario.app.scopes.extend(scopes.iter().map(|&scope| scope.to_owned()));
        let sim = Sim::start(SimOptions::local(scenario)).await.unwrap();
        let control = sim.control();
        let folder = tempfile::tempdir().unwrap();
        let bound = Bound::take("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
        let listening = bound.url();
        let public_url = format!("{listening}{prefix}");
        let clock = Arc::new(Moved(AtomicI64::new(0)));
        let mut opening = opening(folder.path(), "gate", &public_url, clock.clone());
        if let Some(url) = store_url {
            opening.store_url = url;
        }
        let deck = opening.open().await.unwrap();
        let access = sim.access();
        let draft = deck::draft(&access.base_url, &access.app_id, &access.app_secret, Receive::Webhook);
        let view = deck.add_integration(draft, CheckMode::Check).await.unwrap();
        control.set_redirect_urls("", &[&view.urls.as_ref().unwrap().redirect_url]).unwrap();
        let options = ServeOptions {
            trust_forwarded: false,
            live: LiveMode::FollowOnly,
            zone: jiff::tz::TimeZone::UTC,
        };
        let stop = CancellationToken::new();
        tokio::spawn(Server::new(bound, deck.clone(), options).run(stop.clone()));
        let integration = view.integration.id;
        let place = Self {
            _sim: sim,
            folder,
            control,
            deck,
            clock,
            integration,
            listening,
            prefix: prefix.to_owned(),
            stop,
        };
        place.sits(WANG);
        place
    }

    /// Everything that a login may tell.
    pub(crate) async fn telling() -> Self {
        Self::new("", &TELLING).await
    }

    /// The same on a database; `None` where there is none to be had.
    pub(crate) async fn telling_a_database() -> Option<Self> {
        let database = crate::postgres::database().await?;
        Some(Self::in_store("", &TELLING, Some(database.url())).await)
    }

    /// Who sits at the browser and agrees.
    pub(crate) fn sits(&self, who: &str) {
        self.control.set_sign_in(Some(SignIn { who: who.to_owned(), refuses: false }));
    }

    pub(crate) async fn add(&self, name: &str, email: Option<&str>, phone: Option<&str>) -> MemberId {
        let draft = MemberDraft {
            id: None,
            name: name.into(),
            email: email.map(str::to_owned),
            phone: phone.map(str::to_owned),
            team: Some("SRE".into()),
            licence: None,
        };
        self.deck.add_member(draft).await.unwrap().id
    }

    pub(crate) async fn member(&self, id: &MemberId) -> Member {
        self.deck.member(Some(&self.integration), id).await.unwrap()
    }

    pub(crate) async fn log(&self) -> Vec<Operation> {
        self.deck.operations_since(None).await.unwrap()
    }

    pub(crate) async fn refusals(&self) -> Vec<String> {
        let rows = self.log().await.into_iter().filter(|row| row.operation == "member.login");
        rows.map(|row| {
            assert_eq!(row.result, OperationResult::Refused);
            row.reason.unwrap()
        })
        .collect()
    }

    pub(crate) fn page(&self) -> String {
        format!("{}/i/{}/", self.prefix, self.integration)
    }

    /// The phone and the email of somebody at the platform.
    pub(crate) fn contact(&self, name: &str) -> (String, String) {
        let csv = self.control.members_csv();
        let line = csv.lines().find(|line| line.starts_with(&format!("\"{name}\""))).unwrap();
        let fields: Vec<&str> = line.split(',').map(|field| field.trim_matches('"')).collect();
        (fields[1].to_owned(), fields[2].to_owned())
    }
}
