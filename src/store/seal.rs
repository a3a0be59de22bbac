//! Sealing of single secrets: XChaCha20-Poly1305, a random nonce each, bound to their place.

use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use zeroize::Zeroizing;

use crate::core::secret::Secret;

/// Bytes of a nonce.
pub(super) const NONCE_BYTES: usize = 24;

/// A secret as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sealed {
    pub(super) nonce: Vec<u8>,
    pub(super) bytes: Vec<u8>,
}

/// The place that a secret is bound to: moved elsewhere, it does not open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) table: &'a str,
    pub(super) row: &'a str,
    pub(super) column: &'a str,
}

fn associated(place: Place<'_>, key_id: &str) -> String {
    format!("larkdeck/1|{}|{}|{}|{key_id}", place.table, place.row, place.column)
}

fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&Key::from(*key))
}

/// Seals `secret`. `None` only when the system gives no randomness.
pub(super) fn seal(key: &[u8; 32], key_id: &str, place: Place<'_>, secret: &Secret) -> Option<Sealed> {
    let mut nonce = [0u8; NONCE_BYTES];
    getrandom::fill(&mut nonce).ok()?;
    let aad = associated(place, key_id);
    let payload = Payload { msg: secret.reveal().as_bytes(), aad: aad.as_bytes() };
    let bytes = cipher(key).encrypt(&XNonce::from(nonce), payload).ok()?;
    Some(Sealed { nonce: nonce.to_vec(), bytes })
}

/// Opens what [`seal`] made; `None` when a bit of it, or its place, is another.
pub(super) fn open(key: &[u8; 32], key_id: &str, place: Place<'_>, sealed: &Sealed) -> Option<Secret> {
    let nonce: [u8; NONCE_BYTES] = sealed.nonce.as_slice().try_into().ok()?;
    let aad = associated(place, key_id);
    let payload = Payload { msg: &sealed.bytes, aad: aad.as_bytes() };
    let bytes = Zeroizing::new(cipher(key).decrypt(&XNonce::from(nonce), payload).ok()?);
    std::str::from_utf8(&bytes).ok().map(Secret::new)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: Place<'_> = Place { table: "integration", row: "i_1", column: "app_secret" };

    proptest! {
        #[test]
        fn a_sealed_secret_opens_only_as_it_was_sealed(
            text in "[ -~]{1,60}", key: [u8; 32], at in 0usize..1000, bit in 0u8..8,
        ) {
            let secret = Secret::new(text);
            let sealed = seal(&key, "k1", PLACE, &secret).unwrap();
            prop_assert_eq!(open(&key, "k1", PLACE, &sealed), Some(secret));
            let mut changed = sealed.clone();
            let spot = at % changed.bytes.len();
            changed.bytes[spot] ^= 1 << bit;
            prop_assert_eq!(open(&key, "k1", PLACE, &changed), None);
            let mut changed = sealed.clone();
            changed.nonce[at % NONCE_BYTES] ^= 1 << bit;
            prop_assert_eq!(open(&key, "k1", PLACE, &changed), None);
            let mut other = key;
            other[at % 32] ^= 1 << bit;
            prop_assert_eq!(open(&other, "k1", PLACE, &sealed), None);
            prop_assert_eq!(open(&key, "k2", PLACE, &sealed), None);
            prop_assert_eq!(open(&key, "k1", Place { row: "i_2", ..PLACE }, &sealed), None);
            prop_assert_eq!(open(&key, "k1", Place { column: "encrypt_key", ..PLACE }, &sealed), None);
            prop_assert_eq!(open(&key, "k1", Place { table: "user", ..PLACE }, &sealed), None);
        }
    }
}
