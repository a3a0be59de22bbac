//! What monitoring asks.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::time::timeout;

use crate::{
    core::integration::{LiveState, Receive},
    service::{Answer, IntegrationView},
};

use super::{
    gateway::Gateway,
    metrics::{head, line},
};

/// A store that takes longer than this is as good as away.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

const AWAY: &str = "store: away\n";

pub(super) fn routes() -> Router<Arc<Gateway>> {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready)).route("/metrics", get(metrics))
}

/// What there is to say while the database is away from the start: alive, and not ready for anything.
pub(super) fn without_store() -> Router {
    Router::new().fallback(async |uri: Uri| match uri.path().rsplit('/').next() {
        // Whatever prefix the public URL has.
        Some("healthz") => alive().await.into_response(),
        Some("metrics") => {
            let mut out = String::new();
            about_process(&mut out, false);
            exposition(out)
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], AWAY).into_response(),
    })
}

/// The process runs and answers; nothing else is looked at.
async fn alive() -> &'static str {
    "ok\n"
}

/// The store answers, and every integration gets its events: by this gateway, or by a connection that stands,
/// whoever holds it. Names nobody: it may be read from outside.
async fn ready(State(gateway): State<Arc<Gateway>>) -> Response {
    let Some(views) = with_app(&gateway).await else {
        let is_newer = gateway.deck.store_health().borrow().is_newer;
        let text = if is_newer { "store: of a newer larkdeck\n" } else { AWAY };
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    let receiving = views.iter().filter(|view| receives(view)).count();
    let text = format!("store: ok\nreceiving: {receiving} of {}\n", views.len());
    let status = if receiving == views.len() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, text).into_response()
}

async fn with_app(gateway: &Gateway) -> Option<Vec<IntegrationView>> {
    let views: Answer<_> = timeout(STORE_PATIENCE, gateway.deck.integrations()).await.ok()?;
    let mut views = views.inspect_err(|fault| tracing::warn!(%fault, "store not reached")).ok()?;
    views.retain(|view| view.integration.app.is_some());
    Some(views)
}

fn receives(view: &IntegrationView) -> bool {
    view.integration.receive != Receive::LongConnection || view.live.state == LiveState::Live
}

async fn metrics(State(gateway): State<Arc<Gateway>>) -> Response {
    let mut out = String::with_capacity(8 * 1024);
    gateway.metrics.write(&mut out);
    let views = with_app(&gateway).await;
    about_process(&mut out, views.is_some());
    if let Some(views) = views {
        write_integrations(&gateway, &views, &mut out).await;
    }
    exposition(out)
}

fn about_process(out: &mut String, has_store: bool) {
    head(out, "larkdeck_build_info", "gauge", "The version that runs.");
    line(out, "larkdeck_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    head(out, "larkdeck_store_up", "gauge", "Whether the store answers.");
    line(out, "larkdeck_store_up", &[], u64::from(has_store));
}

fn exposition(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn write_integrations(gateway: &Gateway, views: &[IntegrationView], out: &mut String) {
    let states = ["off", "connecting", "live", "reconnecting", "refused"];
    head(
        out,
        "larkdeck_connection_state",
        "gauge",
        "1 for the state of the long connection, whoever holds it.",
    );
    for view in views {
        let name = view.integration.name.as_str();
        for state in states {
            let is = view.live.state.as_str() == state;
            line(out, "larkdeck_connection_state", &[("integration", name), ("state", state)], u64::from(is));
        }
    }
    head(
        out,
        "larkdeck_lease_held",
        "gauge",
        "Whether somebody holds the lease, and whether this process does.",
    );
    for view in views {
        let name = view.integration.name.as_str();
        let holder = view.live.holder.as_ref();
        let is_ours = holder == Some(gateway.deck.me());
        line(
            out,
            "larkdeck_lease_held",
            &[("integration", name), ("by", "anybody")],
            holder.is_some().into(),
        );
        line(out, "larkdeck_lease_held", &[("integration", name), ("by", "this")], is_ours.into());
    }
    head(out, "larkdeck_last_event_timestamp_seconds", "gauge", "When an event last came, by whatever way.");
    for view in views {
        let Some(at) = view.live.last_event_at else { continue };
        let via = view.live.last_event_via.map_or("", |via| via.as_str());
        _ = writeln!(
            out,
            "larkdeck_last_event_timestamp_seconds{{integration=\"{}\",via=\"{via}\"}} {}",
            super::metrics::escaped(&view.integration.name),
            at.ms() / 1000,
        );
    }
    write_quota(gateway, views, out).await;
}

async fn write_quota(gateway: &Gateway, views: &[IntegrationView], out: &mut String) {
    let mut used = String::new();
    let mut limit = String::new();
    for view in views {
        let Ok(report) = gateway.deck.quota(&view.integration.id).await else { continue };
        let labels = [("integration", view.integration.name.as_str())];
        line(&mut used, "larkdeck_quota_month_used", &labels, report.month.used);
        if let Some(calls) = report.month.limit {
            line(&mut limit, "larkdeck_quota_month_limit", &labels, calls);
        }
    }
    head(out, "larkdeck_quota_month_used", "gauge", "Calls counted in this month.");
    out.push_str(&used);
    head(out, "larkdeck_quota_month_limit", "gauge", "Calls that the month allows.");
    out.push_str(&limit);
}
