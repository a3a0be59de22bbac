//! Who links to whom: pure rules on what the platform answered.

use std::collections::HashMap;

use crate::core::{
    ids::{MemberId, OpenId},
    member::Reason,
};

/// What the platform said about one key of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The member has no such key, or it cannot be looked up.
    NotAsked,
    /// No account has it, as far as the app may see.
    Nobody,
    /// This one has it.
    Account(OpenId),
}

impl Answer {
    const fn account(&self) -> Option<&OpenId> {
        match self {
            Self::Account(open_id) => Some(open_id),
            _ => None,
        }
    }
}

/// What is known about a member once all its keys are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// For the email.
    pub email: Answer,
    /// For the phone.
    pub phone: Answer,
    /// The phone could not be asked for because it lacks its country code.
    pub phone_lacks_code: bool,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Link to this account.
    Link(OpenId),
    /// Leave unlinked.
    Leave(Reason),
}

/// Decides for `member`. `owners` are the accounts that are linked already.
///
/// A member links when its keys do not contradict each other and nobody else has the account.
pub fn decide(member: &MemberId, evidence: &Evidence, owners: &HashMap<OpenId, MemberId>) -> Decision {
    let account = match (evidence.email.account(), evidence.phone.account()) {
        (Some(by_email), Some(by_phone)) if by_email != by_phone => {
            return Decision::Leave(Reason::ConflictTwoPeople);
        }
        (Some(account), _) | (None, Some(account)) => account,
        (None, None) => return Decision::Leave(why_nobody(evidence)),
    };
    match owners.get(account) {
        Some(owner) if owner != member => Decision::Leave(Reason::AlreadyLinked),
        _ => Decision::Link(account.clone()),
    }
}

const fn why_nobody(evidence: &Evidence) -> Reason {
    match (&evidence.email, &evidence.phone) {
        _ if evidence.phone_lacks_code => Reason::PhoneNeedsCountryCode,
        (Answer::NotAsked, Answer::NotAsked) => Reason::NoContact,
        _ => Reason::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer() -> impl Strategy<Value = Answer> {
        prop_oneof![
            Just(Answer::NotAsked),
            Just(Answer::Nobody),
            (0u8..4).prop_map(|n| Answer::Account(format!("ou_{n}").parse().unwrap())),
        ]
    }

    proptest! {
        #[test]
        fn links_only_where_nothing_speaks_against_it(
            email in answer(), phone in answer(), phone_lacks_code: bool,
            owners in proptest::collection::hash_map(0u8..4, 0u8..3, 0..4),
        ) {
            let me: MemberId = "m0".parse().unwrap();
            let owners: HashMap<OpenId, MemberId> = owners
                .into_iter()
                .map(|(account, owner)| (format!("ou_{account}").parse().unwrap(), format!("m{owner}").parse().unwrap()))
                .collect();
            let evidence = Evidence { email: email.clone(), phone: phone.clone(), phone_lacks_code };
            let found: Vec<&OpenId> = [&email, &phone].into_iter().filter_map(Answer::account).collect();
            match decide(&me, &evidence, &owners) {
                Decision::Link(account) => {
                    prop_assert!(!found.is_empty() && found.iter().all(|one| **one == account));
                    prop_assert!(owners.get(&account).is_none_or(|owner| *owner == me));
                }
                Decision::Leave(Reason::ConflictTwoPeople) => prop_assert!(found.len() == 2 && found[0] != found[1]),
                Decision::Leave(Reason::AlreadyLinked) => {
                    prop_assert!(owners.get(found[0]).is_some_and(|owner| *owner != me));
                }
                Decision::Leave(Reason::PhoneNeedsCountryCode) => prop_assert!(found.is_empty() && phone_lacks_code),
                Decision::Leave(Reason::NoContact) => {
                    prop_assert!(email == Answer::NotAsked && phone == Answer::NotAsked);
                }
                Decision::Leave(Reason::NotFound) => prop_assert!(found.is_empty()),
                Decision::Leave(reason) => prop_assert!(false, "{reason:?}"),
            }
        }
    }
}
