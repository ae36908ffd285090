//! What goes over the wire.

use chrono::{DateTime, SecondsFormat, TimeZone, Utc};
use conclave_accounts as accounts;
use conclave_accounts::{AccountState, HostLeaves, Pin, Role};
use conclave_desk::{BookingPins, Details, Leaving, Talkers, Wishes};
use conclave_store::Scope;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::{Array, ArrayBuilder, ObjectBuilder, Type};

/// An account. A PIN is in it only where it was just drawn, and its owner or an administrator asks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Account {
    pub(crate) id: u64,
    pub(crate) owner: Person,
    pub(crate) state: State,
    /// For reports.
    pub(crate) department: Option<String>,
    /// For reports.
    pub(crate) cost_code: Option<String>,
    /// Whether it may make bookings.
    pub(crate) bookings: bool,
    pub(crate) terms: Terms,
    /// Shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host_pin: Option<String>,
    /// For those who are invited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) guest_pin: Option<String>,
}

/// A person.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Person {
    /// 1 to 100 printable characters.
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
    #[schema(min_length = 3)]
    pub(crate) email: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Active,
    Suspended,
    /// For good.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Announce {
    None,
    Tone,
    Name,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HostGone {
    /// The Guests go on talking.
    Continue,
    /// The Guests are held until a Host is back.
    Hold,
    /// Everyone is disconnected, after the grace.
    Hangup,
}

/// What the conferences of an account may and must do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Terms {
    /// Hosts may lock.
    pub(crate) lock: bool,
    /// Guests are let in one by one.
    pub(crate) consent: bool,
    /// How an arrival is announced.
    pub(crate) entry: Announce,
    /// How a departure is announced.
    pub(crate) exit: Announce,
    /// What happens when the last Host leaves.
    pub(crate) host_leaves: HostGone,
    /// 0 to 120 seconds.
    pub(crate) host_grace: u64,
    /// 2 to 10000.
    pub(crate) max_callers: u32,
    /// In minutes, 1 to 1440.
    pub(crate) longest_wait: u64,
    /// Hosts may record.
    pub(crate) recording: bool,
    /// How often a tone reminds those who are recorded, in seconds; 0 for never.
    pub(crate) recording_tone: u64,
    /// Lines that play music or noise are quieted by themselves.
    pub(crate) quieting: bool,
    /// The steady noise of each line is turned down.
    pub(crate) noise_suppression: bool,
    /// Every voice is brought to the same loudness.
    pub(crate) levelling: bool,
    /// How many are heard at once, the loudest who speak, 8 at least; 0 for all.
    pub(crate) max_talkers: u32,
}

/// What is wished of the terms; what is absent stays.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TermsWish {
    pub(crate) lock: Option<bool>,
    pub(crate) consent: Option<bool>,
    pub(crate) entry: Option<Announce>,
    pub(crate) exit: Option<Announce>,
    pub(crate) host_leaves: Option<HostGone>,
    /// 0 to 120 seconds; with `hangup`.
    #[schema(maximum = 120)]
    pub(crate) host_grace: Option<u64>,
    /// 2 to 10000; for customer service and administrators.
    #[schema(minimum = 2, maximum = 10000)]
    pub(crate) max_callers: Option<u32>,
    /// In minutes, 1 to 1440; likewise.
    #[schema(minimum = 1, maximum = 1440)]
    pub(crate) longest_wait: Option<u64>,
    /// Likewise for customer service and administrators.
    pub(crate) recording: Option<bool>,
    /// 10 to 3600 seconds, or 0 for never; likewise.
    #[schema(maximum = 3600)]
    pub(crate) recording_tone: Option<u64>,
    pub(crate) quieting: Option<bool>,
    pub(crate) noise_suppression: Option<bool>,
    pub(crate) levelling: Option<bool>,
    /// 8 to 10000, or 0 for all.
    #[schema(maximum = 10000)]
    pub(crate) max_talkers: Option<u32>,
}

/// An account to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccount {
    pub(crate) owner: Person,
    pub(crate) department: Option<String>,
    pub(crate) cost_code: Option<String>,
    /// `true` where absent.
    pub(crate) bookings: Option<bool>,
    #[serde(default)]
    pub(crate) terms: TermsWish,
}

/// What is to become of an account; what is absent stays. A Host changes the terms of an account of their own; the rest
/// is for customer service and administrators.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountWish {
    pub(crate) owner: Option<Person>,
    /// Empty for none.
    pub(crate) department: Option<String>,
    /// Empty for none.
    pub(crate) cost_code: Option<String>,
    pub(crate) bookings: Option<bool>,
    pub(crate) state: Option<State>,
    #[serde(default)]
    pub(crate) terms: TermsWish,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PinRole {
    Host,
    Guest,
}

/// Which PIN is to be drawn anew.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PinWish {
    pub(crate) which: PinRole,
}

/// A PIN was drawn; the old one opens nothing any more.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DrawnPin {
    pub(crate) which: PinRole,
    /// For the owner or an administrator alone; of a Host this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pin: Option<String>,
}

/// A booking.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Booking {
    pub(crate) id: u64,
    pub(crate) account: u64,
    pub(crate) title: String,
    pub(crate) state: BookingState,
    /// Of the first occurrence, on the clock of its zone.
    pub(crate) start: String,
    pub(crate) end: String,
    pub(crate) tz: String,
    /// As in iCalendar.
    pub(crate) rule: Option<String>,
    pub(crate) early_minutes: u64,
    /// How often it takes place.
    pub(crate) occurrences: u64,
    /// The end of the last occurrence.
    pub(crate) until: String,
    pub(crate) invitees: Vec<Invitee>,
    /// Other bookings of the same owner at the same time.
    pub(crate) clashes: Vec<u64>,
    pub(crate) uid: String,
    pub(crate) sequence: u32,
    /// Shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host_pin: Option<String>,
    /// The one that serves all, where nobody is invited by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) guest_pin: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BookingState {
    Booked,
    Cancelled,
    Over,
}

/// Somebody who is invited by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Invitee {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) withdrawn: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pin: Option<String>,
}

/// A booking to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBooking {
    pub(crate) account: u64,
    /// 1 to 200 printable characters.
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) title: String,
    /// RFC 3339, or local (`2026-12-01T09:00`) with `tz`.
    pub(crate) start: String,
    pub(crate) end: String,
    /// Such as `Europe/Berlin`.
    pub(crate) tz: Option<String>,
    /// As in iCalendar: `FREQ=WEEKLY;COUNT=10`.
    pub(crate) rule: Option<String>,
    /// Local starts of occurrences that are left out.
    #[serde(default)]
    pub(crate) except: Vec<String>,
    /// 0 to 1440.
    #[schema(maximum = 1440)]
    pub(crate) early_minutes: Option<u64>,
    /// Each gets a PIN of their own; with none, one serves all.
    #[serde(default)]
    pub(crate) invitees: Vec<Person>,
    /// Whether invitations are mailed; `false` where absent.
    #[serde(default)]
    pub(crate) mail: bool,
}

/// What is to become of a booking; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BookingWish {
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) title: Option<String>,
    pub(crate) start: Option<String>,
    pub(crate) end: Option<String>,
    pub(crate) tz: Option<String>,
    /// `none` makes a series take place once.
    pub(crate) rule: Option<String>,
    /// Left out besides.
    #[serde(default)]
    pub(crate) except: Vec<String>,
    #[schema(maximum = 1440)]
    pub(crate) early_minutes: Option<u64>,
    /// Whether those who had mail get word; `false` where absent.
    #[serde(default)]
    pub(crate) mail: bool,
}

/// An invitation to pass on. It holds a PIN.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Invitation {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) text: String,
    /// A file for calendars (RFC 5545).
    pub(crate) ics: String,
}

/// A conference that took place or goes on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Conference {
    pub(crate) id: u64,
    pub(crate) account: u64,
    pub(crate) owner: String,
    pub(crate) booking: Option<u64>,
    pub(crate) title: Option<String>,
    pub(crate) started: DateTime<Utc>,
    pub(crate) ended: Option<DateTime<Utc>>,
    pub(crate) reason: Option<String>,
    /// Calls that were let in.
    pub(crate) calls: u64,
}

/// A conference with who was in it and what happened.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConferenceDetails {
    pub(crate) conference: Conference,
    pub(crate) participants: Vec<Participant>,
    pub(crate) events: Vec<Event>,
}

/// A call that knocked at a conference.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Participant {
    pub(crate) call: u64,
    /// Masked, unless an administrator or an auditor asks; absent where it was withheld.
    pub(crate) number: Option<String>,
    pub(crate) role: PinRole,
    pub(crate) name: Option<String>,
    pub(crate) arrived: DateTime<Utc>,
    pub(crate) admitted: Option<DateTime<Utc>>,
    pub(crate) departed: Option<DateTime<Utc>>,
    pub(crate) reason: Option<String>,
    pub(crate) codec: Option<String>,
    pub(crate) packets_lost: Option<u64>,
    pub(crate) jitter_ms: Option<f64>,
    /// 1 to 4.5.
    pub(crate) mos: Option<f64>,
}

/// What happened in a conference.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Event {
    pub(crate) at: DateTime<Utc>,
    pub(crate) what: String,
    /// The call that gave the command.
    pub(crate) call: Option<u64>,
    pub(crate) command: Option<String>,
}

/// What an account's conferences came to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Usage {
    pub(crate) account: u64,
    pub(crate) owner: String,
    pub(crate) email: String,
    pub(crate) department: Option<String>,
    pub(crate) cost_code: Option<String>,
    pub(crate) conferences: u64,
    pub(crate) calls: u64,
    /// How long those calls were in, together.
    pub(crate) seconds: u64,
}

/// An entry of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    pub(crate) seq: u64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) kind: String,
    /// The particulars.
    #[schema(value_type = Object)]
    pub(crate) body: Value,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UserRole {
    Host,
    Service,
    Administrator,
    Auditor,
}

/// A user of the portal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) email: String,
    pub(crate) role: UserRole,
    pub(crate) suspended: bool,
    pub(crate) has_password: bool,
}

/// A user to be made; a set-up link lets them set a password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    pub(crate) email: String,
    pub(crate) role: UserRole,
}

/// What is to become of a user; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserWish {
    pub(crate) role: Option<UserRole>,
    pub(crate) suspended: Option<bool>,
}

/// Sets a password, once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Link {
    /// The address of the page, behind the portal's own; browsers send what is behind the `#` to nobody.
    pub(crate) path: String,
    pub(crate) ends: DateTime<Utc>,
}

/// Many accounts to be made, all or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Import {
    /// CSV. The first line names the columns: `name`, `email`, and what else an account may have.
    #[schema(min_length = 1)]
    pub(crate) table: String,
    /// Only says whether it is right.
    #[serde(default)]
    pub(crate) check: bool,
}

/// The accounts of a table.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Imported {
    /// How many were, or would be, made.
    pub(crate) count: u64,
    /// What is allowed, and probably not meant.
    pub(crate) doubts: Vec<String>,
    /// Those that were made; none where the table was only checked.
    pub(crate) accounts: Vec<Account>,
}

/// What guards the PINs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Policies {
    pub(crate) accounts: u64,
    /// Bookings that aren't over.
    pub(crate) bookings: u64,
    /// PINs that open a door.
    pub(crate) pins: u64,
    /// Of them, those forced upon the policy.
    pub(crate) forced_pins: u64,
    /// That a day of guessing opens a door without a human's consent.
    pub(crate) chance_a_day: f64,
    pub(crate) highest_chance: f64,
    /// Whether the chance is no higher.
    pub(crate) bearable: bool,
    /// Wrong PINs a day that turn on consent.
    pub(crate) wrong_a_day: u64,
    /// Of the next Guest PIN; absent where none is long enough any more.
    pub(crate) guest_digits: Option<u8>,
    /// Of the next Host PIN, likewise.
    pub(crate) host_digits: Option<u8>,
    /// Whether invitations are sent by mail.
    pub(crate) mails: bool,
}

/// A Host PIN that looks shared: it was used from many numbers, or by two Hosts at once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Hint {
    pub(crate) account: u64,
    pub(crate) owner: String,
    /// From how many different numbers it was used.
    pub(crate) numbers: u64,
    /// How often a second Host came while one was in.
    pub(crate) another_host: u64,
}

/// A token of a program.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Token {
    pub(crate) id: u64,
    /// The e-mail address of the user in whose name it acts.
    pub(crate) user: String,
    pub(crate) name: String,
    #[schema(schema_with = scopes)]
    pub(crate) scopes: Vec<String>,
    pub(crate) made: DateTime<Utc>,
    pub(crate) used: Option<DateTime<Utc>>,
    pub(crate) ends: Option<DateTime<Utc>>,
    /// What a program sends; shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
}

/// A token to be made, in the name of the same user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// 1 to 100 characters on one line.
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
    /// No more than those of the token that asks.
    #[schema(schema_with = scopes)]
    pub(crate) scopes: Vec<String>,
    /// No later than the end of the token that asks.
    pub(crate) ends: Option<DateTime<Utc>>,
}

fn scopes() -> Array {
    let words = Scope::ALL.map(Scope::word);
    let scope = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words));
    ArrayBuilder::new().items(scope).min_items(Some(1)).build()
}

impl Token {
    pub(crate) fn of(token: &conclave_store::ApiToken) -> Self {
        let scopes = token.scopes.iter();
        Self {
            id: token.id.0,
            user: token.user.email.to_string(),
            name: token.name.clone(),
            scopes: scopes.map(|scope| scope.word().to_owned()).collect(),
            made: token.made,
            used: token.used,
            ends: token.ends,
            token: None,
        }
    }
}

/// An address that is told of what happens: of all accounts for an administrator, of their own for a Host.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Webhook {
    pub(crate) id: u64,
    /// The e-mail address of the user whose it is.
    pub(crate) user: String,
    pub(crate) url: String,
    pub(crate) events: Vec<HookEvent>,
    pub(crate) made: DateTime<Utc>,
    /// Since when it has taken nothing.
    pub(crate) failing: Option<DateTime<Utc>>,
    /// When it was switched off: it had taken nothing for five days, or had said that it is gone.
    pub(crate) disabled: Option<DateTime<Utc>>,
    /// What signs all that it is sent (Standard Webhooks); shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<String>,
}

/// A webhook to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWebhook {
    /// `https://`; an administrator's may be `http://` on the bridge's own machine.
    pub(crate) url: String,
    #[schema(min_items = 1)]
    pub(crate) events: Vec<HookEvent>,
}

/// What is to become of a webhook; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookWish {
    pub(crate) events: Option<Vec<HookEvent>>,
    /// What is due when it is switched off is given up.
    pub(crate) enabled: Option<bool>,
}

/// A kind of thing that webhooks are told. What is sent has `type` (one of these), `timestamp` and `data`: the numbers of the account, and of
/// the booking, the conference (as `/api/v1/conferences` has it) and the call, where it is about one; a call's role, the reason of an end. No
/// name and no telephone number: ask for them here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) enum HookEvent {
    #[serde(rename = "conference.started")]
    ConferenceStarted,
    #[serde(rename = "conference.ended")]
    ConferenceEnded,
    #[serde(rename = "call.joined")]
    CallJoined,
    #[serde(rename = "call.left")]
    CallLeft,
    #[serde(rename = "booking.made")]
    BookingMade,
    #[serde(rename = "booking.changed")]
    BookingChanged,
    #[serde(rename = "booking.cancelled")]
    BookingCancelled,
}

/// What became of telling something. It is listed for 30 days.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Delivery {
    /// Its `webhook-id` is `msg_` and this.
    pub(crate) id: u64,
    pub(crate) event: HookEvent,
    pub(crate) at: DateTime<Utc>,
    pub(crate) tries: u32,
    /// Why it wasn't taken when it was tried last.
    pub(crate) problem: Option<String>,
    /// When it is tried again. With neither this nor `delivered` it was given up, after three days.
    pub(crate) again: Option<DateTime<Utc>>,
    pub(crate) delivered: Option<DateTime<Utc>>,
}

impl From<HookEvent> for conclave_store::HookEvent {
    fn from(event: HookEvent) -> Self {
        match event {
            HookEvent::ConferenceStarted => Self::ConferenceStarted,
            HookEvent::ConferenceEnded => Self::ConferenceEnded,
            HookEvent::CallJoined => Self::CallJoined,
            HookEvent::CallLeft => Self::CallLeft,
            HookEvent::BookingMade => Self::BookingMade,
            HookEvent::BookingChanged => Self::BookingChanged,
            HookEvent::BookingCancelled => Self::BookingCancelled,
        }
    }
}

impl From<conclave_store::HookEvent> for HookEvent {
    fn from(event: conclave_store::HookEvent) -> Self {
        use conclave_store::HookEvent as Of;
        match event {
            Of::ConferenceStarted => Self::ConferenceStarted,
            Of::ConferenceEnded => Self::ConferenceEnded,
            Of::CallJoined => Self::CallJoined,
            Of::CallLeft => Self::CallLeft,
            Of::BookingMade => Self::BookingMade,
            Of::BookingChanged => Self::BookingChanged,
            Of::BookingCancelled => Self::BookingCancelled,
        }
    }
}

impl Webhook {
    pub(crate) fn of(webhook: &conclave_store::Webhook) -> Self {
        Self {
            id: webhook.id.0,
            user: webhook.user.email.to_string(),
            url: webhook.url.clone(),
            events: webhook.events.iter().map(|event| (*event).into()).collect(),
            made: webhook.made,
            failing: webhook.failing,
            disabled: webhook.disabled,
            secret: None,
        }
    }
}

impl Delivery {
    pub(crate) fn of(row: &conclave_store::DeliveryRow) -> Self {
        Self {
            id: row.id,
            event: row.event.into(),
            at: row.at,
            tries: row.tries,
            problem: row.problem.clone(),
            again: row.again,
            delivered: row.delivered,
        }
    }
}

impl Account {
    pub(crate) fn of(account: &accounts::Account) -> Self {
        Self {
            id: account.id.0,
            owner: Person {
                name: account.owner.name().to_owned(),
                email: account.owner.email().to_owned(),
            },
            state: match account.state {
                AccountState::Active => State::Active,
                AccountState::Suspended => State::Suspended,
                AccountState::Closed => State::Closed,
            },
            department: account.department.clone(),
            cost_code: account.cost_code.clone(),
            bookings: account.bookings,
            terms: Terms::of(&account.terms),
            host_pin: None,
            guest_pin: None,
        }
    }
}

impl Terms {
    fn of(terms: &accounts::Terms) -> Self {
        let announce = |how| match how {
            accounts::Announce::None => Announce::None,
            accounts::Announce::Tone => Announce::Tone,
            accounts::Announce::Name => Announce::Name,
        };
        let (host_leaves, host_grace) = match terms.host_leaves {
            HostLeaves::Continue => (HostGone::Continue, 0),
            HostLeaves::Hold => (HostGone::Hold, 0),
            HostLeaves::Hangup { grace } => (HostGone::Hangup, grace.as_secs()),
        };
        Self {
            lock: terms.lock,
            consent: terms.consent,
            entry: announce(terms.entry),
            exit: announce(terms.exit),
            host_leaves,
            host_grace,
            max_callers: terms.max_participants,
            longest_wait: terms.longest_wait.as_secs() / 60,
            recording: terms.recording,
            recording_tone: terms.recording_tone.as_secs(),
            quieting: terms.quieting,
            noise_suppression: terms.noise_suppression,
            levelling: terms.levelling,
            max_talkers: terms.most_talkers.unwrap_or(0),
        }
    }
}

impl TermsWish {
    /// Whether it is about what a Host doesn't decide.
    pub(crate) fn is_about_limits(&self) -> bool {
        self.max_callers.is_some()
            || self.longest_wait.is_some()
            || self.recording.is_some()
            || self.recording_tone.is_some()
    }

    pub(crate) fn wishes(&self) -> Wishes {
        let announce = |how| match how {
            Announce::None => accounts::Announce::None,
            Announce::Tone => accounts::Announce::Tone,
            Announce::Name => accounts::Announce::Name,
        };
        let leaves = |gone| match gone {
            HostGone::Continue => Leaving::Continue,
            HostGone::Hold => Leaving::Hold,
            HostGone::Hangup => Leaving::Hangup,
        };
        Wishes {
            lock: self.lock,
            consent: self.consent,
            entry: self.entry.map(announce),
            exit: self.exit.map(announce),
            host_leaves: self.host_leaves.map(leaves),
            host_grace: self.host_grace,
            max_callers: self.max_callers,
            longest_wait: self.longest_wait,
            recording: self.recording,
            recording_tone: self.recording_tone,
            quieting: self.quieting,
            noise_suppression: self.noise_suppression,
            levelling: self.levelling,
            max_talkers: self.max_talkers.map(Talkers::from),
        }
    }
}

impl From<Role> for PinRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Host => Self::Host,
            Role::Guest => Self::Guest,
        }
    }
}

impl From<PinRole> for Role {
    fn from(role: PinRole) -> Self {
        match role {
            PinRole::Host => Self::Host,
            PinRole::Guest => Self::Guest,
        }
    }
}

impl Booking {
    pub(crate) fn of(details: &Details, pins: &BookingPins, now: DateTime<Utc>) -> Self {
        let booking = &details.booking;
        let windows = details.times.windows();
        let time = |at: DateTime<Utc>| {
            let here = details.zone.from_utc_datetime(&at.naive_utc());
            here.to_rfc3339_opts(SecondsFormat::Secs, true)
        };
        let digits = |pin: &Pin| pin.expose().to_owned();
        let invitees = booking.invitees.iter().map(|invitee| Invitee {
            id: invitee.id.0,
            name: invitee.name.clone(),
            email: invitee.email.clone(),
            withdrawn: invitee.withdrawn,
            pin: pins.of(invitee.id).map(digits),
        });
        Self {
            id: booking.id.0,
            account: booking.account.0,
            title: booking.title.as_str().to_owned(),
            state: match details.state(now) {
                "cancelled" => BookingState::Cancelled,
                "over" => BookingState::Over,
                _ => BookingState::Booked,
            },
            start: time(windows[0].starts),
            end: time(windows[0].ends),
            tz: booking.plan.zone.clone(),
            rule: booking.plan.rule.clone(),
            early_minutes: booking.plan.early.as_secs() / 60,
            occurrences: windows.len() as u64,
            until: time(details.times.until()),
            invitees: invitees.collect(),
            clashes: details.clashes.iter().map(|id| id.0).collect(),
            uid: booking.uid.clone(),
            sequence: booking.sequence,
            host_pin: pins.host.as_ref().map(digits),
            guest_pin: pins.guest.as_ref().map(digits),
        }
    }
}

impl From<UserRole> for conclave_store::UserRole {
    fn from(role: UserRole) -> Self {
        match role {
            UserRole::Host => Self::Host,
            UserRole::Service => Self::Service,
            UserRole::Administrator => Self::Administrator,
            UserRole::Auditor => Self::Auditor,
        }
    }
}

impl User {
    pub(crate) fn of(user: &conclave_store::User) -> Self {
        Self {
            id: user.id.0,
            email: user.email.to_string(),
            role: match user.role {
                conclave_store::UserRole::Host => UserRole::Host,
                conclave_store::UserRole::Service => UserRole::Service,
                conclave_store::UserRole::Administrator => UserRole::Administrator,
                conclave_store::UserRole::Auditor => UserRole::Auditor,
            },
            suspended: user.suspended,
            has_password: user.has_password,
        }
    }
}
