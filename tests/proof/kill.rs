//! `kill -9` at random instants of ingest, of sending and of linking.

use std::{
    collections::BTreeSet,
    process::Stdio,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    common::{
        Home,
        dice::Dice,
        finish, linking,
        mortal::{Follower, Gateway},
        platform::{Platform, until},
        signal,
    },
    stage::{Load, OUT, ROOM, Stage, message_of, scenario},
    table::{Engine, Row},
};

const INGEST: &str = "kill -9, ingest";
const SENDING: &str = "kill -9, sending";
const LINKING: &str = "kill -9, linking";

/// Gateways and consoles die while people talk and the webhook is pushed to; the one that holds the long connection
/// dies whenever it has brought something.
pub fn ingest(engine: Engine, kills: u32, seed: u64) -> Row {
    let Some(stage) = Stage::of(engine) else { return Row::not_run(INGEST, engine, "not installed") };
    stage.refuse_lists();
    let (load, mut dice) = (Load::new(&stage), Dice::new(seed));
    let home = &stage.home;
    // One of them takes part in the connection too, and dies with it.
    let mut gateways = [&["--no-long-connection"][..], &[]].map(|args| Gateway::start(home, args));
    let set_bases = |gateways: &[Gateway<'_>]| {
        *load.bases.lock().unwrap() = gateways.iter().map(|one| one.base.clone()).collect();
    };
    set_bases(&gateways);
    // The first two hold the connection in turn; the third dies so often that it never comes to it.
    let mut followers = [(); 3].map(|()| Follower::start(home, ROOM));
    let mut holders_killed = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| load.talk(Duration::from_millis(60)));
        scope.spawn(|| load.push(Duration::from_millis(30)));
        scope.spawn(|| load.push(Duration::from_millis(30)));
        // Whatever goes wrong in here, the load ends.
        let _ends = Ends(&load);
        let mut heard_before = 0;
        for _ in 0..kills {
            let begun = Instant::now();
            let heard = stage.acknowledged().len();
            std::thread::sleep(Duration::from_millis(dice.below(400)));
            let held = match heard > heard_before && stage.platform.control().counters().connections == 1 {
                true => stage.holder(),
                false => None,
            };
            if held.is_some() {
                // Not always right after the question: at any instant of its work.
                std::thread::sleep(Duration::from_millis(dice.below(200)));
            }
            let follower = followers.iter_mut().find(|one| Some(one.pid()) == held);
            let gateway = gateways.iter_mut().find(|one| Some(one.pid()) == held);
            if follower.is_some() || gateway.is_some() {
                follower.into_iter().for_each(Follower::die_and_rise);
                gateway.into_iter().for_each(Gateway::die_and_rise);
                set_bases(&gateways);
                holders_killed += 1;
                // The next one is to have brought something new.
                heard_before = stage.acknowledged().len() + 5;
            } else if dice.below(3) == 0 {
                followers[2].die_and_rise();
            } else {
                let at = usize::try_from(dice.below(2)).unwrap();
                gateways[at].die_and_rise();
                set_bases(&gateways);
            }
            // The load goes on between two of them.
            let before = load.acknowledged();
            until("something is acknowledged", || {
                load.acknowledged() > before || begun.elapsed().as_secs() > 5
            });
        }
    });
    let mut row = load.judge(INGEST, kills, &mut followers);
    row.note = format!("of them {holders_killed} of who held the connection");
    row
}

/// Ends the load when it goes.
pub struct Ends<'a>(pub &'a Load<'a>);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// What a sender had said when it ended.
enum Told {
    /// The message is there.
    Sent(String),
    /// Nothing: it was killed.
    Nothing,
    /// It failed, or nobody knows.
    Failed,
}

/// Senders die at random instants; each message is there once, or nobody was told that it is.
pub fn sending(engine: Engine, kills: u32, seed: u64) -> Row {
    let Some(stage) = Stage::of(engine) else { return Row::not_run(SENDING, engine, "not installed") };
    let home = &stage.home;
    let mut followers = [(); 2].map(|()| Follower::start(home, OUT[0]));
    let begun = Instant::now();
    home.run(&["room", "send", OUT[0], "the first takes longer"]).expect(0);
    let begun_again = Instant::now();
    home.run(&["room", "send", OUT[0], "as long as it takes"]).expect(0);
    let usual = begun_again.elapsed().min(begun.elapsed());
    let (killed, told) = (AtomicU32::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for (at, room) in OUT.into_iter().enumerate() {
            let (killed, told) = (&killed, &told);
            let mut dice = Dice::new(seed + at as u64);
            scope.spawn(move || {
                for no in 0.. {
                    if killed.load(Ordering::Relaxed) >= kills {
                        return;
                    }
                    let text = format!("{room} {no}");
                    // The program has to start before it sends; what it does last takes the longest.
                    let delay = usual.mul_f64(0.3 + dice.below(1700) as f64 / 1000.0);
                    let said = send_and_kill(home, room, &text, delay);
                    killed.fetch_add(u32::from(matches!(said, Told::Nothing)), Ordering::Relaxed);
                    told.lock().unwrap().push((room, text, said));
                }
            });
        }
    });

    let mut row = stage.row(SENDING, killed.into_inner());
    let known: Vec<BTreeSet<String>> = OUT.map(|room| fetched(home, room)).into();
    let mut in_doubt = 0;
    for (room, text, said) in told.into_inner().unwrap() {
        let arrived = stage.platform.count(room, &text);
        let at = OUT.iter().position(|one| *one == room).unwrap();
        row.doubles += arrived.saturating_sub(1);
        match said {
            Told::Sent(id) => {
                row.acknowledged += 1;
                let is_stored = arrived == 1 && known[at].contains(&id);
                row.stored += usize::from(is_stored);
                row.lost += usize::from(!is_stored);
            }
            Told::Nothing => in_doubt += arrived,
            Told::Failed => panic!("{text} was refused"),
        }
    }
    // What a killed one had brought on its way is there like everything else.
    let all: usize = OUT.iter().map(|room| stage.platform.written(room).len()).sum();
    row.alike = all == known.iter().map(BTreeSet::len).sum::<usize>();
    row.note = format!("{in_doubt} of the killed had sent, each once");
    let last = stage.stored(OUT[0]);
    for follower in &mut followers {
        until("a console has everything", || ids(follower).len() >= last.len());
        follower.end();
    }
    row.alike &= followers[0].printed() == followers[1].printed();
    row
}

fn ids(follower: &Follower<'_>) -> BTreeSet<String> {
    follower.printed().into_iter().map(|(_, id)| id).collect()
}

/// What the store has of a room after it has asked the platform.
#[track_caller]
fn fetched(home: &Home, room: &str) -> BTreeSet<String> {
    let rows = home.run(&["room", "history", room, "--limit", "0", "--fetch", "--json"]).expect(0).objects();
    let ids: BTreeSet<String> = rows.iter().map(message_of).collect();
    assert_eq!(ids.len(), rows.len(), "a message twice");
    ids
}

fn send_and_kill(home: &Home, room: &str, text: &str, delay: Duration) -> Told {
    let mut command = home.command(&["room", "send", room, text, "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while begun.elapsed() < delay && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    signal(child.id(), "KILL");
    let ran = finish(child);
    // What it had printed counts, however it ended.
    match serde_json::from_str::<Value>(ran.stdout.trim()) {
        Ok(answer) => Told::Sent(message_of(&answer)),
        Err(_) if ran.code == 1009 => Told::Nothing,
        Err(_) => {
            crate::table::say(&format!("{ran:?}"));
            Told::Failed
        }
    }
}

/// Linking dies on its way, again and again.
pub fn linking(engine: Engine, kills: u32, seed: u64) -> Row {
    const AT_ONCE: u32 = 8;
    let mut plan = scenario(if kills > AT_ONCE { 3000 } else { 1000 });
    (plan.latency.min_ms, plan.latency.max_ms) = (40, 120);
    let base = match engine {
        Engine::Sqlite => None,
        Engine::Postgres => match crate::stage::Base::start(&Default::default()) {
            None => return Row::not_run(LINKING, engine, "not installed"),
            base => base,
        },
    };
    let stage = Stage::on(engine, base, Home::new(), Platform::start(plan));
    let mut dice = Dice::new(seed);
    let people = stage.platform.control().members_csv();
    stage.home.run_input(&["member", "import", "-"], &people).expect(0);
    let (mut killed, mut repeated, mut linked) = (0, 0, linking::Linked::default());
    while killed < kills {
        linked = linking::kill_and_finish(
            &stage.platform,
            &stage.home,
            &mut dice,
            u64::from((kills - killed).min(AT_ONCE)),
        );
        // Runs that had ended before are no kills.
        killed += u32::try_from(linked.cut_short).unwrap();
        repeated = repeated.max(linked.repeated);
    }
    let mut row = stage.row(LINKING, killed);
    (row.acknowledged, row.stored) = (linked.members, linked.accounts);
    row.note = format!("at most {repeated} calls made again by a kill");
    row
}
