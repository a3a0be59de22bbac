//! The command line: what `--help`, the man pages and the completions are made from.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum, ValueHint};

use crate::core::integration::{ImKind, Receive};

pub use super::{
    sim_args::{DemoArgs, SimArgs},
    upkeep_args::{KeyCommand, KeyRotate, StoreCommand},
};

const EXIT_CODES: &str = "\
Exit codes:
  0  done                             6  not found: room, member, integration
  1  failed                           7  done in part
  2  wrong usage                      8  offline, or the platform answers 5xx
  3  configuration or key             9  refused: read-only, held elsewhere, taken
  4  credentials or permission      130  interrupted (SIGINT)
  5  rate limit or quota            143  ended (SIGTERM)

Data goes to stdout, everything else to stderr. With --json a single thing is one object and many things are
one object a line; an unknown value is null. Times are RFC 3339 in the zone of ui.zone.

Files:
  $XDG_CONFIG_HOME/larkdeck/config.toml   settings; all of it optional
  $XDG_CONFIG_HOME/larkdeck/key           the key ring that seals the secrets in the store
  $XDG_DATA_HOME/larkdeck/larkdeck.db     the store
  $XDG_STATE_HOME/larkdeck/larkdeck.log   the log";

const IMPORT_EXAMPLES: &str = "\
Examples:
  larkdeck member import roster.csv --dry-run
  hr-export | larkdeck member import - --json | jq .rejected";

const LINK_EXAMPLES: &str = "\
Examples:
  larkdeck link --dry-run              who would be looked up, in how many calls
  larkdeck link                        every unlinked member
  larkdeck link wang.fang@ex.test      one member
  larkdeck link undo                   take the latest linking back
  larkdeck link invite wang            a link for one member to sign in by
  larkdeck link --json | jq -r 'select(.result == \"unlinked\") | [.name, .reason.code] | @tsv'";

const ADD_EXAMPLES: &str = "\
Examples:
  larkdeck integration add ops --app-id cli_a1b2c3d4e5f6a7b8
  larkdeck integration add ops --kind lark --app-id cli_… --app-secret-file /run/secrets/lark
  pass show lark/ops | larkdeck integration add ops --app-id cli_… --app-secret-file -
  larkdeck integration add Slack-Prod --kind slack       a name in the War Room rule, nothing more";

const TAIL_EXAMPLES: &str = "\
Examples:
  larkdeck room tail \"checkout latency\"
  larkdeck room tail oc_… --since 0 --json | jq -r '[.seq, .sender.name, .text] | @tsv'
  larkdeck room tail oc_… --since 2026-11-22T03:00:00+08:00";

const QUOTA_EXAMPLES: &str = "\
Examples:
  larkdeck quota
  larkdeck quota rebase 6214
  larkdeck quota --json | jq -e '.month.limit == null or .month.used < .month.limit * 0.8' || page-somebody";

/// Terminal operations console for Feishu/Lark incident response.
///
/// Without a command, larkdeck opens the console on the configured store and integrations. `larkdeck demo` opens
/// it on a simulated tenant and needs nothing. Every other command does without a screen what the console does
/// with one, for scripts and for cron.
#[derive(Debug, Clone, Parser)]
#[command(name = "larkdeck", version, max_term_width = 110, after_long_help = EXIT_CODES)]
#[command(subcommand_help_heading = "Commands", disable_help_subcommand = false)]
pub struct Args {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do; without one, the console.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of every command.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Read the configuration from FILE, which must exist
    #[arg(long, global = true, value_name = "FILE", env = "LARKDECK_CONFIG", value_hint = ValueHint::FilePath)]
    #[arg(hide_env_values = true)]
    pub config: Option<PathBuf>,

    /// Use the store at URL: sqlite:PATH or postgres://USER@HOST/DATABASE [env: LARKDECK_STORE]
    // The variable is read with the settings: there, a store from the environment is told from one of a flag.
    #[arg(long, global = true, value_name = "URL")]
    pub store: Option<String>,

    /// The integration that is meant; needed only when there are several
    #[arg(long, global = true, value_name = "NAME")]
    pub integration: Option<String>,

    /// Change nothing: not the tenant, links, rooms or configuration
    #[arg(long, global = true, conflicts_with = "write")]
    pub read_only: bool,

    /// Allow changes in this session where the configuration says ui.write = false
    #[arg(long, global = true)]
    pub write: bool,

    /// What the other consoles and the operation log call this one, in place of the OS user
    #[arg(long, global = true, value_name = "NAME")]
    pub console_name: Option<String>,

    /// Language of the screen: en or zh
    #[arg(long, global = true, value_name = "LANG")]
    pub lang: Option<String>,

    /// Theme of the screen
    #[arg(long, global = true, value_name = "NAME")]
    pub theme: Option<String>,

    /// Print JSON: one object for a single thing, one object a line for many
    #[arg(long, global = true)]
    pub json: bool,

    /// Write more to the log file; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// The commands.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Open the console on a simulated tenant; needs no account, no network and no configuration
    ///
    /// Starts the simulated platform on a loopback socket and a throw-away store in the same process, and opens
    /// the console on them: one integration, 320 members of whom 41 are unlinked, six War Rooms of different
    /// tempers and a call budget that moves. Everything is gone when it ends.
    Demo(DemoArgs),
    /// Run the simulated platform alone, on a socket
    ///
    /// The first line on stdout is an object with base_url, app_id, app_secret, verification_token and
    /// encrypt_key: give them to `larkdeck integration add --base-url`, or to any program that speaks the
    /// platform's protocol. Runs until it is interrupted. Without a scenario it lives by itself.
    ///
    /// People sign in at base_url/open-apis/authen/v1/authorize. With --webhook the URL is sent its challenge until
    /// it answers, then events and card callbacks go there, encrypted and signed. What the options do, a scenario
    /// does by `[app] redirect_urls`, `[oauth]`, `[webhook]` and `[[fault]] on = "push.*"`; base_url/_sim/ steers the rest.
    Sim(SimArgs),
    /// Add, show, change and check integrations
    #[command(subcommand)]
    Integration(IntegrationCommand),
    /// Import, list and change the roster of team members
    #[command(subcommand)]
    Member(MemberCommand),
    /// Link members to their platform accounts by phone and email
    ///
    /// Looks up the accounts of the members named, or of every unlinked one, and links those that are certain:
    /// phone and email do not contradict each other, and the account is not another member's. Lookups do not
    /// count against the month. Exit code 7 when some members stay unlinked; each says why and who can fix it.
    #[command(after_long_help = LINK_EXAMPLES)]
    Link(LinkArgs),
    /// Take links away
    Unlink(UnlinkArgs),
    /// List, read, follow and write to the rooms that the bot is in
    #[command(subcommand)]
    Room(RoomCommand),
    /// Show the call budget: the month and the rate buckets
    #[command(after_long_help = QUOTA_EXAMPLES)]
    Quota(QuotaArgs),
    /// Show the operation log: who did what to what, and what came of it
    Log(LogArgs),
    /// Say what would happen if a member pressed a button of a card, and do nothing
    ///
    /// The same code judges real presses, by long connection and by webhook: is the account linked, is the member
    /// licensed (as far as the roster tells), is the room still there, may larkdeck act. Prints the verdict and what the member would read.
    Press(super::serve_args::PressArgs),
    /// Run the gateway: no screen, the three URLs of every integration, the live connections
    ///
    /// Answers the Web Configuration URL, the Redirect URL and the Message Card Request URL of each integration
    /// in the store, holds the long connection where that is how events come, and writes what comes in to the
    /// store that every console follows. The first line on stdout, with --json, is an object with the address it
    /// listens on and the URLs. Ends with 0 when it is told to by SIGTERM, after it has finished what it accepted.
    Serve(super::serve_args::ServeArgs),
    /// Manage the key ring that seals the secrets in the store
    #[command(subcommand)]
    Key(KeyCommand),
    /// Make, bring up to date, check or copy the store
    #[command(subcommand)]
    Store(StoreCommand),
    /// Show who is connected to the store
    #[command(subcommand)]
    Console(super::people_args::ConsoleCommand),
    /// Show and assign roles: who may do what
    #[command(subcommand)]
    Role(super::people_args::RoleCommand),
    /// Print the completion script of a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write all of them to a folder
    Man(ManArgs),
}

/// `larkdeck integration …`.
#[derive(Debug, Clone, Subcommand)]
pub enum IntegrationCommand {
    /// Add an integration and check its credentials
    ///
    /// The secrets come from files, from LARKDECK_APP_SECRET, LARKDECK_ENCRYPT_KEY and
    /// LARKDECK_VERIFICATION_TOKEN, or, on a terminal, from a prompt that does not show what is typed. They are
    /// never taken from the command line, where every user of the host could read them.
    #[command(after_long_help = ADD_EXAMPLES)]
    Add(IntegrationAdd),
    /// List the integrations
    List,
    /// Show one integration: its URLs, its setting and its live connection
    Show {
        /// The integration; may be left out when there is only one
        name: Option<String>,
    },
    /// Change an integration; what is not named stays
    Edit(IntegrationEdit),
    /// Remove an integration with its links, rooms and messages
    Remove {
        /// The integration
        name: String,
    },
    /// Ask the platform whether the credentials work
    Check {
        /// The integration; may be left out when there is only one
        name: Option<String>,
    },
    /// Switch War Room on or off; at most one integration has it
    WarRoom {
        /// On or off
        action: Switch,
        /// The integration
        name: String,
    },
}

/// `enable` or `disable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On; refused with exit code 9 and the holder's name when another integration has it
    Enable,
    /// Off
    Disable,
}

/// Where secrets come from.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Secrets")]
pub struct SecretArgs {
    /// Read the App Secret from F; - is stdin [env: LARKDECK_APP_SECRET]
    #[arg(long, value_name = "F", value_hint = ValueHint::FilePath)]
    pub app_secret_file: Option<PathBuf>,
    /// Read the Encrypt Key from F; - is stdin [env: LARKDECK_ENCRYPT_KEY]
    #[arg(long, value_name = "F", value_hint = ValueHint::FilePath)]
    pub encrypt_key_file: Option<PathBuf>,
    /// Read the Verification Token from F; - is stdin [env: LARKDECK_VERIFICATION_TOKEN]
    #[arg(long, value_name = "F", value_hint = ValueHint::FilePath)]
    pub verification_token_file: Option<PathBuf>,
}

/// `larkdeck integration add`.
#[derive(Debug, Clone, ClapArgs)]
pub struct IntegrationAdd {
    /// A name of your own for it; unique
    pub name: String,
    /// App ID of the custom app (cli_…); needed for feishu and lark
    #[arg(long, value_name = "cli_…")]
    pub app_id: Option<String>,
    /// The platform: feishu, lark, dingtalk, slack or wecom
    #[arg(long, value_name = "KIND", default_value = "feishu")]
    pub kind: ImKind,
    /// Replaces every host of the platform: a proxy, a private cloud, a simulator
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// How events come in: long_connection, webhook or both
    #[arg(long, value_name = "MODE", default_value = "long_connection")]
    pub receive: Receive,
    /// Save without asking the platform
    #[arg(long)]
    pub no_check: bool,
    /// Where the secrets come from.
    #[command(flatten)]
    pub secrets: SecretArgs,
}

/// `larkdeck integration edit`.
#[derive(Debug, Clone, ClapArgs)]
pub struct IntegrationEdit {
    /// The integration
    pub name: String,
    /// A new name; unique
    #[arg(long = "name", value_name = "NAME")]
    pub new_name: Option<String>,
    /// A new App ID
    #[arg(long, value_name = "cli_…")]
    pub app_id: Option<String>,
    /// A new host of the platform
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// How events come in: long_connection, webhook or both
    #[arg(long, value_name = "MODE")]
    pub receive: Option<Receive>,
    /// Save without asking the platform
    #[arg(long)]
    pub no_check: bool,
    /// Where the secrets come from.
    #[command(flatten)]
    pub secrets: SecretArgs,
}

/// `larkdeck member …`.
#[derive(Debug, Clone, Subcommand)]
pub enum MemberCommand {
    /// Add and update members from a CSV file
    ///
    /// The file has a header row with the columns name, email and phone, and optionally team, licence (fixed,
    /// temporary, none; empty: not known) and id, in any order. A row with the id or the email of a member that exists updates it. A row needs a name; one without
    /// email and phone is kept, and cannot be linked. A bad phone beside a good email is a warning. The same id
    /// or email twice in a file rejects the later row. Exit code 7 when rows were rejected.
    #[command(after_long_help = IMPORT_EXAMPLES)]
    Import {
        /// The file; - is stdin
        #[arg(value_name = "FILE.csv", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Say what would happen, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List members, with the reason where one is not linked
    List(MemberList),
    /// Add one member
    ///
    /// MEMBER is the new member's name; with --name, it is the id or the email.
    Add(MemberFields),
    /// Change one member; what is not named stays, an empty text takes a value away
    Edit(MemberFields),
    /// Remove a member and its links
    Remove {
        /// An id, an email, or a part of a name that only one has
        member: String,
    },
}

/// `larkdeck member list`.
#[derive(Debug, Clone, ClapArgs)]
pub struct MemberList {
    /// Which members
    #[arg(long, value_enum, default_value_t = MemberFilter::All)]
    pub filter: MemberFilter,
    /// Only those whose name or email has TEXT in it
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// At most N of them; 0 is all
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub limit: u32,
    /// Print CSV that `member import` reads, safe to open in a spreadsheet
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}

/// The three filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MemberFilter {
    /// All team members
    All,
    /// Those who are linked
    Linked,
    /// Those who are not
    Unlinked,
}

/// `larkdeck member add` and `edit`.
#[derive(Debug, Clone, ClapArgs)]
pub struct MemberFields {
    /// An id, an email, or a part of a name that only one has
    pub member: String,
    /// Name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Contact email
    #[arg(long, value_name = "EMAIL")]
    pub email: Option<String>,
    /// Phone; outside mainland China with + and the country code
    #[arg(long, value_name = "PHONE")]
    pub phone: Option<String>,
    /// Team
    #[arg(long, value_name = "TEAM")]
    pub team: Option<String>,
    /// Licence at the console: fixed, temporary or none
    #[arg(long, value_name = "LICENCE")]
    pub licence: Option<String>,
}

/// `larkdeck link`.
#[derive(Debug, Clone, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub struct LinkArgs {
    /// Say who would be looked up by which key in how many calls, and spend nothing
    #[arg(long)]
    pub dry_run: bool,
    /// An id, an email, or a part of a name that only one has; without one, every unlinked member
    #[arg(value_name = "MEMBER")]
    pub members: Vec<String>,
    /// Undo.
    #[command(subcommand)]
    pub command: Option<LinkCommand>,
}

/// `larkdeck link undo` and `larkdeck link invite`.
#[derive(Debug, Clone, Subcommand)]
pub enum LinkCommand {
    /// Take back a linking or an unlinking: the latest, or the one with the ID that it printed
    Undo {
        /// The id of a linking or unlinking
        id: Option<String>,
    },
    /// Make a link by which one member signs in and is linked, whatever account it is; good once, for a week
    ///
    /// For members whom the platform does not find by email or phone. Give it to that person alone. It begins
    /// with `[server] public_url`, where `larkdeck serve` answers it.
    Invite {
        /// An id, an email, or a part of a name that only one has
        #[arg(value_name = "MEMBER")]
        member: String,
    },
}

/// `larkdeck unlink`.
#[derive(Debug, Clone, ClapArgs)]
pub struct UnlinkArgs {
    /// An id, an email, or a part of a name that only one has
    #[arg(value_name = "MEMBER", required = true)]
    pub members: Vec<String>,
}

/// `larkdeck room …`.
#[derive(Debug, Clone, Subcommand)]
pub enum RoomCommand {
    /// List the rooms, unread first
    List {
        /// Ask the platform for the rooms first
        #[arg(long)]
        refresh: bool,
    },
    /// Show one room and who is in it
    Show {
        /// A chat_id, a name, or a part of one that only one room has
        room: String,
        /// Ask the platform for the people first
        #[arg(long)]
        refresh: bool,
    },
    /// Follow a room until interrupted
    ///
    /// Prints what the store has after --since, then each message as it is committed; seq grows line by line. An
    /// edit or a recall prints the message again. Takes part in the lease: connects to the platform when nobody
    /// else on this store does, and the integration's setting is not webhook only.
    #[command(after_long_help = TAIL_EXAMPLES)]
    Tail {
        /// A chat_id, a name, or a part of one that only one room has
        room: String,
        /// Begin after this seq, or at this time (RFC 3339, or a date); without it, now
        #[arg(long, value_name = "SEQ|TIME")]
        since: Option<String>,
    },
    /// Print the newest messages of a room, oldest first
    History {
        /// A chat_id, a name, or a part of one that only one room has
        room: String,
        /// Only messages from this time on (RFC 3339, or a date)
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// The newest N; 0 is all
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
        /// First ask the platform for what the store lacks
        #[arg(long)]
        fetch: bool,
    },
    /// Send a message to a room, as the bot
    ///
    /// Waits for the platform's answer and prints the message id. A send happens once or is said to be unknown,
    /// never twice: look at the room when it is unknown.
    Send {
        /// A chat_id, a name, or a part of one that only one room has
        room: String,
        /// Where the text comes from.
        #[command(flatten)]
        text: TextArgs,
    },
    /// Reply to a message, as the bot
    Reply {
        /// A chat_id, a name, or a part of one that only one room has
        room: String,
        /// The message that is replied to (om_…)
        #[arg(value_name = "MESSAGE_ID")]
        message: String,
        /// Where the text comes from.
        #[command(flatten)]
        text: TextArgs,
        /// Reply in the thread of the message, and begin one where there is none
        #[arg(long)]
        thread: bool,
    },
    /// Add a reaction to a message, as the bot
    React {
        /// A chat_id, a name, or a part of one that only one room has
        room: String,
        /// The message (om_…)
        #[arg(value_name = "MESSAGE_ID")]
        message: String,
        /// The platform's name of the emoji, such as THUMBSUP, DONE or OnIt
        #[arg(value_name = "EMOJI")]
        emoji: String,
        /// Take the bot's own reaction back
        #[arg(long)]
        remove: bool,
    },
}

/// Where the text of a message comes from.
#[derive(Debug, Clone, ClapArgs)]
#[group(required = true, multiple = false)]
pub struct TextArgs {
    /// The text; - reads it from stdin
    #[arg(value_name = "TEXT")]
    pub text: Option<String>,
    /// Read the text from F
    #[arg(long, value_name = "F", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
}

/// `larkdeck quota`.
#[derive(Debug, Clone, ClapArgs)]
pub struct QuotaArgs {
    /// Re-basing.
    #[command(subcommand)]
    pub command: Option<QuotaCommand>,
}

/// `larkdeck quota rebase`.
#[derive(Debug, Clone, Subcommand)]
pub enum QuotaCommand {
    /// Set the calls of this month to the figure of the admin console
    ///
    /// larkdeck counts the calls of this store. Others may use the same tenant's month: the admin console knows
    /// the total. From here on, larkdeck counts on from that figure.
    Rebase {
        /// Calls used this month, as the admin console says
        #[arg(value_name = "USED")]
        used: u64,
    },
}

/// `larkdeck log`.
#[derive(Debug, Clone, ClapArgs)]
pub struct LogArgs {
    /// Only operations from this time on (RFC 3339, or a date)
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// The newest N; 0 is all
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub limit: u32,
}

/// `larkdeck completions`.
#[derive(Debug, Clone, ClapArgs)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// `larkdeck man`.
#[derive(Debug, Clone, ClapArgs)]
pub struct ManArgs {
    /// Write the pages of all commands to this folder instead of printing the main one
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn link_takes_members_or_undo() {
        let args = Args::try_parse_from(["larkdeck", "link", "a@b.c", "wang", "--json"]).unwrap();
        let Some(Command::Link(link)) = args.command else { panic!("{args:?}") };
        assert_eq!(link.members, ["a@b.c", "wang"]);
        assert!(args.global.json);
        let args = Args::try_parse_from(["larkdeck", "link", "undo"]).unwrap();
        assert!(matches!(
            args.command,
            Some(Command::Link(LinkArgs { command: Some(LinkCommand::Undo { id: None }), .. }))
        ));
    }

    #[test]
    fn a_message_has_exactly_one_text() {
        let parse =
            |rest: &[&str]| Args::try_parse_from([&["larkdeck", "room", "send", "ops"], rest].concat());
        assert!(parse(&["hello"]).is_ok());
        assert!(parse(&["-"]).is_ok());
        assert!(parse(&["--file", "x"]).is_ok());
        assert!(parse(&[]).is_err());
        assert!(parse(&["hello", "--file", "x"]).is_err());
    }

    #[test]
    fn secrets_are_never_taken_from_the_command_line() {
        let mut commands = vec![Args::command()];
        while let Some(command) = commands.pop() {
            for argument in command.get_arguments() {
                let id = argument.get_id().as_str();
                assert!(!id.contains("secret") || id.ends_with("_file"), "{id}");
            }
            commands.extend(command.get_subcommands().cloned());
        }
    }
}
