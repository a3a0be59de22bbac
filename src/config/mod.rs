//! Settings: one schema gives the defaults, the file, the environment, the flags and the documents.
//!
//! Flags beat the environment, which beats the file, which beats the defaults. An unknown key or a bad value
//! is an error with file, line and the nearest good name; a bad key binding alone is a warning.

mod document;
mod error;
mod load;
mod nearest;
mod paths;
mod schema;
mod value;

pub use document::{example_file, reference};
pub use error::ConfigError;
pub use load::{Loaded, Overrides, Source, Sources, load, read_secret};
pub use nearest::nearest;
pub use paths::Paths;
pub use schema::{
    KeyOverride, LiveSettings, LogSettings, NotifySettings, Origin, QuotaSettings, SPECS, ServerSettings,
    Settings, Spec, StoreSettings, UiSettings, Warning,
};
pub use value::{
    Bell, Glyphs, ListenAddress, LogLevel, MonthLimit, PublicUrl, RoomsFollowed, ThemeName, Zone,
};
