//! The process that holds the connection is stopped where it stands, and goes on after others have taken over.

use std::time::{Duration, Instant};

use crate::{
    common::{
        dice::Dice,
        mortal::{Follower, stop_between_writes},
        platform::until,
        signal,
    },
    kill::Ends,
    stage::{Load, ROOM, Stage},
    table::{Engine, Row},
};

const WHAT: &str = "holder stopped";

/// Whoever holds the connection stands still for so long.
pub fn stalls(engine: Engine, times: u32, lasting: Duration, seed: u64) -> Row {
    let Some(stage) = Stage::of(engine) else { return Row::not_run(WHAT, engine, "not installed") };
    stage.refuse_lists();
    let (load, mut dice) = (Load::new(&stage), Dice::new(seed));
    let mut followers = [(); 3].map(|()| Follower::start(&stage.home, ROOM));
    let mut slowest = Duration::ZERO;
    std::thread::scope(|scope| {
        scope.spawn(|| load.talk(Duration::from_millis(60)));
        let _ends = Ends(&load);
        for _ in 0..times {
            let heard = stage.acknowledged().len();
            until("it is live", || stage.acknowledged().len() > heard + 5 && stage.holder().is_some());
            std::thread::sleep(Duration::from_millis(dice.below(300)));
            let held = stage.holder().unwrap();
            match engine {
                // The engine cannot take its lock from a process that stands still: everybody would wait for it.
                Engine::Sqlite => stop_between_writes(&stage.home, held),
                Engine::Postgres => signal(held, "STOP"),
            }
            let (stopped_at, mut live_again) = (Instant::now(), None);
            until("another has taken over, and the time is over", || {
                if live_again.is_none() && stage.holder().is_some_and(|pid| pid != held) {
                    live_again = Some(stopped_at.elapsed());
                }
                live_again.is_some() && stopped_at.elapsed() > lasting
            });
            slowest = slowest.max(live_again.unwrap());
            signal(held, "CONT");
            until("one connection is left", || stage.platform.control().counters().connections == 1);
        }
    });
    let mut row = load.judge(WHAT, times, &mut followers);
    row.note =
        format!("for {} s; live again after {:.1} s at most", lasting.as_secs(), slowest.as_secs_f64());
    row
}
