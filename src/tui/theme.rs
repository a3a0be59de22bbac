//! Themes: a file gives colours to roles, code names roles alone. A role without colours of its own falls
//! back along a fixed chain; without colour at all, weight and reversal carry the meaning.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use ratatui::style::{Modifier, Style};
use serde::Deserialize;

mod colour;
mod role;

pub use colour::{Depth, contrast, rgb_of};
pub use role::{Role, SENDERS};

/// The themes that are always there.
const BUILT_IN: [(&str, &str); 3] = [
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("terminal", include_str!("../../themes/terminal.toml")),
];
/// How many themes may inherit from one another.
const MAX_ANCESTORS: usize = 8;

/// What is wrong with a theme.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// No theme of that name.
    #[error("there is no theme {name:?}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// The file cannot be read.
    #[error("cannot read the theme {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is no theme.
    #[error("the theme {name} is wrong: {reason}")]
    Wrong {
        /// Name of the theme.
        name: String,
        /// What is wrong, with line and nearest name where there is one.
        reason: String,
    },
}

impl ThemeError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { known, .. } => Some(format!("Choose one of: {}.", known.join(", "))),
            Self::Read { .. } => None,
            Self::Wrong { .. } => Some("Compare with themes/dark.toml.".to_owned()),
        }
    }
}

/// The looks of every role, ready for the terminal at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    name: String,
    ground: Style,
    styles: Vec<Style>,
}

impl Theme {
    /// The theme of that name, from `folder` or built in, for a terminal of `depth`.
    ///
    /// # Errors
    /// When there is none, or its file is wrong.
    pub fn load(name: &str, folder: Option<&Path>, depth: Depth) -> Result<Self, ThemeError> {
        let mut family = family(name, folder)?;
        // Sixteen colours are what their owner made of them: only the theme that uses them as such is sure
        // to be readable.
        if depth == Depth::Sixteen && family.iter().all(|(name, _)| name != "terminal") {
            family = self::family("terminal", None)?;
        }
        let looks = merge(&family)?;
        let style = |role: Role| resolve(&looks, role, depth);
        let ground = style(Role::Ground);
        Ok(Self {
            name: name.to_owned(),
            ground,
            styles: Role::ALL.iter().map(|role| style(*role)).collect(),
        })
    }

    /// The built-in theme for a dark screen; where even that failed, no colours.
    pub fn fallback(depth: Depth) -> Self {
        Self::load("dark", None, depth).unwrap_or_else(|_| Self {
            name: "plain".to_owned(),
            ground: Style::new(),
            styles: Role::ALL.iter().map(|role| Style::new().add_modifier(role.mono())).collect(),
        })
    }

    /// The same looks under another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What an empty cell looks like.
    pub const fn ground(&self) -> Style {
        self.ground
    }

    /// How `role` looks. Has a background only where the role brings one.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role as usize).copied().unwrap_or_default()
    }

    /// The colour of a sender: always the same for the same id.
    pub fn sender(&self, id: &str) -> Style {
        // FNV-1a: stable across runs and machines.
        let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let count = u64::try_from(SENDERS.len()).unwrap_or(1);
        let at = usize::try_from((hash ^ (hash >> 32)) % count).unwrap_or_default();
        SENDERS.get(at).map_or_else(Style::new, |role| self.style(*role))
    }
}

/// Names of all themes: those of `folder` after the built-in ones.
pub fn names(folder: Option<&Path>) -> Vec<String> {
    let mut names: Vec<String> = BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
    let files = folder.and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let mut own: Vec<String> = files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "toml"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .filter(|name| !names.contains(name))
        .collect();
    own.sort();
    names.append(&mut own);
    names
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    inherits: Option<String>,
    #[serde(default)]
    palette: BTreeMap<String, String>,
    #[serde(default)]
    roles: BTreeMap<String, Look>,
}

/// What a file says of one role.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Look {
    Foreground(String),
    Full(FullLook),
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FullLook {
    fg: Option<String>,
    bg: Option<String>,
    #[serde(default)]
    bold: bool,
    #[serde(default)]
    dim: bool,
    #[serde(default)]
    italic: bool,
    #[serde(default)]
    underline: bool,
    #[serde(default)]
    reverse: bool,
}

impl Look {
    fn full(self) -> FullLook {
        match self {
            Self::Foreground(fg) => FullLook { fg: Some(fg), ..FullLook::default() },
            Self::Full(full) => full,
        }
    }
}

/// The theme and those it inherits from, the oldest first.
fn family(name: &str, folder: Option<&Path>) -> Result<Vec<(String, File)>, ThemeError> {
    let mut family = Vec::new();
    let mut next = Some(name.to_owned());
    while let Some(name) = next {
        if family.len() == MAX_ANCESTORS || family.iter().any(|(known, _)| *known == name) {
            return Err(ThemeError::Wrong { name, reason: "it inherits from itself".to_owned() });
        }
        let file = read(&name, folder)?;
        next = file.inherits.clone();
        family.insert(0, (name, file));
    }
    Ok(family)
}

fn read(name: &str, folder: Option<&Path>) -> Result<File, ThemeError> {
    let own = folder.map(|folder| folder.join(format!("{name}.toml"))).filter(|path| path.is_file());
    let is_plain = !name.is_empty() && !name.contains(['/', '\\']) && name != "..";
    let text = match own.filter(|_| is_plain) {
        Some(file) => std::fs::read_to_string(&file).map_err(|source| ThemeError::Read { file, source })?,
        None => match BUILT_IN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => (*text).to_owned(),
            None => return Err(ThemeError::Unknown { name: name.to_owned(), known: names(folder) }),
        },
    };
    toml::from_str(&text).map_err(|error| wrong(name, error.to_string().trim_end()))
}

fn wrong(name: &str, reason: impl Into<String>) -> ThemeError {
    ThemeError::Wrong { name: name.to_owned(), reason: reason.into() }
}

type Looks = BTreeMap<Role, (Style, bool)>;

/// The looks that the family gives, in full colour. The younger ones win, role by role; palettes are shared.
fn merge(family: &[(String, File)]) -> Result<Looks, ThemeError> {
    let mut palette: BTreeMap<&str, &str> = BTreeMap::new();
    for (_, file) in family {
        palette.extend(file.palette.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    }
    let mut looks = Looks::new();
    for (name, file) in family {
        for (role, look) in &file.roles {
            let Some(role) = Role::parse(role) else {
                let nearest =
                    Role::nearest(role).map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
                return Err(wrong(name, format!("{role:?} is not a role{nearest}")));
            };
            looks.insert(role, style_of(name, look.clone().full(), &palette)?);
        }
    }
    Ok(looks)
}

/// The style of a look, and whether it sets attributes of its own.
fn style_of(
    theme: &str,
    look: FullLook,
    palette: &BTreeMap<&str, &str>,
) -> Result<(Style, bool), ThemeError> {
    let colour = |name: &str| {
        let text = palette.get(name).copied().unwrap_or(name);
        colour::parse(text).ok_or_else(|| {
            wrong(
                theme,
                format!(
                    "{text:?} is neither a name of its palette nor a colour such as #1a2b3c or bright-red"
                ),
            )
        })
    };
    let mut style = Style::new();
    if let Some(fg) = &look.fg {
        style = style.fg(colour(fg)?);
    }
    if let Some(bg) = &look.bg {
        style = style.bg(colour(bg)?);
    }
    let attributes = [
        (look.bold, Modifier::BOLD),
        (look.dim, Modifier::DIM),
        (look.italic, Modifier::ITALIC),
        (look.underline, Modifier::UNDERLINED),
        (look.reverse, Modifier::REVERSED),
    ];
    let set = attributes.iter().filter(|(on, _)| *on).fold(Modifier::empty(), |all, (_, one)| all | *one);
    Ok((style.add_modifier(set), !set.is_empty()))
}

/// The style of `role`: its own, and what it lacks from the roles it falls back to.
fn resolve(looks: &Looks, role: Role, depth: Depth) -> Style {
    if depth == Depth::Mono {
        return Style::new().add_modifier(role.mono());
    }
    let mut style = Style::new();
    let mut has_attributes = false;
    let mut next = Some(role);
    while let Some(at) = next {
        if let Some((look, sets_attributes)) = looks.get(&at) {
            style.fg = style.fg.or(look.fg);
            // The ground is painted once; only roles that stand out from it bring a background.
            style.bg = style.bg.or(look.bg);
            if *sets_attributes && !has_attributes {
                style = style.add_modifier(look.add_modifier);
                has_attributes = true;
            }
        }
        next = at.fallback();
    }
    style.fg = style.fg.map(|colour| colour::reduce(colour, depth));
    style.bg = style.bg.map(|colour| colour::reduce(colour, depth));
    style
}

#[cfg(test)]
mod tests {
    use ratatui::style::Color;

    use super::*;

    #[test]
    fn every_built_in_theme_loads_at_every_depth() {
        for (name, _) in BUILT_IN {
            for depth in Depth::ALL {
                let theme = Theme::load(name, None, depth).unwrap();
                assert_eq!(theme.styles.len(), Role::ALL.len());
            }
        }
    }

    #[test]
    fn text_can_be_read_on_everything_it_stands_on() {
        for name in ["dark", "light"] {
            for depth in [Depth::True, Depth::Indexed] {
                let theme = Theme::load(name, None, depth).unwrap();
                let ground = theme.ground().bg.unwrap();
                let grounds: Vec<Color> = [Role::Selection, Role::Popup, Role::Input, Role::SelectionIdle]
                    .iter()
                    .map(|role| theme.style(*role).bg.unwrap())
                    .chain([ground])
                    .collect();
                for role in Role::ALL.iter().filter(|role| role.is_text()) {
                    let style = theme.style(*role);
                    let on = style.bg.map_or_else(|| grounds.clone(), |own| vec![own]);
                    for bg in on {
                        let ratio = contrast(style.fg.unwrap(), bg).unwrap();
                        let enough = if depth == Depth::True { 4.5 } else { 3.9 };
                        assert!(ratio >= enough, "{name} {depth:?}: {role:?} on {bg:?} is {ratio:.2}");
                    }
                }
            }
        }
    }

    #[test]
    fn without_colour_there_is_none() {
        for (name, _) in BUILT_IN {
            let theme = Theme::load(name, None, Depth::Mono).unwrap();
            for role in Role::ALL {
                let style = theme.style(*role);
                assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
            }
        }
    }

    #[test]
    fn senders_keep_their_colour() {
        let theme = Theme::load("dark", None, Depth::True).unwrap();
        assert_eq!(theme.sender("ou_1"), theme.sender("ou_1"));
        let different: std::collections::HashSet<_> =
            (0..40).map(|n| format!("{:?}", theme.sender(&format!("ou_{n}")))).collect();
        assert!(different.len() >= 6, "{}", different.len());
    }

    #[test]
    fn own_themes_inherit_and_say_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("mine.toml", "inherits = 'dark'\n[palette]\npop = '#ff8800'\n[roles]\naccent = 'pop'\n");
        write("typo.toml", "[roles]\n'txt.dim' = '#fff000'\n");
        write("loop.toml", "inherits = 'loop'\n");
        write("hue.toml", "[roles]\ntext = 'blurple'\n");
        let load = |name: &str| Theme::load(name, Some(folder.path()), Depth::True);
        let mine = load("mine").unwrap();
        assert_eq!(mine.style(Role::Accent).fg, Some(Color::Rgb(0xff, 0x88, 0)));
        assert_eq!(mine.ground(), load("dark").unwrap().ground());
        assert!(load("typo").unwrap_err().to_string().contains("did you mean \"text.dim\"?"));
        assert!(load("loop").unwrap_err().to_string().contains("inherits from itself"));
        assert!(load("hue").unwrap_err().to_string().contains("blurple"));
        assert!(load("none").unwrap_err().hint().unwrap().contains("dark, light, terminal, hue"));
        assert!(load("../dark").is_err());
    }
}
