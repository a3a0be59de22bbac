//! Work that is finished whatever becomes of the request that it is for.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio_util::task::TaskTracker;

/// A future that runs where it is awaited; dropped before its end, it goes on as a task of the tracker. A task from
/// the start would cost each request what few of them need.
pub(super) struct Finished<F: Future<Output: Send> + Send + 'static> {
    work: TaskTracker,
    future: Option<Pin<Box<F>>>,
}

impl<F: Future<Output: Send> + Send + 'static> Finished<F> {
    pub(super) fn by(work: &TaskTracker, future: F) -> Self {
        Self { work: work.clone(), future: Some(Box::pin(future)) }
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for Finished<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(future) = self.future.as_mut() else { return Poll::Pending };
        let polled = future.as_mut().poll(cx);
        if polled.is_ready() {
            self.future = None;
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Finished<F> {
    fn drop(&mut self) {
        if let Some(future) = self.future.take() {
            self.work.spawn(async move { drop(future.await) });
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_runs_in_place() {
        let work = TaskTracker::new();
        assert_eq!(Finished::by(&work, async { 7 }).await, 7);
        assert!(work.is_empty());
    }

    #[tokio::test]
    async fn it_is_finished_where_nobody_waits_any_more() {
        let work = TaskTracker::new();
        let (begin, begun) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        let mut waiting = Box::pin(Finished::by(&work, async move {
            begun.await.unwrap();
            tell.send(7).unwrap();
        }));
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        drop(waiting);
        begin.send(()).unwrap();
        work.close();
        work.wait().await;
        assert_eq!(told.await.unwrap(), 7);
    }
}
