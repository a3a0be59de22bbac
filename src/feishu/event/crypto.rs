//! Encryption and signatures of what the platform sends (`feishu/events` 2 and 3, read 2026-05).

use aes::{
    Aes256,
    cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::Pkcs7},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::EventError;

const BLOCK: usize = 16;

/// An Encrypt Key made ready: SHA-256 of its text. Wiped when dropped.
#[derive(Clone)]
pub struct CipherKey(Zeroizing<[u8; 32]>);

impl CipherKey {
    /// The key of the Encrypt Key's text.
    pub fn new(encrypt_key: &str) -> Self {
        Self(Zeroizing::new(Sha256::digest(encrypt_key.as_bytes()).into()))
    }

    /// Opens the base64 text of an `encrypt` member.
    ///
    /// # Errors
    /// [`EventError::Undecipherable`], whatever is wrong with it.
    pub fn decrypt(&self, encrypted: &str) -> Result<Vec<u8>, EventError> {
        let mut data = STANDARD.decode(encrypted.trim_ascii()).map_err(|_| EventError::Undecipherable)?;
        let (iv, sealed) = data.split_at_mut_checked(BLOCK).ok_or(EventError::Undecipherable)?;
        let iv: [u8; BLOCK] = (&*iv).try_into().map_err(|_| EventError::Undecipherable)?;
        let cipher = cbc::Decryptor::<Aes256>::new((&*self.0).into(), (&iv).into());
        let length = cipher.decrypt_padded::<Pkcs7>(sealed).map_err(|_| EventError::Undecipherable)?.len();
        data.drain(..BLOCK);
        data.truncate(length);
        Ok(data)
    }

    /// Seals `plain` under `iv`, as the platform does: base64 of iv and ciphertext.
    pub fn encrypt(&self, plain: &[u8], iv: &[u8; BLOCK]) -> String {
        let cipher = cbc::Encryptor::<Aes256>::new((&*self.0).into(), iv.into());
        let mut data = iv.to_vec();
        data.extend_from_slice(plain);
        data.resize(BLOCK + plain.len() / BLOCK * BLOCK + BLOCK, 0);
        // The room is right by construction, so this cannot fail.
        if let Some((_, room)) = data.split_at_mut_checked(BLOCK) {
            let _ = cipher.encrypt_padded::<Pkcs7>(room, plain.len());
        }
        STANDARD.encode(data)
    }
}

/// Opens `encrypted` with the Encrypt Key's text; for many of them make a [`CipherKey`] once.
///
/// # Errors
/// [`EventError::Undecipherable`].
pub fn decrypt(encrypt_key: &str, encrypted: &str) -> Result<Vec<u8>, EventError> {
    CipherKey::new(encrypt_key).decrypt(encrypted)
}

/// Seals `plain` with the Encrypt Key's text under `iv`.
pub fn encrypt(encrypt_key: &str, plain: &[u8], iv: &[u8; BLOCK]) -> String {
    CipherKey::new(encrypt_key).encrypt(plain, iv)
}

/// The signature of an event or a new card callback: hex(SHA-256(timestamp + nonce + Encrypt Key + body)).
pub fn event_signature(timestamp: &str, nonce: &str, encrypt_key: &str, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    for part in [timestamp.as_bytes(), nonce.as_bytes(), encrypt_key.as_bytes(), body] {
        hash.update(part);
    }
    hex(&hash.finalize())
}

/// The signature of an old card callback: hex(SHA-1(timestamp + nonce + Verification Token + body)).
pub fn card_signature_v1(timestamp: &str, nonce: &str, verification_token: &str, body: &[u8]) -> String {
    let mut hash = Sha1::new();
    for part in [timestamp.as_bytes(), nonce.as_bytes(), verification_token.as_bytes(), body] {
        hash.update(part);
    }
    hex(&hash.finalize())
}

/// Whether two signatures are the same, in a time that tells nothing of where they differ.
pub fn verify(expected: &str, got: &str) -> bool {
    expected.as_bytes().ct_eq(got.as_bytes()).into()
}

/// The `sign` of a group-bot webhook call: base64(HMAC-SHA-256(key: timestamp + line feed + secret)).
/// `timestamp` is in seconds.
pub fn webhook_sign(timestamp: &str, secret: &str) -> String {
    let key = Zeroizing::new(format!("{timestamp}\n{secret}"));
    // A key of any length will do for an HMAC, so this cannot fail.
    Hmac::<Sha256>::new_from_slice(key.as_bytes())
        .map(|mac| STANDARD.encode(mac.finalize().into_bytes()))
        .unwrap_or_default()
}

/// The `code_challenge` of a PKCE verifier by the method `S256`.
pub fn pkce_s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    out.extend(digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)));
    out
}
