//! What an error of PostgreSQL means.

use std::io;

use sqlx::{
    error::DatabaseError,
    postgres::{PgDatabaseError, PgSeverity},
};

use super::{
    super::{StoreError, schema::newer},
    tls,
};

/// Whether the connection is of no use any more.
pub(super) fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            true
        }
        sqlx::Error::Database(_) => severe(error) || matches!(class(error), "08" | "57P"),
        _ => false,
    }
}

/// A connection that broke without the database saying so.
pub(super) fn broken(reason: impl Into<String>) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::BrokenPipe, reason.into()))
}

/// The schema is of a newer program by now.
#[derive(Debug, thiserror::Error)]
#[error("the schema has version {0} by now")]
struct Outgrown(i64);

/// The error of a statement that was not asked, since the schema has that version by now.
pub(super) fn outgrown(version: i64) -> sqlx::Error {
    sqlx::Error::Configuration(Box::new(Outgrown(version)))
}

/// Whether statements that were prepared are gone, or are another's: a pooler gives each transaction another
/// session.
pub(super) fn is_about_pooler(error: &sqlx::Error) -> bool {
    matches!(code(error).as_str(), "26000" | "42P05")
}

/// Whether it was asked about a transaction whose number was not given yet: after a crash, one that was lost.
pub(super) fn is_about_future(error: &sqlx::Error) -> bool {
    code(error) == "22023"
}

/// Whether something in front of the database takes no settings.
pub(super) fn is_startup_refused(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.message().contains("startup parameter"))
}

fn severe(error: &sqlx::Error) -> bool {
    let error = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    error.is_some_and(|error| matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic))
}

fn code(error: &sqlx::Error) -> String {
    error.as_database_error().and_then(DatabaseError::code).map(String::from).unwrap_or_default()
}

/// What is the same for errors of a kind: two characters, or three of those of an operator's doing.
fn class(error: &sqlx::Error) -> &'static str {
    match code(error).as_str() {
        code if code.starts_with("08") => "08",
        code if code.starts_with("57P") => "57P",
        _ => "",
    }
}

/// Says what an error of the engine means for the person who reads it.
pub(in super::super) fn explain(error: sqlx::Error, doing: &'static str, place: &str) -> StoreError {
    let place = place.to_owned();
    if let sqlx::Error::Configuration(cause) = &error
        && let Some(Outgrown(found)) = cause.downcast_ref()
    {
        return newer(place, *found);
    }
    if let Some(tls::Insecure { reason, hint }) = tls::trouble(&error) {
        return StoreError::Insecure { place, reason, hint };
    }
    let reason = reason(&error);
    if is_startup_refused(&error) {
        // Ours were left out by then: it is the URL's.
        let reason = format!(
            "what is in front of the database takes no options ({reason}); set them for the login instead, such as \
             `alter role larkdeck set search_path = larkdeck`"
        );
        return StoreError::BadUrl { url: place, reason };
    }
    match code(&error).as_str() {
        "28P01" | "28000" => StoreError::LoginRefused { place, reason },
        "3D000" => StoreError::Missing { place },
        "42501" | "25006" => StoreError::Denied { doing, place, reason },
        "53100" => StoreError::Full { doing, place },
        // Also what lasted too long: as a rule it waited for a lock.
        "55P03" | "57014" | "40P01" | "40001" => StoreError::Locked { doing, place },
        "XX001" | "XX002" => StoreError::Corrupt { place, reason },
        "53300" => StoreError::Away { doing, place, reason },
        _ if is_broken(&error) || is_about_pooler(&error) => StoreError::Away { doing, place, reason },
        _ => StoreError::Engine { doing, place, reason },
    }
}

/// The same error once more, for whoever asks before the next try.
pub(super) fn again(error: &sqlx::Error) -> sqlx::Error {
    tls::again(error).unwrap_or_else(|| broken(reason(error)))
}

/// The error in its own words, without the library's around them.
pub(super) fn reason(error: &sqlx::Error) -> String {
    if let Some(found) = tls::trouble(error) {
        return format!("no safe connection: {}", found.reason);
    }
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Protocol(reason) => reason.clone(),
        other => other.to_string(),
    }
}
