//! The schema: every setting with its type, default, variable and meaning, once.

use std::path::PathBuf;

use toml::de::DeValue;

use super::value::{
    Bell, Glyphs, KeepDays, ListenAddress, LogLevel, MonthLimit, PublicUrl, RoomsFollowed, ThemeName,
    Value as _, Zone,
};
use crate::core::lang::Lang;

/// A setting as documents and errors show it.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Its section.
    pub section: &'static str,
    /// Its name there.
    pub key: &'static str,
    /// Its environment variable.
    pub variable: &'static str,
    /// What it is for: lines of text.
    pub doc: &'static str,
    /// An example where there is no default.
    pub example: &'static str,
    /// What is allowed.
    pub allowed: fn() -> String,
    /// The default as the file would write it; `None` where there is none.
    pub default: fn() -> Option<String>,
}

/// A value on its way into a setting.
#[derive(Debug, Clone, Copy)]
pub(super) enum Raw<'a> {
    /// From the file.
    Toml(&'a DeValue<'a>),
    /// From a variable or a flag.
    Text(&'a str),
}

macro_rules! settings {
    ($(
        $(#[doc = $section_doc:literal])*
        $section:ident: $type:ident {
            $(
                $(#[doc = $doc:literal])*
                $key:ident: $value:ty = $default:expr, $variable:literal, $example:literal;
            )*
        }
    )*) => {
        $(
            $(#[doc = $section_doc])*
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub struct $type {
                $($(#[doc = $doc])* pub $key: $value,)*
            }

            impl Default for $type {
                fn default() -> Self {
                    Self { $($key: $default,)* }
                }
            }
        )*

        /// All settings.
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct Settings {
            $($(#[doc = $section_doc])* pub $section: $type,)*
            /// Key bindings of `[keys.CONTEXT]`, as they stand in the file.
            pub keys: Vec<KeyOverride>,
        }

        /// Every setting, in the order of the documents.
        pub const SPECS: &[Spec] = &[$($(Spec {
            section: stringify!($section),
            key: stringify!($key),
            variable: $variable,
            doc: concat!($($doc, "\n",)*),
            example: $example,
            allowed: <$value>::allowed,
            default: || { let value: $value = $default; value.to_toml() },
        },)*)*];

        /// What each section is about.
        pub(super) const SECTIONS: &[(&str, &str)] =
            &[$((stringify!($section), concat!($($section_doc, "\n",)*)),)*];

        impl Settings {
            /// Sets one setting. `Ok(false)`: there is no such setting.
            pub(super) fn set(&mut self, section: &str, key: &str, raw: Raw<'_>) -> Result<bool, String> {
                match (section, key) {
                    $($((stringify!($section), stringify!($key)) => {
                        self.$section.$key = match raw {
                            Raw::Toml(value) => <$value>::from_toml(value)?,
                            Raw::Text(text) => <$value>::from_text(text)?,
                        };
                        Ok(true)
                    })*)*
                    _ => Ok(false),
                }
            }
        }
    };
}

settings! {
    /// Where everything is kept.
    store: StoreSettings {
        /// The store: `sqlite:PATH`. Without it, `larkdeck.db` in the data folder
        /// (`$XDG_DATA_HOME/larkdeck`). A host that several people share wants
        /// `sqlite:/var/lib/larkdeck/larkdeck.db`; people on several hosts want PostgreSQL:
        /// `postgres://USER@HOST/DATABASE`, with `?host=/PATH` for a socket. TLS is verified unless the host is
        /// this one or `sslmode` asks for less; `sslrootcert` names the certificates of your own authority. What
        /// the URL leaves out comes from the PG* variables. `pooler=session` or `pooler=transaction` where
        /// something like PgBouncer is in front of it.
        url: Option<String> = None, "LARKDECK_STORE", "sqlite:/var/lib/larkdeck/larkdeck.db";
        /// A file with the password of the database: yours and mode 0600, or somebody else's with a group that may
        /// read it. Without it, LARKDECK_STORE_PASSWORD, PGPASSWORD or `~/.pgpass`. A password in the URL of
        /// this file counts first.
        password_file: Option<PathBuf> = None, "LARKDECK_STORE_PASSWORD_FILE", "/etc/larkdeck/password";
        /// The key ring that the secrets in the store are sealed with. Without it, `key` in the
        /// folder of the configuration; made on first use, readable by its owner alone.
        key_file: Option<PathBuf> = None, "LARKDECK_KEY_FILE", "/var/lib/larkdeck/key";
        /// A command that prints the key ring, instead of a file. Run by `sh -c`.
        key_command: Option<String> = None, "LARKDECK_KEY_COMMAND", "pass show larkdeck/key";
    }

    /// The live connection.
    live: LiveSettings {
        /// Which rooms are followed: ingested as they happen, and filled after a gap.
        rooms: RoomsFollowed = RoomsFollowed::All, "LARKDECK_LIVE_ROOMS", "";
        /// Seconds without an event after which a connection on which events came thick and fast is suspected
        /// of being deaf; one on which they came seldom gets longer. A suspicion costs one call.
        deaf_after_s: u32 = 120, "LARKDECK_LIVE_DEAF_AFTER_S", "";
    }

    /// How long what is past is kept. The process that holds the connection removes what is older, a little at a
    /// time: its setting counts, so give all hosts of a store the same.
    retention: RetentionSettings {
        /// Days that messages are kept, with their reactions and mentions. What is older is not stored again either;
        /// `larkdeck room history --fetch` still shows it.
        messages_days: KeepDays = KeepDays::forever(), "LARKDECK_RETENTION_MESSAGES_DAYS", "400";
        /// Days that it is remembered which events came, what was sent, and in which order the store learned of things
        /// (`room tail --since` reads that). The platform repeats an event for 7 hours at most.
        events_days: KeepDays = KeepDays::days(3), "LARKDECK_RETENTION_EVENTS_DAYS", "";
        /// Days that the operation log and the journal of links are kept.
        log_days: KeepDays = KeepDays::days(400), "LARKDECK_RETENTION_LOG_DAYS", "";
    }

    /// The call budget.
    quota: QuotaSettings {
        /// Calls that the tenant's plan allows in a month: 10000 on Basic Free.
        month_limit: MonthLimit = MonthLimit::default(), "LARKDECK_QUOTA_MONTH_LIMIT", "";
        /// The zone in which the month begins, on the 1st at 00:00.
        zone: Zone = Zone::shanghai(), "LARKDECK_QUOTA_ZONE", "";
    }

    /// How this larkdeck is reached from outside.
    server: ServerSettings {
        /// Where `larkdeck serve` listens: address and port; port 0 takes a free one.
        listen: ListenAddress = ListenAddress::default(), "LARKDECK_SERVER_LISTEN", "";
        /// The certificate with its chain, a PEM file: then `larkdeck serve` speaks TLS itself. Read anew when it
        /// changes. Needs `tls_key`.
        tls_cert: Option<PathBuf> = None, "LARKDECK_SERVER_TLS_CERT", "/etc/larkdeck/fullchain.pem";
        /// The private key of that certificate, a PEM file.
        tls_key: Option<PathBuf> = None, "LARKDECK_SERVER_TLS_KEY", "/etc/larkdeck/privkey.pem";
        /// Whether `X-Forwarded-For` and `X-Forwarded-Proto` are believed. Only behind a reverse proxy that
        /// sets them itself: anybody else could write what he likes into them.
        trust_forwarded: bool = false, "LARKDECK_SERVER_TRUST_FORWARDED", "";
        /// The address that the three URLs of an integration begin with; it may carry a path prefix. Without
        /// it they cannot be shown, and `larkdeck serve` takes the address it listens on.
        public_url: Option<PublicUrl> = None, "LARKDECK_SERVER_PUBLIC_URL", "https://larkdeck.example.com";
    }

    /// The screen, and who sits before it.
    ui: UiSettings {
        /// The language of the screen. Without it, the locale decides (LC_ALL, LC_MESSAGES, LANG).
        lang: Option<Lang> = None, "LARKDECK_UI_LANG", "zh";
        /// The theme: `dark`, `light`, `terminal` (the terminal's own palette), or the name of a file
        /// in the folder `themes` beside the configuration. NO_COLOR beats it.
        theme: ThemeName = ThemeName::default(), "LARKDECK_UI_THEME", "";
        /// Characters that the screen is drawn with.
        glyphs: Glyphs = Glyphs::Unicode, "LARKDECK_UI_GLYPHS", "";
        /// Whether the mouse is used from the start; `:mouse` switches it.
        mouse: bool = false, "LARKDECK_UI_MOUSE", "";
        /// Whether addresses on the screen are links of the terminal (OSC 8), where it is one that knows them.
        hyperlinks: bool = true, "LARKDECK_UI_HYPERLINKS", "";
        /// Whether larkdeck may change tenant, links, rooms and configuration. With `false` it is
        /// read-only, and `--write` lifts that for one session.
        write: bool = true, "LARKDECK_UI_WRITE", "";
        /// Who reads here, for read marks and drafts: a name or an email. Without it, the OS user at this host.
        me: Option<String> = None, "LARKDECK_UI_ME", "ann@example.com";
        /// What the other consoles and the operation log call this one, in place of the OS user: where several
        /// people share an account. Roles go by the OS user all the same.
        name: Option<String> = None, "LARKDECK_UI_NAME", "ann";
        /// The zone of every time that is shown or printed.
        zone: Zone = Zone::default(), "LARKDECK_UI_ZONE", "";
    }

    /// What calls for attention.
    notify: NotifySettings {
        /// When the terminal's bell rings.
        bell: Bell = Bell::Mention, "LARKDECK_NOTIFY_BELL", "";
    }

    /// The log file `larkdeck.log` in the state folder (`$XDG_STATE_HOME/larkdeck`).
    log: LogSettings {
        /// The least important lines that are still written.
        level: LogLevel = LogLevel::Info, "LARKDECK_LOG_LEVEL", "";
        /// Size in MiB at which a new file is begun.
        max_mib: u32 = 5, "LARKDECK_LOG_MAX_MIB", "";
        /// Old files that are kept.
        keep: u32 = 3, "LARKDECK_LOG_KEEP", "";
    }
}

impl LogSettings {
    /// Size in bytes at which a new file is begun.
    pub fn max_bytes(&self) -> u64 {
        u64::from(self.max_mib) << 20
    }
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// A line of `[keys.CONTEXT]`: `"ctrl-r" = "reply"`. Judged by the keymap, which knows keys and commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOverride {
    /// `chat` of `[keys.chat]`.
    pub context: String,
    /// The key.
    pub key: String,
    /// The command, or `none`.
    pub command: String,
    /// Where it stands.
    pub origin: Origin,
}

/// Something that is wrong in the file but stops nobody: shown once, logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where it stands.
    pub origin: Origin,
    /// What is wrong with it.
    pub text: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.origin, self.text)
    }
}
