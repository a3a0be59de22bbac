//! One-click linking: plan, look up, apply.

pub mod decide;
pub mod plan;
