//! What browsers and people are given, and how it is known again: states, cookies, invitations, CSRF tokens.
//! Each is a few random bytes and a signature over them and their purpose, so that what was never given out
//! is refused before anything is read or written, and one kind never passes for another.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::core::{ids::IntegrationId, secret::Secret, time::Timestamp};

/// Bytes of a random id, and of a signature: 128 bits of each.
const ID: usize = 16;

/// Signs for one integration.
pub(super) struct Signer {
    key: Secret,
    integration: IntegrationId,
}

/// A login that begins.
pub(super) struct Ticket {
    /// Travels through the platform.
    pub(super) state: String,
    /// Name of the cookie that binds the state to the browser.
    pub(super) cookie_name: String,
    /// Its value.
    pub(super) cookie: Secret,
    /// The PKCE verifier. Made again from state and cookie when they come back: it is kept nowhere.
    pub(super) verifier: Secret,
}

/// A session's cookie, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SessionMark {
    id: [u8; ID],
    /// Raised with each visit.
    pub(super) generation: u32,
}

/// A login cookie, read.
pub(super) struct Bound {
    pub(super) verifier: Secret,
    pub(super) invitation: Option<String>,
}

fn random() -> Option<[u8; ID]> {
    let mut bytes = [0; ID];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}

fn encode(parts: &[&[u8]]) -> String {
    URL_SAFE_NO_PAD.encode(parts.concat())
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    // Longer texts are nobody's: they are not even decoded.
    if text.len() > 4 * N {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The name of the cookie of a login. The state's first letters tell several logins of one browser apart.
pub(super) fn cookie_name(state: &str) -> String {
    let letters = state.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    format!("larkdeck_login_{}", letters.take(8).collect::<String>())
}

/// What the store knows a state by.
pub(super) fn state_hash(state: &str) -> String {
    hex(&Sha256::digest(state.as_bytes()))
}

impl Signer {
    pub(super) const fn new(key: Secret, integration: IntegrationId) -> Self {
        Self { key, integration }
    }

    fn sign(&self, purpose: &str, parts: &[&[u8]]) -> Option<[u8; 32]> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.reveal().as_bytes()).ok()?;
        for part in [purpose.as_bytes(), self.integration.as_str().as_bytes()].iter().chain(parts) {
            // With their lengths, so that no two lists of parts read the same.
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        Some(mac.finalize().into_bytes().into())
    }

    fn short(&self, purpose: &str, parts: &[&[u8]]) -> Option<[u8; ID]> {
        self.sign(purpose, parts)?.first_chunk::<ID>().copied()
    }

    fn is_signed(&self, purpose: &str, parts: &[&[u8]], mac: &[u8]) -> bool {
        self.short(purpose, parts).is_some_and(|good| bool::from(good.ct_eq(mac)))
    }

    /// Begins a login. `None` only without randomness.
    pub(super) fn begin(&self, now: Timestamp, invitation: Option<&str>) -> Option<Ticket> {
        let at = now.ms().to_be_bytes();
        let id = random()?;
        let state = encode(&[&id, &at, &self.short("state", &[&id, &at])?]);
        let secret = random()?;
        let invitation = invitation.unwrap_or_default();
        let mac = self.short("login", &[state.as_bytes(), &secret, invitation.as_bytes()])?;
        let cookie = Secret::new(format!("{}.{invitation}", encode(&[&secret, &mac])));
        let verifier = self.verifier(&state, &secret)?;
        Some(Ticket { cookie_name: cookie_name(&state), state, cookie, verifier })
    }

    fn verifier(&self, state: &str, secret: &[u8; ID]) -> Option<Secret> {
        Some(Secret::new(encode(&[&self.sign("pkce", &[state.as_bytes(), secret])?])))
    }

    /// When a state was given out; `None`: it never was.
    pub(super) fn began_at(&self, state: &str) -> Option<Timestamp> {
        let bytes: [u8; ID + 8 + ID] = decode(state)?;
        let (signed, mac) = bytes.split_at_checked(ID + 8)?;
        let (id, at) = signed.split_at_checked(ID)?;
        let at_ms = i64::from_be_bytes(at.try_into().ok()?);
        self.is_signed("state", &[id, at], mac).then_some(Timestamp::from_ms(at_ms))
    }

    /// Reads the cookie that was given out with `state`; `None`: it is another browser's.
    pub(super) fn bound(&self, state: &str, cookie: &str) -> Option<Bound> {
        let (bytes, invitation) = cookie.split_once('.')?;
        let bytes: [u8; 2 * ID] = decode(bytes)?;
        let (secret, mac) = bytes.split_at_checked(ID)?;
        let is_own = self.is_signed("login", &[state.as_bytes(), secret, invitation.as_bytes()], mac);
        let verifier = self.verifier(state, secret.try_into().ok()?)?;
        let invitation = Some(invitation).filter(|text| !text.is_empty()).map(str::to_owned);
        is_own.then_some(Bound { verifier, invitation })
    }

    /// A new session. `None` only without randomness.
    pub(super) fn new_session(&self) -> Option<SessionMark> {
        Some(SessionMark { id: random()?, generation: 1 })
    }

    /// The cookie of a session.
    pub(super) fn session_cookie(&self, mark: SessionMark) -> Option<Secret> {
        let generation = mark.generation.to_be_bytes();
        let mac = self.short("session", &[&mark.id, &generation])?;
        Some(Secret::new(encode(&[&mark.id, &generation, &mac])))
    }

    /// Reads the cookie of a session; `None`: it was never given out.
    pub(super) fn read_session(&self, cookie: &str) -> Option<SessionMark> {
        let bytes: [u8; ID + 4 + ID] = decode(cookie)?;
        let (signed, mac) = bytes.split_at_checked(ID + 4)?;
        let (id, generation) = signed.split_at_checked(ID)?;
        let mark = SessionMark {
            id: id.try_into().ok()?,
            generation: u32::from_be_bytes(generation.try_into().ok()?),
        };
        self.is_signed("session", &[id, generation], mac).then_some(mark)
    }

    /// What a form of a session carries, so that no other site can send it.
    pub(super) fn csrf(&self, mark: SessionMark) -> Option<String> {
        Some(encode(&[&self.short("csrf", &[&mark.id])?]))
    }

    /// Whether a form came from a page of this session.
    pub(super) fn is_own_form(&self, mark: SessionMark, token: &str) -> bool {
        decode::<ID>(token).is_some_and(|token| self.is_signed("csrf", &[&mark.id], &token))
    }

    /// A new invitation. `None` only without randomness.
    pub(super) fn new_invitation(&self) -> Option<String> {
        let id = random()?;
        Some(encode(&[&id, &self.short("invitation", &[&id])?]))
    }

    /// What the store knows an invitation by; `None`: it was never given out.
    pub(super) fn invitation_hash(&self, token: &str) -> Option<String> {
        let bytes: [u8; 2 * ID] = decode(token)?;
        let (id, mac) = bytes.split_at_checked(ID)?;
        self.is_signed("invitation", &[id], mac).then(|| hex(&Sha256::digest(id)))
    }
}

impl SessionMark {
    /// What the store knows the session by.
    pub(super) fn hash(self) -> String {
        hex(&Sha256::digest(self.id))
    }

    /// The generation that the next answer carries.
    pub(super) const fn next(self) -> Self {
        Self { generation: self.generation.saturating_add(1), ..self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signer(key: &str, integration: &str) -> Signer {
        Signer::new(Secret::new(key), integration.parse().unwrap())
    }

    #[test]
    fn a_login_is_bound_to_its_state_its_browser_and_its_integration() {
        let ours = signer("k", "i_1");
        let now = Timestamp::from_ms(1_790_000_000_000);
        let (one, two) = (ours.begin(now, None).unwrap(), ours.begin(now, Some("inv")).unwrap());
        assert_eq!(ours.began_at(&one.state), Some(now));
        assert_eq!(one.verifier.reveal().len(), 43);
        let bound = ours.bound(&two.state, two.cookie.reveal()).unwrap();
        assert_eq!((bound.invitation.as_deref(), &bound.verifier), (Some("inv"), &two.verifier));
        assert!(ours.bound(&one.state, two.cookie.reveal()).is_none(), "the cookie of another login");
        assert!(ours.bound(&two.state, &two.cookie.reveal().replace("inv", "inw")).is_none());
        for other in [signer("k", "i_2"), signer("l", "i_1")] {
            assert_eq!(other.began_at(&one.state), None);
            assert!(other.bound(&one.state, one.cookie.reveal()).is_none());
        }
    }

    #[test]
    fn one_kind_never_passes_for_another() {
        let ours = signer("k", "i_1");
        let mark = ours.new_session().unwrap();
        let csrf = ours.csrf(mark).unwrap();
        assert!(ours.is_own_form(mark, &csrf) && ours.is_own_form(mark.next(), &csrf));
        assert!(!ours.is_own_form(ours.new_session().unwrap(), &csrf));
        let invitation = ours.new_invitation().unwrap();
        assert!(ours.invitation_hash(&invitation).is_some());
        assert_eq!(ours.read_session(&invitation), None);
        assert_eq!(ours.invitation_hash(ours.session_cookie(mark).unwrap().reveal()), None);
        assert_eq!(ours.read_session(ours.session_cookie(mark).unwrap().reveal()), Some(mark));
    }

    proptest! {
        #[test]
        fn a_changed_letter_is_noticed(at in 0usize..200, letter in "[A-Za-z0-9_-]") {
            let ours = signer("k", "i_1");
            let cookie = ours.session_cookie(ours.new_session().unwrap()).unwrap();
            let mut changed: Vec<char> = cookie.reveal().chars().collect();
            let at = at % changed.len();
            changed[at] = letter.chars().next().unwrap();
            let changed: String = changed.into_iter().collect();
            prop_assume!(changed != cookie.reveal());
            prop_assert_eq!(ours.read_session(&changed), None);
        }

        #[test]
        fn no_text_makes_it_stumble(text in ".{0,200}") {
            let ours = signer("k", "i_1");
            prop_assert_eq!(ours.began_at(&text), None);
            prop_assert!(ours.bound(&text, &text).is_none());
            prop_assert_eq!(ours.read_session(&text), None);
            prop_assert_eq!(ours.invitation_hash(&text), None);
            prop_assert!(cookie_name(&text).bytes().all(|b| b.is_ascii_graphic()));
        }
    }
}
