//! The roster of the demo: 320 members of whom 41 are not linked, for every reason there is.

use crate::core::ids::OpenId;

use super::{
    people::{self, Person},
    scenario::AppPlan,
};

/// A line of the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterMember {
    /// The roster's own id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Contact email.
    pub email: Option<String>,
    /// E.164.
    pub phone: Option<String>,
    /// Team.
    pub team: String,
    /// The account that the member is linked to already, as the demo's app knows it.
    pub linked: Option<OpenId>,
}

const MEMBERS: usize = 320;
/// Somebody who is on the platform and not on the roster.
const STRANGER: usize = 320;
/// The linked member whose account a second line of the roster claims.
const TWICE: usize = 30;

const TEAMS: [&str; 6] =
    ["Payments 支付", "SRE", "Data 数据", "Platform 平台", "Mobile 移动端", "Security 安全"];

/// Why a member is not linked yet, and what one-click linking will make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// Both keys find the account.
    BothFit,
    /// The roster has a private address; the phone finds the account.
    PhoneFits,
    /// The roster has an old phone; the email finds the account.
    EmailFits,
    /// The email finds the account, and there is no phone.
    EmailAlone,
    /// Has left.
    Left,
    /// Neither key is known.
    Unknown,
    /// An email that is not known, and no phone.
    UnknownEmail,
    /// The address of a company mailbox, and no phone.
    Mailbox,
    /// Outside the app's contact range.
    OutOfRange,
    /// Nothing to look for.
    NoContact,
    /// Phone and email find two people.
    TwoPeople,
    /// The account is linked to another member.
    Taken,
}

/// The 41 in the order of the roster: 26 can be linked.
const FLAWS: [Flaw; 41] = {
    use Flaw::{
        BothFit as A, EmailAlone as D, EmailFits as C, Left, Mailbox, NoContact, OutOfRange, PhoneFits as B,
        Taken, TwoPeople, Unknown, UnknownEmail,
    };
    [
        A,
        B,
        C,
        Mailbox,
        A,
        B,
        Left,
        C,
        A,
        NoContact,
        B,
        A,
        C,
        Unknown,
        B,
        A,
        OutOfRange,
        C,
        B,
        A,
        TwoPeople,
        A,
        B,
        UnknownEmail,
        C,
        A,
        Mailbox,
        B,
        D,
        Taken,
        C,
        Unknown,
        A,
        B,
        OutOfRange,
        A,
        Left,
        C,
        NoContact,
        Mailbox,
        UnknownEmail,
    ]
};

/// What member `no` of the roster lacks; `None`: is linked.
fn flaw(no: usize) -> Option<Flaw> {
    let from_first = no.checked_sub(people::CAST.len())?;
    if from_first.is_multiple_of(7) { FLAWS.get(from_first / 7).copied() } else { None }
}

/// The demo's people, with their flaws.
pub(super) fn people() -> Vec<Person> {
    let mut list: Vec<Person> = (0..=STRANGER).map(people::person).collect();
    for (no, person) in list.iter_mut().enumerate() {
        match flaw(no) {
            Some(Flaw::Left) => person.is_resigned = true,
            Some(Flaw::Mailbox) => person.enterprise_email = person.email.take(),
            Some(Flaw::OutOfRange) => {
                person.is_out_of_range = true;
                person.is_blind = true;
            }
            _ => {}
        }
    }
    // What a hostile name looks like when somebody posts under it.
    list.push(Person {
        name: "Mallory\u{1b}[31m\u{202e}drow\u{202c}".to_owned(),
        en_name: "Mallory".to_owned(),
        email: Some("mallory@lumenpay.example".to_owned()),
        ..Person::default()
    });
    list
}

/// The demo's 320 members.
pub fn roster() -> Vec<RosterMember> {
    let app_id = AppPlan::default().app_id;
    (0..MEMBERS).map(|no| member(&app_id, no)).collect()
}

fn member(app_id: &str, no: usize) -> RosterMember {
    let own = people::person(no);
    let flaw = flaw(no);
    let private =
        || Some(format!("{}@mail.example", own.en_name.to_ascii_lowercase().replace([' ', '\''], "_")));
    let old_phone = || Some(format!("+86139{no:08}"));
    let (email, phone) = match flaw {
        None | Some(Flaw::BothFit | Flaw::Left | Flaw::OutOfRange) => (own.email.clone(), own.mobile.clone()),
        Some(Flaw::PhoneFits) => (private(), own.mobile.clone()),
        Some(Flaw::EmailFits) => (own.email.clone(), old_phone()),
        Some(Flaw::EmailAlone | Flaw::Mailbox) => (own.email.clone(), None),
        Some(Flaw::Unknown) => (private(), old_phone()),
        Some(Flaw::UnknownEmail) => (private(), None),
        Some(Flaw::NoContact) => (None, None),
        Some(Flaw::TwoPeople) => (people::person(STRANGER).email, own.mobile.clone()),
        Some(Flaw::Taken) => {
            // Not its email too: a second line with that would be the same member.
            (private(), people::person(TWICE).mobile)
        }
    };
    let team = TEAMS
        .get(no * 5 % 6 + usize::from(no.is_multiple_of(11)))
        .or_else(|| TEAMS.first())
        .copied()
        .unwrap_or_default();
    RosterMember {
        id: format!("m{no:04}"),
        name: own.name,
        email,
        phone,
        team: team.to_owned(),
        // Nobody holds a wrong id here: the form is the one that the simulator itself gives out.
        linked: if flaw.is_none() { people::open_id(app_id, no).parse().ok() } else { None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Scenario, people::People, world::World};

    #[test]
    fn the_roster_has_the_mix_that_the_requirements_name() {
        let roster = roster();
        assert_eq!(roster.len(), 320);
        let open: Vec<&RosterMember> = roster.iter().filter(|member| member.linked.is_none()).collect();
        assert_eq!(open.len(), 41);
        assert_eq!(open.iter().filter(|member| member.phone.is_some()).count(), 33);
        assert_eq!(open.iter().filter(|member| member.email.is_some()).count(), 39);
        let people = People::new(super::people());
        let world = World::new(Scenario::demo().unwrap(), 1);
        let (mut linkable, mut conflicts, mut taken) = (0, 0, 0);
        for member in open {
            let seen = |no: &usize| {
                !people.get(*no).unwrap().is_out_of_range && !people.get(*no).unwrap().is_resigned
            };
            let bare = |phone: &String| phone.strip_prefix("+86").unwrap_or(phone).to_owned();
            let by_phone =
                member.phone.as_ref().and_then(|phone| people.by_mobile(&bare(phone))).filter(seen);
            let by_email = member.email.as_ref().and_then(|email| people.by_email(email)).filter(seen);
            let found: std::collections::BTreeSet<usize> = by_phone.into_iter().chain(by_email).collect();
            match found.len() {
                0 => {}
                1 => {
                    let id = world.person_id(0, *found.first().unwrap(), people::IdType::Open);
                    let is_taken =
                        roster.iter().any(|it| it.linked.as_ref().is_some_and(|known| known.as_str() == id));
                    *(if is_taken { &mut taken } else { &mut linkable }) += 1;
                }
                _ => conflicts += 1,
            }
        }
        assert_eq!((linkable, conflicts, taken), (26, 1, 1));
    }
}
