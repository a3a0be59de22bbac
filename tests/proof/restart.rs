//! The database goes away and comes back under load.

use std::time::Duration;

use crate::{
    common::{
        dice::Dice,
        mortal::{Follower, Gateway},
        platform::until,
    },
    kill::Ends,
    postgres::Stop,
    stage::{Load, ROOM, Stage},
    table::{Engine, Row},
};

const WHAT: &str = "database restarts";

/// Stopped in turn in good order and as if it had crashed, and away for a moment.
pub fn restarts(times: u32, seed: u64) -> Row {
    let engine = Engine::Postgres;
    let Some(stage) = Stage::of(engine) else { return Row::not_run(WHAT, engine, "not installed") };
    stage.refuse_lists();
    let (load, mut dice) = (Load::new(&stage), Dice::new(seed));
    let server = &stage.base.as_ref().unwrap().server;
    let gateways = [(); 2].map(|()| Gateway::start(&stage.home, &["--no-long-connection"]));
    *load.bases.lock().unwrap() = gateways.iter().map(|one| one.base.clone()).collect();
    let mut followers = [(); 3].map(|()| Follower::start(&stage.home, ROOM));
    until("it is live", || stage.holder().is_some());
    std::thread::scope(|scope| {
        scope.spawn(|| load.talk(Duration::from_millis(60)));
        scope.spawn(|| load.push(Duration::from_millis(30)));
        scope.spawn(|| load.push(Duration::from_millis(30)));
        let _ends = Ends(&load);
        for no in 0..times {
            let (heard, acknowledged) = (stage.acknowledged().len(), load.acknowledged());
            until("both ways are open", || {
                stage.acknowledged().len() > heard && load.acknowledged() > acknowledged + 5
            });
            std::thread::sleep(Duration::from_millis(dice.below(300)));
            server.stop(if no % 2 == 0 { Stop::Immediate } else { Stop::Fast });
            std::thread::sleep(Duration::from_millis(dice.below(1500)));
            server.start();
        }
    });
    load.judge(WHAT, times, &mut followers)
}
