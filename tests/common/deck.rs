//! A deck on a store of its own, and an app in it: what tests and benches of the service begin with.
#![allow(dead_code, reason = "each user takes its part")]
#![allow(unreachable_pub, reason = "it is compiled into tests, benches and the library's own tests")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{path::Path, sync::Arc};

use larkdeck::{
    core::{
        ids::IntegrationId,
        integration::{Holder, ImKind, Receive},
        secret::Secret,
        time::SystemClock,
    },
    service::{Access, CheckMode, Deck, DeckSettings, IntegrationDraft, KeyOrigin, Opening},
    sim,
};

/// How a deck of `user` is opened on the store in this folder; what a caller wants otherwise it changes.
pub fn opening(folder: &Path, user: &str) -> Opening {
    Opening {
        store_url: format!("sqlite:{}", folder.join("larkdeck.db").display()),
        store_password: None,
        key: KeyOrigin::File(folder.join("key")),
        month_limit: None,
        quota_zone: jiff::tz::TimeZone::UTC,
        me: Holder { user: user.to_owned(), host: "test".to_owned(), pid: std::process::id() },
        reader: format!("{user}@test"),
        settings: DeckSettings::default(),
        access: Access::Write,
        clock: Arc::new(SystemClock),
    }
}

/// A deck of `user` on the store in this folder.
pub async fn open(folder: &Path, user: &str) -> Deck {
    opening(folder, user).open().await.unwrap()
}

/// An integration named `ops` for an app; it has neither Encrypt Key nor Verification Token.
pub fn draft(base_url: &str, app_id: &str, app_secret: &str, receive: Receive) -> IntegrationDraft {
    IntegrationDraft {
        name: "ops".to_owned(),
        kind: ImKind::Feishu,
        app_id: Some(app_id.to_owned()),
        base_url: Some(base_url.to_owned()),
        app_secret: Some(Secret::new(app_secret)),
        encrypt_key: None,
        verification_token: None,
        receive,
    }
}

/// The simulator's app, with the keys that sign and seal what it pushes.
pub fn draft_of(access: &sim::Access, receive: Receive) -> IntegrationDraft {
    IntegrationDraft {
        encrypt_key: Some(Secret::new(access.encrypt_key.clone())),
        verification_token: Some(Secret::new(access.verification_token.clone())),
        ..draft(&access.base_url, &access.app_id, &access.app_secret, receive)
    }
}

/// Adds the simulator's app as the integration `ops`.
pub async fn connect(deck: &Deck, access: &sim::Access, receive: Receive) -> IntegrationId {
    deck.add_integration(draft_of(access, receive), CheckMode::Check).await.unwrap().integration.id
}
