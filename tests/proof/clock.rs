//! The clocks of hosts step by an hour, forwards and back.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    common::{Home, dice::Dice, mortal::Follower, platform::until},
    kill::Ends,
    stage::{Load, OUT, ROOM, Stage},
    table::{Engine, Row},
};

const WHAT: &str = "clock steps of 1 h";

/// Where libfaketime is.
pub fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|library| library.is_file())
}

/// Tells a home's programs a time of day that is in a file, and leaves them the clock that measures.
pub fn give_clock(home: &mut Home, library: &Path) -> PathBuf {
    let file = home.write("clock", "+0\n");
    home.variables.extend([
        ("LD_PRELOAD", library.to_str().unwrap().to_owned()),
        ("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap().to_owned()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]);
    file
}

/// Sets such a clock, by seconds such as `-3600` from what it is.
pub fn set(clock: &Path, step: &str) {
    // In one step: who reads it sees the one or the other.
    let new = clock.with_extension("new");
    std::fs::write(&new, format!("{step}\n")).unwrap();
    std::fs::rename(&new, clock).unwrap();
}

/// Three hosts, each with a clock of its own; after each step, somebody on that host writes something.
pub fn steps(engine: Engine, times: u32, seed: u64) -> Row {
    let Some(library) = library() else { return Row::not_run(WHAT, engine, "libfaketime is not installed") };
    let Some(stage) = Stage::of(engine) else { return Row::not_run(WHAT, engine, "not installed") };
    stage.refuse_lists();
    let (load, mut dice) = (Load::new(&stage), Dice::new(seed));
    let mut homes = [(); 3].map(|()| stage.another_home());
    let clocks = homes.each_mut().map(|home| give_clock(home, &library));
    let mut followers = homes.each_ref().map(|home| Follower::start(home, ROOM));
    std::thread::scope(|scope| {
        scope.spawn(|| load.talk(Duration::from_millis(60)));
        let _ends = Ends(&load);
        for no in 0..times {
            let heard = stage.acknowledged().len();
            until("it goes on", || stage.acknowledged().len() > heard + 5);
            let at = usize::try_from(dice.below(3)).unwrap();
            let step = *dice.pick(&["+3600", "-3600", "+0"]);
            set(&clocks[at], step);
            let text = format!("after step {no}");
            homes[at].run(&["room", "send", OUT[at], &text]).expect(0);
            assert_eq!(stage.platform.count(OUT[at], &text), 1);
        }
    });
    let mut row = load.judge(WHAT, times, &mut followers);
    row.note = "and one of them wrote after each".to_owned();
    row
}
