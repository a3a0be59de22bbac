//! The plan of a linking: who, by which key, in how many calls. Spends nothing.

use std::collections::HashSet;

use crate::core::{
    ids::{IntegrationId, MemberId},
    member::{Member, Reason},
};

use super::super::{phone, view::LinkResult};

/// Most emails, and most phones, of one call (`feishu/contact`).
pub const KEYS_PER_CALL: usize = 50;

/// A member that is to be linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The member.
    pub id: MemberId,
    /// Email to look up, in lower case.
    pub email: Option<String>,
    /// Phone to look up, E.164.
    pub phone: Option<String>,
    /// It has a phone, but without its country code.
    pub phone_lacks_code: bool,
}

impl Candidate {
    /// What of `member` can be looked up.
    pub fn of(member: &Member) -> Self {
        let phone = member.phone.as_deref().and_then(|text| phone::read(text).ok());
        let (phone, phone_lacks_code) = match phone {
            Some(phone::Phone::E164(number)) => (Some(number), false),
            Some(phone::Phone::Bare(_)) => (None, true),
            None => (None, false),
        };
        Self {
            id: member.id.clone(),
            email: member.email.as_deref().map(str::to_lowercase),
            phone,
            phone_lacks_code,
        }
    }

    /// Why it cannot be looked up at all.
    pub const fn why_not_askable(&self) -> Option<Reason> {
        match (&self.email, &self.phone) {
            (None, None) if self.phone_lacks_code => Some(Reason::PhoneNeedsCountryCode),
            (None, None) => Some(Reason::NoContact),
            _ => None,
        }
    }
}

/// One call to come: members whose keys are all answered by it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// The members.
    pub members: Vec<Candidate>,
    /// Their emails, each once.
    pub emails: Vec<String>,
    /// Their phones, each once.
    pub phones: Vec<String>,
}

/// What a linking would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkPlan {
    /// For which integration.
    pub integration: IntegrationId,
    /// Members that are asked about, and those that cannot be.
    pub members: usize,
    /// Phones to look up.
    pub phones: usize,
    /// Emails to look up.
    pub emails: usize,
    /// Calls it takes. None of them counts against the month.
    pub calls: usize,
    /// The calls.
    pub batches: Vec<Batch>,
    /// Members without a key that can be looked up, and why.
    pub not_askable: Vec<(MemberId, Reason)>,
    /// Members that nothing is asked about: linked already, or answered by a run that was cut short.
    pub settled: Vec<LinkResult>,
}

impl LinkPlan {
    /// Plans the linking of `candidates`. Both keys of a member travel in one call, so that a run cut short
    /// repeats nothing but the calls that were under way.
    pub fn new(integration: IntegrationId, candidates: Vec<Candidate>, settled: Vec<LinkResult>) -> Self {
        let members = candidates.len();
        let mut not_askable = Vec::new();
        let (mut by_both, mut by_email, mut by_phone) = (Vec::new(), Vec::new(), Vec::new());
        for candidate in candidates {
            match (candidate.why_not_askable(), &candidate.email, &candidate.phone) {
                (Some(reason), ..) => not_askable.push((candidate.id, reason)),
                (None, Some(_), Some(_)) => by_both.push(candidate),
                (None, Some(_), None) => by_email.push(candidate),
                (None, None, _) => by_phone.push(candidate),
            }
        }
        let batches = pack(by_both, by_email, by_phone);
        Self {
            integration,
            members,
            phones: batches.iter().map(|batch| batch.phones.len()).sum(),
            emails: batches.iter().map(|batch| batch.emails.len()).sum(),
            calls: batches.len(),
            batches,
            not_askable,
            settled,
        }
    }
}

/// Members with both keys first; those with one fill what they leave free. As few calls as can be when no
/// two members share a key.
fn pack(by_both: Vec<Candidate>, by_email: Vec<Candidate>, by_phone: Vec<Candidate>) -> Vec<Batch> {
    let mut batches: Vec<Filling> = Vec::new();
    for candidate in by_both {
        if !batches.last().is_some_and(|last| last.has_room(&candidate)) {
            batches.push(Filling::default());
        }
        if let Some(last) = batches.last_mut() {
            last.add(candidate);
        }
    }
    // Only the last of these has room.
    let first = batches.len().saturating_sub(1);
    for group in [by_email, by_phone] {
        let mut at = first;
        for candidate in group {
            while batches.get(at).is_some_and(|batch| !batch.has_room(&candidate)) {
                at += 1;
            }
            if batches.len() <= at {
                batches.push(Filling::default());
            }
            if let Some(batch) = batches.get_mut(at) {
                batch.add(candidate);
            }
        }
    }
    batches.into_iter().map(|filling| filling.batch).collect()
}

#[derive(Default)]
struct Filling {
    batch: Batch,
    known: HashSet<String>,
}

impl Filling {
    fn has_room(&self, candidate: &Candidate) -> bool {
        let fits = |key: &Option<String>, keys: &Vec<String>| {
            key.as_ref().is_none_or(|key| keys.len() < KEYS_PER_CALL || self.known.contains(key))
        };
        fits(&candidate.email, &self.batch.emails) && fits(&candidate.phone, &self.batch.phones)
    }

    fn add(&mut self, candidate: Candidate) {
        for (key, keys) in
            [(&candidate.email, &mut self.batch.emails), (&candidate.phone, &mut self.batch.phones)]
        {
            if let Some(key) = key
                && self.known.insert(key.clone())
            {
                keys.push(key.clone());
            }
        }
        self.batch.members.push(candidate);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidate(id: usize, email: Option<usize>, phone: Option<usize>) -> Candidate {
        Candidate {
            id: format!("m{id}").parse().unwrap(),
            email: email.map(|n| format!("e{n}@ex.test")),
            phone: phone.map(|n| format!("+86{n}")),
            phone_lacks_code: false,
        }
    }

    fn plan(candidates: Vec<Candidate>) -> LinkPlan {
        LinkPlan::new("i1".parse().unwrap(), candidates, Vec::new())
    }

    #[test]
    fn members_with_one_key_share_calls() {
        let mut all: Vec<Candidate> = (0..50).map(|n| candidate(n, Some(n), None)).collect();
        all.extend((50..100).map(|n| candidate(n, None, Some(n))));
        assert_eq!(plan(all).calls, 1);
        assert_eq!(plan((0..320).map(|n| candidate(n, Some(n), Some(n))).collect()).calls, 7);
        assert_eq!(plan(Vec::new()).calls, 0);
    }

    #[test]
    fn contact_data_decides_what_is_asked() {
        let mut member = Member {
            id: "m1".parse().unwrap(),
            name: "Ann".into(),
            email: Some("Ann@ex.test".into()),
            phone: Some("2025550100".into()),
            team: None,
            licence: None,
            link: None,
            reason: None,
            looked_up_at: None,
        };
        let candidate = Candidate::of(&member);
        assert_eq!((candidate.email.as_deref(), candidate.phone.as_deref()), (Some("ann@ex.test"), None));
        assert!(candidate.phone_lacks_code);
        assert_eq!(candidate.why_not_askable(), None);
        member.email = None;
        assert_eq!(Candidate::of(&member).why_not_askable(), Some(Reason::PhoneNeedsCountryCode));
        member.phone = None;
        assert_eq!(Candidate::of(&member).why_not_askable(), Some(Reason::NoContact));
    }

    proptest! {
        #[test]
        fn everybody_is_asked_about_once_in_as_few_calls_as_can_be(
            keys in proptest::collection::vec((any::<bool>(), any::<bool>()), 0..400),
        ) {
            let candidates: Vec<Candidate> = keys
                .iter()
                .enumerate()
                .map(|(n, (email, phone))| candidate(n, email.then_some(n), phone.then_some(n)))
                .collect();
            let emails = keys.iter().filter(|key| key.0).count();
            let phones = keys.iter().filter(|key| key.1).count();
            let plan = plan(candidates.clone());
            prop_assert_eq!((plan.emails, plan.phones, plan.members), (emails, phones, keys.len()));
            prop_assert_eq!(plan.calls, emails.max(phones).div_ceil(KEYS_PER_CALL));
            let mut seen: Vec<&MemberId> =
                plan.batches.iter().flat_map(|batch| batch.members.iter().map(|member| &member.id)).collect();
            seen.extend(plan.not_askable.iter().map(|(id, _)| id));
            seen.sort();
            seen.dedup();
            prop_assert_eq!(seen.len(), keys.len());
            for batch in &plan.batches {
                prop_assert!(batch.emails.len() <= KEYS_PER_CALL && batch.phones.len() <= KEYS_PER_CALL);
                for member in &batch.members {
                    prop_assert!(member.email.as_ref().is_none_or(|email| batch.emails.contains(email)));
                    prop_assert!(member.phone.as_ref().is_none_or(|phone| batch.phones.contains(phone)));
                }
            }
        }

        #[test]
        fn shared_keys_are_asked_for_once_a_call(keys in proptest::collection::vec((0usize..20, 0usize..20), 0..120)) {
            let candidates = keys.iter().enumerate().map(|(n, (e, p))| candidate(n, Some(*e), Some(*p))).collect();
            for batch in plan(candidates).batches {
                let emails: HashSet<&String> = batch.emails.iter().collect();
                prop_assert_eq!(emails.len(), batch.emails.len());
            }
        }
    }
}
