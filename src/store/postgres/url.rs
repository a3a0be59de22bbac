//! Where a PostgreSQL store is: a URL that never shows its password, and what sqlx makes a connection of.

use std::{fmt, str::FromStr};

use sqlx::{ConnectOptions, postgres::PgConnectOptions};
use url::{Host, Url};

use super::{super::StoreError, tls};
use crate::core::secret::Secret;

/// Parameters that a URL may have. What none of them says comes from the PG* variables, as with libpq.
const PARAMETERS: [&str; 11] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "port",
    "dbname",
    "user",
    "password",
    "options",
    POOLER,
];

/// Ours: what something like PgBouncer gives a connection of the database to, `transaction` or `session`.
const POOLER: &str = "pooler";

/// What may stand in front of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooler {
    /// Each transaction gets another connection.
    Transaction,
    /// A connection is one client's until he leaves.
    Session,
}

/// Prepared texts that a connection keeps: more than the store has.
const STATEMENTS: usize = 400;

/// A PostgreSQL database, and the way to it.
#[derive(Clone)]
pub struct PgUrl {
    /// As it was given.
    full: Secret,
    /// Without the password.
    shown: String,
    /// From a file or the environment; the URL's own counts first.
    password: Option<Secret>,
    pooler: Option<Pooler>,
    has_password: bool,
}

impl PgUrl {
    /// The password where the URL has none.
    #[must_use]
    pub fn with_password(self, password: Option<Secret>) -> Self {
        Self { password: password.filter(|password| !password.is_empty()).or(self.password), ..self }
    }

    /// Whether the URL itself holds a password.
    pub const fn has_password(&self) -> bool {
        self.has_password
    }

    /// What the URL says of something in front of the database.
    pub(super) const fn pooler(&self) -> Option<Pooler> {
        self.pooler
    }

    /// What sqlx connects with. Whom it finds there has to prove who it is, unless the way is local or the URL
    /// (or PGSSLMODE) asks for less.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`], or [`StoreError::Insecure`] where a file that it takes is not as it should be.
    pub fn connect_options(&self) -> Result<PgConnectOptions, StoreError> {
        let mut url = Url::parse(self.full.reveal()).map_err(|error| bad(error.to_string()))?;
        let kept: Vec<(String, String)> =
            pairs(&url).into_iter().filter(|(name, _)| name != POOLER).collect();
        url.set_query(None);
        if !kept.is_empty() {
            url.query_pairs_mut().extend_pairs(&kept);
        }
        let mut options = PgConnectOptions::from_url(&url)
            .map_err(|error| bad(error.to_string()))?
            .disable_statement_logging();
        if let Some(Host::Ipv6(address)) = url.host() {
            options = options.host(&address.to_string());
        }
        if let Some(password) = self.password.as_ref().filter(|_| !self.has_password) {
            options = options.password(password.reveal());
        }
        let said = |name: &str| {
            let named = kept.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            named
                .or_else(|| std::env::var(format!("PG{}", name.to_uppercase())).ok())
                .filter(|it| !it.is_empty())
        };
        let said = tls::Said {
            mode: said("sslmode"),
            roots: said("sslrootcert"),
            cert: said("sslcert"),
            key: said("sslkey"),
        };
        options = tls::with_tls(options, &said).map_err(|found| StoreError::Insecure {
            place: self.shown.clone(),
            reason: found.reason,
            hint: found.hint,
        })?;
        // Floats are not stored; poolers know nothing of the setting.
        let is_pooled = self.pooler == Some(Pooler::Transaction);
        Ok(options.extra_float_digits(None).statement_cache_capacity(if is_pooled { 0 } else { STATEMENTS }))
    }
}

fn bad(reason: impl Into<String>) -> StoreError {
    StoreError::BadUrl { url: "postgres".to_owned(), reason: reason.into() }
}

fn pairs(url: &Url) -> Vec<(String, String)> {
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

impl FromStr for PgUrl {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let mut url = Url::parse(text).map_err(|error| bad(error.to_string()))?;
        let pairs = pairs(&url);
        if let Some((name, _)) = pairs.iter().find(|(name, _)| !PARAMETERS.contains(&name.as_str())) {
            return Err(bad(format!("it has the parameter {name:?}; there are {}", PARAMETERS.join(", "))));
        }
        if url.host_str().is_some_and(|host| host.contains(',')) {
            return Err(bad("it names several hosts; larkdeck takes one"));
        }
        let pooler = match pairs.iter().find(|(name, _)| name == POOLER).map(|(_, value)| value.as_str()) {
            None => None,
            Some("session") => Some(Pooler::Session),
            Some("transaction") => Some(Pooler::Transaction),
            Some(_) => return Err(bad("its pooler is neither \"transaction\" nor \"session\"")),
        };
        let mut has_password = url.password().is_some_and(|password| !password.is_empty());
        if url.password().is_some() && url.set_password(None).is_err() {
            return Err(bad("it has a password and no host"));
        }
        let shown: Vec<_> = pairs.iter().filter(|(name, _)| name != "password").collect();
        has_password |= shown.len() < pairs.len();
        url.set_query(None);
        if !shown.is_empty() {
            url.query_pairs_mut().extend_pairs(shown);
        }
        // A slash needs no disguise among the parameters.
        let shown = match url.as_str().split_once('?') {
            Some((place, parameters)) => format!("{place}?{}", parameters.replace("%2F", "/")),
            None => url.to_string(),
        };
        Ok(Self { full: Secret::new(text), shown, password: None, pooler, has_password })
    }
}

/// Without the password.
impl fmt::Display for PgUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PgUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PgUrl").field(&self.shown).finish()
    }
}

impl PartialEq for PgUrl {
    fn eq(&self, other: &Self) -> bool {
        self.full == other.full && self.password == other.password
    }
}

impl Eq for PgUrl {}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str) -> PgConnectOptions {
        url.parse::<PgUrl>().unwrap().connect_options().unwrap()
    }

    fn mode(url: &str) -> String {
        format!("{:?}", options(url).get_ssl_mode())
    }

    #[test]
    fn whoever_is_not_local_proves_who_it_is() {
        for local in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert_eq!(mode(&format!("postgres://{local}/d")), "Prefer", "{local}");
        }
        assert_eq!(mode("postgresql://ann@db.example.com/d"), "VerifyFull");
        assert_eq!(mode("postgres://10.0.0.7:6432/d"), "VerifyFull");
        assert_eq!(mode("postgres://10.0.0.7/d?sslmode=require"), "Require");
        let roots = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/one.cert.pem");
        assert_eq!(mode(&format!("postgres://10.0.0.7/d?sslmode=require&sslrootcert={roots}")), "VerifyCa");
        assert_eq!(mode("postgres:///d?host=/run/postgresql"), "Disable");
        assert_eq!(options("postgres://[::1]:6432/d").get_host(), "::1");
    }

    #[test]
    fn passwords_are_never_shown() {
        let password = Secret::new("s3cret");
        for text in
            ["postgres://ann:s3cret@db.example.com/d", "postgres:///d?user=ann&password=s3cret&host=/run"]
        {
            let url: PgUrl = text.parse().unwrap();
            assert!(url.has_password());
            assert!(url.to_string().parse::<PgUrl>().is_ok());
            assert!(
                !format!("{url} {url:?} {:?}", url.clone().with_password(Some(password.clone())))
                    .contains("s3cret")
            );
        }
        let url: PgUrl = "postgres://ann@db.example.com/d".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://ann@db.example.com/d");
        let options = url.with_password(Some(password)).connect_options().unwrap();
        assert_eq!(options.to_url_lossy().password(), Some("s3cret"));
    }

    #[test]
    fn what_is_no_url_is_refused_without_telling_it() {
        for text in [
            "postgres://ann:s3cret@db/d?nope=1",
            "postgres://ann:s3cret@db:999999/d",
            "postgres://ann:s3cret@a,b/d",
            "postgres://ann:s3cret@db/d?pooler=all",
        ] {
            let error = text.parse::<PgUrl>().unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
        assert!("postgres://db/d?sslmode=maybe".parse::<PgUrl>().unwrap().connect_options().is_err());
        let pooler = |url: &str| url.parse::<PgUrl>().unwrap().pooler();
        assert_eq!(pooler("postgres://db/d?pooler=transaction"), Some(Pooler::Transaction));
        assert_eq!(pooler("postgres://db/d?pooler=session"), Some(Pooler::Session));
        assert_eq!(pooler("postgres://db/d"), None);
    }
}
