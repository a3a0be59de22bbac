//! Everything that a person can invoke, in one table.

use super::model::{
    Access, DetailRow, IntegrationFocus, Item, ItemBody, LinkStage, Model, Overlay, Pane, RoomFocus,
};
use crate::core::{
    lang::{Phrase, phrase},
    role::{Right, Role},
    room::{OutgoingState, RoomStatus},
};

/// What a command may change outside this console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Risk {
    /// Nothing.
    Read,
    /// Something that can be changed back.
    Change,
    /// Something is lost.
    Destroy,
}

/// A row of the table.
#[derive(Debug)]
pub struct CommandSpec {
    /// The command.
    pub command: Command,
    /// Its name in the palette and in key settings.
    pub name: &'static str,
    /// What it is called, in a word or two.
    pub label: Phrase,
    /// What it does, in a sentence.
    pub help: Phrase,
    /// What it may change.
    pub risk: Risk,
    /// What it takes on the store, where that is more than looking on.
    pub right: Option<Right>,
    /// Whether the palette lists it: not for keys that only make sense where they are pressed.
    pub in_palette: bool,
    /// Why it cannot be used now, if so.
    pub enabled: fn(&Model) -> Result<(), Phrase>,
}

macro_rules! right {
    () => {
        None
    };
    ($right:ident) => {
        Some(Right::$right)
    };
}

macro_rules! commands {
    ($($name:ident $text:literal $risk:ident $(($right:ident))? $palette:literal $enabled:ident
        [$label_en:literal $label_zh:literal] [$help_en:literal $help_zh:literal];)*) => {
        /// A command.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Command {
            $(#[doc = $help_en] $name,)*
        }

        /// All commands.
        pub const COMMANDS: &[&CommandSpec] = &[$(Command::$name.spec(),)*];

        impl Command {
            /// Its row of the table.
            pub const fn spec(self) -> &'static CommandSpec {
                match self { $(Self::$name => {
                    const { &CommandSpec {
                        command: Command::$name,
                        name: $text,
                        label: phrase($label_en, $label_zh),
                        help: phrase($help_en, $help_zh),
                        risk: Risk::$risk,
                        right: right!($($right)?),
                        in_palette: $palette,
                        enabled: $enabled,
                    } }
                })* }
            }
        }
    };
}

commands! {
    // Everywhere.
    Quit "quit" Read true always ["quit" "退出"] ["Leave larkdeck." "退出 larkdeck。"];
    Help "help" Read true always ["help" "帮助"] ["Show the keys of this place." "显示当前位置的按键。"];
    Palette "palette" Read false always ["command" "命令"] ["Find any command by its name." "按名称查找命令。"];
    PaneIntegrations "integrations" Read true always ["integrations" "集成"] ["Go to the integrations." "转到集成。"];
    PaneUsers "users" Read true always ["users" "用户"] ["Go to the linked users." "转到关联用户。"];
    PaneRooms "rooms" Read true always ["war rooms" "作战室"] ["Go to the War Rooms." "转到作战室。"];
    PaneQuota "quota" Read true always ["quota" "配额"] ["Go to the call budget." "转到调用配额。"];
    PaneLog "log" Read true always ["log" "日志"] ["Go to the operation log." "转到操作日志。"];
    NextIntegration "next-integration" Read true has_other_integration ["next integration" "下一个集成"] ["Make the next integration the one in use." "切换到下一个集成。"];
    Mouse "mouse" Read true always ["mouse" "鼠标"] ["Use the mouse here, or leave it to the terminal." "在此使用鼠标，或交还给终端。"];
    Theme "theme" Read true has_themes ["theme" "主题"] ["Use the next theme." "换用下一个主题。"];
    Language "language" Read true always ["language" "语言"] ["Switch between English and Chinese." "切换中英文。"];
    Ascii "ascii" Read true always ["ascii signs" "ASCII 符号"] ["Draw with ASCII signs, or with Unicode again." "使用 ASCII 符号，或恢复 Unicode。"];
    Write "write" Read true can_lift ["allow changes" "允许修改"] ["Lift read-only for this session." "在本次会话中解除只读。"];
    Suspend "suspend" Read true always ["suspend" "挂起"] ["Go back to the shell; `fg` resumes." "回到 shell；用 fg 恢复。"];
    Redraw "redraw" Read true always ["redraw" "重绘"] ["Draw the screen again." "重绘屏幕。"];
    LastError "last-error" Read true has_fault ["last error" "最近的错误"] ["Show the last error in full." "完整显示最近的错误。"];
    Consoles "consoles" Read true always ["who is here" "谁在线"] ["Show who is connected to the store, and who may do what." "显示谁连接着存储，以及各自的角色。"];
    Refresh "refresh" Read true always ["refresh" "刷新"] ["Load this pane again; rooms are asked from the platform." "重新加载当前面板；群列表从平台获取。"];

    // Moving.
    Up "up" Read false always ["up" "上"] ["Move up." "上移。"];
    Down "down" Read false always ["down" "下"] ["Move down." "下移。"];
    PageUp "page-up" Read false always ["page up" "上一页"] ["Move up by a page." "上移一页。"];
    PageDown "page-down" Read false always ["page down" "下一页"] ["Move down by a page." "下移一页。"];
    First "first" Read false always ["first" "首个"] ["Go to the first." "转到第一个。"];
    Last "last" Read false always ["last" "末尾"] ["Go to the last; in a transcript, to the newest and follow it." "转到最后；在消息流中转到最新并跟随。"];
    Open "open" Read false can_open ["open" "打开"] ["Open what is selected." "打开选中项。"];
    Back "back" Read false always ["back" "返回"] ["Go back one step." "返回一步。"];
    Search "search" Read true can_search ["search" "搜索"] ["Search by name or email; in the rooms, by name." "按姓名或邮箱搜索；在群列表中按名称。"];
    Copy "copy" Read true can_copy ["copy" "复制"] ["Send what is selected to the terminal's clipboard." "将选中内容发送到终端剪贴板。"];
    Plain "plain" Read true can_copy ["plain text" "纯文本"] ["Show what is selected as plain text, to select by hand." "以纯文本显示选中内容，便于手动选择。"];

    // Integrations.
    Add "add" Change(Administer) true in_integrations ["add" "添加"] ["Add an integration." "添加集成。"];
    Edit "edit" Change(Administer) true has_integration ["edit" "编辑"] ["Change the selected integration." "编辑选中的集成。"];
    Remove "remove" Destroy(Administer) true has_integration ["remove" "移除"] ["Remove the selected integration with its secrets." "移除选中的集成及其密钥。"];
    Check "check" Read(Keep) true has_app_integration ["check" "检查"] ["Ask the platform whether the credentials are good." "向平台验证凭证。"];
    WarRoom "war-room" Change(Administer) true has_integration ["War Room" "作战室开关"] ["Switch War Room on or off for the selected integration." "为选中的集成开启或关闭作战室。"];
    Use "use" Read true can_use ["use" "使用"] ["Make the selected integration the one in use." "使用选中的集成。"];
    Qr "qr" Read true can_qr ["QR code" "二维码"] ["Show the selected URL as a QR code for a phone." "将选中的 URL 显示为二维码。"];

    // Users.
    NextFilter "next-filter" Read false in_users ["filter" "筛选"] ["Show the next of All, Linked, Unlinked." "切换到下一个筛选：全部、已关联、未关联。"];
    PreviousFilter "previous-filter" Read false in_users ["filter back" "上一筛选"] ["Show the previous of All, Linked, Unlinked." "切换到上一个筛选。"];
    FilterAll "filter-all" Read true in_users ["all users" "全部用户"] ["Show all team members." "显示全部成员。"];
    FilterLinked "filter-linked" Read true in_users ["linked users" "已关联"] ["Show members that are linked." "只显示已关联的成员。"];
    FilterUnlinked "filter-unlinked" Read true in_users ["unlinked users" "未关联"] ["Show members that are not linked." "只显示未关联的成员。"];
    Link "link" Change(Administer) true can_link_one ["link" "关联"] ["Look the selected member up and link." "查找并关联选中的成员。"];
    LinkAll "link-all" Change(Administer) true can_link_all ["link all" "一键关联"] ["One-click link: look up everybody who is unlinked." "一键关联：查找所有未关联成员。"];
    Unlink "unlink" Destroy(Administer) true can_unlink ["unlink" "解除关联"] ["Remove the selected member's link." "解除选中成员的关联。"];
    UndoLink "undo-link" Change(Administer) true in_users_active ["undo" "撤销关联"] ["Undo the latest links that were made here." "撤销最近一次关联。"];
    Press "what-if-pressed" Read true has_member ["what if pressed" "按下会怎样"] ["Say what happens if the selected member presses a button of a card." "查看选中成员按下卡片按钮会发生什么。"];
    Invite "invite" Change(Administer) true can_invite ["invite" "邀请"] ["Make a link by which the selected member signs in and is linked, as a QR code and to copy." "为选中的成员生成登录并关联的邀请链接，可扫码或复制。"];
    CopyMessage "copy-message" Read true has_member_reason ["copy message" "复制提示"] ["Copy a message that tells the person how to get linked." "复制一段话，告诉对方如何完成关联。"];

    // Rooms.
    NextUnread "next-unread" Read true has_unread_room ["next unread" "下个未读"] ["Open the next room with something unread." "打开下一个有未读的群。"];
    Closed "closed" Read true has_closed_rooms ["closed rooms" "已解散"] ["List rooms that are no longer open, or hide them." "显示或隐藏已解散的群。"];
    Zoom "zoom" Read true in_rooms ["zoom" "放大"] ["Give the transcript the full width, or the rooms their place back." "消息流占满宽度，或恢复列表。"];
    People "people" Read true has_room ["people" "成员"] ["Show the people and facts of the room, or hide them." "显示或隐藏成员与群信息。"];
    Compose "compose" Change(Respond) true can_write ["write" "写消息"] ["Write a message as the bot." "以机器人身份写消息。"];
    Reply "reply" Change(Respond) true can_reply ["reply" "回复"] ["Reply to the message under the cursor." "回复光标处的消息。"];
    ReplyInThread "reply-in-thread" Change(Respond) true can_reply ["reply in thread" "话题内回复"] ["Reply to it in a thread." "在话题中回复。"];
    Thread "thread" Read true has_message ["thread" "话题"] ["Show the thread or the replies of the message." "显示该消息的话题或回复。"];
    React "react" Change(Respond) true can_reply ["react" "表情"] ["React to the message under the cursor." "对光标处的消息添加表情。"];
    Unreact "unreact" Change(Respond) false chooses_reaction ["take back" "撤回表情"] ["Take the bot's own reaction of this kind back." "撤回机器人自己添加的该表情。"];
    FirstUnread "first-unread" Read true has_divider ["first unread" "首条未读"] ["Go to where the unread messages began." "转到未读消息开始处。"];
    Retry "retry" Change(Respond) true can_retry ["send again" "重发"] ["Send the failed message again; it cannot arrive twice." "重发失败的消息；不会重复送达。"];
    Discard "discard" Destroy(Respond) true can_discard ["discard" "丢弃"] ["Take the unsent message out of the outbox." "从发件箱移除未发送的消息。"];

    // Composer.
    Send "send" Change(Respond) false can_send ["send" "发送"] ["Send what is written." "发送。"];
    NewLine "new-line" Read false always ["new line" "换行"] ["Begin a new line." "换行。"];
    CancelReply "cancel-reply" Read false is_replying ["no reply" "取消回复"] ["Write to the room instead of replying." "改为发到群里，不再回复。"];
    ToggleThread "toggle-thread" Read false is_replying ["in thread" "话题内"] ["Reply in a thread, or in the room." "在话题中回复，或在群里回复。"];
    TakeMention "take-mention" Read false always ["mention" "提及"] ["Take the suggestion." "采用建议。"];

    // Overlays.
    NextField "next-field" Read false always ["next field" "下一项"] ["Go to the next field." "转到下一项。"];
    PreviousField "previous-field" Read false always ["previous field" "上一项"] ["Go to the previous field." "转到上一项。"];
    NextChoice "next-choice" Read false always ["next choice" "下一选项"] ["Take the next choice." "选择下一个。"];
    PreviousChoice "previous-choice" Read false always ["previous choice" "上一选项"] ["Take the previous choice." "选择上一个。"];
    Save "save" Change(Administer) false always ["save" "保存"] ["Save the form." "保存表单。"];
    Accept "accept" Read false always ["yes" "是"] ["Do what is asked about." "确认执行。"];
    AcceptSafe "accept-safe" Read false is_safe_question ["yes" "是"] ["Do what is asked about, where nothing can be lost." "确认执行（不会丢失任何内容时）。"];
    Refuse "refuse" Read false always ["no" "否"] ["Do not do it." "不执行。"];
    Run "run" Read false always ["run" "执行"] ["Run the selected command." "执行选中的命令。"];
    StopLinking "stop-linking" Read false is_linking ["stop" "停止"] ["Stop linking after the calls that are under way." "完成进行中的调用后停止关联。"];
}

impl Command {
    /// The command of that name.
    pub fn named(name: &str) -> Option<Self> {
        COMMANDS.iter().find(|spec| spec.name == name).map(|spec| spec.command)
    }

    /// Why it cannot be used now, if so. The role comes first, then read-only.
    ///
    /// # Errors
    /// The reason, for the footer.
    pub fn enabled(self, model: &Model) -> Result<(), Phrase> {
        let spec = self.spec();
        if let Some(right) = spec.right {
            may(model.role, right)?;
        }
        match model.access {
            Access::ReadOnly { can_lift: true } if spec.risk != Risk::Read => Err(READ_ONLY_SOFT),
            Access::ReadOnly { can_lift: false } if spec.risk != Risk::Read => Err(READ_ONLY),
            _ => (spec.enabled)(model),
        }
    }

    /// Whether help, palette and footer speak of it at all.
    pub fn is_offered(self, model: &Model) -> bool {
        self.spec().risk == Risk::Read || model.access != Access::ReadOnly { can_lift: false }
    }
}

/// Why a role has not a right, if so.
///
/// # Errors
/// The reason, in a few words.
pub fn may(role: Role, right: Right) -> Result<(), Phrase> {
    match right.least() {
        _ if role.may(right) => Ok(()),
        Role::Admin => Err(ADMINS),
        Role::Responder | Role::Viewer => Err(RESPONDERS),
    }
}

const ADMINS: Phrase = phrase("only admins do this", "仅管理员可操作");
const RESPONDERS: Phrase = phrase("you are a viewer here: only looking on", "你在此为查看者，只能浏览");
const READ_ONLY: Phrase = phrase("read-only: started so", "只读模式");
const READ_ONLY_SOFT: Phrase = phrase("read-only: `:write` allows changes", "只读：用 :write 允许修改");
const PICK_INTEGRATION: Phrase = phrase("no integration is selected", "未选择集成");
const NO_INTEGRATION: Phrase = phrase("no integration yet: press 1, then a", "还没有集成：按 1，再按 a");
const NOT_SPOKEN: Phrase = phrase("only Feishu and Lark are spoken", "仅支持飞书与 Lark");

type Answer = Result<(), Phrase>;

const fn ensure(is: bool, reason: Phrase) -> Answer {
    if is { Ok(()) } else { Err(reason) }
}

const fn always(_: &Model) -> Answer {
    Ok(())
}

fn can_lift(model: &Model) -> Answer {
    match model.access {
        Access::Write => Err(phrase("changes are allowed already", "已允许修改")),
        Access::ReadOnly { can_lift: true } => Ok(()),
        Access::ReadOnly { can_lift: false } => {
            Err(phrase("started with --read-only: start it without", "以 --read-only 启动：请去掉后重启"))
        }
    }
}

fn has_other_integration(model: &Model) -> Answer {
    let spoken = model.integrations.items.iter().filter(|item| item.row.integration.app.is_some());
    ensure(spoken.count() > 1, phrase("there is no other integration", "没有其他集成"))
}

fn has_themes(model: &Model) -> Answer {
    ensure(model.themes.len() > 1, phrase("there is no other theme", "没有其他主题"))
}

fn has_fault(model: &Model) -> Answer {
    ensure(model.last_fault.is_some(), phrase("there was no error", "没有错误"))
}

fn in_integrations(model: &Model) -> Answer {
    ensure(
        model.pane == Pane::Integrations,
        phrase("press 1 for the integrations first", "请先按 1 转到集成"),
    )
}

fn has_integration(model: &Model) -> Answer {
    in_integrations(model)?;
    ensure(model.integrations.current().is_some(), PICK_INTEGRATION)
}

fn has_app_integration(model: &Model) -> Answer {
    has_integration(model)?;
    let spoken = model.integrations.current().is_some_and(|item| item.row.integration.app.is_some());
    ensure(spoken, NOT_SPOKEN)
}

fn can_use(model: &Model) -> Answer {
    has_app_integration(model)?;
    ensure(model.integrations.selected != model.active, phrase("it is in use already", "已在使用"))
}

fn can_qr(model: &Model) -> Answer {
    has_integration(model)?;
    let item = model.integrations.current();
    ensure(
        item.is_some_and(|item| item.row.urls.is_some()),
        phrase(
            "set [server] public_url first: the URLs are made from it",
            "请先设置 [server] public_url，URL 由它生成",
        ),
    )?;
    let is_url = DetailRow::ALL.get(model.integrations.detail) != Some(&DetailRow::AppId);
    ensure(is_url, phrase("select a URL", "请选择一个 URL"))
}

fn in_users(model: &Model) -> Answer {
    ensure(model.pane == Pane::Users, phrase("press 2 for the users first", "请先按 2 转到用户"))
}

fn in_users_active(model: &Model) -> Answer {
    in_users(model)?;
    ensure(model.active.is_some(), NO_INTEGRATION)?;
    ensure(!is_link_running(model), phrase("linking is under way", "正在关联"))
}

fn has_member(model: &Model) -> Answer {
    in_users(model)?;
    ensure(model.active.is_some(), NO_INTEGRATION)?;
    ensure(model.users.current().is_some(), phrase("no member is selected", "未选择成员"))
}

fn is_link_running(model: &Model) -> bool {
    model.busy.has(&super::busy::Topic::Link)
}

fn can_link_one(model: &Model) -> Answer {
    in_users_active(model)?;
    let row = model.users.current().ok_or(phrase("no member is selected", "未选择成员"))?;
    ensure(row.member.link.is_none(), phrase("this member is linked already", "该成员已关联"))
}

fn can_link_all(model: &Model) -> Answer {
    in_users_active(model)?;
    ensure(model.users.counts.unlinked() > 0, phrase("nobody is unlinked", "没有未关联的成员"))
}

fn can_unlink(model: &Model) -> Answer {
    in_users_active(model)?;
    let row = model.users.current().ok_or(phrase("no member is selected", "未选择成员"))?;
    ensure(row.member.link.is_some(), phrase("this member is not linked", "该成员未关联"))
}

fn can_invite(model: &Model) -> Answer {
    in_users_active(model)?;
    has_member_reason(model)?;
    ensure(
        model.active_item().is_some_and(|item| item.row.urls.is_some()),
        phrase(
            "set [server] public_url first: an invitation is a link",
            "请先设置 [server] public_url，邀请是一个链接",
        ),
    )
}

fn has_member_reason(model: &Model) -> Answer {
    in_users(model)?;
    let row = model.users.current().ok_or(phrase("no member is selected", "未选择成员"))?;
    ensure(
        row.member.link.is_none(),
        phrase("this member is linked: nothing to ask for", "该成员已关联，无需提示"),
    )
}

fn in_rooms(model: &Model) -> Answer {
    ensure(model.pane == Pane::Rooms, phrase("press 3 for the War Rooms first", "请先按 3 转到作战室"))
}

fn has_unread_room(model: &Model) -> Answer {
    ensure(model.rooms.unread_rooms() > 0, phrase("everything is read", "没有未读"))
}

fn has_closed_rooms(model: &Model) -> Answer {
    in_rooms(model)?;
    ensure(model.rooms.closed() > 0, phrase("no room is closed", "没有已解散的群"))
}

fn has_room(model: &Model) -> Answer {
    in_rooms(model)?;
    ensure(model.room.is_some(), phrase("open a room first", "请先打开一个群"))
}

fn can_write(model: &Model) -> Answer {
    has_room(model)?;
    let status =
        model.room.as_ref().and_then(|room| model.rooms.get(&room.chat_id)).map(|row| row.room.status);
    match status {
        Some(RoomStatus::Disbanded) => {
            Err(phrase("the room is disbanded: its history stays", "群已解散，历史保留"))
        }
        Some(RoomStatus::Dismissed) => {
            Err(phrase("the room is dismissed: its history stays", "群已关闭，历史保留"))
        }
        _ => Ok(()),
    }
}

fn has_message(model: &Model) -> Answer {
    has_room(model)?;
    ensure(
        current(model).is_some_and(|item| item.message().is_some()),
        phrase("no message is selected", "未选择消息"),
    )
}

fn current(model: &Model) -> Option<&Item> {
    model.room.as_ref().and_then(super::model::OpenRoom::current)
}

fn can_reply(model: &Model) -> Answer {
    can_write(model)?;
    has_message(model)?;
    let recalled = current(model).and_then(Item::message).is_some_and(|message| message.is_recalled);
    ensure(!recalled, phrase("the message was recalled", "消息已撤回"))
}

fn chooses_reaction(model: &Model) -> Answer {
    ensure(
        matches!(model.overlay(), Some(Overlay::React(_))),
        phrase("choose a reaction first: + on a message", "请先选择表情：在消息上按 +"),
    )
}

fn has_divider(model: &Model) -> Answer {
    has_room(model)?;
    let has = model.room.as_ref().is_some_and(|room| room.divider.is_some());
    ensure(has, phrase("nothing was unread when the room was opened", "打开时没有未读消息"))
}

fn can_retry(model: &Model) -> Answer {
    can_write(model)?;
    match current(model).map(|item| &item.body) {
        Some(ItemBody::Outgoing(out, _)) if matches!(out.state, OutgoingState::Failed { .. }) => Ok(()),
        Some(ItemBody::Outgoing(out, _)) if out.state == OutgoingState::Unknown => Err(phrase(
            "it may have arrived: look at the room, then discard it or write anew",
            "可能已送达：请先查看群，再丢弃或重写",
        )),
        _ => Err(phrase("select a message that could not be sent", "请选择未能发送的消息")),
    }
}

fn can_discard(model: &Model) -> Answer {
    has_room(model)?;
    match current(model).map(|item| &item.body) {
        Some(ItemBody::Outgoing(out, _)) => match out.state {
            OutgoingState::Failed { .. } | OutgoingState::Unknown | OutgoingState::Queued => Ok(()),
            _ => Err(phrase("it is under way", "正在发送")),
        },
        _ => Err(phrase("select a message that could not be sent", "请选择未能发送的消息")),
    }
}

fn can_send(model: &Model) -> Answer {
    can_write(model)?;
    let empty = model.room.as_ref().is_none_or(|room| room.composer.text().trim().is_empty());
    ensure(!empty, phrase("nothing is written", "内容为空"))
}

fn is_replying(model: &Model) -> Answer {
    ensure(
        model.room.as_ref().is_some_and(|room| room.reply.is_some()),
        phrase("this is no reply", "不是回复"),
    )
}

fn can_open(model: &Model) -> Answer {
    match model.overlay() {
        Some(_) => Ok(()),
        None => match model.pane {
            Pane::Integrations => ensure(model.integrations.current().is_some(), PICK_INTEGRATION),
            Pane::Users => {
                ensure(model.users.current().is_some(), phrase("no member is selected", "未选择成员"))
            }
            Pane::Rooms if model.rooms.focus == RoomFocus::List => {
                ensure(model.rooms.current().is_some(), phrase("no room is selected", "未选择群"))
            }
            Pane::Rooms => has_room(model),
            Pane::Quota => Err(phrase("nothing to open here", "没有可打开的内容")),
            Pane::Log => {
                ensure(model.log.current().is_some(), phrase("no operation is selected", "未选择操作"))
            }
        },
    }
}

fn can_search(model: &Model) -> Answer {
    match model.pane {
        Pane::Users | Pane::Rooms => Ok(()),
        _ => Err(phrase("users and rooms can be searched", "可在用户与群列表中搜索")),
    }
}

const NOTHING_TO_COPY: Phrase = phrase("nothing to copy here", "没有可复制的内容");

fn can_copy(model: &Model) -> Answer {
    if matches!(
        model.overlay(),
        Some(
            Overlay::Member(_)
                | Overlay::Operation(..)
                | Overlay::Fault(..)
                | Overlay::Press(..)
                | Overlay::Qr(_)
                | Overlay::Plain(_)
                | Overlay::Link(_)
                | Overlay::Check(_)
                | Overlay::Consoles(Some(_), _)
        )
    ) {
        return Ok(());
    }
    if model.overlay().is_some() {
        return Err(NOTHING_TO_COPY);
    }
    match model.pane {
        Pane::Integrations if model.integrations.focus == IntegrationFocus::Details => {
            let item = model.integrations.current().ok_or(PICK_INTEGRATION)?;
            match DetailRow::ALL.get(model.integrations.detail) {
                Some(DetailRow::AppId) => ensure(item.row.integration.app.is_some(), NOT_SPOKEN),
                _ => can_qr(model),
            }
        }
        Pane::Integrations => can_qr(model),
        Pane::Users => ensure(model.users.current().is_some(), phrase("no member is selected", "未选择成员")),
        Pane::Rooms => has_room(model),
        Pane::Quota => Err(NOTHING_TO_COPY),
        Pane::Log => ensure(model.log.current().is_some(), phrase("no operation is selected", "未选择操作")),
    }
}

fn is_safe_question(model: &Model) -> Answer {
    match model.overlay() {
        Some(Overlay::Confirm(confirm)) if confirm.risk == Risk::Destroy => {
            Err(phrase("Enter is not enough here: press y", "此处不能用回车：请按 y"))
        }
        _ => Ok(()),
    }
}

fn is_linking(model: &Model) -> Answer {
    let running =
        matches!(model.overlay(), Some(Overlay::Link(flow)) if matches!(flow.stage, LinkStage::Running(..)));
    ensure(running, phrase("linking is not under way", "未在关联"))
}
