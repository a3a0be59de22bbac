//! One process holds the connection, the others follow the store: what happens to it, and that nobody misses or
//! doubles a message for it.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use crate::{
    common::{
        Home,
        mortal::stop_between_writes,
        platform::{Platform, Tail, holder, stored, until},
        signal,
    },
    together,
};

/// The promise is 10 s. What a loaded machine adds to it is not the program's.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(25);
/// Longer than a holder may be silent.
const STALL: Duration = Duration::from_secs(12);

#[test]
fn a_holder_may_die_or_stall() {
    together(vec![("killed".to_owned(), Box::new(killed)), ("stalled".to_owned(), Box::new(stalled))]);
}

/// Two tails of one store: the first holds the connection.
fn two(platform: &Platform, home: &Home) -> (Tail, Tail) {
    let first = Tail::of(home, "alpha", &[]);
    until("the first is live", || holder(home) == Some(first.pid().into()));
    let second = Tail::of(home, "alpha", &[]);
    platform.wait_connections(1);
    (first, second)
}

fn killed() {
    let platform = Platform::of("holder");
    let home = platform.home();
    let (mut first, mut second) = two(&platform, &home);
    let mut said = 0;
    let mut say = |count: u32| {
        for _ in 0..count {
            platform.say("alpha", &format!("line {said}"));
            said += 1;
        }
    };
    say(20);
    first.wait(&platform.written("alpha"));
    say(20);
    signal(first.pid(), "KILL");
    let killed_at = Instant::now();
    until("the second is live", || {
        say(3);
        holder(&home) == Some(second.pid().into())
    });
    assert!(killed_at.elapsed() < TAKEN_OVER_WITHIN, "taken over after {:?}", killed_at.elapsed());
    say(20);

    second.wait(&platform.written("alpha"));
    second.assert_each_once();
    first.assert_each_once();
    // The next one to come is told the same.
    let mut third = Tail::of(&home, "alpha", &[]);
    third.wait(&platform.written("alpha"));
    third.assert_each_once();
    assert_eq!(third.ids.len(), second.ids.len());
    assert_stored_once(&platform, &home);
    platform.wait_connections(1);
}

fn stalled() {
    let platform = Platform::of("holder");
    let home = platform.home();
    let (mut first, mut second) = two(&platform, &home);
    platform.say("alpha", "before");
    first.wait(&platform.written("alpha"));
    stop_between_writes(&home, first.pid());
    let stopped_at = Instant::now();
    let mut said = 0;
    until("the second is live, and the stall is over", || {
        // To the stopped one as well: its socket still stands.
        platform.say("alpha", &format!("meanwhile {said}"));
        said += 1;
        let is_live = holder(&home) == Some(second.pid().into());
        is_live && stopped_at.elapsed() > STALL
    });
    signal(first.pid(), "CONT");
    platform.wait_connections(1);
    for n in 0..10 {
        platform.say("alpha", &format!("after {n}"));
    }
    let written = platform.written("alpha");
    for tail in [&mut first, &mut second] {
        tail.wait(&written);
        tail.assert_each_once();
    }
    assert_eq!(holder(&home), Some(second.pid().into()), "the one that stalled follows");
    assert_stored_once(&platform, &home);
    platform.wait_connections(1);
    assert_eq!((first.running.end("INT"), second.running.end("INT")), (Some(130), Some(130)));
    platform.wait_connections(0);
}

#[track_caller]
fn assert_stored_once(platform: &Platform, home: &Home) {
    let stored = stored(home, "alpha");
    let unique: BTreeSet<String> = stored.iter().cloned().collect();
    assert_eq!(unique.len(), stored.len(), "a message twice");
    assert_eq!(unique, platform.written("alpha"));
}
