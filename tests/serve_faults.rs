//! Two gateways and three followers on one store, killed in turn under load: what was acknowledged is there, and
//! nothing is there twice.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod common;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Instant,
};

use common::{
    Home, PATIENCE, Sim,
    mortal::{Follower, Gateway},
    push::{Signer, message_id, push},
};

const CHAT: &str = "oc_000000000000000000000000000000ff";
const MESSAGES: u32 = 300;

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_there_twice() {
    let sim = Sim::start(&[]);
    let home = Home::new();
    home.add(&sim);
    home.run(&["integration", "edit", "ops", "--receive", "both", "--no-check"]).expect(0);
    let id =
        home.run(&["integration", "show", "--json"]).expect(0).object()["id"].as_str().unwrap().to_owned();
    let signer = Signer {
        app_id: sim.app_id.clone(),
        verification_token: sim.verification_token.clone(),
        encrypt_key: sim.encrypt_key.clone(),
    };
    let mut gateways = [Gateway::start(&home, &[]), Gateway::start(&home, &[])];
    let request = |no: u32| signer.message(&id, CHAT, no, 1_700_000_000_000 + i64::from(no));
    // The room is there before anybody follows it.
    assert!(push(&gateways[0].base, &request(0)));
    let mut followers = [(); 3].map(|()| Follower::start(&home, CHAT));

    let (bases, pushed) =
        (Arc::new(Mutex::new(gateways.each_ref().map(|one| one.base.clone()))), Mutex::new(0));
    std::thread::scope(|scope| {
        // Two senders: each message goes to one gateway, or to the other when that is dead, until it is
        // acknowledged; some of them to both.
        for sender in 0..2_u32 {
            let (bases, pushed, request) = (Arc::clone(&bases), &pushed, &request);
            scope.spawn(move || {
                for no in (1..MESSAGES).filter(|no| no % 2 == sender) {
                    let request = request(no);
                    let begun = Instant::now();
                    let mut at = usize::try_from(no / 2 % 2).unwrap();
                    while !push(&bases.lock().unwrap()[at].clone(), &request) {
                        assert!(begun.elapsed() < PATIENCE, "message {no} is never acknowledged");
                        at = 1 - at;
                    }
                    if no % 5 == 0 {
                        push(&bases.lock().unwrap()[1 - at].clone(), &request);
                    }
                    *pushed.lock().unwrap() += 1;
                }
            });
        }
        for round in 1..=5_u32 {
            let begun = Instant::now();
            while *pushed.lock().unwrap() < round * (MESSAGES - 1) / 6 {
                assert!(begun.elapsed() < PATIENCE, "the load stands still");
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            match round {
                1 | 3 => {
                    let at = usize::try_from(round / 2).unwrap();
                    gateways[at].die_and_rise();
                    bases.lock().unwrap()[at].clone_from(&gateways[at].base);
                }
                2 => followers[0].die_and_rise(),
                4 => followers[1].die_and_rise(),
                _ => followers[2].die_and_rise(),
            }
        }
    });

    let stored = home.run(&["room", "history", CHAT, "--limit", "0", "--json"]).expect(0).objects();
    let mut ids: Vec<&str> = stored.iter().map(|row| row["message_id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    let wanted: Vec<String> = (0..MESSAGES).map(message_id).collect();
    assert_eq!(ids, wanted, "each message once");
    for follower in &mut followers {
        let begun = Instant::now();
        while follower.count() < wanted.len() {
            assert!(begun.elapsed() < PATIENCE, "a follower lacks messages: {}", follower.count());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        follower.end();
        let printed = follower.printed();
        assert!(printed.is_sorted_by(|a, b| a.0 < b.0), "numbers grow");
        let unique: BTreeSet<&String> = printed.iter().map(|(_, id)| id).collect();
        assert_eq!(
            (unique.len(), printed.len()),
            (wanted.len(), wanted.len()),
            "a follower printed a message twice"
        );
    }
}
