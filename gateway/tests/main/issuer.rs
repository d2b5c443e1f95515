//! An issuer of tokens: three keys, any token, and an HTTP server that shows the keys.

use std::{
    net::SocketAddr,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    hmac, rand,
    rsa::{KeySize, PublicKeyComponents},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

pub(crate) const ISSUER: &str = "https://login.example.com/";
pub(crate) const AUDIENCE: &str = "ispbridge";

/// An RSA key takes long to make: one for all tests.
static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());

/// The keys of an issuer: `rsa`, `ec` and `ed`.
pub(crate) struct Keys {
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

/// Where an issuer shows its keys.
#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) address: SocketAddr,
    answer: Arc<Mutex<Option<String>>>,
    pub(crate) asked: Arc<AtomicUsize>,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { ec, ed: Ed25519KeyPair::generate().unwrap() }
    }

    /// The modulus of the RSA key, and its exponent.
    pub(crate) fn rsa_public() -> (Vec<u8>, Vec<u8>) {
        let public = PublicKeyComponents::<Vec<u8>>::from(RSA.public_key());
        (public.n, public.e)
    }

    /// The key with this name as a JWK.
    pub(crate) fn jwk(&self, name: &str) -> Value {
        match name {
            "rsa" => {
                let (n, e) = Self::rsa_public();
                json!({ "kty": "RSA", "kid": "rsa", "alg": "RS256", "use": "sig", "n": encode(n), "e": encode(e) })
            }
            "ec" => {
                let (x, y) = self.ec.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "kid": "ec", "x": encode(x), "y": encode(y) })
            }
            _ => json!({ "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encode(self.ed.public_key().as_ref()) }),
        }
    }

    /// All keys as a JWK Set.
    pub(crate) fn set(&self) -> String {
        let keys = ["rsa", "ec", "ed"].map(|name| self.jwk(name));
        json!({ "keys": keys }).to_string()
    }

    /// Signs texts as they are, with the key of this name, whatever the head says.
    pub(crate) fn sign(&self, name: &str, head: &str, claims: &str) -> String {
        let text = format!("{}.{}", encode(head), encode(claims));
        let signature = match name {
            "rsa" => {
                let mut signature = vec![0; RSA.public_modulus_len()];
                RSA.sign(&RSA_PKCS1_SHA256, &rand::SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
                signature
            }
            "ec" => self.ec.sign(&rand::SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec(),
            _ => self.ed.sign(text.as_bytes()).as_ref().to_vec(),
        };
        format!("{text}.{}", encode(signature))
    }

    /// A right token with some claims of its own; `null` takes a claim away.
    pub(crate) fn token(&self, name: &str, own: &Value) -> String {
        self.sign(name, &head(name).to_string(), &claims(own).to_string())
    }
}

impl Shop {
    pub(crate) async fn open(answer: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shop = Self {
            address: listener.local_addr().unwrap(),
            answer: Arc::new(Mutex::new(answer)),
            asked: Arc::default(),
        };
        tokio::spawn(shop.clone().serve(listener));
        shop
    }

    /// What is answered from now on; nothing is a connection that breaks.
    pub(crate) fn say(&self, answer: Option<String>) {
        *self.answer.lock().unwrap() = answer;
    }

    async fn serve(self, listener: TcpListener) {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            self.asked.fetch_add(1, Ordering::SeqCst);
            let answer = self.answer.lock().unwrap().clone();
            tokio::spawn(async move {
                let read = stream.read(&mut [0; 4096]).await;
                if let (Ok(1..), Some(body)) = (read, answer) {
                    let head =
                        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                    // Who has read enough leaves.
                    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
                }
            });
        }
    }
}

/// The head of a right token.
pub(crate) fn head(name: &str) -> Value {
    let algorithm = match name {
        "rsa" => "RS256",
        "ec" => "ES256",
        _ => "EdDSA",
    };
    json!({ "alg": algorithm, "typ": "JWT", "kid": name })
}

/// The claims of a right token, with some of its own.
pub(crate) fn claims(own: &Value) -> Value {
    let mut claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": now() + 300 });
    for (name, value) in own.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

/// The signature of HS256 (RFC 7518, 3.2).
pub(crate) fn hs256(secret: &[u8], head: &str, claims: &str) -> String {
    let text = format!("{}.{}", encode(head), encode(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    format!("{text}.{}", encode(tag))
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
