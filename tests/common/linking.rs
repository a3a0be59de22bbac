//! Linking, killed again and again.

use std::{collections::BTreeSet, process::Stdio, time::Duration};

use serde_json::Value;

use super::{Home, dice::Dice, platform::Platform, signal, wait};

const LOOKUP: &str = "contact.batch_get_id";
/// Most calls that are under way at once at the scenario's latency, and those whose answers are being written.
const UNDER_WAY: u64 = 16;

/// What came of a linking that was killed.
#[derive(Debug, Default, Clone, Copy)]
pub struct Linked {
    /// Runs that were killed before they had ended.
    pub cut_short: u64,
    /// Most calls that one kill had made again.
    pub repeated: u64,
    /// Members that have an account.
    pub members: usize,
    /// Accounts that they have.
    pub accounts: usize,
}

/// Calls that a linking would still make.
#[track_caller]
fn planned(home: &Home) -> u64 {
    let dry = home.run(&["link", "--dry-run", "--json"]).expect(0).objects();
    dry.last().unwrap()["summary"]["calls"].as_u64().unwrap()
}

/// Links everybody, killed `kills` times on the way, and then to the end: nobody is lost, nobody is linked twice,
/// and no call is made again but those that were under way. Then takes all of it back by one undo.
#[track_caller]
pub fn kill_and_finish(platform: &Platform, home: &Home, dice: &mut Dice, kills: u64) -> Linked {
    let whole = planned(home);
    let (mut left, mut linked) = (whole, Linked::default());
    for _ in 0..kills {
        let before = platform.calls(LOOKUP);
        let mut command = home.command(&["link"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let wanted = before + 1 + dice.below(whole / kills + 2);
        while platform.calls(LOOKUP) < wanted && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        // Not always just after a call has come: some answers are on their way, some are being written.
        std::thread::sleep(Duration::from_millis(dice.below(100)));
        signal(child.id(), "KILL");
        linked.cut_short += u64::from(wait(&mut child).unwrap().code().is_none());
        let (made, now_left) = (platform.calls(LOOKUP) - before, planned(home));
        assert!(now_left <= left, "{now_left} calls are left, there were {left}");
        let repeated = made - (left - now_left).min(made);
        assert!(repeated <= UNDER_WAY, "{repeated} of {made} calls are made again");
        linked.repeated = linked.repeated.max(repeated);
        left = now_left;
    }

    let before = platform.calls(LOOKUP);
    let lines = home.run(&["link", "--json"]).expect(0).objects();
    assert_eq!(platform.calls(LOOKUP) - before, left, "what is left, and nothing else");
    assert_eq!(lines.last().unwrap()["summary"]["unlinked"], 0);
    let members = home.run(&["member", "list", "--json"]).expect(0).objects();
    let accounts: BTreeSet<&str> = members.iter().filter_map(|member| member["open_id"].as_str()).collect();
    (linked.members, linked.accounts) = (members.len(), accounts.len());
    assert_eq!(linked.members, linked.accounts, "every member an account of their own");

    // All the runs are one linking in the journal: one undo takes back every link, each once.
    home.run(&["link", "undo"]).expect(0);
    let still: Vec<Value> = home.run(&["member", "list", "--filter", "linked", "--json"]).expect(0).objects();
    assert!(still.is_empty(), "{} are still linked", still.len());
    assert_eq!(platform.control().counters().over, 0);
    linked
}
