//! Who is told of what happens by HTTP, and what was told.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use rand_core::CryptoRng;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::secret::{Secret, hmac};
use crate::{SealedSecret, User, UserId};

/// An event that couldn't be told for so long is given up.
pub const TOLD_FOR: TimeDelta = TimeDelta::days(3);

/// An address that took nothing for so long is told nothing more.
pub const FAILS_FOR: TimeDelta = TimeDelta::days(5);

/// What was told, or given up, is listed for so long.
pub const LISTED_FOR: TimeDelta = TimeDelta::days(30);

/// Which webhook. A number is never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct WebhookId(pub u64);

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "webhook {}", self.0)
    }
}

/// A kind of thing that is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookEvent {
    /// A conference's first call arrived.
    ConferenceStarted,
    /// A conference's last call left, or it was ended.
    ConferenceEnded,
    /// A call was let into the room.
    CallJoined,
    /// A call that had been let in left.
    CallLeft,
    /// A conference was booked.
    BookingMade,
    /// A booking was changed.
    BookingChanged,
    /// A booking was called off.
    BookingCancelled,
}

impl HookEvent {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ConferenceStarted,
        Self::ConferenceEnded,
        Self::CallJoined,
        Self::CallLeft,
        Self::BookingMade,
        Self::BookingChanged,
        Self::BookingCancelled,
    ];

    /// As it is written: `conference.started`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ConferenceStarted => "conference.started",
            Self::ConferenceEnded => "conference.ended",
            Self::CallJoined => "call.joined",
            Self::CallLeft => "call.left",
            Self::BookingMade => "booking.made",
            Self::BookingChanged => "booking.changed",
            Self::BookingCancelled => "booking.cancelled",
        }
    }
}

impl fmt::Display for HookEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl Serialize for HookEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// Why that is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no event: there are {all}", all = HookEvent::ALL.map(HookEvent::word).join(", "))]
pub struct NoHookEvent(String);

impl FromStr for HookEvent {
    type Err = NoHookEvent;

    fn from_str(word: &str) -> Result<Self, NoHookEvent> {
        let found = Self::ALL.into_iter().find(|event| event.word() == word);
        found.ok_or_else(|| NoHookEvent(word.to_owned()))
    }
}

/// What signs that an event is ours: 32 bytes that this bridge and the receiver share.
#[derive(Clone)]
pub struct WebhookSecret(Secret);

impl WebhookSecret {
    /// Draws one, from the operating system's randomness.
    pub fn draw(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *bytes);
        Self::from_bytes(*bytes)
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// As Standard Webhooks writes it, for the one answer that shows it: `whsec_` and base64.
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("whsec_{}", STANDARD.encode(self.bytes())))
    }

    /// The header `webhook-signature` (Standard Webhooks 1.0.0): `v1,` and the HMAC-SHA-256 of id, timestamp and body, with dots
    /// between them, in base64.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let timestamp = timestamp.to_string();
        let rest: [&[u8]; 4] = [b".", timestamp.as_bytes(), b".", body.as_bytes()];
        let mac = hmac(self.bytes(), id.as_bytes(), &rest);
        format!("v1,{}", STANDARD.encode(mac))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(**********)")
    }
}

/// A webhook to be made.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Who is told: an administrator of all accounts, a Host of their own.
    pub user: UserId,
    /// Where.
    pub url: String,
    /// Of what.
    pub events: Vec<HookEvent>,
    /// What signs it.
    pub secret: SealedSecret,
}

/// An address that is told of what happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Webhook {
    /// Its number.
    pub id: WebhookId,
    /// Whose it is. Not serialized: it is part of what is kept of that user.
    #[serde(skip)]
    pub user: User,
    /// Where.
    pub url: String,
    /// Of what.
    pub events: Vec<HookEvent>,
    /// Since when it is there.
    pub made: DateTime<Utc>,
    /// Since when it has taken nothing.
    pub failing: Option<DateTime<Utc>>,
    /// When it was switched off, because it had taken nothing for [`FAILS_FOR`] or said that it is gone.
    pub disabled: Option<DateTime<Utc>>,
}

/// Something to be told now.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its number: the same however often it is tried.
    pub id: u64,
    /// To whom.
    pub webhook: WebhookId,
    /// Whose that is.
    pub user: UserId,
    /// Where.
    pub url: String,
    /// What signs it.
    pub secret: SealedSecret,
    /// Of what.
    pub event: HookEvent,
    /// When that happened.
    pub at: DateTime<Utc>,
    /// What is told, in JSON.
    pub body: String,
    /// How often it was tried.
    pub tries: u32,
}

/// What became of telling something, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Its number.
    pub id: u64,
    /// Of what.
    pub event: HookEvent,
    /// When that happened.
    pub at: DateTime<Utc>,
    /// How often it was tried.
    pub tries: u32,
    /// Why it wasn't taken when it was tried last.
    pub problem: Option<String>,
    /// When it is tried again; neither this nor `delivered` is there where it was given up.
    pub again: Option<DateTime<Utc>>,
    /// When it was taken.
    pub delivered: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_as_it_was_written() {
        for event in HookEvent::ALL {
            assert_eq!(event.word().parse(), Ok(event));
        }
        let error = "call".parse::<HookEvent>().unwrap_err().to_string();
        assert!(error.contains("'call'") && error.contains("call.joined, call.left"));
    }

    /// The example of the specification, which a library that isn't ours has made.
    #[test]
    fn it_signs_as_the_specification_says() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let mut padded = [0; 32];
        // HMAC fills a short key up with zeros, so this is the same key.
        padded[..key.len()].copy_from_slice(&key);
        let secret = WebhookSecret::from_bytes(padded);
        let signed = secret.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            "{\"test\": 2432232314}",
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(
            secret
                .expose()
                .starts_with("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        );
        assert!(!format!("{secret:?}").contains("MfKQ"));
    }
}
