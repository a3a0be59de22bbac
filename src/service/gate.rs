//! The one gate that every write and every call passes: only here is the store to be had to write to.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    core::{
        error::{Fault, Kind},
        role::{Right, Role},
        time::Clock,
    },
    store::{Store, View},
};

use super::{
    deck::{Answer, Told, lock},
    view::Access,
};

/// How long a role is taken to be the same for what a console does by itself. What a person does looks again.
const ROLE_FRESH: Duration = Duration::from_secs(5);

/// Holds the store, and hands it out to whoever may write.
pub(super) struct Gate {
    store: Store,
    is_read_only: AtomicBool,
    known: Mutex<Option<(Instant, Role)>>,
    clock: Arc<dyn Clock>,
}

impl Gate {
    pub(super) fn new(store: Store, access: Access, clock: Arc<dyn Clock>) -> Self {
        let is_read_only = AtomicBool::new(access == Access::ReadOnly);
        Self { store, is_read_only, known: Mutex::default(), clock }
    }

    /// The store, to be read: that is free.
    pub(super) fn view(&self) -> View {
        (*self.store).clone()
    }

    /// The store itself: for tests, which stand in for what is outside.
    pub(super) const fn whole(&self) -> &Store {
        &self.store
    }

    pub(super) fn access(&self) -> Access {
        if self.is_read_only.load(Ordering::Relaxed) { Access::ReadOnly } else { Access::Write }
    }

    pub(super) fn set_access(&self, access: Access) {
        self.is_read_only.store(access == Access::ReadOnly, Ordering::Relaxed);
    }

    /// The role of this process, as the store has it now.
    pub(super) async fn role(&self) -> Answer<Role> {
        let role = self.store.role().await.told()?;
        *lock(&self.known) = Some((self.clock.instant(), role));
        Ok(role)
    }

    /// The store, to be written to by whoever has this right. What is done with it is done under that right.
    ///
    /// # Errors
    /// Refused when read-only, Permission where the role has not the right.
    pub(super) async fn pass(&self, right: Right) -> Answer<&Store> {
        if right != Right::Keep && self.access() == Access::ReadOnly {
            return Err(Fault::new(Kind::Refused, "read-only")
                .with_hint("`--write` or `:write` lifts it for this session."));
        }
        let role = match *lock(&self.known) {
            Some((at, role)) if right == Right::Keep && self.is_fresh(at) => Some(role),
            _ => None,
        };
        let role = match role {
            Some(role) => role,
            None => self.role().await?,
        };
        if role.may(right) {
            return Ok(&self.store);
        }
        let (who, needed) = (self.store.identity(), right.least());
        Err(Fault::new(Kind::Permission, format!("{who} is {role} on this store, and that takes {needed}"))
            .with_hint(format!("An admin can change that: larkdeck role set {who} {needed}")))
    }

    fn is_fresh(&self, at: Instant) -> bool {
        self.clock.instant().saturating_duration_since(at) < ROLE_FRESH
    }
}
