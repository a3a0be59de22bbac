//! One lock around the world, and the tasks that act on it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::world::World;

/// What all tasks of a simulator share.
#[derive(Debug)]
pub(super) struct Shared {
    world: Mutex<World>,
    runtime: Handle,
    /// Ends everything.
    pub(super) cancel: CancellationToken,
    /// Every task that was started.
    pub(super) tasks: TaskTracker,
}

impl Shared {
    /// Around `world`, on the current runtime.
    pub(super) fn new(world: World) -> Arc<Self> {
        Arc::new(Self {
            world: Mutex::new(world),
            runtime: Handle::current(),
            cancel: CancellationToken::new(),
            tasks: TaskTracker::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        // A handler that panicked leaves a world that is still good enough to answer from.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the world, or changes what no app hears of.
    pub(super) fn peek<R>(&self, act: impl FnOnce(&mut World) -> R) -> R {
        act(&mut self.lock())
    }

    /// Changes the world and pushes the events that come of it, in their order.
    pub(super) fn act<R>(self: &Arc<Self>, act: impl FnOnce(&mut World) -> R) -> R {
        let mut world = self.lock();
        let result = act(&mut world);
        let events = std::mem::take(&mut world.outbox);
        if events.is_empty() {
            return result;
        }
        let mut pushed = Vec::new();
        for event in events {
            for road in world.roads(&event) {
                let first = world.first_push(&event, road);
                pushed.push((event.clone(), road, first));
            }
        }
        drop(world);
        for (event, road, first) in pushed {
            self.tasks.spawn_on(Arc::clone(self).see_through(event, road, first), &self.runtime);
        }
        result
    }

    /// Starts a task that ends with the simulator.
    pub(super) fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let cancel = self.cancel.clone();
        self.tasks.spawn_on(
            async move {
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = task => {}
                }
            },
            &self.runtime,
        );
    }
}
