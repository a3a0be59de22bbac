//! Everything that exists on the simulated platform at one instant.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use serde_json::{Map, Value};
use tokio::{sync::watch, time::Instant};

use super::{
    clock::SimClock,
    dice::Dice,
    hub::Hub,
    oauth::{Oauth, SignIn},
    people::{self, IdType, People, Person},
    press::CardToken,
    push::Event,
    rate::Rates,
    scenario::{AppPlan, Roster, Scenario},
    token::Tokens,
    webhook::{Door, PushRecord},
};

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Actor {
    /// A person, by number.
    Person(usize),
    /// A bot, by number of its app.
    App(usize),
    /// The platform.
    System,
}

/// An app of the tenant: the one under test first, then others with credentials, then bots of others.
#[derive(Debug)]
pub(super) struct App {
    /// Credentials, name, bot capability.
    pub(super) plan: AppPlan,
    /// Granted scopes.
    pub(super) scopes: BTreeSet<String>,
    /// Its tokens.
    pub(super) tokens: Tokens,
    /// Whether it has credentials at all.
    pub(super) is_callable: bool,
    /// Where its events and callbacks go.
    pub(super) door: Door,
}

/// A chat.
#[derive(Debug)]
pub(super) struct Chat {
    /// `oc_…`.
    pub(super) id: String,
    /// Name, description, settings: the members of the chat object that can be set.
    pub(super) facts: Map<String, Value>,
    /// Person or app.
    pub(super) owner: Actor,
    /// Who made it.
    pub(super) creator: Actor,
    /// Managers.
    pub(super) managers: BTreeSet<Actor>,
    /// People, in the order in which they joined.
    pub(super) members: Vec<usize>,
    /// Bots, by number of their app.
    pub(super) bots: BTreeSet<usize>,
    /// `normal`, `dissolved`, `dissolved_save`.
    pub(super) status: &'static str,
    /// When it was made.
    pub(super) created_ms: i64,
    /// When something was said last.
    pub(super) active_ms: i64,
    /// Messages from this number on are unread; of a chat between a person and an app.
    pub(super) read_to: usize,
    /// Messages by (created_ms, number): what a listing of the chat shows.
    pub(super) timeline: BTreeSet<(i64, usize)>,
}

impl Chat {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.fact("name")
    }

    /// One of the settable members, as text.
    pub(super) fn fact(&self, key: &str) -> &str {
        self.facts.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether somebody belongs to it.
    pub(super) fn has(&self, actor: Actor) -> bool {
        match actor {
            Actor::Person(no) => self.members.contains(&no),
            Actor::App(app) => self.bots.contains(&app),
            Actor::System => true,
        }
    }

    /// Whether it still lives.
    pub(super) fn is_open(&self) -> bool {
        self.status == "normal"
    }
}

/// A mention: its key stands in the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mentioned {
    /// `@_user_1`, `@_all`.
    pub(super) key: String,
    /// Whom; the system stands for everybody.
    pub(super) who: Actor,
}

/// A reaction.
#[derive(Debug, Clone)]
pub(super) struct Reaction {
    /// Its id.
    pub(super) id: String,
    /// `THUMBSUP` …
    pub(super) emoji: String,
    /// Whose.
    pub(super) who: Actor,
    /// Since when.
    pub(super) at_ms: i64,
}

/// A message.
#[derive(Debug, Clone)]
pub(super) struct Message {
    /// `om_…`.
    pub(super) id: String,
    /// Number of its chat.
    pub(super) chat: usize,
    /// First of the reply tree.
    pub(super) root: Option<usize>,
    /// Directly replied to.
    pub(super) parent: Option<usize>,
    /// `omt_…`.
    pub(super) thread: Option<String>,
    /// Who wrote it.
    pub(super) sender: Actor,
    /// `text`, `post` …
    pub(super) msg_type: String,
    /// As it is received: JSON text.
    pub(super) content: String,
    /// As it was sent: JSON text; cards can be asked for in this form.
    pub(super) original: String,
    /// Mentions.
    pub(super) mentions: Vec<Mentioned>,
    /// Written.
    pub(super) created_ms: i64,
    /// Changed.
    pub(super) updated_ms: i64,
    /// Recalled.
    pub(super) is_deleted: bool,
    /// How often it was edited.
    pub(super) edits: u32,
    /// Reactions, oldest first.
    pub(super) reactions: Vec<Reaction>,
    /// The card entity it shows.
    pub(super) card_id: Option<String>,
}

/// A card entity.
#[derive(Debug, Clone)]
pub(super) struct CardEntity {
    /// Whose.
    pub(super) app: usize,
    /// Card JSON 2.0.
    pub(super) card: Value,
    /// Highest sequence used.
    pub(super) sequence: i64,
    /// When it was made.
    pub(super) made_at: Instant,
    /// Since when it streams.
    pub(super) streaming_since: Option<Instant>,
    /// Streaming was on once and ran out.
    pub(super) is_timed_out: bool,
    /// The message that shows it.
    pub(super) message: Option<usize>,
    /// uuid and what it was used for.
    pub(super) uuids: HashMap<String, String>,
}

/// An image or file.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    /// Who uploaded it.
    pub(super) owner: Actor,
    /// Name of a file.
    pub(super) name: String,
    /// `image`, or the file_type of the upload.
    pub(super) kind: String,
    /// MIME type.
    pub(super) content_type: &'static str,
    /// What is in it.
    pub(super) data: Bytes,
    /// Milliseconds, for sound and film.
    pub(super) duration_ms: Option<u64>,
}

/// What an idempotency key was used for.
#[derive(Debug, Clone)]
pub(super) struct Used {
    /// When.
    pub(super) at: Instant,
    /// Number of the message or chat that came of it.
    pub(super) made: usize,
}

/// The month.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Month {
    /// None: unlimited.
    pub(super) limit: Option<u64>,
    /// Counted calls that went through.
    pub(super) counted: u64,
    /// Exempt calls that went through.
    pub(super) exempt: u64,
}

/// Everything.
#[derive(Debug)]
pub(super) struct World {
    /// The scenario; its faults can change.
    pub(super) plan: Scenario,
    /// Time.
    pub(super) clock: SimClock,
    /// Chance.
    pub(super) dice: Dice,
    /// Apps: number 0 is the one under test.
    pub(super) apps: Vec<App>,
    /// People.
    pub(super) people: Arc<People>,
    /// Chats.
    pub(super) chats: Vec<Chat>,
    /// Chats by id.
    pub(super) chat_index: HashMap<String, usize>,
    /// Messages.
    pub(super) messages: Vec<Message>,
    /// Messages by id.
    pub(super) message_index: HashMap<String, usize>,
    /// Messages of each thread by (created_ms, number), and its chat.
    pub(super) threads: BTreeMap<String, (usize, BTreeSet<(i64, usize)>)>,
    /// Images and files by key.
    pub(super) resources: HashMap<String, Resource>,
    /// Card entities by id.
    pub(super) cards: HashMap<String, CardEntity>,
    /// Idempotency keys of messages.
    pub(super) message_uuids: HashMap<String, Used>,
    /// Idempotency keys of chats.
    pub(super) chat_uuids: HashMap<String, Used>,
    /// Chats with a change under way.
    pub(super) changing: HashSet<String>,
    /// Rate limits.
    pub(super) rates: Rates,
    /// The month.
    pub(super) month: Month,
    /// Long connections.
    pub(super) hub: Hub,
    /// Logins.
    pub(super) oauth: Oauth,
    /// Tokens for delayed updates of cards.
    pub(super) card_tokens: HashMap<String, CardToken>,
    /// What was pushed over HTTP.
    pub(super) pushes: VecDeque<PushRecord>,
    /// Counts the pushes that were answered or given up.
    pub(super) heard: watch::Sender<u64>,
    /// Events that are to be pushed when the lock is given back.
    pub(super) outbox: Vec<Event>,
    /// Requests by endpoint, whatever became of them.
    pub(super) requests: BTreeMap<String, u64>,
}

impl World {
    /// The world of `plan`, without a past.
    pub(super) fn new(plan: Scenario, seed: u64) -> Self {
        let clock = SimClock::new(plan.clock.scale, plan.clock.skew_ms);
        let mut apps: Vec<App> =
            std::iter::once(&plan.app).chain(&plan.other_app).map(App::callable).collect();
        if let Some(app) = apps.first_mut() {
            app.door = Door::new(plan.webhook.clone());
        }
        for bot in super::script::BOTS {
            apps.push(App::bot(bot));
        }
        let mut list: Vec<Person> = match plan.people.roster {
            Roster::Findable => {
                let count = usize::try_from(plan.people.count).unwrap_or(usize::MAX);
                (0..count.max(people::CAST.len())).map(people::person).collect()
            }
            Roster::Demo => super::demo::people(),
        };
        list.extend(plan.people.extra.iter().map(|extra| Person {
            name: extra.name.clone(),
            en_name: extra.name.clone(),
            email: extra.email.clone(),
            mobile: extra.mobile.clone(),
            ..Person::default()
        }));
        let sign_in = plan.oauth.sign_in.clone();
        let sign_in = (!sign_in.is_empty()).then_some(SignIn { who: sign_in, refuses: false });
        let month = Month { limit: plan.month.limit, counted: plan.month.used, exempt: 0 };
        Self {
            hub: Hub::new(seed, plan.socket.clone()),
            clock,
            dice: Dice::new(seed),
            apps,
            people: Arc::new(People::new(list)),
            chats: Vec::new(),
            chat_index: HashMap::new(),
            messages: Vec::new(),
            message_index: HashMap::new(),
            threads: BTreeMap::new(),
            resources: HashMap::new(),
            cards: HashMap::new(),
            message_uuids: HashMap::new(),
            chat_uuids: HashMap::new(),
            changing: HashSet::new(),
            rates: Rates::default(),
            month,
            oauth: Oauth::new(sign_in),
            card_tokens: HashMap::new(),
            pushes: VecDeque::new(),
            heard: watch::Sender::new(0),
            outbox: Vec::new(),
            requests: BTreeMap::new(),
            plan,
        }
    }

    /// A new id with this prefix.
    pub(super) fn new_id(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", self.dice.hex32())
    }

    /// The tenant_key.
    pub(super) fn tenant(&self) -> &str {
        &self.plan.tenant.key
    }

    /// App ID of app `app`.
    pub(super) fn app_id(&self, app: usize) -> &str {
        self.apps.get(app).map_or("", |app| app.plan.app_id.as_str())
    }

    /// Whether app `app` has one of `scopes`; an empty list asks for nothing.
    pub(super) fn grants(&self, app: usize, scopes: &[&str]) -> bool {
        scopes.is_empty()
            || self.apps.get(app).is_some_and(|app| scopes.iter().any(|scope| app.scopes.contains(*scope)))
    }

    /// The id of person `no` as `app` sees it.
    pub(super) fn person_id(&self, app: usize, no: usize, id_type: IdType) -> String {
        match id_type {
            IdType::Open => people::open_id(self.app_id(app), no),
            IdType::Union => people::union_id(no),
            IdType::User => people::user_id(no),
        }
    }

    /// The person whom `app` knows by this id.
    pub(super) fn person_by_id(&self, app: usize, id: &str, id_type: IdType) -> Option<usize> {
        let no = match id_type {
            IdType::Open => people::by_open_id(self.app_id(app), id),
            IdType::Union => people::by_union_id(id),
            IdType::User => people::by_user_id(id),
        }?;
        (no < self.people.len()).then_some(no)
    }

    /// Whether another app of the tenant knows somebody by this open_id.
    pub(super) fn is_open_id_of_another_app(&self, app: usize, id: &str) -> bool {
        self.apps.iter().enumerate().any(|(other, it)| {
            other != app && it.is_callable && people::by_open_id(&it.plan.app_id, id).is_some()
        })
    }

    /// The open_id of the bot `bot` as `app` sees it.
    pub(super) fn bot_open_id(&self, app: usize, bot: usize) -> String {
        people::open_id(self.app_id(app), 90_000_000 + bot)
    }

    /// What a reader sees as the name of somebody.
    pub(super) fn name_of(&self, actor: Actor) -> String {
        match actor {
            Actor::Person(no) => self.people.get(no).map(|p| p.name.clone()).unwrap_or_default(),
            Actor::App(app) => self.apps.get(app).map(|a| a.plan.name.clone()).unwrap_or_default(),
            Actor::System => "everyone".to_owned(),
        }
    }

    /// The chat with this id, or with this name.
    pub(super) fn find_chat(&self, text: &str) -> Option<usize> {
        if text.is_empty() {
            return (!self.chats.is_empty()).then_some(0);
        }
        self.chat_index.get(text).copied().or_else(|| self.chats.iter().position(|chat| chat.name() == text))
    }
}

impl App {
    fn callable(plan: &AppPlan) -> Self {
        Self {
            scopes: plan.scopes.iter().cloned().collect(),
            plan: plan.clone(),
            tokens: Tokens::default(),
            is_callable: true,
            door: Door::default(),
        }
    }

    fn bot(&(app_id, name): &(&str, &str)) -> Self {
        let plan = AppPlan { app_id: app_id.to_owned(), name: name.to_owned(), ..AppPlan::default() };
        Self {
            plan,
            scopes: BTreeSet::new(),
            tokens: Tokens::default(),
            is_callable: false,
            door: Door::default(),
        }
    }
}
