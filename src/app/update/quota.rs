//! Pane 4.

use super::Turn;
use crate::{app::model::Load, core::quota::QuotaReport};

impl Turn<'_> {
    pub(super) fn set_quota(&mut self, report: QuotaReport) {
        let quota = &mut self.m.quota;
        quota.at = Some(self.m.now);
        let is_same = quota.report.as_ref() == Some(&report) && quota.load == Load::Ready;
        quota.load = Load::Ready;
        if !is_same {
            quota.report = Some(report);
            self.m.touch();
        }
    }
}
