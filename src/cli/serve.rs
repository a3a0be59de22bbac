//! `larkdeck serve`: the gateway.

use serde_json::json;

use super::{
    error::CliError,
    output::{Output, note},
    serve_args::ServeArgs,
    setup::Context,
};
use crate::{
    core::{
        error::{Fault, Kind},
        integration::IntegrationUrls,
        role::Right,
    },
    server::{Bound, ServeOptions, Server, TlsFiles},
    service::{IntegrationView, LiveMode},
};

/// Serves until it is told to end.
pub(super) async fn run(context: &mut Context, args: &ServeArgs) -> Result<(), CliError> {
    let settings = &context.setup.loaded.settings.server;
    let tls = match (&settings.tls_cert, &settings.tls_key) {
        (Some(cert), Some(key)) => Some(TlsFiles { cert: cert.clone(), key: key.clone() }),
        (None, None) => None,
        _ => {
            return Err(CliError::new(Kind::Config, "of certificate and key only one is named")
                .hint("Name both with --tls-cert and --tls-key, or neither."));
        }
    };
    // The port first: without a public URL of its own, the gateway's address is what the URLs begin with.
    let bound = Bound::take(settings.listen.0, tls).await?;
    let public_url = settings.public_url.as_ref().map_or_else(|| bound.url(), |url| url.as_str().to_owned());
    let options = ServeOptions {
        trust_forwarded: settings.trust_forwarded,
        live: if args.no_long_connection { LiveMode::NoSocket } else { LiveMode::TakePart },
        zone: context.setup.loaded.settings.ui.zone.tz().clone(),
    };
    context.setup.what = "gateway";
    // Whatever starts first after a reboot: the platform tries again, and a load balancer waits.
    let cancel = context.cancel.clone();
    let opened =
        cancel.run_until_cancelled(bound.hold_until(context.deck_once_there(waits_for_the_store))).await;
    let Some(deck) = opened.transpose()? else { return Ok(()) };
    if !deck.role().await?.may(Right::Keep) {
        return Err(CliError::new(
            Kind::Permission,
            "a viewer cannot run the gateway: it takes in what comes",
        )
        .hint("An admin can change that: `larkdeck role list` says who is."));
    }
    let server = Server::new(bound, deck, options);
    let integrations = server.integrations().await?;
    tell(&mut context.out, &server.url(), &public_url, &integrations)?;
    server.run(context.cancel.clone()).await.map_err(CliError::from)
}

fn waits_for_the_store(fault: &Fault) {
    tracing::warn!(%fault, "the gateway waits for the store");
    note(&format!("{fault}; /readyz says so, and the gateway begins once it answers"));
}

fn tell(
    out: &mut Output,
    listening: &str,
    public_url: &str,
    integrations: &[IntegrationView],
) -> Result<(), CliError> {
    let urls = |view: &IntegrationView| IntegrationUrls::new(public_url, &view.integration.id);
    if out.is_json() {
        let rows: Vec<_> = integrations
            .iter()
            .map(|view| {
                let urls = urls(view);
                json!({
                    "name": view.integration.name,
                    "web_config_url": urls.web_config_url,
                    "redirect_url": urls.redirect_url,
                    "message_card_request_url": urls.message_card_request_url,
                })
            })
            .collect();
        out.object(&json!({ "listening": listening, "integrations": rows }))?;
        return out.flush();
    }
    out.line(&format!("listening on {listening}"))?;
    for view in integrations {
        let urls = urls(view);
        out.line(&view.integration.name)?;
        out.line(&format!("  Web Configuration URL     {}", urls.web_config_url))?;
        out.line(&format!("  Redirect URL              {}", urls.redirect_url))?;
        out.line(&format!("  Message Card Request URL  {}", urls.message_card_request_url))?;
    }
    out.flush()
}
