//! Everything that only PostgreSQL needs.

mod url;

pub use self::url::PgUrl;
