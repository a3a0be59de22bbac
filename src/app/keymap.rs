//! Which key does what where: the default table, and the person's own keys over it.

use std::fmt::Write as _;

use super::{
    command::{COMMANDS, Command, Risk},
    key::Key,
    model::{FooterHint, HelpRow, LinkStage, Model, Overlay, PaletteRow, Pane, RoomFocus},
};
use crate::config::KeyOverride;
use crate::core::lang::{Lang, Phrase, phrase};

/// A place where keys have a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Context {
    /// Everywhere, text fields and overlays included.
    Always,
    /// In every pane, unless text is being typed.
    Global,
    /// Lists and texts that can be moved in.
    List,
    /// Pane 1.
    Integrations,
    /// Pane 2.
    Users,
    /// Pane 3, the list.
    Rooms,
    /// Pane 3, the transcript.
    Chat,
    /// Pane 3, the thread.
    Thread,
    /// Pane 3, the composer.
    Compose,
    /// The popup of names in the composer.
    Mention,
    /// Pane 4.
    Quota,
    /// Pane 5.
    Log,
    /// A search field.
    Search,
    /// An overlay that is read: help, details, QR, plain text.
    Text,
    /// The palette.
    Palette,
    /// A form.
    Form,
    /// A question.
    Confirm,
    /// Linking.
    Link,
    /// Choosing a reaction.
    React,
}

impl Context {
    /// All of them, in the order of the documents.
    pub const ALL: [Self; 19] = [
        Self::Always,
        Self::Global,
        Self::List,
        Self::Integrations,
        Self::Users,
        Self::Rooms,
        Self::Chat,
        Self::Thread,
        Self::Compose,
        Self::Mention,
        Self::Quota,
        Self::Log,
        Self::Search,
        Self::Text,
        Self::Palette,
        Self::Form,
        Self::Confirm,
        Self::Link,
        Self::React,
    ];

    /// Its name in key settings: `[keys.chat]`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Global => "global",
            Self::List => "list",
            Self::Integrations => "integrations",
            Self::Users => "users",
            Self::Rooms => "rooms",
            Self::Chat => "chat",
            Self::Thread => "thread",
            Self::Compose => "compose",
            Self::Mention => "mention",
            Self::Quota => "quota",
            Self::Log => "log",
            Self::Search => "search",
            Self::Text => "text",
            Self::Palette => "palette",
            Self::Form => "form",
            Self::Confirm => "confirm",
            Self::Link => "link",
            Self::React => "react",
        }
    }

    /// What it is called.
    pub const fn title(self) -> Phrase {
        match self {
            Self::Always => phrase("Everywhere", "任何位置"),
            Self::Global => phrase("In every pane", "所有面板"),
            Self::List => phrase("Moving", "移动"),
            Self::Integrations => phrase("Integrations", "集成"),
            Self::Users => phrase("Linked users", "关联用户"),
            Self::Rooms => phrase("Rooms", "群列表"),
            Self::Chat => phrase("Transcript", "消息流"),
            Self::Thread => phrase("Thread", "话题"),
            Self::Compose => phrase("Composer", "输入框"),
            Self::Mention => phrase("Mention suggestions", "提及建议"),
            Self::Quota => phrase("Quota", "配额"),
            Self::Log => phrase("Log", "日志"),
            Self::Search => phrase("Search field", "搜索框"),
            Self::Text => phrase("Help and details", "帮助与详情"),
            Self::Palette => phrase("Command palette", "命令面板"),
            Self::Form => phrase("Form", "表单"),
            Self::Confirm => phrase("Question", "确认"),
            Self::Link => phrase("Linking", "关联过程"),
            Self::React => phrase("Reactions", "表情"),
        }
    }

    /// Whether plain characters are text here: they reach no other context.
    pub const fn types_text(self) -> bool {
        matches!(self, Self::Compose | Self::Mention | Self::Search | Self::Palette | Self::Form)
    }
}

/// A row of the default keys.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// Where.
    pub context: Context,
    /// Keys, separated by spaces.
    pub keys: &'static str,
    /// What they do.
    pub command: Command,
    /// Place in the footer, 1 first; 0 is not in the footer.
    pub footer: u8,
}

const fn bind(context: Context, keys: &'static str, command: Command, footer: u8) -> Binding {
    Binding { context, keys, command, footer }
}

/// The default keys.
pub const BINDINGS: &[Binding] = {
    use Command as C;
    use Context as X;
    &[
        bind(X::Always, "ctrl-c", C::Quit, 0),
        bind(X::Always, "ctrl-z", C::Suspend, 0),
        bind(X::Always, "ctrl-l", C::Redraw, 0),
        bind(X::Always, "f1", C::Help, 0),
        bind(X::Always, "alt-1", C::PaneIntegrations, 0),
        bind(X::Always, "alt-2", C::PaneUsers, 0),
        bind(X::Always, "alt-3", C::PaneRooms, 0),
        bind(X::Always, "alt-4", C::PaneQuota, 0),
        bind(X::Always, "alt-5", C::PaneLog, 0),
        bind(X::Global, "1", C::PaneIntegrations, 0),
        bind(X::Global, "2", C::PaneUsers, 0),
        bind(X::Global, "3", C::PaneRooms, 0),
        bind(X::Global, "4", C::PaneQuota, 0),
        bind(X::Global, "5", C::PaneLog, 0),
        bind(X::Global, "q", C::Quit, 92),
        bind(X::Global, "?", C::Help, 90),
        bind(X::Global, ":", C::Palette, 91),
        bind(X::Global, "!", C::LastError, 0),
        bind(X::Global, "N", C::NextIntegration, 0),
        bind(X::Global, "R", C::Refresh, 0),
        bind(X::Global, "W", C::Consoles, 0),
        bind(X::Global, "esc", C::Back, 0),
        bind(X::List, "k up", C::Up, 0),
        bind(X::List, "j down", C::Down, 0),
        bind(X::List, "pgup ctrl-b", C::PageUp, 0),
        bind(X::List, "pgdn ctrl-f", C::PageDown, 0),
        bind(X::List, "g home", C::First, 0),
        bind(X::List, "G end", C::Last, 0),
        bind(X::List, "/", C::Search, 0),
        bind(X::Integrations, "enter right", C::Open, 1),
        bind(X::Integrations, "left", C::Back, 0),
        bind(X::Integrations, "a", C::Add, 2),
        bind(X::Integrations, "e", C::Edit, 3),
        bind(X::Integrations, "y", C::Copy, 4),
        bind(X::Integrations, "o", C::Qr, 5),
        bind(X::Integrations, "w", C::WarRoom, 6),
        bind(X::Integrations, "c", C::Check, 7),
        bind(X::Integrations, "u", C::Use, 8),
        bind(X::Integrations, "x", C::Remove, 9),
        bind(X::Integrations, "v", C::Plain, 0),
        bind(X::Users, "enter", C::Open, 1),
        bind(X::Users, "L", C::LinkAll, 2),
        bind(X::Users, "l", C::Link, 3),
        bind(X::Users, "y", C::CopyMessage, 4),
        bind(X::Users, "tab right", C::NextFilter, 5),
        bind(X::Users, "shift-tab left", C::PreviousFilter, 0),
        bind(X::Users, "/", C::Search, 6),
        bind(X::Users, "u", C::UndoLink, 7),
        bind(X::Users, "i", C::Invite, 9),
        bind(X::Users, "x", C::Unlink, 8),
        bind(X::Users, "p", C::Press, 9),
        bind(X::Rooms, "enter right", C::Open, 1),
        bind(X::Rooms, "n", C::NextUnread, 2),
        bind(X::Rooms, "/", C::Search, 3),
        bind(X::Rooms, "d", C::Closed, 5),
        bind(X::Rooms, "z", C::Zoom, 0),
        bind(X::Rooms, "p", C::People, 0),
        bind(X::Rooms, "i c tab", C::Compose, 4),
        bind(X::Chat, "i c tab", C::Compose, 1),
        bind(X::Chat, "r", C::Reply, 2),
        bind(X::Chat, "T", C::ReplyInThread, 0),
        bind(X::Chat, "enter t", C::Thread, 3),
        bind(X::Chat, "+", C::React, 4),
        bind(X::Chat, "y", C::Copy, 5),
        bind(X::Chat, "v", C::Plain, 0),
        bind(X::Chat, "G end", C::Last, 6),
        bind(X::Chat, "f", C::FirstUnread, 0),
        bind(X::Chat, "n", C::NextUnread, 7),
        bind(X::Chat, "z", C::Zoom, 8),
        bind(X::Chat, "p", C::People, 9),
        bind(X::Chat, "s", C::Retry, 0),
        bind(X::Chat, "x", C::Discard, 0),
        bind(X::Chat, "left", C::Back, 0),
        bind(X::Thread, "i c r tab", C::ReplyInThread, 1),
        bind(X::Thread, "y", C::Copy, 2),
        bind(X::Thread, "left", C::Back, 0),
        bind(X::Thread, "z", C::Zoom, 0),
        bind(X::Compose, "enter", C::Send, 1),
        bind(X::Compose, "alt-enter ctrl-j shift-enter", C::NewLine, 2),
        bind(X::Compose, "esc", C::Back, 3),
        bind(X::Compose, "ctrl-x", C::CancelReply, 4),
        bind(X::Compose, "ctrl-t", C::ToggleThread, 5),
        bind(X::Compose, "pgup", C::PageUp, 0),
        bind(X::Compose, "pgdn", C::PageDown, 0),
        bind(X::Mention, "tab enter", C::TakeMention, 1),
        bind(X::Mention, "up ctrl-p", C::Up, 0),
        bind(X::Mention, "down ctrl-n", C::Down, 0),
        bind(X::Mention, "esc", C::Back, 2),
        bind(X::Log, "enter", C::Open, 1),
        bind(X::Log, "y", C::Copy, 2),
        bind(X::Log, "v", C::Plain, 0),
        bind(X::Search, "enter", C::Open, 1),
        bind(X::Search, "esc", C::Back, 2),
        bind(X::Search, "up", C::Up, 0),
        bind(X::Search, "down", C::Down, 0),
        bind(X::Search, "pgup", C::PageUp, 0),
        bind(X::Search, "pgdn", C::PageDown, 0),
        bind(X::Search, "tab", C::NextFilter, 3),
        bind(X::Search, "shift-tab", C::PreviousFilter, 0),
        bind(X::Text, "esc q enter ?", C::Back, 1),
        bind(X::Text, "y", C::Copy, 2),
        bind(X::Text, "v", C::Plain, 3),
        bind(X::Palette, "enter", C::Run, 1),
        bind(X::Palette, "esc", C::Back, 2),
        bind(X::Palette, "up ctrl-p shift-tab", C::Up, 0),
        bind(X::Palette, "down ctrl-n tab", C::Down, 0),
        bind(X::Palette, "pgup", C::PageUp, 0),
        bind(X::Palette, "pgdn", C::PageDown, 0),
        bind(X::Form, "enter", C::Open, 1),
        bind(X::Form, "tab down", C::NextField, 2),
        bind(X::Form, "shift-tab up", C::PreviousField, 0),
        bind(X::Form, "ctrl-s", C::Save, 3),
        bind(X::Form, "esc", C::Back, 4),
        bind(X::Confirm, "y", C::Accept, 1),
        bind(X::Confirm, "enter", C::AcceptSafe, 0),
        bind(X::Confirm, "n esc q", C::Refuse, 2),
        bind(X::Link, "enter", C::Open, 1),
        bind(X::Link, "s", C::StopLinking, 2),
        bind(X::Link, "u", C::UndoLink, 3),
        bind(X::Link, "y", C::Copy, 4),
        bind(X::Link, "v", C::Plain, 0),
        bind(X::Link, "esc q", C::Back, 5),
        bind(X::React, "enter", C::Open, 1),
        bind(X::React, "left h up k", C::PreviousChoice, 0),
        bind(X::React, "right l down j", C::NextChoice, 0),
        bind(X::React, "- x", C::Unreact, 2),
        bind(X::React, "esc q", C::Back, 3),
    ]
};

/// One key in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Where.
    pub context: Context,
    /// Which key.
    pub key: Key,
    /// What it does.
    pub command: Command,
    /// Place in the footer; 0 is not in the footer.
    pub footer: u8,
}

/// The keys as they are, in the order of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    bounds: Vec<Bound>,
}

impl Default for Keymap {
    fn default() -> Self {
        let bounds = BINDINGS.iter().flat_map(|row| {
            let keys = row.keys.split_ascii_whitespace().filter_map(|key| key.parse().ok());
            keys.map(|key| Bound { context: row.context, key, command: row.command, footer: row.footer })
        });
        Self { bounds: bounds.collect() }
    }
}

impl Keymap {
    /// The default keys with the person's own over them. What cannot be understood leaves the default as it
    /// is and comes back as a warning, one line each.
    pub fn with_overrides(overrides: &[KeyOverride]) -> (Self, Vec<String>) {
        let mut map = Self::default();
        let mut warnings = Vec::new();
        let mut set: Vec<(Context, Key)> = Vec::new();
        for item in overrides {
            match map.apply(item, &mut set) {
                Ok(()) => {}
                Err(reason) => warnings.push(format!("{}: {reason}; the default stands", item.origin)),
            }
        }
        (map, warnings)
    }

    fn apply(&mut self, item: &KeyOverride, set: &mut Vec<(Context, Key)>) -> Result<(), String> {
        let context =
            Context::ALL.into_iter().find(|context| context.name() == item.context).ok_or_else(|| {
                format!(
                    "there are no keys for {:?}{}",
                    item.context,
                    nearest(&item.context, Context::ALL.map(Context::name))
                )
            })?;
        let key: Key = item.key.parse().map_err(|error: super::key::InvalidKey| error.to_string())?;
        if key == Key::ctrl('c') {
            return Err("ctrl-c always leaves".to_owned());
        }
        if context.types_text() && key.typed().is_some() {
            return Err(format!("{key} is text in [keys.{}]", context.name()));
        }
        let command = match item.command.as_str() {
            "none" => None,
            name => Some(Command::named(name).ok_or_else(|| {
                let names = COMMANDS.iter().map(|spec| spec.name);
                format!("there is no command {name:?}{}", nearest(name, names))
            })?),
        };
        if set.contains(&(context, key)) {
            return Err(format!("{key} is set twice in [keys.{}]", context.name()));
        }
        set.push((context, key));
        let footer = |command: Command| {
            let row = BINDINGS.iter().find(|row| row.context == context && row.command == command);
            row.map_or(0, |row| row.footer)
        };
        self.bounds.retain(|bound| bound.context != context || bound.key != key);
        if let Some(command) = command {
            // A key of one's own comes before the defaults: the footer shows it.
            self.bounds.insert(0, Bound { context, key, command, footer: footer(command) });
        }
        Ok(())
    }

    /// What `key` does in `context` alone.
    pub fn get(&self, context: Context, key: Key) -> Option<Command> {
        self.bounds
            .iter()
            .find(|bound| bound.context == context && bound.key == key)
            .map(|bound| bound.command)
    }

    /// What `key` does where `contexts` hold, the innermost first. Text fields keep plain characters.
    pub fn resolve(&self, contexts: &[Context], key: Key) -> Option<Command> {
        let types_text = contexts.first().is_some_and(|context| context.types_text());
        let mut reachable =
            contexts.iter().filter(|context| !(types_text && key.typed().is_some()) || context.types_text());
        reachable.find_map(|context| self.get(*context, key))
    }

    /// The keys of `command` in `context`, as text: `k, up`.
    pub fn keys_of(&self, context: Context, command: Command) -> String {
        let keys = self.bounds.iter().filter(|bound| bound.context == context && bound.command == command);
        keys.map(|bound| bound.key.to_string()).collect::<Vec<_>>().join(", ")
    }

    /// All keys, in the order of the table.
    pub fn bounds(&self) -> &[Bound] {
        &self.bounds
    }
}

/// `; did you mean "…"?`, where a name is near enough.
fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let near = crate::config::nearest(text, names);
    near.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

/// The contexts that hold now, the innermost first.
pub fn contexts(model: &Model) -> Vec<Context> {
    use Context as X;
    if let Some(overlay) = model.overlay() {
        return match overlay {
            Overlay::Palette(_) => vec![X::Palette, X::Always],
            Overlay::Form(_) => vec![X::Form, X::Always],
            Overlay::Confirm(confirm) if confirm.typed_name.is_some() => vec![X::Form, X::Always],
            Overlay::Confirm(_) => vec![X::Confirm, X::Always],
            Overlay::Link(_) => vec![X::Link, X::List, X::Always],
            Overlay::React(_) => vec![X::React, X::Always],
            _ => vec![X::Text, X::List, X::Always],
        };
    }
    let inner: &[Context] = match model.pane {
        Pane::Integrations => &[X::Integrations],
        Pane::Users if model.users.is_searching => return vec![X::Search, X::Always],
        Pane::Users => &[X::Users],
        Pane::Rooms if model.rooms.is_filtering => return vec![X::Search, X::Always],
        Pane::Rooms => match (model.rooms.focus, &model.room) {
            (RoomFocus::Composer, Some(room)) if room.composer.suggestions().is_some() => {
                return vec![X::Mention, X::Compose, X::Always];
            }
            (RoomFocus::Composer, Some(_)) => return vec![X::Compose, X::Always],
            (RoomFocus::Transcript, Some(_)) => &[X::Chat],
            (RoomFocus::Thread, Some(_)) => &[X::Thread],
            _ => &[X::Rooms],
        },
        Pane::Quota => &[X::Quota],
        Pane::Log => &[X::Log],
    };
    inner.iter().copied().chain([X::List, X::Global, X::Always]).collect()
}

/// The hints of the footer for what has the focus now.
pub(super) fn footer(model: &Model) -> Vec<FooterHint> {
    let contexts = contexts(model);
    let types_text = contexts.first().is_some_and(|context| context.types_text());
    let mut hints: Vec<(u8, FooterHint)> = Vec::new();
    for bound in model.keymap.bounds() {
        let applies = bound.footer > 0 && contexts.contains(&bound.context);
        let is_text = types_text && bound.key.typed().is_some() && !bound.context.types_text();
        let is_shadowed = model.keymap.resolve(&contexts, bound.key) != Some(bound.command);
        let is_there = hints.iter().any(|(_, hint)| hint.command == bound.command);
        if !applies || is_text || is_shadowed || is_there || !bound.command.is_offered(model) {
            continue;
        }
        if !makes_sense(model, bound.command) {
            continue;
        }
        let hint = FooterHint {
            command: bound.command,
            key: bound.key.to_string(),
            label: bound.command.spec().label,
            disabled: bound.command.enabled(model).err(),
        };
        hints.push((bound.footer, hint));
    }
    hints.sort_by_key(|(place, _)| *place);
    hints.into_iter().map(|(_, hint)| hint).collect()
}

/// Hints that would only take place where the overlay has nothing for them.
fn makes_sense(model: &Model, command: Command) -> bool {
    match (model.overlay(), command) {
        (Some(Overlay::Link(flow)), Command::StopLinking) => matches!(flow.stage, LinkStage::Running(..)),
        (Some(Overlay::Link(flow)), Command::UndoLink | Command::Copy) => {
            matches!(flow.stage, LinkStage::Finished(_))
        }
        (Some(Overlay::Link(flow)), Command::Open) => {
            matches!(flow.stage, LinkStage::Finished(_) | LinkStage::Preview(_))
        }
        (Some(Overlay::Help(_)), Command::Copy | Command::Plain)
        | (Some(Overlay::Plain(_)), Command::Plain) => false,
        (None, Command::CancelReply | Command::ToggleThread) => command.enabled(model).is_ok(),
        _ => true,
    }
}

/// The help for what has the focus now, from the keys as they are.
pub(super) fn help(model: &Model, contexts: &[Context]) -> Vec<HelpRow> {
    let mut rows = Vec::new();
    let here = contexts.iter().copied();
    let others = Context::ALL.into_iter().filter(|context| !contexts.contains(context));
    for context in here.chain(others) {
        let mut seen: Vec<Command> = Vec::new();
        let bounds = model.keymap.bounds().iter().filter(|bound| bound.context == context);
        for bound in bounds.filter(|bound| bound.command.is_offered(model)) {
            if seen.contains(&bound.command) {
                continue;
            }
            if seen.is_empty() {
                rows.push(HelpRow::Title(context.title()));
            }
            seen.push(bound.command);
            let spec = bound.command.spec();
            rows.push(HelpRow::Entry {
                keys: model.keymap.keys_of(context, bound.command),
                label: spec.label,
                help: spec.help,
                disabled: bound.command.enabled(model).err(),
                risk: spec.risk,
            });
        }
    }
    rows
}

/// The commands that match `typed`, best first.
pub(super) fn palette(model: &Model, typed: &str) -> Vec<PaletteRow> {
    let needle = typed.trim().to_lowercase();
    let mut rows: Vec<(u32, PaletteRow)> = Vec::new();
    for spec in COMMANDS.iter().filter(|spec| spec.in_palette && spec.command.is_offered(model)) {
        let score = [spec.name, spec.label.en, spec.label.zh, spec.help.get(model.lang)]
            .into_iter()
            .zip([0, 10, 10, 500])
            .filter_map(|(text, handicap)| Some(fuzzy(&needle, &text.to_lowercase())? + handicap))
            .min();
        let Some(score) = score else { continue };
        let disabled = spec.command.enabled(model).err();
        let mut keys: Vec<String> = Vec::new();
        for bound in model.keymap.bounds().iter().filter(|bound| bound.command == spec.command) {
            let key = bound.key.to_string();
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let penalty = if disabled.is_some() { 1 } else { 0 };
        rows.push((
            score * 2 + penalty,
            PaletteRow { command: spec.command, keys: keys.join(", "), disabled },
        ));
    }
    rows.sort_by_key(|(score, _)| *score);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// How far `text` is from having `needle` in it, characters in order: 0 is a beginning. `None`: it has not.
fn fuzzy(needle: &str, text: &str) -> Option<u32> {
    let mut score = 0u32;
    let mut chars = text.chars().enumerate();
    let mut last = None;
    for wanted in needle.chars().filter(|c| !c.is_whitespace()) {
        let (at, _) = chars.find(|(_, c)| *c == wanted)?;
        let gap = last.map_or(at, |last: usize| at - last - 1);
        score = score.saturating_add(u32::try_from(gap).unwrap_or(u32::MAX).min(50));
        last = Some(at);
    }
    Some(score)
}

/// `docs/KEYS.md`.
pub fn markdown() -> String {
    let map = Keymap::default();
    let mut out = String::from(
        "# Keys\n\nGenerated from the keymap; do not edit. `?` in the console shows the same, with your own keys.\n\
         Keys of your own go into `config.toml`:\n\n```toml\n[keys.chat]\n\"ctrl-r\" = \"reply\"\n\"x\" = \"none\"\n```\n\n\
         A command marked *change* or *destroy* is not there with `--read-only`; *destroy* always asks, and never\n\
         takes Enter for an answer. Text fields edit as in a shell:\n\n| keys | |\n| --- | --- |\n",
    );
    for (keys, what) in super::compose::EDIT_KEYS {
        _ = writeln!(out, "| {} | {} |", code(keys), what.en);
    }
    for context in Context::ALL {
        let mut seen: Vec<Command> = Vec::new();
        for bound in map.bounds.iter().filter(|bound| bound.context == context) {
            if seen.contains(&bound.command) {
                continue;
            }
            if seen.is_empty() {
                _ = writeln!(
                    out,
                    "\n## {} (`[keys.{}]`)\n\n| keys | command | risk | |\n| --- | --- | --- | --- |",
                    context.title().get(Lang::En),
                    context.name()
                );
            }
            seen.push(bound.command);
            let spec = bound.command.spec();
            let keys = code(&map.keys_of(context, bound.command));
            _ = writeln!(out, "| {keys} | `{}` | {} | {} |", spec.name, risk(spec.risk), spec.help.en);
        }
    }
    out.push_str("\n## Commands of the palette\n\n| command | risk | |\n| --- | --- | --- |\n");
    for spec in COMMANDS.iter().filter(|spec| spec.in_palette) {
        _ = writeln!(out, "| `{}` | {} | {} |", spec.name, risk(spec.risk), spec.help.en);
    }
    out
}

/// Keys of a list as code, `|` escaped for the table.
fn code(keys: &str) -> String {
    keys.split(", ").map(|key| format!("`{}`", key.replace('|', "\\|"))).collect::<Vec<_>>().join(" ")
}

const fn risk(risk: Risk) -> &'static str {
    match risk {
        Risk::Read => "",
        Risk::Change => "*change*",
        Risk::Destroy => "*destroy*",
    }
}
