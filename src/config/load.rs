//! Reads file, environment and flags into the settings.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    error::ConfigError,
    nearest::nearest,
    schema::{KeyOverride, Origin, Raw, SECTIONS, SPECS, Settings, Warning},
};
use crate::core::{lang::Lang, secret::Secret};

/// Where a setting's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A line of the file.
    File(Origin),
    /// A variable of the environment.
    Environment(&'static str),
    /// A flag of the command line.
    Flag(&'static str),
}

/// Values given by flags: section, key, text, flag.
pub type Overrides = Vec<(&'static str, &'static str, String, &'static str)>;

/// What the settings are read from.
pub struct Sources<'a> {
    /// The file that was named by `--config` or `LARKDECK_CONFIG`: it must exist.
    pub named_file: Option<PathBuf>,
    /// The file that is read when none is named, if it exists.
    pub default_file: PathBuf,
    /// The environment.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// The flags.
    pub flags: Overrides,
}

/// The settings with what is worth knowing about them.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// The language of the screen: the setting, else the locale's.
    pub lang: Lang,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// Where each setting that is not the default comes from, by `section.key`.
    pub sources: BTreeMap<String, Source>,
    /// What is wrong but stops nobody.
    pub warnings: Vec<Warning>,
}

/// Reads the settings.
///
/// # Errors
/// [`ConfigError`]: a file that cannot be read or is no TOML, an unknown key, a bad value, a password that
/// others can read.
pub fn load(from: &Sources<'_>) -> Result<Loaded, ConfigError> {
    let mut loaded = Loaded::default();
    read_file(from, &mut loaded)?;
    for spec in SPECS {
        let Some(text) = (from.environment)(spec.variable).filter(|text| !text.is_empty()) else { continue };
        loaded
            .settings
            .set(spec.section, spec.key, Raw::Text(&text))
            .map_err(|reason| ConfigError::Environment { variable: spec.variable, reason })?;
        loaded.sources.insert(full(spec.section, spec.key), Source::Environment(spec.variable));
    }
    for (section, key, text, flag) in &from.flags {
        if has_password(text) {
            let reason = "it holds a password, which everybody on this host can read in the list of processes; put \
                          it into the file of [store] password_file, into LARKDECK_STORE_PASSWORD, or into ~/.pgpass";
            return Err(ConfigError::Flag { flag, reason: reason.to_owned() });
        }
        loaded
            .settings
            .set(section, key, Raw::Text(text))
            .map_err(|reason| ConfigError::Flag { flag, reason })?;
        loaded.sources.insert(full(section, key), Source::Flag(flag));
    }
    loaded.lang = loaded.settings.ui.lang.unwrap_or_else(|| locale(from.environment));
    Ok(loaded)
}

fn full(section: &str, key: &str) -> String {
    format!("{section}.{key}")
}

/// The language of the locale: the first of the three variables that is set decides, as POSIX has it.
fn locale(environment: &dyn Fn(&str) -> Option<String>) -> Lang {
    let set =
        ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(environment).find(|value| !value.is_empty());
    Lang::of_locale(&set.unwrap_or_default())
}

fn read_file(from: &Sources<'_>, loaded: &mut Loaded) -> Result<(), ConfigError> {
    let path = from.named_file.as_ref().unwrap_or(&from.default_file);
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && from.named_file.is_none() => {
            return Ok(());
        }
        Err(source) => return Err(ConfigError::Unreadable { path: path.clone(), source }),
    };
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let before = bytes.iter().take(error.valid_up_to());
        ConfigError::NotText { path: path.clone(), line: before.filter(|byte| **byte == b'\n').count() + 1 }
    })?;
    let reader = FileReader { path, text };
    reader.read(loaded)?;
    loaded.file = Some(path.clone());
    Ok(())
}

struct FileReader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl FileReader<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or_default();
        before.bytes().filter(|b| *b == b'\n').count() + 1
    }

    fn origin(&self, span: &Range<usize>) -> Origin {
        Origin { file: self.path.to_owned(), line: self.line(span) }
    }

    fn unknown<'n>(
        &self,
        what: &'static str,
        name: &Spanned<impl AsRef<str>>,
        names: impl Iterator<Item = &'n str>,
    ) -> ConfigError {
        let text = name.get_ref().as_ref();
        ConfigError::Unknown {
            path: self.path.to_owned(),
            line: self.line(&name.span()),
            what,
            name: text.to_owned(),
            nearest: nearest(text, names).map(str::to_owned),
        }
    }

    fn read(&self, loaded: &mut Loaded) -> Result<(), ConfigError> {
        let root = DeTable::parse(self.text).map_err(|error| ConfigError::Syntax {
            path: self.path.to_owned(),
            line: self.line(&error.span().unwrap_or_default()),
            reason: error.message().to_owned(),
        })?;
        for (name, value) in root.get_ref() {
            let section = name.get_ref().as_ref();
            let sections = || SECTIONS.iter().map(|(section, _)| *section).chain(["keys"]);
            if !sections().any(|good| good == section) {
                return Err(self.misplaced(name, value, sections));
            }
            let DeValue::Table(table) = value.get_ref() else {
                return Err(self.bad(section, &value.span(), format!("it is a section: write [{section}]")));
            };
            if section == "keys" {
                self.read_keys(table, loaded);
            } else {
                self.read_section(section, table, loaded)?;
            }
        }
        Ok(())
    }

    /// An unknown name at the top: a key that lacks its section, or no name at all.
    fn misplaced<'n, I: Iterator<Item = &'n str>>(
        &self,
        name: &Spanned<impl AsRef<str>>,
        value: &Spanned<DeValue<'_>>,
        sections: impl Fn() -> I,
    ) -> ConfigError {
        let text = name.get_ref().as_ref();
        let owner = SPECS.iter().find(|spec| spec.key == text && value.get_ref().as_table().is_none());
        match owner {
            Some(spec) => {
                self.bad(text, &name.span(), format!("it belongs below [{}], not at the top", spec.section))
            }
            None => self.unknown("section", name, sections()),
        }
    }

    fn bad(&self, key: &str, span: &Range<usize>, reason: String) -> ConfigError {
        ConfigError::Value { path: self.path.to_owned(), line: self.line(span), key: key.to_owned(), reason }
    }

    fn read_section(
        &self,
        section: &str,
        table: &DeTable<'_>,
        loaded: &mut Loaded,
    ) -> Result<(), ConfigError> {
        for (name, value) in table {
            let key = name.get_ref().as_ref();
            let is_known = loaded
                .settings
                .set(section, key, Raw::Toml(value.get_ref()))
                .map_err(|reason| self.bad(&full(section, key), &value.span(), reason))?;
            if !is_known {
                let keys = SPECS.iter().filter(|spec| spec.section == section).map(|spec| spec.key);
                return Err(self.unknown("key", name, keys));
            }
            let holds_password = value.get_ref().as_str().is_some_and(has_password);
            if let Some(mode) = holds_password.then(|| readable_by_others(self.path)).flatten() {
                return Err(ConfigError::Exposed {
                    path: self.path.to_owned(),
                    line: self.line(&value.span()),
                    key: full(section, key),
                    mode,
                });
            }
            loaded.sources.insert(full(section, key), Source::File(self.origin(&name.span())));
        }
        Ok(())
    }

    /// Bindings never stop the program: what is no binding is a warning.
    fn read_keys(&self, table: &DeTable<'_>, loaded: &mut Loaded) {
        for (context, bindings) in table {
            let Some(bindings) = bindings.get_ref().as_table() else {
                let text = format!(
                    "{:?} stands below [keys] itself: bindings go below [keys.CONTEXT]",
                    context.get_ref().as_ref()
                );
                loaded.warnings.push(Warning { origin: self.origin(&context.span()), text });
                continue;
            };
            for (key, command) in bindings {
                let origin = self.origin(&key.span());
                let key = key.get_ref().as_ref().to_owned();
                match command.get_ref().as_str() {
                    Some(command) => loaded.settings.keys.push(KeyOverride {
                        context: context.get_ref().as_ref().to_owned(),
                        key,
                        command: command.to_owned(),
                        origin,
                    }),
                    None => {
                        let text =
                            format!("the binding of {key:?} is no command: write its name, or \"none\"");
                        loaded.warnings.push(Warning { origin, text });
                    }
                }
            }
        }
    }
}

/// The secret in a file of its own: its owner's alone, or somebody else's who lets a group read it.
///
/// # Errors
/// [`ConfigError::Unreadable`], [`ConfigError::ExposedSecret`].
pub fn read_secret(path: &Path) -> Result<Secret, ConfigError> {
    if let Some(mode) = readable_by_others(path).filter(|mode| mode & 0o004 != 0 || is_mine(path)) {
        return Err(ConfigError::ExposedSecret { path: path.to_owned(), mode });
    }
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Secret::new(text)),
        Err(source) => Err(ConfigError::Unreadable { path: path.to_owned(), source }),
    }
}

/// Whether a setting is a URL with a password in it.
fn has_password(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        url.password().is_some_and(|password| !password.is_empty())
            || url.query_pairs().any(|(name, value)| name == "password" && !value.is_empty())
    })
}

/// The permission bits of `path`, where somebody besides its owner can read it.
#[cfg(unix)]
fn readable_by_others(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    (mode & 0o044 != 0).then_some(mode)
}

/// Whether the file is this user's own.
#[cfg(unix)]
fn is_mine(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).is_ok_and(|file| file.uid() == rustix::process::geteuid().as_raw())
}

#[cfg(not(unix))]
fn is_mine(_path: &Path) -> bool {
    true
}

#[cfg(not(unix))]
fn readable_by_others(_path: &Path) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::{config::value::*, core::error::Problem as _};

    fn read(text: &str, env: &[(&str, &str)], flags: Overrides) -> Result<Loaded, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let environment =
            |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        load(&Sources { named_file: None, default_file: file, environment: &environment, flags })
    }

    fn complaint(text: &str) -> String {
        let error = read(text, &[], vec![]).unwrap_err().to_string();
        error.split_once("config.toml").unwrap().1.to_owned()
    }

    #[test]
    fn flags_beat_environment_beats_file_beats_default() {
        let file = "[ui]\ntheme = 'light'\nglyphs = 'ascii'\nmouse = true\n";
        let env =
            [("LARKDECK_UI_THEME", "terminal"), ("LARKDECK_UI_GLYPHS", "unicode"), ("LANG", "zh_CN.UTF-8")];
        let loaded = read(file, &env, vec![("ui", "theme", "mono".into(), "--theme")]).unwrap();
        assert_eq!(loaded.settings.ui.theme.as_str(), "mono");
        assert_eq!(loaded.settings.ui.glyphs, Glyphs::Unicode);
        assert!(loaded.settings.ui.mouse && loaded.settings.ui.write);
        assert_eq!(loaded.lang, Lang::Zh);
        assert_eq!(loaded.sources["ui.theme"], Source::Flag("--theme"));
        assert_eq!(loaded.sources["ui.glyphs"], Source::Environment("LARKDECK_UI_GLYPHS"));
        assert!(matches!(&loaded.sources["ui.mouse"], Source::File(Origin { line: 4, .. })));
    }

    #[test]
    fn an_absent_file_is_fine_unless_it_was_named() {
        let nowhere = PathBuf::from("/nonexistent/larkdeck.toml");
        let mut sources = Sources {
            named_file: None,
            default_file: nowhere.clone(),
            environment: &|_| None,
            flags: vec![],
        };
        assert_eq!(load(&sources).unwrap().settings, Settings::default());
        sources.named_file = Some(nowhere);
        assert!(matches!(load(&sources), Err(ConfigError::Unreadable { .. })));
    }

    #[test]
    fn complaints_name_line_and_nearest() {
        assert_eq!(complaint("\n[ui]\n\nteme = 'x'\n"), ":4: unknown key \"teme\": did you mean \"theme\"?");
        assert_eq!(complaint("[stoer]\nurl='x'\n"), ":1: unknown section \"stoer\": did you mean \"store\"?");
        assert_eq!(complaint("theme = 'x'\n"), ":1: theme: it belongs below [ui], not at the top");
        assert_eq!(
            complaint("[ui]\nglyphs = 'emoji'\n"),
            ":2: ui.glyphs: \"emoji\" is not allowed here: \"unicode\" or \"ascii\""
        );
        assert_eq!(
            complaint("[ui]\nmouse = 'true'\n"),
            ":2: ui.mouse: \"true\" is not allowed here: true or false"
        );
        assert!(complaint("[log]\nkeep = 0\n").starts_with(":2: log.keep: 0 is not allowed"));
        assert!(complaint("[ui]\nmouse = \n").starts_with(":2: "));
        assert_eq!(complaint("ui = 3\n"), ":1: ui: it is a section: write [ui]");
    }

    #[test]
    fn bad_variables_and_flags_are_named() {
        let error = read("", &[("LARKDECK_UI_ZONE", "Mars")], vec![]).unwrap_err();
        assert!(error.to_string().starts_with("LARKDECK_UI_ZONE in the environment: \"Mars\""), "{error}");
        let error = read("", &[], vec![("ui", "lang", "fr".into(), "--lang")]).unwrap_err();
        assert!(matches!(error.kind(), crate::core::error::Kind::Usage));
    }

    #[test]
    fn passwords_are_refused_in_open_files() {
        let error = read("[store]\nurl = 'postgres://a:b@h/d'\n", &[], vec![]).unwrap_err();
        assert!(matches!(error, ConfigError::Exposed { line: 2, mode: 0o644, .. }), "{error}");
        assert!(error.hint().unwrap().starts_with("Run: chmod 600 "));
        assert!(read("[store]\nurl = 'sqlite:/x.db'\n", &[], vec![]).is_ok());
    }

    #[test]
    fn passwords_are_refused_on_the_command_line() {
        for url in ["postgres://a:s3cret@h/d", "postgres:///d?host=/run&password=s3cret"] {
            let error = read("", &[], vec![("store", "url", url.into(), "--store")]).unwrap_err();
            assert!(matches!(error.kind(), crate::core::error::Kind::Usage));
            assert!(
                error.to_string().contains("password_file") && !error.to_string().contains("s3cret"),
                "{error}"
            );
        }
        assert!(read("", &[], vec![("store", "url", "postgres://a@h/d".into(), "--store")]).is_ok());
        assert!(read("", &[("LARKDECK_STORE", "postgres://a:b@h/d")], vec![]).is_ok());
    }

    #[test]
    fn a_file_with_a_password_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "s3cret\n").unwrap();
        for (mode, is_good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            match read_secret(&path) {
                Ok(secret) => assert!(is_good && secret.reveal() == "s3cret", "{mode:o}"),
                Err(error) => {
                    assert!(!is_good && error.hint().unwrap().starts_with("Run: chmod 600 "), "{mode:o}")
                }
            }
        }
        assert!(matches!(read_secret(&folder.path().join("none")), Err(ConfigError::Unreadable { .. })));
    }

    #[test]
    fn bindings_are_kept_raw_and_never_stop_anybody() {
        let text = "[keys]\nq = 'quit'\n[keys.chat]\n\"ctrl-r\" = 'reply'\nx = 3\n";
        let loaded = read(text, &[], vec![]).unwrap();
        assert_eq!(loaded.settings.keys.len(), 1);
        assert_eq!(loaded.settings.keys[0].origin.line, 4);
        let mut lines: Vec<usize> = loaded.warnings.iter().map(|warning| warning.origin.line).collect();
        lines.sort_unstable();
        assert_eq!(lines, [2, 5]);
    }

    #[test]
    fn every_setting_can_be_set_from_its_document() {
        for spec in SPECS {
            let value = (spec.default)().unwrap_or_else(|| format!("{:?}", spec.example));
            let text = format!("[{}]\n{} = {value}\n", spec.section, spec.key);
            assert!(read(&text, &[], vec![]).is_ok(), "{text}");
        }
    }
}
