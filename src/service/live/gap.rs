//! What a gap fill has to list, and what it proves: pure rules.

use std::time::Duration;

use crate::core::{room::Missing, time::Timestamp};

/// Messages can be listed so much later than they were written.
const LISTING_LAG_S: i64 = 2;
/// Gaps shorter than this leave no seam unless something was found in them.
const SHORTEST_SEAM: Duration = Duration::from_secs(5);
/// An unbroken connection proves everything up to its last event, less this.
pub(super) const UNPROVEN: Duration = Duration::from_secs(30);
/// The share of the month's calls that fills may use in a day: one in so many.
const DAY_SHARE: u64 = 20;

/// The second from which a listing starts, so that it misses nothing written at `complete_to` or later.
pub(super) const fn start_second(complete_to: Timestamp) -> i64 {
    complete_to.ms().div_euclid(1000) - LISTING_LAG_S
}

/// Up to where a room is complete after a page of an ascending listing: to its last message, and after the
/// last page to the connect, from which on the connection itself brings everything.
pub(super) fn complete_after(
    before: Timestamp,
    last_of_page: Option<Timestamp>,
    is_last_page: bool,
    connected_at: Timestamp,
) -> Timestamp {
    let proven = last_of_page.map_or(before, |last| last.max(before));
    if is_last_page { proven.max(connected_at) } else { proven }
}

/// What a room that was filled may still lack.
pub(super) const fn missing(has_all_threads: bool, had_gap: bool) -> Missing {
    if had_gap && !has_all_threads { Missing::ThreadReplies } else { Missing::Nothing }
}

/// Whether a repaired gap is worth a line in the transcript.
pub(super) fn leaves_seam(from: Timestamp, to: Timestamp, recovered: usize, missing: Missing) -> bool {
    recovered > 0 || (missing != Missing::Nothing && to.since(from) >= SHORTEST_SEAM)
}

/// Where the seam of a repaired gap begins: where the connection was lost, or before, where what was recovered
/// is older. What was complete to `from` lacked nothing before.
pub(super) fn seam_start(
    from: Timestamp,
    lost_at: Option<Timestamp>,
    oldest: Option<Timestamp>,
) -> Timestamp {
    let start = match (lost_at, oldest) {
        (Some(lost), Some(oldest)) => lost.min(oldest),
        (one, other) => one.or(other).unwrap_or(from),
    };
    start.max(from)
}

/// Calls that fills may make in a day.
pub(super) fn day_budget(month_limit: Option<u64>) -> Option<u64> {
    month_limit.map(|limit| (limit / DAY_SHARE).max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_seam_begins_where_something_was_missed() {
        let at = Timestamp::from_ms;
        assert_eq!(seam_start(at(10), None, None), at(10));
        assert_eq!(seam_start(at(10), Some(at(50)), None), at(50));
        assert_eq!(seam_start(at(10), Some(at(50)), Some(at(40))), at(40));
        assert_eq!(seam_start(at(10), Some(at(50)), Some(at(60))), at(50));
        assert_eq!(seam_start(at(10), None, Some(at(5))), at(10));
    }

    #[test]
    fn the_share_of_a_day_is_five_percent() {
        assert_eq!(day_budget(Some(10_000)), Some(500));
        assert_eq!(day_budget(Some(3)), Some(1));
        assert_eq!(day_budget(None), None);
    }

    #[test]
    fn seams_tell_what_was_repaired_or_not() {
        let at = Timestamp::from_ms;
        assert!(leaves_seam(at(0), at(1), 1, Missing::Nothing));
        assert!(!leaves_seam(at(0), at(60_000), 0, Missing::Nothing));
        assert!(leaves_seam(at(0), at(60_000), 0, Missing::ThreadReplies));
        assert!(!leaves_seam(at(0), at(100), 0, Missing::ThreadReplies));
    }

    proptest! {
        /// Pages of a listing, cut anywhere: whatever is written before the mark has been on a page.
        #[test]
        fn the_mark_never_runs_ahead_of_what_is_stored(
            mut times in proptest::collection::vec(0i64..100_000, 0..60),
            complete_to in 0i64..100_000,
            connected_at in 0i64..100_000,
            page_size in 1usize..7,
            killed_after in 0usize..10,
        ) {
            times.sort_unstable();
            let mut mark = Timestamp::from_ms(complete_to);
            let connected_at = Timestamp::from_ms(connected_at);
            let listed: Vec<i64> =
                times.iter().copied().filter(|at| at.div_euclid(1000) >= start_second(mark)).collect();
            let mut stored: Vec<i64> = times.iter().copied().filter(|at| *at < complete_to).collect();
            let pages: Vec<&[i64]> = if listed.is_empty() { vec![&[]] } else { listed.chunks(page_size).collect() };
            for (number, page) in pages.iter().enumerate() {
                if number == killed_after {
                    break;
                }
                let last = page.last().copied().map(Timestamp::from_ms);
                let next = complete_after(mark, last, number + 1 == pages.len(), connected_at);
                prop_assert!(next >= mark);
                mark = next;
                stored.extend(page.iter().copied());
                for at in times.iter().filter(|at| **at < mark.ms()) {
                    prop_assert!(stored.contains(at), "{at} before the mark {}", mark.ms());
                }
            }
        }
    }
}
