//! Linking: preview, confirm, progress, results, undo.

use super::Turn;
use crate::{
    app::{
        busy::Topic,
        effect::{Ask, EffectId},
        event::{LinkOutcome, LinkPlan, LinkProgress},
        model::{Confirm, ConfirmAsk, Level, LinkFlow, LinkStage, Overlay},
    },
    core::{
        error::Fault,
        lang::{Phrase, phrase},
    },
};

/// Moves the selection of the results.
pub(super) fn move_results(flow: &mut LinkFlow, by: i64, rows: u16) {
    let LinkStage::Finished(outcome) = &flow.stage else { return };
    flow.selected = super::scroll::step(flow.selected, by, outcome.results.len());
    let rows = usize::from(rows).max(1);
    flow.top = flow.top.clamp((flow.selected + 1).saturating_sub(rows), flow.selected);
}

impl Turn<'_> {
    /// Asks what linking would do; a run that is under way is shown instead.
    pub(super) fn plan_link(&mut self, is_all: bool) {
        let Some(integration) = self.m.active.clone() else { return };
        if let Some(flow) = self.m.linking.take_if(|flow| matches!(flow.stage, LinkStage::Running(..))) {
            self.m.overlays.push(Overlay::Link(flow));
            return;
        }
        let one = self.m.users.current().filter(|_| !is_all);
        if one.is_none() && !is_all {
            return;
        }
        let flow = LinkFlow {
            integration: integration.clone(),
            members: one.map(|row| vec![row.member.id.clone()]),
            who: one.map(|row| row.name.clone()),
            stage: LinkStage::Planning,
            selected: 0,
            top: 0,
        };
        let members = flow.members.clone();
        self.m.overlays.push(Overlay::Link(Box::new(flow)));
        self.ask_latest(Topic::Plan, Ask::PlanLink { integration, members });
    }

    pub(super) fn link_planned(&mut self, plan: LinkPlan) {
        self.with_flow(|flow| {
            if flow.stage == LinkStage::Planning {
                flow.stage = LinkStage::Preview(plan);
            }
        });
    }

    /// Begins what the preview showed.
    pub(super) fn run_link(&mut self) {
        let Some(Overlay::Link(flow)) = self.m.overlays.last() else { return };
        let LinkStage::Preview(plan) = flow.stage else { return };
        if plan.members == 0 {
            return self.close_overlay();
        }
        let ask = Ask::RunLink { integration: flow.integration.clone(), members: flow.members.clone() };
        if self.ask(Topic::Link, ask).is_some() {
            let progress = LinkProgress { calls: plan.calls, ..LinkProgress::default() };
            self.with_flow(|flow| flow.stage = LinkStage::Running(plan, progress));
        }
    }

    pub(super) fn link_progress(&mut self, id: EffectId, progress: LinkProgress) {
        if self.m.busy.id_of(&Topic::Link) == Some(id) {
            self.with_flow(|flow| {
                if let LinkStage::Running(_, shown) = &mut flow.stage {
                    *shown = progress;
                }
            });
        }
    }

    pub(super) fn link_finished(&mut self, outcome: Box<LinkOutcome>) {
        self.m.busy.want(Topic::Members);
        let is_shown = self.m.overlays.iter().any(|overlay| matches!(overlay, Overlay::Link(_)));
        let (linked, unlinked) = (outcome.linked, outcome.unlinked);
        self.with_flow(|flow| {
            flow.stage = LinkStage::Finished(outcome);
            flow.selected = 0;
            flow.top = 0;
        });
        if !is_shown {
            let text = FINISHED.fill(self.m.lang, &[&linked, &unlinked]);
            self.toast_text(if unlinked > 0 { Level::Warn } else { Level::Ok }, &text, None);
        }
    }

    pub(super) fn link_failed(&mut self, fault: Box<Fault>) {
        self.m.busy.want(Topic::Members);
        let is_shown = self.m.overlays.iter().any(|overlay| matches!(overlay, Overlay::Link(_)));
        self.with_flow(|flow| flow.stage = LinkStage::Failed(fault.clone()));
        if is_shown {
            self.m.last_fault = Some(fault);
        } else {
            self.show_fault(fault);
        }
    }

    fn with_flow(&mut self, act: impl FnOnce(&mut LinkFlow)) {
        let shown = self.m.overlays.iter_mut().rev().find_map(|overlay| match overlay {
            Overlay::Link(flow) => Some(flow),
            _ => None,
        });
        if let Some(flow) = shown.or(self.m.linking.as_mut()) {
            act(flow);
            self.m.touch();
        }
    }

    pub(super) fn stop_linking(&mut self) {
        if let Some(id) = self.m.busy.id_of(&Topic::Link) {
            self.ask(Topic::Cancel, Ask::CancelLink(id));
            self.toast(Level::Info, STOPPING);
        }
    }

    /// Asks before links are undone: those of the run on screen, or the latest.
    pub(super) fn ask_undo(&mut self) {
        let Some(id) = self.m.active.clone() else { return };
        let (batch, lines) = match self.m.overlays.last() {
            Some(Overlay::Link(flow)) => match &flow.stage {
                LinkStage::Finished(outcome) if outcome.linked > 0 => {
                    (outcome.batch.clone(), vec![UNDO_RUN.fill(self.m.lang, &[&outcome.linked])])
                }
                _ => return,
            },
            _ => (None, vec![self.say(UNDO_LATEST).to_owned()]),
        };
        let confirm = Confirm {
            title: self.say(UNDO).to_owned(),
            lines,
            risk: crate::app::command::Risk::Change,
            typed_name: None,
            ask: ConfirmAsk::UndoLink(id, batch),
        };
        self.m.overlays.push(Overlay::Confirm(Box::new(confirm)));
    }

    pub(super) fn links_removed(&mut self, count: u64) {
        self.m.busy.want(Topic::Members);
        let text = REMOVED.fill(self.m.lang, &[&count]);
        self.toast_text(Level::Ok, &text, None);
    }

    /// Shows the member of the selected result.
    pub(super) fn open_result(&mut self) {
        let Some(Overlay::Link(flow)) = self.m.overlays.last() else { return };
        let LinkStage::Finished(outcome) = &flow.stage else { return };
        let Some(result) = outcome.results.get(flow.selected) else { return };
        let ask = Ask::LoadMember { integration: flow.integration.clone(), member: result.member_id.clone() };
        self.ask_latest(Topic::Member, ask);
    }
}

const FINISHED: Phrase = phrase("Linking has ended: {} linked, {} not", "关联结束：成功 {}，未成功 {}");
const STOPPING: Phrase = phrase("Stopping after the calls under way.", "将在进行中的调用完成后停止。");
const UNDO: Phrase = phrase("Undo links?", "撤销关联？");
const UNDO_RUN: Phrase = phrase("The {} links of this run go.", "将撤销本次产生的 {} 个关联。");
const UNDO_LATEST: Phrase = phrase("The latest links that were made go.", "将撤销最近一次产生的关联。");
const REMOVED: Phrase = phrase("{} links removed.", "已解除 {} 个关联。");
