//! Linking, killed at any instant and run again: nobody is lost, nobody is linked twice, and no call is made
//! again but those that were under way.

use crate::common::{dice::Dice, linking, platform::Platform};

const MEMBERS: usize = 3000;
const KILLS: u64 = 8;

#[test]
fn linking_is_killed_again_and_again() {
    let platform = Platform::of("link");
    let home = platform.home();
    home.run_input(&["member", "import", "-"], &platform.control().members_csv()).expect(0);
    let linked = linking::kill_and_finish(&platform, &home, &mut Dice::new(0), KILLS);
    assert_eq!(linked.members, MEMBERS);
    assert!(linked.cut_short >= 3, "only {} runs were cut short", linked.cut_short);
}
