//! How calls are counted: by day and by minute.

use crate::core::{
    ids::AppKey,
    permit::{Call, MonthClass},
    permit_rows::{Counts, DayTally, MinuteTally},
};

/// How a call counts when its permit is given.
pub(crate) fn granted(call: &Call) -> Counts {
    match call.month {
        MonthClass::Counted => Counts { counted: 1, ..Counts::default() },
        MonthClass::Exempt => Counts { exempt: 1, ..Counts::default() },
    }
}

pub(crate) fn day_tally(call: &Call, day: i64, counts: Counts) -> DayTally {
    DayTally { app: call.app.clone(), day, endpoint: call.endpoint.to_owned(), feature: call.feature, counts }
}

/// Adds to the day's line, where there is one already.
pub(crate) fn add_day(days: &mut Vec<DayTally>, tally: DayTally) {
    let same = days.iter_mut().find(|day| {
        day.day == tally.day
            && day.feature == tally.feature
            && day.endpoint == tally.endpoint
            && day.app == tally.app
    });
    match same {
        Some(day) => day.counts += tally.counts,
        None => days.push(tally),
    }
}

pub(crate) fn add_minute(minutes: &mut Vec<MinuteTally>, app: &AppKey, minute: i64, calls: i64) {
    match minutes.iter_mut().find(|row| row.minute == minute && row.app == *app) {
        Some(row) => row.calls += calls,
        None => minutes.push(MinuteTally { app: app.clone(), minute, calls }),
    }
}
