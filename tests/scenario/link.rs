//! Linking, killed at any instant and run again: nobody is lost, nobody is linked twice, and no call is made
//! again but those that were under way.

use std::{collections::BTreeSet, process::Stdio, time::Duration};

use serde_json::Value;

use crate::{
    common::{Home, signal, wait},
    platform::Platform,
};

const LOOKUP: &str = "contact.batch_get_id";
const MEMBERS: usize = 3000;
/// Most calls that are under way at once at this latency, and those whose answers are being written.
const UNDER_WAY: u64 = 16;
const KILLS: u64 = 8;

/// Calls that a linking would still make.
fn planned(home: &Home) -> u64 {
    let dry = home.run(&["link", "--dry-run", "--json"]).expect(0).objects();
    dry.last().unwrap()["summary"]["calls"].as_u64().unwrap()
}

#[test]
fn linking_is_killed_again_and_again() {
    let platform = Platform::of("link");
    let home = platform.home();
    home.run_input(&["member", "import", "-"], &platform.control().members_csv()).expect(0);
    let whole = planned(&home);
    assert!(whole >= MEMBERS as u64 / 50, "{whole} calls");
    // Small and good enough: other instants each time it is run would hide what failed.
    let mut dice: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut below = |most: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % most
    };
    let (mut left, mut cut_short) = (whole, 0);
    for _ in 0..KILLS {
        let before = platform.calls(LOOKUP);
        let mut command = home.command(&["link"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let wanted = before + 1 + below(whole / KILLS + 2);
        while platform.calls(LOOKUP) < wanted && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        // Not always just after a call has come: some answers are on their way, some are being written.
        std::thread::sleep(Duration::from_millis(below(100)));
        signal(child.id(), "KILL");
        cut_short += u64::from(wait(&mut child).unwrap().code().is_none());
        let (made, now_left) = (platform.calls(LOOKUP) - before, planned(&home));
        assert!(now_left <= left, "{now_left} calls are left, there were {left}");
        let repeated = made - (left - now_left).min(made);
        assert!(repeated <= UNDER_WAY, "{repeated} of {made} calls are made again");
        left = now_left;
    }
    assert!(cut_short >= 3, "only {cut_short} runs were cut short");

    let before = platform.calls(LOOKUP);
    let lines = home.run(&["link", "--json"]).expect(0).objects();
    assert_eq!(platform.calls(LOOKUP) - before, left, "what is left, and nothing else");
    assert_eq!(lines.last().unwrap()["summary"]["unlinked"], 0);
    let members = home.run(&["member", "list", "--json"]).expect(0).objects();
    let accounts: BTreeSet<&str> = members.iter().filter_map(|member| member["open_id"].as_str()).collect();
    assert_eq!((members.len(), accounts.len()), (MEMBERS, MEMBERS), "every member an account of their own");

    // All the runs are one linking in the journal: one undo takes back every link, each once.
    home.run(&["link", "undo"]).expect(0);
    let linked: Vec<Value> =
        home.run(&["member", "list", "--filter", "linked", "--json"]).expect(0).objects();
    assert!(linked.is_empty(), "{} are still linked", linked.len());
    assert_eq!(platform.control().counters().over, 0);
}
