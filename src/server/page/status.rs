//! The page of a person who is signed in.

use maud::{Markup, html};

use super::frame::{BELL, CHECK, CROSS, DOWN, LINK, Look, PEOPLE, TAP, monogram, safe, sign};
use crate::{
    core::{
        lang::phrase,
        member::{Link, LinkOrigin, Member},
    },
    service::login::{Visit, VisitAccount},
};

/// Who this is, whether it is linked, what reaches it, and the way out.
pub(super) fn page(look: &Look<'_>, visit: &Visit) -> Markup {
    let member = visit.member.as_ref();
    let (title, below) = match member {
        Some(_) => (
            look.t(phrase("You are linked", "已关联")),
            phrase("What {} has for you reaches you in {}.", "“{}”的消息会通过{}送达你。"),
        ),
        None => (
            look.t(phrase("You are not linked", "尚未关联")),
            phrase("Nothing that {} has for you reaches you in {}.", "“{}”的消息目前无法通过{}送达你。"),
        ),
    };
    let main = html! {
        (pair(look, &visit.account, member.map(|(member, _)| member)))
        h1 { (title) }
        p { (below.fill(look.lang, &[&look.integration(), &look.platform()])) }
        @match member {
            Some((member, link)) => { (facts(look, member, link)) }
            None => {
                div.act { a.button href="login" { (look.t(phrase("Link my account", "关联我的账号"))) } }
            }
        }
        (receives(look, member.is_some()))
        (kept(look, &visit.account))
        @if member.is_some() { (unlink(look, &visit.csrf)) }
    };
    look.page(title, &main, Some(&footer(look, visit)))
}

/// Two faces and what is between them.
fn pair(look: &Look<'_>, account: &VisitAccount, member: Option<&Member>) -> Markup {
    html! {
        div.pair {
            div {
                div.face aria-hidden="true" { (monogram(&account.name)) }
                strong { (shown(&account.name, account.open_id.as_str())) }
                small { (phrase("{} account", "{}账号").fill(look.lang, &[&look.platform()])) }
            }
            div.bond.on[member.is_some()] { (sign(if member.is_some() { CHECK } else { CROSS })) }
            div {
                @match member {
                    Some(member) => {
                        div.face aria-hidden="true" { (monogram(&member.name)) }
                        strong { (safe(&member.name)) }
                    }
                    None => {
                        div.face.none aria-hidden="true" { "?" }
                        strong { (look.t(phrase("Nobody", "未关联"))) }
                    }
                }
                small { (look.t(phrase("Team member", "团队成员"))) }
            }
        }
    }
}

fn facts(look: &Look<'_>, member: &Member, link: &Link) -> Markup {
    let how = match link.origin {
        LinkOrigin::OneClick => phrase("By an administrator, in one go", "由管理员一键关联"),
        LinkOrigin::Login => phrase("By signing in", "通过登录"),
        LinkOrigin::Manual => phrase("By an administrator", "由管理员"),
    };
    html! {
        section {
            dl {
                @if let Some(team) = &member.team {
                    dt { (look.t(phrase("Team", "团队"))) }
                    dd { (safe(team)) }
                }
                @if let Some(email) = &member.email {
                    dt { (look.t(phrase("Email", "邮箱"))) }
                    dd { (masked_email(&safe(email))) }
                }
                @if let Some(phone) = &member.phone {
                    dt { (look.t(phrase("Phone", "手机号"))) }
                    dd { (masked_phone(&safe(phone))) }
                }
                dt { (look.t(phrase("Linked", "关联于"))) }
                dd { (look.day(link.linked_at)) }
                dt { (look.t(phrase("How", "方式"))) }
                dd { (look.t(how)) }
            }
        }
    }
}

fn receives(look: &Look<'_>, is_linked: bool) -> Markup {
    let title = if is_linked {
        phrase("What reaches you", "你会收到")
    } else {
        phrase("What would reach you", "关联后你会收到")
    };
    let (app, platform) = (look.app(), look.platform());
    let rows = [
        (
            BELL,
            phrase("Pages and notices", "告警与通知"),
            phrase("As direct messages from the bot “{}”.", "由机器人“{}”以私聊消息发送。")
                .fill(look.lang, &[&app]),
        ),
        (
            PEOPLE,
            phrase("War Rooms", "作战室"),
            phrase("You can be called into the chat of an incident.", "发生故障时，你可以被拉入对应的群聊。")
                .get(look.lang)
                .to_owned(),
        ),
        (
            TAP,
            phrase("Buttons on cards", "卡片按钮"),
            phrase("What you press in {} counts as yours.", "你在{}里的点击会记为你本人的操作。")
                .fill(look.lang, &[&platform]),
        ),
    ];
    html! {
        section.off[!is_linked] {
            h2 { (look.t(title)) }
            ul {
                @for (icon, name, text) in rows {
                    li { (sign(icon)) div { b { (look.t(name)) } span { (text) } } }
                }
            }
        }
    }
}

fn kept(look: &Look<'_>, account: &VisitAccount) -> Markup {
    html! {
        details {
            summary { (look.t(phrase("What is kept about you", "保存了哪些信息"))) (sign(DOWN)) }
            div {
                p {
                    (look.t(phrase(
                        "The name of your account and its id for this app, the member above, and when the link was made.",
                        "你的账号名称、账号在该应用中的 ID、上面的成员，以及关联时间。",
                    )))
                }
                p {
                    (phrase(
                        "The key that {} gave for your sign-in was used once, to ask who you are, and thrown away. It opens none of your chats, files or calendars.",
                        "{}为本次登录签发的凭证只用于确认你的身份，用后即弃，不会用来读取你的聊天、文件或日历。",
                    ).fill(look.lang, &[&look.platform()]))
                }
                p {
                    (look.t(phrase(
                        "One cookie of this page knows you on your next visit. There is no script and nobody else is told.",
                        "本页面使用一个 Cookie，以便下次免登录。没有脚本，也不会告知第三方。",
                    )))
                }
                p { (account.open_id) }
            }
        }
    }
}

/// Asks once more, without a script: the button is inside the fold.
fn unlink(look: &Look<'_>, csrf: &str) -> Markup {
    html! {
        details {
            summary { (look.t(phrase("Unlink my account", "解除关联"))) (sign(DOWN)) }
            div {
                p {
                    (phrase(
                        "From then on nothing that {} has for you reaches you in {}. It is recorded, and nobody links you again without asking; you can do so here at any time.",
                        "解除后，“{}”的消息将无法通过{}送达你。此操作会被记录，系统不会再自动关联；你可以随时在此重新关联。",
                    ).fill(look.lang, &[&look.integration(), &look.platform()]))
                }
                form method="post" action="unlink" {
                    input type="hidden" name="csrf" value=(csrf);
                    button.bad { (look.t(phrase("Unlink", "解除关联"))) }
                }
            }
        }
    }
}

fn footer(look: &Look<'_>, visit: &Visit) -> Markup {
    html! {
        (look.t(phrase("Signed in since ", "登录于 "))) (look.day(visit.account.signed_in_at)) " · "
        form method="post" action="sign-out" {
            input type="hidden" name="csrf" value=(visit.csrf);
            button.plain { (look.t(phrase("Sign out", "退出登录"))) }
        }
    }
}

/// The page behind an invitation: who is meant, and what happens next.
pub(super) fn invitation(look: &Look<'_>, member: &Member, token: &str) -> Markup {
    let name = safe(&member.name);
    let title = phrase("Are you {}?", "你是{}吗？").fill(look.lang, &[&name]);
    // Read and found good by now: its letters are those of an address.
    let login = format!("login?invitation={token}");
    let main = html! {
        div.sign.calm { (sign(LINK)) }
        h1 { (title) }
        p {
            (phrase(
                "{} invites you to link your {} account. Sign in once; from then on what it has for you reaches you there.",
                "“{}”邀请你关联{}账号。登录一次，之后它的消息就能送达你。",
            ).fill(look.lang, &[&look.integration(), &look.platform()]))
        }
        div.act {
            a.button href=(login) {
                (phrase("Continue with {}", "使用{}登录").fill(look.lang, &[&look.platform()]))
            }
        }
        p.fine {
            (phrase(
                "If you are not {}, close this page: the invitation is for that person alone and works once.",
                "如果你不是{}，请关闭本页：该邀请仅供本人使用，且只能使用一次。",
            ).fill(look.lang, &[&name]))
        }
        (receives(look, false))
    };
    look.page(&title, &main, None)
}

/// The page after signing out.
pub(super) fn goodbye(look: &Look<'_>) -> Markup {
    let title = look.t(phrase("Signed out", "已退出登录"));
    let main = html! {
        div.sign.calm { (sign(CHECK)) }
        h1 { (title) }
        p {
            (look.t(phrase(
                "This browser no longer knows you. A link that you have stays: messages still reach you.",
                "本浏览器不再记得你。已有的关联不受影响，消息仍会送达你。",
            )))
        }
        div.act {
            a.button.quiet href="login" {
                (phrase("Sign in with {}", "使用{}登录").fill(look.lang, &[&look.platform()]))
            }
        }
    };
    look.page(title, &main, None)
}

fn shown(name: &str, otherwise: &str) -> String {
    let name = safe(name);
    if name.trim().is_empty() { otherwise.to_owned() } else { name }
}

/// `a•••@ex.test`: whose page it is knows the rest.
fn masked_email(email: &str) -> String {
    match email.split_once('@') {
        Some((name, host)) => format!("{}•••@{host}", name.chars().next().unwrap_or('•')),
        None => "•••".to_owned(),
    }
}

/// `+86 ••• 0042`.
fn masked_phone(phone: &str) -> String {
    let digits: Vec<char> = phone.chars().collect();
    let tail: String = digits.iter().skip(digits.len().saturating_sub(4)).collect();
    if digits.len() < 9 { "•••".to_owned() } else { format!("••• {tail}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_masked() {
        assert_eq!(masked_email("ann@ex.test"), "a•••@ex.test");
        assert_eq!(masked_email("ann"), "•••");
        assert_eq!(masked_phone("+8613800000042"), "••• 0042");
        assert_eq!(masked_phone("12345"), "•••");
    }
}
