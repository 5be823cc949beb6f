//! Passwords as brokers keep them in ZooKeeper (`EncryptingPasswordEncoder`): AES in CBC mode under a key derived from
//! `password.encoder.secret`, everything but the secret written beside the cipher text. Pure but for the salt's randomness.

use std::collections::HashMap;

use aes::{Aes128, Aes192, Aes256};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use gregor_config::{Password, Values};
use rand::Rng;

/// The only cipher that `password.encoder.cipher.algorithm` may name.
const CIPHER: &str = "AES/CBC/PKCS5Padding";
/// What derives the key unless `password.encoder.keyfactory.algorithm` says otherwise.
const DEFAULT_KEY_FACTORY: &str = "PBKDF2WithHmacSHA512";
const SALT_BYTES: usize = 256;
const BLOCK_BYTES: usize = 16;
/// Far above what anybody configures; a stored count beyond it would only keep a thread busy.
const ITERATIONS_MAX: u32 = 10_000_000;

/// Why a stored password cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Password could not be decoded: {0}")]
pub struct DecodeError(&'static str);

/// Encrypts and decrypts passwords under one secret.
#[derive(Clone, Debug)]
pub struct PasswordEncoder {
    secret: Password,
    key_factory: String,
    key_bits: u32,
    iterations: u32,
}

impl PasswordEncoder {
    /// The encoder of `password.encoder.secret`; `None` when that is not set.
    pub fn from_values(values: &Values) -> Option<PasswordEncoder> {
        PasswordEncoder::with(values.opt_password("password.encoder.secret")?, values)
    }

    /// The encoder of `password.encoder.old.secret`, which only decodes.
    pub fn old(values: &Values) -> Option<PasswordEncoder> {
        PasswordEncoder::with(values.opt_password("password.encoder.old.secret")?, values)
    }

    fn with(secret: Password, values: &Values) -> Option<PasswordEncoder> {
        let count = |name| u32::try_from(values.i32(name)).ok();
        Some(PasswordEncoder {
            secret,
            key_factory: values
                .opt_string("password.encoder.keyfactory.algorithm")
                .unwrap_or_else(|| DEFAULT_KEY_FACTORY.to_owned()),
            key_bits: count("password.encoder.key.length")?,
            iterations: count("password.encoder.iterations")?,
        })
    }

    /// Encrypts a password; `None` when the configured key is none for AES.
    pub fn encode(&self, password: &str) -> Option<String> {
        let (mut salt, mut vector) = ([0; SALT_BYTES], [0; BLOCK_BYTES]);
        rand::rng().fill_bytes(&mut salt);
        rand::rng().fill_bytes(&mut vector);
        let key = self.key(&self.key_factory, &salt, self.iterations, self.key_bits).ok()?;
        let encrypted = encrypt(&key, &vector, password.as_bytes())?;
        let base64 = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
        Some(format!(
            "keyFactoryAlgorithm:{},cipherAlgorithm:{CIPHER},initializationVector:{},encryptedPassword:{},salt:{},iterations:{},keyLength:{},passwordLength:{}",
            self.key_factory,
            base64(&vector),
            base64(&encrypted),
            base64(&salt),
            self.iterations,
            self.key_bits,
            password.encode_utf16().count(),
        ))
    }

    /// Decrypts what [`encode`](Self::encode) or Kafka wrote, in whatever strength it says.
    pub fn decode(&self, text: &str) -> Result<String, DecodeError> {
        let fields: HashMap<&str, &str> =
            text.split(',').filter_map(|field| field.trim().split_once(':')).collect();
        let field = |name| fields.get(name).copied().ok_or(DecodeError("a part is missing"));
        let number = |name| field(name)?.parse::<u32>().map_err(|_| DecodeError("a number is none"));
        let bytes =
            |name| BASE64_STANDARD.decode(field(name)?).map_err(|_| DecodeError("a part is not in base 64"));
        if field("cipherAlgorithm")? != CIPHER {
            return Err(DecodeError("the cipher is not known"));
        }
        let iterations = number("iterations")?;
        let key =
            self.key(field("keyFactoryAlgorithm")?, &bytes("salt")?, iterations, number("keyLength")?)?;
        let decrypted = decrypt(&key, &bytes("initializationVector")?, &bytes("encryptedPassword")?)
            .ok_or(DecodeError("the secret is another"))?;
        let password = String::from_utf8(decrypted).map_err(|_| DecodeError("the secret is another"))?;
        if password.encode_utf16().count() != number("passwordLength")? as usize {
            return Err(DecodeError("the secret is another"));
        }
        Ok(password)
    }

    fn key(&self, factory: &str, salt: &[u8], iterations: u32, bits: u32) -> Result<Vec<u8>, DecodeError> {
        if !(1..=ITERATIONS_MAX).contains(&iterations) {
            return Err(DecodeError("the number of iterations is out of range"));
        }
        let length = match bits {
            128 | 192 | 256 => bits as usize / 8,
            _ => return Err(DecodeError("the key length is none of AES")),
        };
        let mut key = vec![0; length];
        let secret = self.secret.reveal().as_bytes();
        match factory {
            "PBKDF2WithHmacSHA1" => {
                pbkdf2::pbkdf2_hmac::<sha1::Sha1>(secret, salt, iterations, &mut key);
            }
            "PBKDF2WithHmacSHA256" => {
                pbkdf2::pbkdf2_hmac::<sha2::Sha256>(secret, salt, iterations, &mut key);
            }
            "PBKDF2WithHmacSHA512" => {
                pbkdf2::pbkdf2_hmac::<sha2::Sha512>(secret, salt, iterations, &mut key);
            }
            _ => return Err(DecodeError("the key factory is not known")),
        }
        Ok(key)
    }
}

fn encrypt(key: &[u8], vector: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    match key.len() {
        16 => Some(
            cbc::Encryptor::<Aes128>::new_from_slices(key, vector).ok()?.encrypt_padded_vec::<Pkcs7>(text),
        ),
        24 => Some(
            cbc::Encryptor::<Aes192>::new_from_slices(key, vector).ok()?.encrypt_padded_vec::<Pkcs7>(text),
        ),
        32 => Some(
            cbc::Encryptor::<Aes256>::new_from_slices(key, vector).ok()?.encrypt_padded_vec::<Pkcs7>(text),
        ),
        _ => None,
    }
}

fn decrypt(key: &[u8], vector: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    match key.len() {
        16 => cbc::Decryptor::<Aes128>::new_from_slices(key, vector)
            .ok()?
            .decrypt_padded_vec::<Pkcs7>(text)
            .ok(),
        24 => cbc::Decryptor::<Aes192>::new_from_slices(key, vector)
            .ok()?
            .decrypt_padded_vec::<Pkcs7>(text)
            .ok(),
        32 => cbc::Decryptor::<Aes256>::new_from_slices(key, vector)
            .ok()?
            .decrypt_padded_vec::<Pkcs7>(text)
            .ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoder(secret: &str, key_factory: &str, key_bits: u32) -> PasswordEncoder {
        PasswordEncoder {
            secret: Password::new(secret),
            key_factory: key_factory.to_owned(),
            key_bits,
            iterations: 16,
        }
    }

    #[test]
    fn what_was_encoded_comes_back() {
        for (key_factory, key_bits) in
            [("PBKDF2WithHmacSHA1", 128), ("PBKDF2WithHmacSHA256", 192), ("PBKDF2WithHmacSHA512", 256)]
        {
            let encoder = encoder("secret", key_factory, key_bits);
            for password in ["", "hush", "pässwörd 🔑", "sixteen letters!"] {
                let text = encoder.encode(password).expect("encoded");
                assert!(text.contains(key_factory) && !text.contains("hush"), "{text}");
                assert_eq!(encoder.decode(&text).as_deref(), Ok(password));
                // Each password has its own salt and vector.
                assert_ne!(encoder.encode(password), Some(text));
            }
        }
        assert_eq!(encoder("secret", DEFAULT_KEY_FACTORY, 100).encode("x"), None);
    }

    #[test]
    fn nonsense_is_refused() {
        let encoder = encoder("secret", DEFAULT_KEY_FACTORY, 128);
        let text = encoder.encode("hush").expect("encoded");
        let other = PasswordEncoder { secret: Password::new("other"), ..encoder.clone() };
        assert!(other.decode(&text).is_err());
        for wrong in [
            "".to_owned(),
            "plain".to_owned(),
            text.replace("iterations:16", "iterations:4000000000"),
            text.replace("iterations:16", "iterations:0"),
            text.replace("keyLength:128", "keyLength:129"),
            text.replace("AES", "DES"),
            text.replace("SHA512", "MD5"),
            text.replace("passwordLength:4", "passwordLength:5"),
            text.replace("salt:", "salt:!"),
            text.replace("initializationVector:", "initializationVector:AAAA"),
        ] {
            assert!(encoder.decode(&wrong).is_err(), "{wrong}");
        }
    }
}
