//! An OpenID provider to throw away: HTTP on loopback, keys of its own, and it does wrong what it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use ring::{digest, hmac};
use rsa::pkcs1v15::SigningKey;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};

/// By what the provider knows its one client.
pub const CLIENT_ID: &str = "conclave";
/// And what that client proves itself by.
pub const CLIENT_SECRET: &str = "a secret & a half: of the client's";
/// What is long enough to be too long, for anybody.
const ENDLESS: usize = 64 << 20;

/// A provider, running until it is dropped. Whoever is sent to it is signed in at once.
#[derive(Debug)]
pub struct OpenId {
    port: u16,
    state: Arc<Mutex<State>>,
}

/// What is signed: tests change it, to something that must not be taken.
#[derive(Debug)]
pub struct IdToken {
    /// The header; `alg` and `kid` are set.
    pub header: Value,
    /// The claims.
    pub claims: Value,
    /// By what it is signed.
    pub signed: Signed,
}

/// By what an ID token is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signed {
    /// The provider's key.
    Key,
    /// Another key, of which nobody knows.
    StrangersKey,
    /// Nothing: the signature is empty.
    Nothing,
    /// HMAC-SHA-256 under these bytes.
    Hmac(Vec<u8>),
}

/// How a path is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// As it should be.
    Good,
    /// With this status, type and body.
    Says(u16, &'static str, String),
    /// With JSON that doesn't end, as far as anybody cares to read.
    Endless,
    /// With nothing: the connection stays open.
    Never,
}

type Change = Box<dyn Fn(&mut IdToken) + Send>;

struct State {
    issuer: String,
    now: Box<dyn Fn() -> i64 + Send>,
    key: Key,
    email: Value,
    at_userinfo: bool,
    change: Option<Change>,
    answers: BTreeMap<String, Answer>,
    codes: BTreeMap<String, Code>,
    used: BTreeSet<String>,
    asked: Vec<String>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// What a code was given out for.
struct Code {
    challenge: String,
    nonce: String,
    back: String,
}

enum Key {
    P256 {
        id: String,
        pair: EcdsaKeyPair,
    },
    Rsa {
        id: String,
        pair: rsa::RsaPrivateKey,
    },
}

impl Key {
    fn p256(id: &str) -> Self {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let made = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("a key is drawn");
        let pair =
            EcdsaKeyPair::from_pkcs8(kind, made.as_ref(), &random).expect("it was just made");
        Self::P256 {
            id: id.to_owned(),
            pair,
        }
    }

    fn rsa(id: &str) -> Self {
        let pair = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048);
        Self::Rsa {
            id: id.to_owned(),
            pair: pair.expect("a key is drawn"),
        }
    }

    /// As it is published (RFC 7517).
    fn published(&self) -> Value {
        match self {
            Self::P256 { id, pair } => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "use": "sig", "kid": id, "x": encoded(x), "y": encoded(y) })
            }
            Self::Rsa { id, pair } => {
                let (n, e) = (pair.n().to_bytes_be(), pair.e().to_bytes_be());
                json!({ "kty": "RSA", "alg": "RS256", "use": "sig", "kid": id, "n": encoded(&n), "e": encoded(&e) })
            }
        }
    }

    fn header(&self) -> Value {
        match self {
            Self::P256 { id, .. } => json!({ "typ": "JWT", "alg": "ES256", "kid": id }),
            Self::Rsa { id, .. } => json!({ "typ": "JWT", "alg": "RS256", "kid": id }),
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256 { pair, .. } => {
                let signature = pair.sign(&SystemRandom::new(), message);
                signature.expect("it signs").as_ref().to_vec()
            }
            Self::Rsa { pair, .. } => SigningKey::<rsa::sha2::Sha256>::new(pair.clone())
                .sign(message)
                .to_vec(),
        }
    }
}

impl OpenId {
    /// Starts one whose people have this address, and whose clock shows `now`, in seconds since 1970.
    pub fn start(email: &str, now: impl Fn() -> i64 + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let state = State {
            issuer: format!("http://127.0.0.1:{port}"),
            now: Box::new(now),
            key: Key::p256("one"),
            email: json!({ "email": email, "email_verified": true }),
            at_userinfo: false,
            change: None,
            answers: BTreeMap::new(),
            codes: BTreeMap::new(),
            used: BTreeSet::new(),
            asked: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let served = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&served);
                thread::spawn(move || serve(stream, &state));
            }
        });
        Self { port, state }
    }

    /// What it calls itself.
    pub fn issuer(&self) -> String {
        self.state().issuer.clone()
    }

    /// Goes on as another issuer, at the same place.
    pub fn calls_itself(&self, issuer: &str) {
        issuer.clone_into(&mut self.state().issuer);
    }

    /// What it says of whoever signs in from now on: `email` and `email_verified`.
    pub fn says(&self, email: Value) {
        self.state().email = email;
    }

    /// It says that only to whom asks about the user, not in the ID token.
    pub fn says_at_userinfo(&self) {
        self.state().at_userinfo = true;
    }

    /// Changes ID tokens before they are signed, from now on.
    pub fn changes(&self, change: impl Fn(&mut IdToken) + Send + 'static) {
        self.state().change = Some(Box::new(change));
    }

    /// Answers that path so, from now on.
    pub fn answers(&self, path: &str, answer: Answer) {
        self.state().answers.insert(path.to_owned(), answer);
    }

    /// Signs with another key from now on, on the curve P-256.
    pub fn draws_key(&self, id: &str) {
        self.state().key = Key::p256(id);
    }

    /// Signs with another key from now on, of RSA.
    pub fn draws_rsa_key(&self, id: &str) {
        self.state().key = Key::rsa(id);
    }

    /// The public key, as it is published.
    pub fn key(&self) -> Value {
        self.state().key.published()
    }

    /// How often that path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        let state = self.state();
        state.asked.iter().filter(|asked| *asked == path).count()
    }

    /// What a browser does that is sent there: where it is sent from there.
    pub fn visited(&self, url: &str) -> String {
        let path = url.strip_prefix(&format!("http://127.0.0.1:{}", self.port));
        let path = path.unwrap_or_else(|| panic!("{url} leads elsewhere"));
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it runs");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").expect("it listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let mut lines = answer.lines();
        let location = lines.find_map(|line| line.strip_prefix("location: "));
        location.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What was asked.
struct Asked {
    path: String,
    fields: BTreeMap<String, String>,
    authorization: String,
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let Some(asked) = read(&stream) else { return };
    let answer = {
        let mut state = locked(state);
        state.asked.push(asked.path.clone());
        match state.answers.get(&asked.path) {
            None | Some(Answer::Good) => state.good_answer(&asked),
            Some(other) => other.clone(),
        }
    };
    // Whoever asked may have gone.
    let _ = match answer {
        Answer::Good => unreachable!("it was worked out"),
        Answer::Says(302, _, location) => write!(
            stream,
            "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ),
        Answer::Says(status, kind, body) => write!(
            stream,
            "HTTP/1.1 {status} So\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ),
        Answer::Endless => endless(&mut stream),
        Answer::Never => gone(&mut stream),
    };
}

fn endless(stream: &mut TcpStream) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 So\r\ncontent-type: application/json\r\ncontent-length: {ENDLESS}\r\n\r\n["
    )?;
    let row = [b'1', b','].repeat(4096);
    (0..ENDLESS / row.len()).try_for_each(|_| stream.write_all(&row))
}

/// Until whoever asked goes.
fn gone(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    match stream.read(&mut [0]) {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    lines.read_line(&mut line).ok()?;
    let target = line.split(' ').nth(1)?.to_owned();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => value.clone_into(&mut authorization),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body).ok()?;
    let fields = form_urlencoded::parse(query.as_bytes())
        .chain(form_urlencoded::parse(&body))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    Some(Asked {
        path: path.to_owned(),
        fields,
        authorization,
    })
}

impl State {
    fn good_answer(&mut self, asked: &Asked) -> Answer {
        match asked.path.as_str() {
            "/.well-known/openid-configuration" => good(&self.document()),
            "/keys" => good(&json!({ "keys": [self.key.published()] })),
            "/authorize" => self.authorize(asked),
            "/token" => self.token(asked),
            "/userinfo" => self.userinfo(asked),
            _ => Answer::Says(404, "text/plain", "there is nothing".to_owned()),
        }
    }

    fn document(&self) -> Value {
        let issuer = &self.issuer;
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "jwks_uri": format!("{issuer}/keys"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256", "RS256"],
        })
    }

    fn authorize(&mut self, asked: &Asked) -> Answer {
        let field = |name: &str| asked.fields.get(name).cloned().unwrap_or_default();
        let scopes = field("scope");
        let scopes: Vec<_> = scopes.split(' ').collect();
        let right = field("client_id") == CLIENT_ID
            && field("response_type") == "code"
            && field("code_challenge_method") == "S256"
            && scopes.contains(&"openid")
            && scopes.contains(&"email");
        if !right {
            return error("invalid_request");
        }
        let code = format!("code-{}-{}", self.codes.len(), field("state"));
        let back = field("redirect_uri");
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("state", &field("state"))
            .append_pair("iss", &self.issuer)
            .finish();
        let location = format!("{back}?{query}");
        let given = Code {
            challenge: field("code_challenge"),
            nonce: field("nonce"),
            back,
        };
        self.codes.insert(code, given);
        Answer::Says(302, "", location)
    }

    fn token(&mut self, asked: &Asked) -> Answer {
        let field = |name: &str| asked.fields.get(name).cloned().unwrap_or_default();
        let encode =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let proof = format!("{}:{}", encode(CLIENT_ID), encode(CLIENT_SECRET));
        if asked.authorization != format!("Basic {}", STANDARD.encode(proof)) {
            return error("invalid_client");
        }
        let code = field("code");
        let Some(given) = self.codes.get(&code) else {
            return error("invalid_grant");
        };
        let verifier = digest::digest(&digest::SHA256, field("code_verifier").as_bytes());
        let right = given.challenge == encoded(verifier.as_ref())
            && given.back == field("redirect_uri")
            && field("grant_type") == "authorization_code";
        if !right || !self.used.insert(code) {
            return error("invalid_grant");
        }
        let id_token = self.id_token(&given.nonce);
        good(&json!({
            "access_token": "access-1", "token_type": "Bearer", "expires_in": 300, "id_token": id_token,
        }))
    }

    fn id_token(&self, nonce: &str) -> String {
        let now = (self.now)();
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT_ID, "sub": "person-1", "nonce": nonce,
            "iat": now, "exp": now + 300,
        });
        if !self.at_userinfo {
            merge(&mut claims, &self.email);
        }
        let mut token = IdToken {
            header: self.key.header(),
            claims,
            signed: Signed::Key,
        };
        if let Some(change) = &self.change {
            change(&mut token);
        }
        let [header, claims] =
            [&token.header, &token.claims].map(|part| encoded(part.to_string().as_bytes()));
        let message = format!("{header}.{claims}");
        let signature = match &token.signed {
            Signed::Key => self.key.sign(message.as_bytes()),
            Signed::StrangersKey => Key::p256("one").sign(message.as_bytes()),
            Signed::Nothing => Vec::new(),
            Signed::Hmac(key) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, key);
                hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
            }
        };
        format!("{message}.{}", encoded(&signature))
    }

    fn userinfo(&self, asked: &Asked) -> Answer {
        if asked.authorization != "Bearer access-1" {
            return Answer::Says(401, "text/plain", String::new());
        }
        let mut claims = json!({ "sub": "person-1" });
        merge(&mut claims, &self.email);
        good(&claims)
    }
}

fn merge(into: &mut Value, more: &Value) {
    for (name, value) in more.as_object().into_iter().flatten() {
        into[name] = value.clone();
    }
}

fn good(body: &Value) -> Answer {
    Answer::Says(200, "application/json", body.to_string())
}

fn error(code: &str) -> Answer {
    Answer::Says(
        400,
        "application/json",
        json!({ "error": code }).to_string(),
    )
}
