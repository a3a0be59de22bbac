//! What monitoring asks.

use std::sync::Arc;

use axum::{Router, routing::get};

use super::gateway::Gateway;

pub(super) fn routes() -> Router<Arc<Gateway>> {
    Router::new().route("/healthz", get(alive))
}

/// The process runs and answers; nothing else is looked at.
async fn alive() -> &'static str {
    "ok\n"
}
