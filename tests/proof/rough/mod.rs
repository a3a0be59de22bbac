//! Three consoles on three hosts, a gateway and a full store are handled roughly, while somebody looks at the
//! screens: they show a line that says what happened, and nothing else of it.

mod bed;
mod blow;
mod desk;
mod seen;

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use self::{
    bed::{Bed, NAMES},
    blow::{Blow, Hand},
    desk::Desk,
};
use crate::{
    apart,
    common::{dice::Dice, mortal::Gateway},
    kill::Ends,
    stage::Load,
    table::{Engine, Row, say},
};

/// How long and how hard.
pub struct Plan {
    pub what: &'static str,
    /// Messages that are in the store already.
    messages: u32,
    /// Blows are struck for so long.
    lasting: Duration,
    /// For so long a console is stopped.
    stop: Duration,
    /// For so long the database or the platform is away.
    away: Duration,
    /// Messages said at once.
    flood: u32,
    /// Pages that are read back at each console in the end.
    pages: usize,
}

pub const SHORT: Plan = Plan {
    what: "rough handling",
    messages: 4_000,
    lasting: Duration::from_secs(35),
    stop: Duration::from_secs(2),
    away: Duration::from_secs(3),
    flood: 300,
    pages: 3,
};

pub const LONG: Plan = Plan {
    what: "ten rough minutes",
    messages: 1_000_000,
    lasting: Duration::from_secs(600),
    stop: Duration::from_secs(30),
    away: Duration::from_secs(15),
    flood: 2_000,
    pages: 20,
};

/// On hosts with networks of their own, or where there are none such on this one.
pub fn run(plan: &Plan, seed: u64) -> Row {
    if apart::is_allowed() {
        return apart::run(plan.what, Engine::Postgres, 1);
    }
    say(&format!(
        "{}: the system gives no namespaces, so all of it is on loopback and no network parts",
        plan.what
    ));
    handle(plan, seed, false)
}

/// In the network of its own.
pub fn inside(what: &str, seed: u64) -> Row {
    handle(if what == SHORT.what { &SHORT } else { &LONG }, seed, true)
}

fn handle(plan: &Plan, seed: u64, has_cables: bool) -> Row {
    let began = Instant::now();
    let Some(bed) = Bed::start(plan.messages, has_cables) else {
        return Row::not_run(plan.what, Engine::Postgres, "not installed");
    };
    let filled_s = began.elapsed().as_secs();
    say(&format!("{}: seed {seed}, {} messages stored in {filled_s} s", plan.what, plan.messages));
    let stage = &bed.stage;
    let load = Load::new(stage);
    let gateway = Gateway::start(&stage.home, &["--no-long-connection"]);
    load.bases.lock().unwrap().push(gateway.base.clone());
    let desks: Vec<Desk<'_>> =
        bed.homes.iter().zip(NAMES).map(|(home, name)| Desk::sit_down(name, home)).collect();
    let ended = AtomicBool::new(false);
    let mut hand =
        Hand { bed: &bed, load: &load, desks: &desks, gateway, dice: Dice::new(seed), plan, said: 0 };
    let mut blows = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| load.talk(Duration::from_millis(150)));
        scope.spawn(|| load.push(Duration::from_millis(100)));
        for desk in &desks {
            let (load, ended) = (&load, &ended);
            scope.spawn(move || desk.watch(load, ended));
        }
        let _ends = (Ends(&load), Flag(&ended));
        let began = Instant::now();
        let mut left: Vec<Blow> = Vec::new();
        while began.elapsed() < plan.lasting {
            if left.is_empty() {
                left = hand.shuffled(has_cables);
            }
            let at_s = began.elapsed().as_secs();
            let told = hand.strike(left.pop().unwrap());
            let again = hand.same_again();
            say(&format!("{at_s:>4} s  {told:<52} all the same after {:>5.1} s", again.as_secs_f64()));
            blows += 1;
        }
    });
    let note = seen::summary(&desks);
    Row { note, ..judge(&bed, &load, &desks, plan, blows) }
}

fn judge(bed: &Bed, load: &Load<'_>, desks: &[Desk<'_>], plan: &Plan, blows: u32) -> Row {
    let mut acknowledged = load.all_acknowledged();
    // What consoles wrote themselves is judged by itself.
    bed.written().iter().for_each(|id| _ = acknowledged.remove(id));
    let rows = bed.heard();
    let stored: BTreeSet<String> = rows.iter().cloned().collect();
    bed.assert_sent_once();
    let read: Vec<Vec<String>> = desks.iter().map(|desk| desk.read_back(plan.pages)).collect();
    let newest = bed.newest();
    for (desk, read) in desks.iter().zip(&read) {
        assert_eq!(newest[newest.len() - read.len()..], read[..], "{} shows something else", desk.name);
    }
    desks.iter().for_each(Desk::leave);
    Row {
        acknowledged: acknowledged.len(),
        stored: stored.len(),
        doubles: rows.len() - stored.len(),
        lost: acknowledged.difference(&stored).count(),
        foreign: stored.difference(&acknowledged).count(),
        alike: read.iter().all(|read| read.len() > 20),
        ..bed.stage.row(plan.what, blows)
    }
}

/// Says that it is over, however that came.
struct Flag<'a>(&'a AtomicBool);

impl Drop for Flag<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
