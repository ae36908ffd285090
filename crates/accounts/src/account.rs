use std::{ops::RangeInclusive, time::Duration};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{AccountId, ConferenceKey, Door, Role, seconds};

/// The person an account belongs to: always one named person, never a department.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawOwner")]
pub struct Owner {
    name: String,
    email: String,
}

/// Why a name or an e-mail address can't be an owner's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnerError {
    /// Empty, longer than 100 characters, without a letter, or with control characters.
    #[error("a name has 1 to {LONGEST_NAME} printable characters, at least one of them a letter")]
    Name,
    /// Not of the shape `local@domain.tld`.
    #[error("an e-mail address has the shape name@example.org")]
    Email,
}

const LONGEST_NAME: usize = 100;

impl Owner {
    /// An owner from a name (1 to 100 characters, trimmed) and an e-mail address (`local@domain`
    /// as RFC 5321 bounds it: 64 and 254 bytes in all; a quoted local part is not taken).
    pub fn new(name: &str, email: &str) -> Result<Self, OwnerError> {
        let (name, email) = (Self::check_name(name)?, email.trim());
        if !is_email(email) {
            return Err(OwnerError::Email);
        }
        Ok(Self {
            name: name.to_owned(),
            email: email.to_owned(),
        })
    }

    /// The name, trimmed, if it is one that a roster can show: 1 to 100 printable characters, one of them a letter.
    pub fn check_name(name: &str) -> Result<&str, OwnerError> {
        let name = name.trim();
        is_name(name).then_some(name).ok_or(OwnerError::Name)
    }

    /// The person's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The person's e-mail address.
    pub fn email(&self) -> &str {
        &self.email
    }

    /// Why this might be no person's account: its address or name is a function's or a list's. Only
    /// a doubt: there are people called Sales.
    pub fn doubt(&self) -> Option<OwnerDoubt> {
        let local = self.email.split(['@', '+']).next().unwrap_or_default();
        let words = |text: &str| -> Vec<String> {
            text.split(|c: char| !c.is_alphanumeric())
                .map(str::to_lowercase)
                .collect()
        };
        let shared = |word: &String| SHARED.contains(&word.as_str());
        // `no-reply` is written with and without.
        let mut parts = words(local);
        parts.push(parts.concat());
        if let Some(word) = parts.into_iter().find(shared) {
            return Some(OwnerDoubt::Address(word));
        }
        let name = words(&self.name);
        // A name of several words may hold one of these by chance.
        name.iter()
            .find(|word| shared(word) && (name.len() == 1 || GROUPS.contains(&word.as_str())))
            .map(|word| OwnerDoubt::Name(word.clone()))
    }
}

/// Why an owner looks like no person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnerDoubt {
    /// The e-mail address is that of a function or a list.
    #[error(
        "the e-mail address looks like that of a function or a list (`{0}`), not of a person: whoever reads it gets the PINs, and no report can say who held a conference"
    )]
    Address(String),
    /// The name is that of a function or a group.
    #[error(
        "the name looks like that of a function or a group (`{0}`), not of a person: no report can say who held a conference"
    )]
    Name(String),
}

/// What stands for a group in any name.
const GROUPS: &[&str] = &[
    "department",
    "dept",
    "office",
    "team",
    "helpdesk",
    "reception",
];

/// Mailboxes of functions (RFC 2142 and custom) and of lists.
const SHARED: &[&str] = &[
    "abuse",
    "accounting",
    "accounts",
    "admin",
    "administration",
    "administrator",
    "all",
    "billing",
    "board",
    "booking",
    "bookings",
    "careers",
    "conference",
    "contact",
    "customerservice",
    "department",
    "dept",
    "desk",
    "donotreply",
    "everyone",
    "finance",
    "frontdesk",
    "hello",
    "help",
    "helpdesk",
    "hostmaster",
    "hr",
    "info",
    "inquiries",
    "it",
    "jobs",
    "kontakt",
    "legal",
    "list",
    "mail",
    "management",
    "marketing",
    "meeting",
    "meetings",
    "news",
    "newsletter",
    "noc",
    "noreply",
    "office",
    "operations",
    "orders",
    "postmaster",
    "pr",
    "press",
    "privacy",
    "purchasing",
    "reception",
    "recruiting",
    "root",
    "sales",
    "secretary",
    "security",
    "service",
    "shop",
    "staff",
    "support",
    "team",
    "webmaster",
];

/// Shape and bounds only: that mail arrives there can be known by sending some.
pub(crate) fn is_email(email: &str) -> bool {
    let Some((local, domain)) = email.rsplit_once('@') else {
        return false;
    };
    let local_fits = (1..=64).contains(&local.len())
        && local
            .split('.')
            .all(|atom| !atom.is_empty() && atom.chars().all(is_atom_char));
    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c == '-' || c.is_alphanumeric())
    };
    email.len() <= 254 && local_fits && domain.contains('.') && domain.split('.').all(label_fits)
}

/// RFC 5322 `atext`, and letters beyond ASCII (RFC 6531).
fn is_atom_char(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

/// Also what a roster shows of an invitee.
pub(crate) fn is_name(name: &str) -> bool {
    name.chars().count() <= LONGEST_NAME
        && name.chars().any(char::is_alphabetic)
        && !name.chars().any(char::is_control)
}

#[derive(Deserialize)]
struct RawOwner {
    name: String,
    email: String,
}

impl TryFrom<RawOwner> for Owner {
    type Error = OwnerError;

    fn try_from(raw: RawOwner) -> Result<Self, OwnerError> {
        Self::new(&raw.name, &raw.email)
    }
}

/// How arriving and leaving is announced to the room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Announce {
    /// Not at all.
    None,
    /// A discreet tone.
    #[default]
    Tone,
    /// The caller's recorded name.
    Name,
}

/// What becomes of the conference when its last Host leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostLeaves {
    /// The Guests go on talking.
    #[default]
    Continue,
    /// The Guests are held until a Host is back.
    Hold,
    /// Everybody is disconnected, after a grace in which a Host may come back.
    Hangup {
        /// 0 to 120 s, on hold music; zero disconnects at once. In seconds where serialised.
        #[serde(serialize_with = "seconds::serialize", deserialize_with = "grace")]
        grace: Duration,
    },
}

/// The bounds of [`Terms::most_talkers`]: no conference has more participants.
pub const TALKERS: RangeInclusive<u32> = 8..=10_000;

/// The longest grace of [`HostLeaves::Hangup`].
pub const LONGEST_GRACE: Duration = Duration::from_secs(120);

impl HostLeaves {
    /// Hang up `grace` after the last Host left; the grace is at most 120 s.
    pub fn hangup(grace: Duration) -> Result<Self, TermsError> {
        if grace > LONGEST_GRACE {
            return Err(TermsError::Grace);
        }
        Ok(Self::Hangup { grace })
    }
}

fn grace<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let grace = seconds::deserialize(from)?;
    HostLeaves::hangup(grace)
        .map(|_| grace)
        .map_err(serde::de::Error::custom)
}

/// What a conference of this account may and must do. [`Default`] has the product's defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Terms {
    /// The Host may lock the conference. On by default.
    pub lock: bool,
    /// Guests are let in one by one, by a Host or the portal. Off by default.
    pub consent: bool,
    /// The Host may record. Off by default.
    pub recording: bool,
    /// How often a soft tone reminds those in the room that they are recorded: every 10 s or more seldom, or zero, the default,
    /// for no tone. Seconds where serialised.
    #[serde(with = "seconds")]
    pub recording_tone: Duration,
    /// Lines that are flagged as playing music or noise are quieted without a Host's word, and restored when they have
    /// ceased to. Off by default.
    pub quieting: bool,
    /// The steady noise of each line is turned down. Off by default.
    pub noise_suppression: bool,
    /// Every voice is brought to the same loudness. Off by default.
    pub levelling: bool,
    /// No more than so many are heard at once, the loudest who speak: 8 at least. `None`, all of them, by default.
    pub most_talkers: Option<u32>,
    /// How an arrival is announced. A tone by default.
    pub entry: Announce,
    /// How a departure is announced. A tone by default.
    pub exit: Announce,
    /// What happens when the last Host leaves. `Continue` by default.
    pub host_leaves: HostLeaves,
    /// How many may be in the conference, 2 to 10,000. 500 by default.
    pub max_participants: u32,
    /// How long a Guest waits for a Host, above zero. 30 min by default; seconds where serialised.
    #[serde(with = "seconds")]
    pub longest_wait: Duration,
    /// How long a participant may be alone, above zero. 15 min by default; seconds where serialised.
    #[serde(with = "seconds")]
    pub alone: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            lock: true,
            consent: false,
            recording: false,
            recording_tone: Duration::ZERO,
            quieting: false,
            noise_suppression: false,
            levelling: false,
            most_talkers: None,
            entry: Announce::Tone,
            exit: Announce::Tone,
            host_leaves: HostLeaves::Continue,
            max_participants: 500,
            longest_wait: Duration::from_secs(30 * 60),
            alone: Duration::from_secs(15 * 60),
        }
    }
}

/// Why terms don't hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// A grace above 120 s.
    #[error("the grace after the last host left is 0 to 120 s")]
    Grace,
    /// Fewer than two participants, or more than 10,000.
    #[error("a conference takes 2 to 10000 participants")]
    MaxParticipants,
    /// A tone more often than every 10 s, or more seldom than every hour.
    #[error("the tone of a recording comes every 10 s to 1 h, or never (0)")]
    RecordingTone,
    /// A bound below eight, or above 10,000.
    #[error("8 to 10000 talkers are heard at once, or all")]
    MostTalkers,
    /// A wait of zero, for a Host or alone, or one above a day.
    #[error("the longest wait for a host and the time alone are above zero and at most a day")]
    Wait,
}

impl Terms {
    /// Whether callers are asked for their name: entry or exit announces it.
    pub fn names(&self) -> bool {
        self.entry == Announce::Name || self.exit == Announce::Name
    }

    /// Whether every value is in its range. For whoever makes an account out of a person's wishes.
    pub fn validate(&self) -> Result<(), TermsError> {
        if let HostLeaves::Hangup { grace } = self.host_leaves {
            HostLeaves::hangup(grace)?;
        }
        if !(2..=10_000).contains(&self.max_participants) {
            return Err(TermsError::MaxParticipants);
        }
        let tone = self.recording_tone;
        let tones = Duration::from_secs(10)..=Duration::from_secs(3600);
        if !tone.is_zero() && !tones.contains(&tone) {
            return Err(TermsError::RecordingTone);
        }
        if self
            .most_talkers
            .is_some_and(|most| !TALKERS.contains(&most))
        {
            return Err(TermsError::MostTalkers);
        }
        let fits = |wait: Duration| !wait.is_zero() && wait <= Duration::from_secs(24 * 3600);
        if !fits(self.longest_wait) || !fits(self.alone) {
            return Err(TermsError::Wait);
        }
        Ok(())
    }
}

/// Whether an account's PINs open its doors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// They do.
    #[default]
    Active,
    /// They don't until an operator makes it active again.
    Suspended,
    /// They never will again.
    Closed,
}

/// A person's account: one Host PIN, one Guest PIN (kept as [`PinLookup`](crate::PinLookup)s by
/// the store, not here) and the features switched on for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Whose it is.
    pub owner: Owner,
    /// Whether its PINs open its doors.
    pub state: AccountState,
    /// Where the person works, for reports.
    pub department: Option<String>,
    /// Whom its costs are charged to, for reports.
    pub cost_code: Option<String>,
    /// Whether it may make bookings. On by default.
    pub bookings: bool,
    /// What its conferences may and must do.
    pub terms: Terms,
}

impl Account {
    /// An active account with the default terms.
    pub fn new(id: AccountId, owner: Owner) -> Self {
        Self {
            id,
            owner,
            state: AccountState::Active,
            department: None,
            cost_code: None,
            bookings: true,
            terms: Terms::default(),
        }
    }

    /// The door behind this account's own PIN of `role`, for a caller who isn't known.
    pub fn door(&self, role: Role) -> Door {
        Door {
            account: self.id,
            conference: ConferenceKey::Account(self.id),
            role,
            state: self.state,
            terms: self.terms.clone(),
            window: None,
            known: false,
            holder: None,
            invitee: None,
        }
    }
}
