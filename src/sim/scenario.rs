//! What lives on a simulator: people, rooms, rates, limits, faults, clock. Data in TOML.

use serde::{Deserialize, Serialize};

use super::{SimError, fault::Fault};

/// The scopes that an app needs for all of larkdeck.
pub(super) const TWELVE: [&str; 12] = [
    "im:chat",
    "im:message",
    "im:message:send_as_bot",
    "im:message:update",
    "im:message.group_msg",
    "im:message.reactions:read",
    "im:message.reactions:write_only",
    "im:resource",
    "cardkit:card:write",
    "contact:user.id:readonly",
    "contact:contact.base:readonly",
    "contact:user.base:readonly",
];

/// A scenario. Every key has a default; unknown keys are errors.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// The app under test.
    pub app: AppPlan,
    /// More apps of the tenant, with credentials of their own.
    pub other_app: Vec<AppPlan>,
    /// The tenant.
    pub tenant: TenantPlan,
    /// Scale and skew of the clock.
    pub clock: ClockPlan,
    /// Who works there.
    pub people: PeoplePlan,
    /// Rate limits.
    pub limits: LimitPlan,
    /// The month's calls.
    pub month: MonthPlan,
    /// Life of the tokens.
    pub tokens: TokenPlan,
    /// Signing in with an account.
    pub oauth: OauthPlan,
    /// Pushes over HTTP to the app under test.
    pub webhook: WebhookPlan,
    /// What nobody has confirmed, played the other way.
    pub variant: VariantPlan,
    /// The long connection.
    pub socket: SocketPlan,
    /// How long an answer takes.
    pub latency: LatencyPlan,
    /// What happens by itself over all rooms.
    pub life: LifePlan,
    /// The rooms.
    pub room: Vec<RoomPlan>,
    /// What goes wrong.
    pub fault: Vec<Fault>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: "empty".to_owned(),
            app: AppPlan::default(),
            other_app: Vec::new(),
            tenant: TenantPlan::default(),
            clock: ClockPlan::default(),
            people: PeoplePlan::default(),
            limits: LimitPlan::default(),
            month: MonthPlan::default(),
            tokens: TokenPlan::default(),
            oauth: OauthPlan::default(),
            webhook: WebhookPlan::default(),
            variant: VariantPlan::default(),
            socket: SocketPlan::default(),
            latency: LatencyPlan::default(),
            life: LifePlan::default(),
            room: Vec::new(),
            fault: Vec::new(),
        }
    }
}

macro_rules! plan {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}

plan! {
    /// An app. Its id has the form that the official Node SDK insists on.
    AppPlan {
        /// App ID.
        app_id: String = "cli_a1b2c3d4e5f60718".to_owned(),
        /// App Secret.
        app_secret: String = "sim-app-secret-0123456789abcdef".to_owned(),
        /// Verification Token.
        verification_token: String = "sim-verification-token-01".to_owned(),
        /// Encrypt Key.
        encrypt_key: String = "sim-encrypt-key-0001".to_owned(),
        /// Name of app and bot.
        name: String = "larkdeck".to_owned(),
        /// Granted scopes.
        scopes: Vec<String> = TWELVE.map(str::to_owned).to_vec(),
        /// Scopes asked for and not granted.
        pending_scopes: Vec<String> = Vec::new(),
        /// Whether the bot capability is on.
        bot: bool = true,
        /// Where a login may lead back to.
        redirect_urls: Vec<String> = Vec::new(),
    }
}

plan! {
    /// The tenant.
    TenantPlan {
        /// tenant_key.
        key: String = "tk0000000000test".to_owned(),
        /// Its name.
        name: String = "Lumen Pay 流明支付".to_owned(),
    }
}

plan! {
    /// Time.
    ClockPlan {
        /// So many platform seconds pass in a real one: token life, redelivery, idempotency windows, card life.
        /// Rate windows and message times stay real.
        scale: f64 = 1.0,
        /// The platform's clock is ahead of this machine's by so much.
        skew_ms: i64 = 0,
    }
}

/// Which people work there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Roster {
    /// Everyone can be found by email and phone.
    #[default]
    Findable,
    /// The demo's 320 with all their flaws.
    Demo,
}

plan! {
    /// Who works there. The cast of the dialogues always does.
    PeoplePlan {
        /// How many, the cast included.
        count: u32 = 60,
        /// Of what kind.
        roster: Roster = Roster::Findable,
        /// People besides, with names of the scenario's choice.
        extra: Vec<PersonPlan> = Vec::new(),
    }
}

plan! {
    /// One of the people besides.
    PersonPlan {
        /// Full name.
        name: String = String::new(),
        /// Contact email.
        email: Option<String> = None,
        /// E.164.
        mobile: Option<String> = None,
    }
}

plan! {
    /// Rate limits, all as sliding windows. 0 switches one off; what is off is still counted.
    LimitPlan {
        /// Calls of one endpoint in a minute.
        per_minute: u32 = 1000,
        /// Calls of one endpoint in a second.
        per_second: u32 = 50,
        /// Calls of the app in a second, all endpoints together.
        app_per_second: u32 = 50,
        /// Whether the one over all endpoints refuses calls, or is only counted.
        enforce_app: bool = false,
        /// Messages sent in a minute, by create and reply together.
        sends_per_minute: u32 = 1000,
        /// Messages to one receiver in a second.
        receiver_per_second: u32 = 5,
        /// Operations on one card entity in a second.
        card_per_second: u32 = 10,
        /// Updates of one message in a second.
        patch_per_second: u32 = 5,
        /// A change of a chat takes so long; a second one meanwhile is refused.
        chat_change_ms: u64 = 0,
    }
}

plan! {
    /// The month's calls.
    MonthPlan {
        /// The limit; none: unlimited.
        limit: Option<u64> = None,
        /// Counted before the start.
        used: u64 = 0,
    }
}

plan! {
    /// Tokens, in platform seconds.
    TokenPlan {
        /// Life.
        life_s: u64 = 7200,
        /// With less than this left, a new one is given out beside the old.
        renew_s: u64 = 1800,
    }
}

plan! {
    /// Signing in with an account, in platform seconds.
    OauthPlan {
        /// Life of an authorisation code.
        code_s: u64 = 300,
        /// Life of a user access token.
        token_s: u64 = 7200,
        /// Life of a refresh token.
        refresh_s: u64 = 604_800,
        /// Days after which the person has to agree again.
        renew_days: u64 = 365,
        /// Whether the app may refresh tokens at all.
        refresh: bool = true,
        /// Who sits at every browser and agrees at once: open_id, email or name. Empty: the page asks.
        sign_in: String = String::new(),
    }
}

/// How events and callbacks reach an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// By the long connection.
    #[default]
    LongConnection,
    /// By requests to its URLs.
    Webhook,
    /// By both: everything comes twice.
    Both,
}

plan! {
    /// Pushes over HTTP. Time for an answer and the pauses between repetitions are those of `socket`.
    WebhookPlan {
        /// The way that events and callbacks take.
        mode: Way = Way::LongConnection,
        /// The URL for events and callbacks alike.
        url: String = String::new(),
        /// A URL for events alone, in place of `url`.
        event_url: String = String::new(),
        /// A URL for callbacks alone, in place of `url`.
        callback_url: String = String::new(),
        /// The URL for old card callbacks, which are sent beside the new ones; empty: they are not sent.
        card_url: String = String::new(),
        /// Events and callbacks that the app has not subscribed to.
        not_subscribed: Vec<String> = Vec::new(),
        /// Time for the answer to a challenge, real.
        challenge_ms: u64 = 1000,
        /// Whether challenges are signed; nobody has confirmed that they are.
        sign_challenge: bool = false,
        /// Whether a repetition has a timestamp and a signature of its own.
        fresh_signature: bool = true,
    }
}

plan! {
    /// What the documents leave open: the default is what they suggest.
    VariantPlan {
        /// An app that disbands a chat is told so by an event.
        tells_own_disband: bool = true,
        /// The events of a bot that comes or goes name the bot instead of the chat.
        bot_events_name_bot: bool = false,
        /// The app object tells its subscriptions, URLs and keys.
        full_app_object: bool = false,
    }
}

plan! {
    /// The long connection.
    SocketPlan {
        /// ClientConfig.
        ping_interval_s: u32 = 120,
        /// ClientConfig.
        reconnect_interval_s: u32 = 120,
        /// ClientConfig.
        reconnect_nonce_s: u32 = 30,
        /// ClientConfig; -1: for ever.
        reconnect_count: i32 = -1,
        /// Time for an acknowledgement, real.
        ack_ms: u64 = 3000,
        /// Platform seconds between the pushes of an event that is not acknowledged.
        redeliver_s: Vec<u64> = vec![15, 300, 3600, 21_600],
        /// Events above this size come in fragments.
        fragment_bytes: usize = 8 * 1024,
        /// Connections of one app.
        max_connections: usize = 50,
        /// Platform seconds that a ticket is good for.
        ticket_s: u64 = 300,
        /// Events that wait for a slow reader; more count as failed pushes.
        queue: usize = 16_384,
    }
}

plan! {
    /// How long an answer takes.
    LatencyPlan {
        /// At least.
        min_ms: u64 = 0,
        /// At most.
        max_ms: u64 = 0,
    }
}

plan! {
    /// What happens by itself over all rooms.
    LifePlan {
        /// A message of some room is split into fragments every so often; 0: never.
        fragment_every_ms: u64 = 0,
        /// Somebody presses a button of a card that the app has sent every so often; 0: never.
        press_every_ms: u64 = 0,
        /// All long connections are dropped every so often; 0: never.
        drop_every_ms: u64 = 0,
        /// An event is pushed a second time every so often; 0: never.
        repeat_every_ms: u64 = 0,
        /// People answer the app's messages after about so long; 0: never.
        answer_after_ms: u64 = 0,
    }
}

/// How a room behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Temper {
    /// Says nothing by itself.
    #[default]
    Silent,
    /// Goes through its script, a line every `every_ms`.
    Talk,
    /// Talks in bursts: `burst` lines at once, then `every_ms` of rest.
    Flood,
    /// Talks, and a bot answers with a card that grows.
    Answer,
}

plan! {
    /// A room.
    RoomPlan {
        /// Its name.
        name: String = "room".to_owned(),
        /// English name, if it has one.
        name_en: String = String::new(),
        /// What it is for.
        description: String = String::new(),
        /// Built-in script: the lines that are said.
        script: String = String::new(),
        /// How it behaves.
        temper: Temper = Temper::Silent,
        /// People in it; the script's cast comes first.
        members: u32 = 8,
        /// Time between lines.
        every_ms: u64 = 5000,
        /// Lines in a burst of a flood.
        burst: u32 = 1,
        /// Lines said before the start.
        history: u32 = 0,
        /// Over so many minutes before the start.
        history_minutes: u32 = 60,
        /// Seconds after the start at which the owner disbands it.
        disband_after_s: Option<f64> = None,
        /// Whether the app is in it from the start.
        with_app: bool = true,
        /// Whether the app owns it.
        app_owns: bool = false,
        /// A bot's growing card is pushed again with each change, which the platform does for nobody: larkdeck
        /// can show the growth without asking for the message again and again.
        echo_updates: bool = false,
        /// Topic group: every message opens a thread.
        topic: bool = false,
    }
}

impl Scenario {
    /// Lives by itself: chats, messages, fragments, card presses.
    ///
    /// # Errors
    /// Never for the text that is built in.
    pub fn living() -> Result<Self, SimError> {
        Self::parse("default", include_str!("scenario/default.toml"))
    }

    /// The demo's six rooms.
    ///
    /// # Errors
    /// Never for the text that is built in.
    pub fn demo() -> Result<Self, SimError> {
        Self::parse("demo", include_str!("scenario/demo.toml"))
    }

    /// Three chats in which nothing happens unless a test says so.
    ///
    /// # Errors
    /// Never for the text that is built in.
    pub fn still() -> Result<Self, SimError> {
        Self::parse("still", include_str!("scenario/still.toml"))
    }

    /// Reads TOML.
    ///
    /// # Errors
    /// It is not TOML, has a key that is not known, or does not fit together.
    pub fn parse(name: &str, text: &str) -> Result<Self, SimError> {
        let plan: Self =
            toml::from_str(text).map_err(|source| SimError::Scenario { name: name.to_owned(), source })?;
        plan.check()?;
        Ok(plan)
    }

    /// Whether it fits together.
    ///
    /// # Errors
    /// It does not.
    pub(super) fn check(&self) -> Result<(), SimError> {
        let unfit = |text: String| Err(SimError::Unfit(text));
        for app in std::iter::once(&self.app).chain(&self.other_app) {
            let digits = app.app_id.strip_prefix("cli_").unwrap_or_default();
            if digits.len() != 16 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return unfit(format!("app_id {:?} is not cli_ and 16 hexadecimal digits", app.app_id));
            }
        }
        if !(self.clock.scale.is_finite() && self.clock.scale > 0.0) {
            return unfit(format!("clock.scale {} is not a positive number", self.clock.scale));
        }
        if self.latency.min_ms > self.latency.max_ms {
            return unfit("latency.min_ms is above latency.max_ms".to_owned());
        }
        if let Some(flaw) = self.webhook.flaw() {
            return unfit(flaw);
        }
        for room in &self.room {
            if !room.script.is_empty() && super::script::text(&room.script).is_none() {
                return unfit(format!(
                    "room {:?} has the script {:?}, which is not built in",
                    room.name, room.script
                ));
            }
        }
        Ok(())
    }
}
