//! A booking, for the eye and for a program.

use chrono::{DateTime, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;
use conclave_accounts::{Account, AccountState, Booking, BookingId, BookingState, InviteeId, Pin};
use conclave_calendar::{Horizon, Occurrences, occurrences};
use conclave_store::{LetterProblem, Store, StoreError};
use serde_json::{Value, json};

use crate::{
    cli::Common,
    clock,
    data::Data,
    output::{Failure, print, print_json, warn},
};

/// The PINs of a booking that are to be shown.
#[derive(Debug, Default)]
pub(super) struct Pins {
    pub(super) host: Option<Pin>,
    /// The one that serves all.
    pub(super) guest: Option<Pin>,
    pub(super) invitees: Vec<(InviteeId, Pin)>,
}

impl Pins {
    /// What is kept so that it can be shown: Guest PINs.
    pub(super) async fn kept(data: &Data, booking: BookingId) -> Result<Self, Failure> {
        let mut pins = Self::default();
        for sealed in data.store.booking_pins(booking).await? {
            let pin = sealed.open(&data.keys).map_err(Failure::machine)?;
            match sealed.invitee {
                Some(invitee) => pins.invitees.push((invitee, pin)),
                None => pins.guest = Some(pin),
            }
        }
        Ok(pins)
    }

    fn of(&self, invitee: InviteeId) -> Option<&Pin> {
        let mut pins = self.invitees.iter();
        pins.find(|(id, _)| *id == invitee).map(|(_, pin)| pin)
    }
}

/// A booking with what is shown beside it.
pub(super) struct Shown {
    booking: Booking,
    account: Account,
    times: Occurrences,
    zone: Tz,
    clashes: Vec<BookingId>,
    /// What the mail server didn't take.
    problems: Vec<LetterProblem>,
}

impl Shown {
    pub(super) async fn of(data: &Data, booking: Booking) -> Result<Self, Failure> {
        let account = data.store.account(booking.account).await?;
        let account = account.ok_or(StoreError::NoSuchAccount(booking.account))?;
        let clashes = match booking.state {
            BookingState::Booked => data.store.clashes(booking.id).await?,
            BookingState::Cancelled => Vec::new(),
        };
        Ok(Self {
            times: occurrences(&booking.plan, &Horizon::default()).map_err(Failure::machine)?,
            zone: booking.plan.zone.parse().map_err(Failure::machine)?,
            problems: data.store.letter_problems(booking.id).await?,
            account,
            booking,
            clashes,
        })
    }

    /// What is allowed, and probably not meant.
    pub(super) fn warn_of_doubts(&self) {
        for clash in &self.clashes {
            warn(format!("clashes with {clash}"));
        }
        if self.account.state == AccountState::Suspended {
            warn(format!(
                "{} is suspended: nobody gets in until it is resumed",
                self.account.id
            ));
        }
        if self.times.until() <= clock::wall() {
            warn("all of its time has passed: its PINs open nothing");
        }
    }

    pub(super) fn show(&self, common: &Common, pins: &Pins) -> Result<(), Failure> {
        if common.json {
            return print_json(&self.json(pins));
        }
        let Booking { plan, title, .. } = &self.booking;
        let owner = &self.account.owner;
        let first = self.times.windows()[0];
        print(&format!(
            "Booking     {} ({})",
            self.booking.id.0,
            self.state()
        ))?;
        print(&format!("Title       {title}"))?;
        print(&format!("Owner       {} <{}>", owner.name(), owner.email()))?;
        print(&format!(
            "When        {} to {} ({})",
            self.time(first.starts),
            self.time(first.ends),
            plan.zone
        ))?;
        if let Some(rule) = &plan.rule {
            print(&format!(
                "Series      {rule}: {} times, until {}",
                self.times.windows().len(),
                self.time(self.times.until())
            ))?;
        }
        if !plan.early.is_zero() {
            print(&format!(
                "Early entry {} min before the start",
                plan.early.as_secs() / 60
            ))?;
        }
        if let Some(pin) = &pins.host {
            print(&format!(
                "Host PIN    {}   (shown this once; for the owner alone)",
                pin.expose()
            ))?;
        }
        if let Some(pin) = &pins.guest {
            print(&format!(
                "Guest PIN   {}   (for those who are invited)",
                pin.expose()
            ))?;
        }
        for invitee in &self.booking.invitees {
            let pin = match pins.of(invitee.id) {
                Some(pin) => format!("   Guest PIN {}", pin.expose()),
                None if invitee.withdrawn => "   (withdrawn)".into(),
                None => String::new(),
            };
            print(&format!(
                "Invitee     {} {} <{}>{pin}",
                invitee.id.0, invitee.name, invitee.email
            ))?;
        }
        for problem in &self.problems {
            let again = match problem.again {
                Some(at) => format!("is tried again at {}", self.time(at)),
                None => "was given up".into(),
            };
            print(&format!(
                "Not mailed  the {} to {} {again}: {}",
                problem.kind.word(),
                self.addressee(problem),
                problem.why
            ))?;
        }
        Ok(())
    }

    fn addressee(&self, problem: &LetterProblem) -> &str {
        let mut invitees = self.booking.invitees.iter();
        invitees
            .find(|invitee| Some(invitee.id) == problem.invitee)
            .map_or(self.account.owner.email(), |invitee| &invitee.email)
    }

    pub(super) fn json(&self, pins: &Pins) -> Value {
        let Booking { plan, .. } = &self.booking;
        let first = self.times.windows()[0];
        let invitees = self.booking.invitees.iter().map(|invitee| {
            let mut one = json!({
                "id": invitee.id.0, "name": invitee.name, "email": invitee.email, "withdrawn": invitee.withdrawn,
            });
            if let Some(pin) = pins.of(invitee.id) {
                one["pin"] = json!(pin.expose());
            }
            one
        });
        let mut value = json!({
            "id": self.booking.id.0,
            "account": self.account.id.0,
            "owner": { "name": self.account.owner.name(), "email": self.account.owner.email() },
            "title": self.booking.title,
            "state": self.state(),
            "start": self.time(first.starts),
            "end": self.time(first.ends),
            "tz": plan.zone,
            "rule": plan.rule,
            "early_minutes": plan.early.as_secs() / 60,
            "occurrences": self.times.windows().len(),
            "until": self.time(self.times.until()),
            "invitees": invitees.collect::<Vec<_>>(),
            "clashes": self.clashes.iter().map(|id| id.0).collect::<Vec<_>>(),
            "not_mailed": self.problems.iter().map(|problem| json!({
                "to": self.addressee(problem), "kind": problem.kind.word(), "why": problem.why,
                "again": problem.again.map(|at| self.time(at)),
            })).collect::<Vec<_>>(),
            "uid": self.booking.uid,
            "sequence": self.booking.sequence,
        });
        for (key, pin) in [("host_pin", &pins.host), ("guest_pin", &pins.guest)] {
            if let Some(pin) = pin {
                value[key] = json!(pin.expose());
            }
        }
        value
    }

    /// As `booking list` shows it.
    pub(super) fn line(&self) -> String {
        let now = clock::wall();
        let mut coming = self.times.windows().iter();
        let next = coming.find(|window| window.ends > now);
        let next = next.unwrap_or(&self.times.windows()[self.times.windows().len() - 1]);
        format!(
            "{:>6}  {:<10} {:<25} {:<25} {:<24} {}",
            self.booking.id.0,
            self.state(),
            self.time(next.starts),
            self.booking.plan.zone,
            self.account.owner.name(),
            self.booking.title
        )
    }

    fn state(&self) -> &'static str {
        match self.booking.state {
            BookingState::Cancelled => "cancelled",
            BookingState::Booked if self.times.until() <= clock::wall() => "over",
            BookingState::Booked => "booked",
        }
    }

    fn time(&self, at: DateTime<Utc>) -> String {
        let here = self.zone.from_utc_datetime(&at.naive_utc());
        here.to_rfc3339_opts(SecondsFormat::Secs, true)
    }
}
