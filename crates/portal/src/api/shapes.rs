//! What goes over the wire.

use chrono::{DateTime, SecondsFormat, TimeZone, Utc};
use conclave_accounts as accounts;
use conclave_accounts::{AccountState, HostLeaves, Pin, Role};
use conclave_desk::{BookingPins, Details, Leaving, Wishes};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

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
    pub(crate) name: String,
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
    pub(crate) host_grace: Option<u64>,
    /// 2 to 10000; for customer service and administrators.
    pub(crate) max_callers: Option<u32>,
    /// In minutes, 1 to 1440; likewise.
    pub(crate) longest_wait: Option<u64>,
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
    pub(crate) title: Option<String>,
    pub(crate) start: Option<String>,
    pub(crate) end: Option<String>,
    pub(crate) tz: Option<String>,
    /// `none` makes a series take place once.
    pub(crate) rule: Option<String>,
    /// Left out besides.
    #[serde(default)]
    pub(crate) except: Vec<String>,
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
        }
    }
}

impl TermsWish {
    /// Whether it is about what a Host doesn't decide.
    pub(crate) fn is_about_limits(&self) -> bool {
        self.max_callers.is_some() || self.longest_wait.is_some()
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
            ..Wishes::default()
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
