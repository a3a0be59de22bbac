//! Where to connect: every attempt asks anew, since a ticket is good for one connection.

use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::core::{
    error::{Kind, Problem},
    permit::{Class, Feature},
};

use super::{
    super::{
        answer::Loose,
        client::{Ask, Client},
        endpoint::CONNECTION,
        error::FeishuError,
        transport::Request,
    },
    frame::ClientConfig,
    session::Ended,
};

/// Where to connect, and how to behave there.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) url: Url,
    /// For logs.
    pub(super) conn_id: String,
    /// Goes into pings.
    pub(super) service_id: i32,
    pub(super) config: Option<ClientConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PlaceWire {
    #[serde(rename = "URL", default)]
    url: Loose,
    #[serde(default)]
    client_config: Option<ClientConfig>,
}

/// Asks the platform where to connect.
pub(super) async fn discover(client: &Client) -> Result<Place, Ended> {
    let transport = &client.transport;
    let body = json!({"AppID": transport.app().app_id, "AppSecret": transport.app_secret().reveal()});
    let ask = Ask::new(Class::Person, Feature::Live);
    let request = Request::new(&CONNECTION).header("locale", "zh").body(&body).once();
    let answer = transport.run(&ask, &request, None).await.map_err(|error| ended(&error))?;
    let wire: PlaceWire = answer.data().map_err(|error| ended(&error))?;
    let text = wire.url.text();
    let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "ws" | "wss"));
    let Some(url) = url else {
        return Err(Ended::Lost("the platform named no address to connect to".to_owned()));
    };
    let param =
        |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    Ok(Place {
        conn_id: param("device_id").unwrap_or_default(),
        service_id: param("service_id").and_then(|id| id.parse().ok()).unwrap_or_default(),
        config: wire.client_config,
        url,
    })
}

/// Busy, internal errors, speed limits, 5xx and the network pass; what else the platform says it will say
/// again in a minute.
fn ended(error: &FeishuError) -> Ended {
    let reason = match error.hint() {
        Some(hint) => format!("{error}. {hint}"),
        None => error.to_string(),
    };
    let passes = match error {
        FeishuError::Refused(refusal) => {
            matches!(refusal.code, 1 | 1_000_040_343)
                || refusal.status >= 500
                || matches!(error.kind(), Kind::RateLimited { .. } | Kind::Offline)
        }
        FeishuError::Usage { .. } | FeishuError::Address(_) => false,
        _ => true,
    };
    if passes { Ended::Lost(reason) } else { Ended::Refused(reason) }
}
