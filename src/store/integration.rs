//! Integrations, their secrets, and the rule that one at most has War Room (R37).

use super::{Store, StoreError};
use crate::core::{
    ids::{AppId, AppKey, IntegrationId, TenantKey},
    integration::{AppCredentials, ImKind, Integration, Receive},
    secret::Secret,
};

/// An integration that is about to be added.
#[derive(Debug, Clone)]
pub struct NewIntegration {
    /// Unique in the store.
    pub name: String,
    /// The platform.
    pub kind: ImKind,
    /// The app, for Feishu and Lark.
    pub app: Option<AppCredentials>,
    /// How events come in.
    pub receive: Receive,
}

/// What becomes of an optional secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SecretPatch {
    /// It stays.
    #[default]
    Keep,
    /// It is replaced.
    Set(Secret),
    /// It is taken away.
    Clear,
}

/// Changes of an integration; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct IntegrationPatch {
    /// New name.
    pub name: Option<String>,
    /// New app and host.
    pub app: Option<AppKey>,
    /// New App Secret.
    pub app_secret: Option<Secret>,
    /// Encrypt Key.
    pub encrypt_key: SecretPatch,
    /// Verification Token.
    pub verification_token: SecretPatch,
    /// New receive mode.
    pub receive: Option<Receive>,
}

impl Store {
    /// Adds an integration.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`], [`StoreError::AppTaken`], a key error, or the engine's.
    pub async fn add_integration(&self, new: NewIntegration) -> Result<Integration, StoreError> {
        let _ = new;
        Err(StoreError::Closed)
    }

    /// All integrations, by name.
    ///
    /// # Errors
    /// The engine's. Secrets that cannot be opened are shown as dots, without an error.
    pub async fn integrations(&self) -> Result<Vec<Integration>, StoreError> {
        Err(StoreError::Closed)
    }

    /// One integration.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the engine's.
    pub async fn integration(&self, id: &IntegrationId) -> Result<Integration, StoreError> {
        Err(StoreError::not_found("integration", id))
    }

    /// The integration of that name (exact, else without regard to case) or id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the engine's.
    pub async fn integration_by_name(&self, name: &str) -> Result<Integration, StoreError> {
        Err(StoreError::not_found("integration", name))
    }

    /// The integration of an app, by its id alone (events name no host).
    ///
    /// # Errors
    /// The engine's.
    pub async fn integration_of_app(&self, app: &AppKey) -> Result<Option<Integration>, StoreError> {
        let _ = app;
        Err(StoreError::Closed)
    }

    /// Changes an integration.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::NameTaken`], [`StoreError::AppTaken`], a key error, or the
    /// engine's.
    pub async fn update_integration(
        &self,
        id: &IntegrationId,
        patch: IntegrationPatch,
    ) -> Result<Integration, StoreError> {
        let _ = patch;
        Err(StoreError::not_found("integration", id))
    }

    /// Removes an integration with its secrets, links, rooms and messages. The operation log stays.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the engine's.
    pub async fn remove_integration(&self, id: &IntegrationId) -> Result<(), StoreError> {
        Err(StoreError::not_found("integration", id))
    }

    /// The app and its secrets in the clear.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] (also for a kind without an app), [`StoreError::KeyLost`],
    /// [`StoreError::Tampered`], or the engine's.
    pub async fn credentials(&self, id: &IntegrationId) -> Result<AppCredentials, StoreError> {
        Err(StoreError::not_found("integration", id))
    }

    /// Turns War Room on or off.
    ///
    /// # Errors
    /// [`StoreError::WarRoomHeld`] naming the integration that has it, [`StoreError::NotFound`], or the
    /// engine's.
    pub async fn set_war_room(&self, id: &IntegrationId, on: bool) -> Result<(), StoreError> {
        let _ = on;
        Err(StoreError::not_found("integration", id))
    }

    /// Remembers what the platform has told about the app; `None` leaves what is known.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the engine's.
    pub async fn set_app_facts(
        &self,
        id: &IntegrationId,
        tenant: Option<&TenantKey>,
        bot_name: Option<&str>,
        bot_open_id: Option<&str>,
    ) -> Result<(), StoreError> {
        let _ = (tenant, bot_name, bot_open_id);
        Err(StoreError::not_found("integration", id))
    }

    /// The integrations that use an app id, on whatever host.
    ///
    /// # Errors
    /// The engine's.
    pub async fn integrations_of_app_id(&self, app_id: &AppId) -> Result<Vec<Integration>, StoreError> {
        let _ = app_id;
        Err(StoreError::Closed)
    }
}
