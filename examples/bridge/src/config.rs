//! The configuration file: TOML, every key optional, every wrong one an error that says where.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use conclave_accounts::{Doors, LONGEST_PIN, PinPolicy, SHORTEST_PIN};
use conclave_engine::EngineConfig;
use conclave_media::{OpusSettings, OpusWishes};
use conclave_portal::{Site, oidc};
use conclave_sip::IpNetwork;
use conclave_store::UserRole;
use serde::Deserialize;

/// The defaults as a file with comments: what `config print-default` prints.
pub(crate) const DEFAULT: &str = include_str!("default.toml");

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) sip: Sip,
    #[serde(rename = "trunk")]
    pub(crate) trunks: Vec<Trunk>,
    #[serde(rename = "endpoint")]
    pub(crate) endpoints: Vec<Endpoint>,
    #[serde(rename = "access-number")]
    pub(crate) access_numbers: Vec<AccessNumber>,
    pub(crate) media: Media,
    pub(crate) limits: Limits,
    pub(crate) pins: Pins,
    pub(crate) prompts: Prompts,
    pub(crate) recordings: Recordings,
    pub(crate) http: Http,
    pub(crate) database: Database,
    pub(crate) keep: Keep,
    pub(crate) mail: Option<Mail>,
    pub(crate) webhooks: Webhooks,
    pub(crate) telemetry: Telemetry,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Sip {
    pub(crate) listen: Vec<Listen>,
    pub(crate) unknown_source: UnknownSource,
    pub(crate) session_expires: u32,
    pub(crate) realm: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listen {
    pub(crate) transport: Transport,
    pub(crate) address: SocketAddr,
    /// The address that peers see, where the bridge is behind address translation.
    #[serde(default)]
    pub(crate) advertise: Option<IpAddr>,
    /// Take calls from anybody on this listener.
    #[serde(default)]
    pub(crate) anyone: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UnknownSource {
    /// `403`.
    Refuse,
    /// No answer at all.
    Silent,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Trunk {
    pub(crate) name: String,
    /// Addresses or networks, such as `192.0.2.10` or `192.0.2.0/24`.
    pub(crate) from: Vec<String>,
    /// Country calling code for numbers without one, such as `44`.
    #[serde(default)]
    pub(crate) country: Option<String>,
    /// Whether its P-Asserted-Identity names the caller.
    #[serde(default = "yes")]
    pub(crate) asserted_identity: bool,
}

fn yes() -> bool {
    true
}

#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Endpoint {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessNumber {
    pub(crate) number: String,
    #[serde(default)]
    pub(crate) label: String,
    /// Where it can be dialled at home, for invitations.
    #[serde(default)]
    pub(crate) country: String,
    /// What is spoken there, for invitations: a language tag such as `en` or `de-AT`.
    #[serde(default)]
    pub(crate) language: String,
    /// The account to which the number is bound: the PIN then decides only the role.
    #[serde(default)]
    pub(crate) account: Option<u64>,
    /// A key map in place of the default one.
    #[serde(default)]
    pub(crate) keys: Vec<KeyBinding>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyBinding {
    pub(crate) keys: String,
    pub(crate) who: String,
    pub(crate) command: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Media {
    pub(crate) rtp_ports: [u16; 2],
    pub(crate) codecs: Vec<String>,
    pub(crate) opus: Opus,
    pub(crate) threads: usize,
    pub(crate) niceness: i8,
    pub(crate) shared_sockets: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Opus {
    pub(crate) bitrate: u32,
    pub(crate) complexity: u8,
    pub(crate) expected_loss: u8,
    pub(crate) dtx: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Limits {
    pub(crate) calls: usize,
    pub(crate) pending: usize,
    pub(crate) setups_per_second: u32,
    pub(crate) drain_seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Pins {
    pub(crate) guest_digits: u8,
    pub(crate) host_digits: u8,
    pub(crate) wrong_a_day: u32,
    pub(crate) free_tries: u32,
    pub(crate) first_delay_seconds: u64,
    pub(crate) longest_delay_seconds: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Prompts {
    pub(crate) directory: Option<PathBuf>,
}

/// Where the web portal is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Http {
    /// Nothing listens where it is absent.
    pub(crate) listen: Option<SocketAddr>,
    /// Where browsers find it, by HTTPS.
    pub(crate) url: Option<String>,
    /// Whose `X-Forwarded-For` is believed.
    pub(crate) proxies: Vec<IpAddr>,
    /// The roles that are nothing without a second factor.
    pub(crate) second_factor: Vec<String>,
    /// Where people sign in, instead of here or as well.
    pub(crate) oidc: Option<Oidc>,
}

/// An OpenID provider. Its secret never stands here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Oidc {
    issuer: String,
    client_id: String,
    client_secret_file: Option<PathBuf>,
    label: String,
    #[serde(default = "yes")]
    password: bool,
    #[serde(default)]
    second_factor: bool,
}

/// Where the provider's secret is, if it is in no file.
const OIDC_SECRET: &str = "CONCLAVE_OIDC_CLIENT_SECRET";

impl Oidc {
    /// The same in the words of the portal.
    pub(crate) fn settings(&self) -> oidc::Settings {
        oidc::Settings {
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            label: self.label.clone(),
            passwords: self.password,
            second_factor: self.second_factor,
        }
    }

    /// Where there are no passwords: what people sign in with.
    pub(crate) fn instead_of_passwords(&self) -> Option<String> {
        (!self.password).then(|| self.label.clone())
    }

    /// The secret, from its file or the environment.
    pub(crate) fn secret(&self) -> Result<String, String> {
        let secret = match &self.client_secret_file {
            Some(file) => fs::read_to_string(file).map_err(|error| {
                let file = file.display();
                format!("http.oidc.client-secret-file: cannot read {file}: {error}")
            })?,
            None => std::env::var(OIDC_SECRET).map_err(|_| {
                format!(
                    "http.oidc: name a client-secret-file, or set {OIDC_SECRET} in the environment"
                )
            })?,
        };
        Ok(secret.trim().to_owned())
    }
}

impl Http {
    /// Those roles, in the words of the portal.
    pub(crate) fn second_factor(&self) -> Result<Vec<UserRole>, String> {
        let role = |word: &String| {
            UserRole::from_word(word).ok_or_else(|| {
                let known = UserRole::ALL.map(UserRole::word).join(", ");
                format!("http.second-factor: '{word}' is no role; there are {known}")
            })
        };
        self.second_factor.iter().map(role).collect()
    }

    /// The address that the help names where none is configured.
    pub(crate) fn listen_or_default(&self) -> SocketAddr {
        let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
        self.listen.unwrap_or(usual)
    }

    /// The same in the words of the portal.
    pub(crate) fn site(&self) -> Result<Site, String> {
        if let Some(url) = &self.url {
            let proxies = self.proxies.iter().map(IpAddr::to_canonical).collect();
            return Site::https(url, proxies).map_err(|error| format!("http.url: {error}"));
        }
        if !self.proxies.is_empty() {
            return Err(
                "http.proxies: without http.url nobody stands between browsers and the portal"
                    .into(),
            );
        }
        match self.listen {
            Some(listen) if !listen.ip().is_loopback() => Err(format!(
                "http.listen: {listen} can be reached from elsewhere, and the portal's own HTTP is not encrypted: let a proxy with a certificate stand before 127.0.0.1:8080, and name its address in http.url"
            )),
            Some(_) | None => Ok(Site::loopback()),
        }
    }
}

#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Database {
    /// Of a PostgreSQL database, in place of the SQLite file in the data directory. It may hold a password.
    pub(crate) url: Option<String>,
    /// This bridge's own name among those that share the database.
    pub(crate) bridge: Option<String>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("bridge", &self.bridge)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Keep {
    pub(crate) calls_days: u32,
    pub(crate) numbers_days: u32,
    pub(crate) audit_days: u32,
    pub(crate) recordings_days: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Webhooks {
    /// Networks that aren't the Internet's and may be told all the same, such as `10.1.0.0/16`.
    pub(crate) networks: Vec<String>,
}

impl Webhooks {
    pub(crate) fn networks(&self) -> Result<Vec<IpNetwork>, String> {
        let read = |network: &String| {
            network
                .parse()
                .map_err(|error| format!("'{network}': {error}"))
        };
        self.networks.iter().map(read).collect()
    }
}

/// Where traces go.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Telemetry {
    /// The collector's, such as `http://127.0.0.1:4318`; nothing is traced where it is absent.
    pub(crate) endpoint: Option<String>,
    /// As what the bridge is known there.
    pub(crate) service_name: String,
    /// Of how many traces spans are sent: 0 to 1.
    pub(crate) sampling_ratio: f64,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            endpoint: None,
            service_name: "conclave-bridge".into(),
            sampling_ratio: 1.0,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mail {
    pub(crate) server: String,
    #[serde(default)]
    pub(crate) port: Option<u16>,
    #[serde(default)]
    pub(crate) security: MailSecurity,
    #[serde(default)]
    pub(crate) user: Option<String>,
    #[serde(default)]
    pub(crate) password: Option<String>,
    /// Who the letters are from, such as `Conferences <conferences@example.org>`.
    pub(crate) from: String,
}

/// How the connection to the mail server is secured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MailSecurity {
    /// STARTTLS, without which nothing is sent.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// None at all: for a server on this machine.
    None,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail")
            .field("server", &self.server)
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// Where conferences are recorded, and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Recordings {
    /// In the data directory, where it is absent.
    pub(crate) directory: Option<PathBuf>,
    pub(crate) tracks: bool,
    pub(crate) bitrate: u32,
    pub(crate) at_once: usize,
}

impl Recordings {
    fn check(&self) -> Result<(), String> {
        if !(6_000..=510_000).contains(&self.bitrate) {
            return Err("bitrate: 6000 to 510000 bits a second".into());
        }
        Ok(())
    }
}

impl Default for Recordings {
    fn default() -> Self {
        Self {
            directory: None,
            tracks: false,
            bitrate: 32_000,
            at_once: 32,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sip: Sip::default(),
            trunks: vec![Trunk {
                name: "loopback".into(),
                from: vec!["127.0.0.0/8".into(), "::1".into()],
                country: None,
                asserted_identity: true,
            }],
            endpoints: Vec::new(),
            access_numbers: Vec::new(),
            media: Media::default(),
            limits: Limits::default(),
            pins: Pins::default(),
            prompts: Prompts::default(),
            recordings: Recordings::default(),
            http: Http::default(),
            database: Database::default(),
            keep: Keep::default(),
            mail: None,
            webhooks: Webhooks::default(),
            telemetry: Telemetry::default(),
        }
    }
}

impl Default for Sip {
    fn default() -> Self {
        Self {
            listen: Listen::both(SocketAddr::from((Ipv4Addr::LOCALHOST, 5060))),
            unknown_source: UnknownSource::Refuse,
            session_expires: 1800,
            realm: "conclave".into(),
        }
    }
}

impl Listen {
    /// UDP and TCP on one address.
    pub(crate) fn both(address: SocketAddr) -> Vec<Self> {
        [Transport::Udp, Transport::Tcp]
            .map(|transport| Self {
                transport,
                address,
                advertise: None,
                anyone: false,
            })
            .into()
    }
}

impl Default for Media {
    fn default() -> Self {
        Self {
            rtp_ports: [20000, 29999],
            codecs: ["opus", "G722", "PCMU", "PCMA"].map(Into::into).into(),
            opus: Opus::default(),
            threads: 0,
            niceness: EngineConfig::default().niceness,
            shared_sockets: 4,
        }
    }
}

impl Default for Opus {
    fn default() -> Self {
        let settings = OpusSettings::default();
        Self {
            bitrate: settings.bitrate,
            complexity: settings.complexity,
            expected_loss: settings.expected_loss,
            dtx: settings.dtx,
        }
    }
}

impl Opus {
    /// How calls are sent Opus, as far as they wish it.
    pub(crate) fn settings(&self) -> OpusSettings {
        OpusSettings {
            bitrate: self.bitrate,
            complexity: self.complexity,
            expected_loss: self.expected_loss,
            dtx: self.dtx,
            ..OpusSettings::default()
        }
    }

    /// What calls are asked to send.
    pub(crate) fn wishes(&self) -> OpusWishes {
        OpusWishes {
            dtx: self.dtx,
            ..OpusWishes::of_receiver()
        }
    }
}

impl Media {
    pub(crate) fn ports(&self) -> RangeInclusive<u16> {
        self.rtp_ports[0]..=self.rtp_ports[1]
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls: 2000,
            pending: 500,
            setups_per_second: 100,
            drain_seconds: 30,
        }
    }
}

impl Limits {
    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

impl Default for Pins {
    fn default() -> Self {
        let policy = PinPolicy::default();
        Self {
            guest_digits: policy.guest_digits,
            host_digits: policy.host_digits,
            wrong_a_day: policy.ceiling,
            free_tries: policy.free_tries,
            first_delay_seconds: policy.first_delay.as_secs(),
            longest_delay_seconds: policy.longest_delay.as_secs(),
        }
    }
}

impl Pins {
    pub(crate) fn policy(&self) -> PinPolicy {
        PinPolicy {
            guest_digits: self.guest_digits,
            host_digits: self.host_digits,
            ceiling: self.wrong_a_day,
            free_tries: self.free_tries,
            first_delay: Duration::from_secs(self.first_delay_seconds),
            longest_delay: Duration::from_secs(self.longest_delay_seconds),
            ..PinPolicy::default()
        }
    }
}

impl Default for Keep {
    fn default() -> Self {
        let days = |span: chrono::TimeDelta| u32::try_from(span.num_days()).unwrap_or(u32::MAX);
        let keep = conclave_store::Keep::default();
        Self {
            calls_days: days(keep.calls),
            numbers_days: days(keep.numbers),
            audit_days: days(keep.audit),
            recordings_days: days(keep.recordings),
        }
    }
}

impl Keep {
    pub(crate) fn spans(&self) -> conclave_store::Keep {
        let days = |days: u32| chrono::TimeDelta::days(days.into());
        conclave_store::Keep {
            calls: days(self.calls_days),
            numbers: days(self.numbers_days),
            audit: days(self.audit_days),
            recordings: days(self.recordings_days),
        }
    }
}

/// What is wrong with a configuration, where, and what would be right.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("cannot read the configuration {path}: {source}", path = path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the configuration {path} is not right:\n{problem}", path = path.display())]
    Parse { path: PathBuf, problem: String },
    #[error("the configuration {path} is not right: {key}: {problem}", path = path.display())]
    Value {
        path: PathBuf,
        key: String,
        problem: String,
    },
}

impl Config {
    /// Reads and checks a file; the defaults where there is none.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.into(),
            source,
        })?;
        let config: Self = toml::from_str(&text).map_err(|source| ConfigError::Parse {
            path: path.into(),
            problem: explain(&text, &source),
        })?;
        config
            .check()
            .map_err(|(key, problem)| ConfigError::Value {
                path: path.into(),
                key,
                problem,
            })?;
        Ok(config)
    }

    /// What the types can't say: ranges, and names that must be told apart.
    fn check(&self) -> Result<(), (String, String)> {
        let wrong = |key: &str, problem: String| Err((key.to_owned(), problem));
        if let Err(problem) = self.recordings.check() {
            return wrong("[recordings]", problem);
        }
        if self.sip.listen.is_empty() {
            return wrong(
                "sip.listen",
                "name at least one address to listen on".into(),
            );
        }
        for (index, listen) in self.sip.listen.iter().enumerate() {
            if self.sip.listen[..index]
                .iter()
                .any(|other| (other.transport, other.address) == (listen.transport, listen.address))
            {
                return wrong(
                    "sip.listen",
                    format!("{} stands there twice", listen.address),
                );
            }
        }
        if self.sip.session_expires != 0 && self.sip.session_expires < 90 {
            return wrong(
                "sip.session-expires",
                "at least 90 seconds (RFC 4028), or 0 for none".into(),
            );
        }
        let [from, to] = self.media.rtp_ports;
        if from < 1024 || to <= from {
            return wrong(
                "media.rtp-ports",
                "two ports from 1024 up, the first below the last".into(),
            );
        }
        if !(1..=64).contains(&self.media.shared_sockets) {
            return wrong("media.shared-sockets", "from 1 to 64".into());
        }
        if self.media.threads > 256 {
            return wrong(
                "media.threads",
                "at most 256; 0 takes as many as there are cores".into(),
            );
        }
        if !(-20..=19).contains(&self.media.niceness) {
            return wrong("media.niceness", "from -20 to 19".into());
        }
        if self.media.codecs.is_empty() {
            return wrong("media.codecs", "name at least one".into());
        }
        let opus = &self.media.opus;
        if !(6_000..=128_000).contains(&opus.bitrate) {
            return wrong("media.opus.bitrate", "from 6000 to 128000".into());
        }
        if opus.complexity > 10 {
            return wrong("media.opus.complexity", "from 0 to 10".into());
        }
        if opus.expected_loss > 100 {
            return wrong("media.opus.expected-loss", "from 0 to 100".into());
        }
        for codec in &self.media.codecs {
            self::codec(codec).map_err(|problem| ("media.codecs".to_owned(), problem))?;
        }
        for (index, trunk) in self.trunks.iter().enumerate() {
            if self.trunks[..index]
                .iter()
                .any(|other| other.name == trunk.name)
            {
                return wrong(
                    "trunk.name",
                    format!("two trunks are called '{}'", trunk.name),
                );
            }
            if trunk.from.is_empty() {
                return wrong(
                    "trunk.from",
                    format!("trunk '{}' names no address", trunk.name),
                );
            }
        }
        if self.limits.calls == 0 || self.limits.pending == 0 || self.limits.setups_per_second == 0
        {
            return wrong(
                "limits",
                "calls, pending and setups-per-second are at least 1".into(),
            );
        }
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            if endpoint.user.is_empty() || endpoint.password.is_empty() {
                return wrong("endpoint", "user and password can't be empty".into());
            }
            if self.endpoints[..index]
                .iter()
                .any(|other| other.user == endpoint.user)
            {
                return wrong(
                    "endpoint.user",
                    format!("two endpoints are called '{}'", endpoint.user),
                );
            }
        }
        for (key, digits) in [
            ("pins.guest-digits", self.pins.guest_digits),
            ("pins.host-digits", self.pins.host_digits),
        ] {
            if !(SHORTEST_PIN..=LONGEST_PIN).contains(&digits) {
                return wrong(key, format!("from {SHORTEST_PIN} to {LONGEST_PIN}"));
            }
        }
        if self.pins.longest_delay_seconds > 300 {
            return wrong(
                "pins.longest-delay-seconds",
                "at most 300: nobody waits longer for an answer".into(),
            );
        }
        if let Err(error) = self.pins.policy().check(&Doors::default()) {
            return wrong("pins", error.to_string());
        }
        for (key, days) in [
            ("keep.calls-days", self.keep.calls_days),
            ("keep.numbers-days", self.keep.numbers_days),
            ("keep.audit-days", self.keep.audit_days),
            ("keep.recordings-days", self.keep.recordings_days),
        ] {
            if !(1..=36_500).contains(&days) {
                return wrong(key, "from 1 to 36500 days".into());
            }
        }
        let portal = self.http.site().map(drop);
        if let Err(error) = portal.and(self.http.second_factor().map(drop)) {
            let (key, problem) = error.split_once(": ").unwrap_or(("http", &error));
            return wrong(key, problem.to_owned());
        }
        if let Some(oidc) = &self.http.oidc
            && let Err(error) = oidc.settings().check()
        {
            return wrong("http.oidc", error.to_string());
        }
        if let Some(url) = &self.database.url
            && !url.starts_with("postgres://")
            && !url.starts_with("postgresql://")
        {
            return wrong(
                "database.url",
                "begins with postgres://; without it the database is a file in the data directory"
                    .into(),
            );
        }
        if let Some(bridge) = &self.database.bridge
            && (bridge.is_empty() || bridge.len() > 60 || bridge.chars().any(char::is_control))
        {
            return wrong("database.bridge", "a name of 1 to 60 characters".into());
        }
        if let Some(mail) = &self.mail {
            crate::mail::check(mail).map_err(|(key, problem)| (key.to_owned(), problem))?;
        }
        if let Err(error) = self.webhooks.networks() {
            return wrong("webhooks.networks", error);
        }
        if let Err((key, problem)) = crate::telemetry::check(&self.telemetry) {
            return wrong(key, problem);
        }
        if self.limits.drain_seconds > 86_400 {
            return wrong("limits.drain-seconds", "at most a day (86400)".into());
        }
        Ok(())
    }
}

/// What is wrong where, with the line that it is about; but never a line that may hold a password.
fn explain(text: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |span| span.start);
    let number = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
    let until_here = text.lines().take(number);
    let line = until_here.clone().last().unwrap_or_default();
    let section = until_here
        .filter(|line| line.trim_start().starts_with('['))
        .last();
    let secret = |line: &str| {
        [
            "endpoint", "password", "database", "url", "mail", "oidc", "secret",
        ]
        .iter()
        .any(|word| line.contains(word))
    };
    if !secret(line) && !section.is_some_and(secret) {
        return error.to_string();
    }
    let message = match error.message().split_once(", expected ") {
        // What was found instead may be the password.
        Some((found, expected)) if found.starts_with("invalid") => {
            format!("expected {expected}")
        }
        _ => error.message().to_owned(),
    };
    format!("TOML parse error at line {number} (not shown: it may hold a password)\n{message}")
}

/// The codec of that name.
pub(crate) fn codec(name: &str) -> Result<conclave_media::Codec, String> {
    match name.to_ascii_uppercase().as_str() {
        "PCMU" => Ok(conclave_media::Codec::Pcmu),
        "PCMA" => Ok(conclave_media::Codec::Pcma),
        "G722" => Ok(conclave_media::Codec::G722),
        "OPUS" => Ok(conclave_media::Codec::Opus),
        _ => Err(format!(
            "'{name}' is not a codec that the bridge speaks; it speaks opus, G722, PCMU and PCMA"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_defaults_are_the_defaults() {
        let printed: Config = toml::from_str(DEFAULT).unwrap();
        assert_eq!(printed, Config::default());
        printed.check().unwrap();
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, expected: &str| {
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("c.toml");
            fs::write(&file, text).unwrap();
            let error = Config::load(Some(&file)).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(error.contains("c.toml"), "{error}");
        };
        check("[sip]\nlisen = []", "lisen");
        check("[media]\nrtp-ports = [30000, 20000]", "media.rtp-ports");
        check("[media]\ncodecs = ['OPSU']", "OPSU");
        check("[media.opus]\nbitrate = 5000", "media.opus.bitrate");
        check("[media]\nniceness = -21", "media.niceness");
        check("[media.opus]\ncomplexity = 11", "media.opus.complexity");
        check("[media.opus]\nexpected-loss = 101", "expected-loss");
        check("[limits]\ncalls = -1", "calls");
        check("[sip]\nlisten = []", "sip.listen");
        let listen = "{ transport = 'udp', address = '127.0.0.1:5060' }";
        check(
            &format!("[sip]\nlisten = [{listen}, {listen}]"),
            "stands there twice",
        );
        check("[http]\nlisten = '192.0.2.1:80'", "http.listen");
        check("[http]\nurl = 'http://a.example'", "http.url");
        check("[http]\nproxies = ['127.0.0.1']", "http.proxies");
        let oidc = |more: &str| format!("[http.oidc]\nclient-id = 'conclave'\n{more}");
        check(
            &oidc("issuer = 'http://a.example'\nlabel = 'A'"),
            "http.oidc: issuer: it looks like https://",
        );
        check(
            &oidc("issuer = 'https://a.example'\nlabel = ''"),
            "http.oidc: label",
        );
        check(&oidc("issuer = 'https://a.example'"), "`label`");
        check("[sip", "TOML parse error");
        check("[[trunk]]\nname = 'a'\nfrom = []", "names no address");
        check("[pins]\nguest-digits = 4", "pins");
        let twice = "[[endpoint]]\nuser = 'a'\npassword = 'b'\n";
        check(&twice.repeat(2), "two endpoints are called 'a'");
        check("[[endpoint]]\nuser = 'a'\npassword = ''", "empty");
        check(
            "[telemetry]\nendpoint = 'localhost:4318'",
            "telemetry.endpoint",
        );
        check("[telemetry]\nsampling-ratio = 2.0", "sampling-ratio");
    }

    #[test]
    fn no_error_shows_a_password() {
        let check = |text: &str, expected: &str| {
            let error = toml::from_str::<Config>(text).unwrap_err();
            let said = explain(text, &error);
            assert!(!said.contains("4711"), "{said}");
            assert!(said.contains(expected), "{said}");
        };
        check(
            "[[endpoint]]\nuser = 'a'\npasword = '4711'",
            "line 3 (not shown: it may hold a password)\nunknown field `pasword`",
        );
        check("[[endpoint]]\nuser = 'a'\npassword = 4711", "a string");
        check("[[endpoint]]\nuser = 'a'\npassword = \"4711", "line 3");
        check("[[endpoint]]\nuser = 'a'\npassword = x4711", "line 3");
        check("endpoint = ['4711']", "line 1");
        check("endpoint = '4711'", "line 1");
        check(
            "endpoint = [{ user = 'a', secret = '4711' }]",
            "unknown field `secret`",
        );
        check("password = '4711'", "unknown field `password`");
        check("[database]\nurl = 'postgres://a:4711@b/c", "line 2");
        check("[database]\nulr = 'postgres://a:4711@b/c'", "`ulr`");
        check("[mail]\npassword = 4711", "a string");
        check("[http.oidc]\nclient-secret = '4711'", "`client-secret`");
        check("[http]\noidc = { secret = '4711' }", "`secret`");
        check(
            "[[endpoint]]\nuser = 'a'\npassword = '4711'\n[limits]\ncalls = 'many'",
            "calls = 'many'",
        );
    }
}
