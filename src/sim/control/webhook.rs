//! Where events and callbacks go, and what went there.

use super::Control;
use crate::sim::{PushRecord, SimError, WebhookPlan};

impl Control {
    /// Sets where the events and callbacks of an app go; empty App ID: the app under test. As in the developer
    /// console nothing is set unless every URL answers its challenge.
    ///
    /// # Errors
    /// No such app, a plan that does not fit together, or a URL that did not answer.
    pub async fn set_webhook(&self, app_id: &str, plan: WebhookPlan) -> Result<(), SimError> {
        let app = self.shared.peek(|world| world.app_named(app_id))?;
        self.shared.set_webhook(app, plan).await
    }

    /// Subscribes the app under test to an event or callback, or ends that.
    pub fn set_subscribed(&self, event_type: &str, is_subscribed: bool) {
        self.shared.peek(|world| {
            let Some(app) = world.apps.first_mut() else { return };
            let missing = &mut app.door.plan.not_subscribed;
            missing.retain(|known| known != event_type);
            if !is_subscribed {
                missing.push(event_type.to_owned());
            }
        });
    }

    /// Every push over HTTP so far, oldest first, challenges too; the last ten thousand are kept.
    pub fn pushes(&self) -> Vec<PushRecord> {
        self.shared.peek(|world| world.pushes.iter().cloned().collect())
    }
}
