//! What arrives at the Message Card Request URL: proved to come from the platform, then read.

use crate::core::secret::Secret;

use super::{
    EventError, Incoming,
    crypto::{CipherKey, card_signature_v1, event_signature, verify},
    wire::Envelope,
};

/// What an integration knows to prove an event with.
#[derive(Clone)]
pub struct EventKeys {
    cipher: Option<CipherKey>,
    encrypt_key: Option<Secret>,
    verification_token: Option<Secret>,
}

/// The three headers of a signed request; empty where it has none. Header names are case-insensitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Signed<'a> {
    /// `X-Lark-Request-Timestamp`.
    pub timestamp: &'a str,
    /// `X-Lark-Request-Nonce`.
    pub nonce: &'a str,
    /// `X-Lark-Signature`.
    pub signature: &'a str,
}

/// A request that proved genuine.
#[derive(Debug, Clone, PartialEq)]
pub enum Opened {
    /// The URL is being verified: answer `{"challenge": …}` with this.
    Challenge(String),
    /// An event or a callback.
    Event(Box<Incoming>),
}

impl EventKeys {
    /// The keys of an app. Without an Encrypt Key events come in the clear and unsigned; without a
    /// Verification Token that is not checked either.
    pub fn new(encrypt_key: Option<Secret>, verification_token: Option<Secret>) -> Self {
        let given = |secret: &Secret| !secret.is_empty();
        let encrypt_key = encrypt_key.filter(given);
        Self {
            cipher: encrypt_key.as_ref().map(|key| CipherKey::new(key.reveal())),
            encrypt_key,
            verification_token: verification_token.filter(given),
        }
    }

    /// Verifies, decrypts and reads the raw body of a request.
    ///
    /// # Errors
    /// [`EventError`]: a wrong signature, key or token, and what cannot be read.
    pub fn open(&self, signed: Signed<'_>, body: &[u8]) -> Result<Opened, EventError> {
        let outer = Envelope::read(body)?;
        let Some(encrypted) = outer.encrypt.filled() else {
            return self.open_clear(outer, signed, body);
        };
        let (Some(cipher), Some(key)) = (&self.cipher, &self.encrypt_key) else {
            return Err(EventError::Encryption(
                "the event is encrypted and the integration has no Encrypt Key",
            ));
        };
        // The body is signed as it came. A challenge may come without a signature, so what is inside
        // decides whether one has to be there; one that is there has to be right.
        let is_signed = !signed.signature.is_empty();
        if is_signed {
            let expected = event_signature(signed.timestamp, signed.nonce, key.reveal(), body);
            if !verify(&expected, signed.signature) {
                return Err(EventError::Signature("wrong"));
            }
        }
        let plain = cipher.decrypt(encrypted)?;
        let inner = Envelope::read(&plain)?;
        self.check_token(&inner)?;
        match inner.challenge() {
            Some(challenge) => Ok(Opened::Challenge(challenge.to_owned())),
            None if !is_signed => Err(EventError::Signature("missing")),
            None => Ok(Opened::Event(Box::new(inner.incoming(&plain)?))),
        }
    }

    fn open_clear(
        &self,
        envelope: Envelope<'_>,
        signed: Signed<'_>,
        body: &[u8],
    ) -> Result<Opened, EventError> {
        if envelope.is_old_card() {
            self.check_old_card(signed, body)?;
            return Ok(Opened::Event(Box::new(envelope.incoming(body)?)));
        }
        self.check_token(&envelope)?;
        if let Some(challenge) = envelope.challenge() {
            return Ok(Opened::Challenge(challenge.to_owned()));
        }
        if self.encrypt_key.is_some() {
            return Err(EventError::Encryption("the event is not encrypted although an Encrypt Key is set"));
        }
        Ok(Opened::Event(Box::new(envelope.incoming(body)?)))
    }

    /// An old card callback is never encrypted and carries no Verification Token: its signature proves it.
    fn check_old_card(&self, signed: Signed<'_>, body: &[u8]) -> Result<(), EventError> {
        let Some(token) = &self.verification_token else {
            // Where events have to prove themselves, a press by whomever it says must not go unproved.
            return match self.encrypt_key {
                None => Ok(()),
                Some(_) => Err(EventError::Encryption(
                    "an old card callback cannot be proved without a Verification Token",
                )),
            };
        };
        if signed.signature.is_empty() {
            return Err(EventError::Signature("missing"));
        }
        let expected = card_signature_v1(signed.timestamp, signed.nonce, token.reveal(), body);
        if verify(&expected, signed.signature) { Ok(()) } else { Err(EventError::Signature("wrong")) }
    }

    fn check_token(&self, envelope: &Envelope<'_>) -> Result<(), EventError> {
        match &self.verification_token {
            Some(token) if !verify(token.reveal(), envelope.token()) => Err(EventError::Token),
            _ => Ok(()),
        }
    }
}
