//! The configuration file: TOML, every key optional, every wrong one an error that says where.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use conclave_accounts::{Doors, LONGEST_PIN, PinPolicy, SHORTEST_PIN};
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
    pub(crate) threads: usize,
    pub(crate) shared_sockets: usize,
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
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Prompts {
    pub(crate) directory: Option<PathBuf>,
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
            codecs: vec!["PCMU".into(), "PCMA".into()],
            threads: 0,
            shared_sockets: 4,
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
        }
    }
}

impl Pins {
    pub(crate) fn policy(&self) -> PinPolicy {
        PinPolicy {
            guest_digits: self.guest_digits,
            host_digits: self.host_digits,
            ceiling: self.wrong_a_day,
            ..PinPolicy::default()
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
        if self.media.codecs.is_empty() {
            return wrong("media.codecs", "name at least one".into());
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
        if let Err(error) = self.pins.policy().check(&Doors::default()) {
            return wrong("pins", error.to_string());
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
    let secret = |line: &str| line.contains("endpoint") || line.contains("password");
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
        _ => Err(format!(
            "'{name}' is not a codec that the bridge speaks; it speaks PCMU and PCMA"
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
        check("[limits]\ncalls = -1", "calls");
        check("[sip]\nlisten = []", "sip.listen");
        let listen = "{ transport = 'udp', address = '127.0.0.1:5060' }";
        check(
            &format!("[sip]\nlisten = [{listen}, {listen}]"),
            "stands there twice",
        );
        check("[sip", "TOML parse error");
        check("[[trunk]]\nname = 'a'\nfrom = []", "names no address");
        check("[pins]\nguest-digits = 4", "pins");
        let twice = "[[endpoint]]\nuser = 'a'\npassword = 'b'\n";
        check(&twice.repeat(2), "two endpoints are called 'a'");
        check("[[endpoint]]\nuser = 'a'\npassword = ''", "empty");
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
        check(
            "[[endpoint]]\nuser = 'a'\npassword = '4711'\n[limits]\ncalls = 'many'",
            "calls = 'many'",
        );
    }
}
