//! Encryption and signatures of what the platform sends (`feishu/events` 2 and 3, read 2026-05).

use aes::{
    Aes256, Aes256Dec,
    cipher::{
        Array, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyIvInit,
        block_padding::{Padding, Pkcs7},
    },
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
/// The widest engine (AVX-512) opens so many bytes at once, and what is over block by block, which for a usual
/// event is all of it. A full turn over a few blocks too many is much cheaper.
const TURN: usize = 64 * BLOCK;

/// An Encrypt Key made ready: SHA-256 of its text. Wiped when dropped.
#[derive(Clone)]
pub struct CipherKey {
    key: Zeroizing<[u8; 32]>,
    /// Its round keys; this type wipes itself.
    opener: Aes256Dec,
}

impl CipherKey {
    /// The key of the Encrypt Key's text.
    pub fn new(encrypt_key: &str) -> Self {
        let key: Zeroizing<[u8; 32]> = Zeroizing::new(Sha256::digest(encrypt_key.as_bytes()).into());
        Self { opener: Aes256Dec::new((&*key).into()), key }
    }

    /// Opens the base64 text of an `encrypt` member.
    ///
    /// # Errors
    /// [`EventError::Undecipherable`], whatever is wrong with it.
    pub fn decrypt(&self, encrypted: &str) -> Result<Vec<u8>, EventError> {
        let text = encrypted.trim_ascii().as_bytes();
        let mut data = Vec::with_capacity(BLOCK + (text.len() / 4 * 3).next_multiple_of(TURN));
        // The body of an event is base64 from end to end: a decoder of vectors is felt here, and only here.
        base64_simd::STANDARD.decode_append(text, &mut data).map_err(|_| EventError::Undecipherable)?;
        let length = self.open(&mut data).ok_or(EventError::Undecipherable)?;
        data.drain(..BLOCK);
        data.truncate(length);
        Ok(data)
    }

    /// Opens iv and ciphertext in their place; the answer is the length of the plain text after the iv.
    fn open(&self, data: &mut Vec<u8>) -> Option<usize> {
        let sealed = data.len().checked_sub(BLOCK).filter(|length| length.is_multiple_of(BLOCK))?;
        data.resize(BLOCK + sealed.next_multiple_of(TURN), 0);
        let (iv, rest) = data.split_first_chunk_mut::<BLOCK>()?;
        let (blocks, _) = Array::slice_as_chunks_mut(rest);
        cbc::Decryptor::<&Aes256Dec>::inner_iv_init(&self.opener, (&*iv).into()).decrypt_blocks(blocks);
        Some(Pkcs7::unpad_blocks(blocks.get(..sealed / BLOCK)?).ok()?.len())
    }

    /// Seals `plain` under `iv`, as the platform does: base64 of iv and ciphertext.
    pub fn encrypt(&self, plain: &[u8], iv: &[u8; BLOCK]) -> String {
        let cipher = cbc::Encryptor::<Aes256>::new((&*self.key).into(), iv.into());
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
    let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'a' - 10 + value });
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 15));
    }
    out
}
