//! Keys: random ones, through the console's own `route` and `update`, carried out by its own runtime.

use std::{path::Path, sync::Arc, time::Duration};

use larkdeck::{
    app::{
        command::COMMANDS,
        effect::{Effect, EffectSink as _},
        event::{Event, Size},
        key::Key,
        keymap::{BINDINGS, Keymap},
        model::{self, Model, Painted, Sizes, Start},
        route::route,
        session::Session,
        update::update,
    },
    config::{Bell, Glyphs},
    core::{
        ids::ChatId,
        integration::Receive,
        lang::Lang,
        role::Role,
        time::{Clock as _, SystemClock},
    },
    runtime::Runtime,
    service::{Access, Deck, Draft, LinkScope},
    sim::{Control, Scenario, Sim, SimOptions},
};
use proptest::prelude::*;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    common::{PATIENCE, deck},
    watched::Watched,
};

/// How long the console is waited for where nothing is outstanding.
const QUIET: Duration = Duration::from_millis(10);

/// A console with somebody at its keys, on a real deck.
struct Console {
    model: Model,
    runtime: Runtime,
    events: mpsc::Receiver<Event>,
}

impl Console {
    async fn open(folder: &Path, user: &str, access: Access) -> Self {
        let mut opening = deck::opening(folder, user);
        opening.access = access;
        let deck = opening.open().await.unwrap();
        let start = Start {
            now: SystemClock.now(),
            zone: jiff::tz::TimeZone::UTC,
            lang: Lang::En,
            theme: "dark".into(),
            themes: vec!["dark".into()],
            glyphs: Glyphs::Unicode,
            size: Size { columns: 120, rows: 40 },
            mouse: false,
            bell: Bell::Never,
            access: match access {
                Access::Write => model::Access::Write,
                Access::ReadOnly => model::Access::ReadOnly { can_lift: false },
            },
            role: deck.role().await.unwrap(),
            me: deck.me().clone(),
            keymap: Arc::new(Keymap::default()),
            session: Session::default(),
            integration: None,
        };
        let (sender, events) = mpsc::channel(256);
        let mut console = Self { model: Model::new(start), runtime: Runtime::start(deck, sender), events };
        console.happen(Event::Started);
        let sizes = Sizes {
            list_rows: 20,
            transcript_rows: 10,
            transcript_cells: 60,
            thread_rows: 10,
            thread_cells: 40,
            composer_cells: 60,
            overlay_rows: 10,
            overlay_total: 30,
            pane_total: 50,
        };
        console.happen(Event::Painted(Painted { hits: Vec::new(), sizes }));
        console.settle().await;
        console
    }

    fn happen(&mut self, event: Event) {
        let keymap = self.model.keymap.clone();
        for action in route(&self.model, &keymap, event) {
            for effect in update(&mut self.model, action) {
                if matches!(effect, Effect::Ask { .. }) {
                    self.runtime.perform(effect);
                }
            }
        }
    }

    /// Waits until everything that was asked for is answered.
    async fn settle(&mut self) {
        let done = async {
            loop {
                match tokio::time::timeout(QUIET, self.events.recv()).await {
                    Ok(event) => self.happen(event.unwrap()),
                    Err(_) if self.model.busy.is_idle() => return,
                    Err(_) => self.happen(Event::Ticked(SystemClock.now())),
                }
            }
        };
        tokio::time::timeout(PATIENCE, done).await.expect("the console never settles");
    }

    async fn press(&mut self, keys: &str) {
        for key in keys.split(' ') {
            self.happen(Event::KeyPressed(key.parse().unwrap()));
        }
        self.settle().await;
    }

    /// Runs a command by its name, as the palette does.
    async fn run(&mut self, command: &str) {
        self.press("esc esc :").await;
        for c in command.chars() {
            self.happen(Event::KeyPressed(Key::char(c)));
        }
        self.press("enter").await;
    }

    async fn close(self) {
        self.runtime.stop().await;
    }
}

/// Something that a person does.
#[derive(Debug, Clone)]
enum Deed {
    Keys(&'static str),
    Command(&'static str),
}

/// All keys of the table; text and what follows it; and every command by its name.
fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let bound = BINDINGS.iter().flat_map(|row| row.keys.split_ascii_whitespace());
    let keys: Vec<&'static str> = bound
        .filter(|keys| !matches!(*keys, "ctrl-c" | "q" | "ctrl-z"))
        .chain([
            "3 enter i h e y enter",
            "1 a tab x ctrl-s",
            "1 x y",
            "2 L enter enter",
            "2 enter esc x y",
            "y",
            "enter",
        ])
        .collect();
    let commands: Vec<&'static str> = COMMANDS
        .iter()
        .filter(|spec| spec.in_palette && !matches!(spec.name, "quit" | "suspend"))
        .map(|spec| spec.name)
        .collect();
    let one = prop_oneof![
        3 => proptest::sample::select(keys).prop_map(Deed::Keys),
        1 => proptest::sample::select(commands).prop_map(Deed::Command),
    ];
    proptest::collection::vec(one, 20..60)
}

/// A tenant and a store that ann has used: an integration, links, rooms, messages, a log, roles.
async fn lived_in(folder: &Path) -> (Sim, Control) {
    let sim = Sim::start(SimOptions::local(Scenario::still().unwrap())).await.unwrap();
    let control = sim.control();
    let ann = deck::open(folder, "ann").await;
    let integration = deck::connect(&ann, sim.access(), Receive::LongConnection).await;
    ann.import_members(control.members_csv().as_bytes(), false).await.unwrap();
    let plan = ann.plan_link(&integration, LinkScope::Unlinked).await.unwrap();
    let (progress, _looked_at) = mpsc::channel(8);
    let summary = ann.run_link(plan, progress, CancellationToken::new()).await.unwrap();
    let some = summary.results.first().unwrap().member.clone();
    ann.unlink(&integration, &[some]).await.unwrap();
    let rooms = ann.refresh_rooms(&integration).await.unwrap().rooms;
    for room in rooms.iter().take(2) {
        say(&ann, &integration, &room.chat_id).await;
        ann.fetch_older(&integration, &room.chat_id, None).await.unwrap();
    }
    ann.set_role("bob@test", Role::Viewer).await.unwrap();
    ann.shut().await;
    (sim, control)
}

async fn say(deck: &Deck, integration: &larkdeck::core::ids::IntegrationId, chat: &ChatId) {
    let draft = Draft { chat_id: chat.clone(), text: "on it".into(), reply_to: None, in_thread: false };
    deck.send_and_wait(integration, draft).await.unwrap();
}

/// What the tenant holds, as far as a bot could change it.
fn tenant(control: &Control) -> Vec<String> {
    let chats = control.chats().into_iter();
    chats.map(|(id, name)| format!("{id} {name} {:?}", control.messages(&id))).collect()
}

async fn do_all(console: &mut Console, deeds: &[Deed]) {
    for deed in deeds {
        match deed {
            Deed::Keys(keys) => console.press(keys).await,
            Deed::Command(name) => console.run(name).await,
        }
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_viewer_writes_nothing_and_calls_nothing_whatever_is_pressed(deeds in deeds()) {
        block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let (sim, control) = lived_in(folder.path()).await;
            let mut watched = Watched::open(folder.path()).await;
            let (before, calls) = (watched.look().await, control.counters());
            let mut console = Console::open(folder.path(), "bob", Access::Write).await;
            prop_assert_eq!(console.model.role, Role::Viewer);
            do_all(&mut console, &deeds).await;
            console.close().await;
            prop_assert_eq!(watched.look().await, before);
            prop_assert_eq!(control.counters(), calls);
            drop(sim);
            Ok(())
        })?;
    }

    #[test]
    fn a_read_only_console_changes_no_tenant_link_room_or_setting(deeds in deeds()) {
        block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let (sim, control) = lived_in(folder.path()).await;
            let mut watched = Watched::open(folder.path()).await;
            let (before, there) = (watched.look().await.changes(), tenant(&control));
            prop_assert!(before.len() == super::watched::CHANGES.len(), "{:?}", before.keys());
            let mut console = Console::open(folder.path(), "ann", Access::ReadOnly).await;
            prop_assert_eq!(console.model.role, Role::Admin);
            do_all(&mut console, &deeds).await;
            console.close().await;
            prop_assert_eq!(watched.look().await.changes(), before);
            prop_assert_eq!(tenant(&control), there);
            drop(sim);
            Ok(())
        })?;
    }
}

/// The other way round: the same keys in an admin's console do change things, so that the tests above would see it.
#[test]
fn the_same_keys_of_an_admin_write_and_call() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (_sim, control) = lived_in(folder.path()).await;
        let mut watched = Watched::open(folder.path()).await;
        let (before, calls) = (watched.look().await, control.counters());
        let mut console = Console::open(folder.path(), "ann", Access::Write).await;
        console.press("3 enter i h e y enter").await;
        console.close().await;
        let after = watched.look().await;
        assert_ne!(after.tables["larkdeck.db/outbox"], before.tables["larkdeck.db/outbox"]);
        assert_ne!(after.commits, before.commits);
        assert_ne!(control.counters(), calls);
    });
}
