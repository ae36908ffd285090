//! A booking, for the eye and for a program.

use chrono::{DateTime, SecondsFormat, TimeZone, Utc};
use conclave_accounts::Booking;
use conclave_desk::{BookingPins, Desk, Details};
use serde_json::{Value, json};

use crate::{
    cli::Common,
    clock,
    output::{Failure, print, print_json, warn},
};

/// A booking with what is shown beside it.
pub(super) struct Shown(Details);

impl Shown {
    pub(super) async fn of(desk: &Desk, booking: Booking) -> Result<Self, Failure> {
        Ok(Self(desk.details(booking).await?))
    }

    /// Says what is allowed, and probably not meant.
    pub(super) fn warn_of_doubts(&self) {
        self.0.doubts(clock::wall()).iter().for_each(warn);
    }

    pub(super) fn show(&self, common: &Common, pins: &BookingPins) -> Result<(), Failure> {
        if common.json {
            return print_json(&self.json(pins));
        }
        let Booking { plan, title, .. } = &self.0.booking;
        let owner = &self.0.account.owner;
        let first = self.0.times.windows()[0];
        print(&format!(
            "Booking     {} ({})",
            self.0.booking.id.0,
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
                self.0.times.windows().len(),
                self.time(self.0.times.until())
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
        for invitee in &self.0.booking.invitees {
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
        for problem in &self.0.problems {
            let again = match problem.again {
                Some(at) => format!("is tried again at {}", self.time(at)),
                None => "was given up".into(),
            };
            print(&format!(
                "Not mailed  the {} to {} {again}: {}",
                problem.kind.word(),
                self.0.addressee(problem),
                problem.why
            ))?;
        }
        Ok(())
    }

    pub(super) fn json(&self, pins: &BookingPins) -> Value {
        let Booking { plan, .. } = &self.0.booking;
        let first = self.0.times.windows()[0];
        let invitees = self.0.booking.invitees.iter().map(|invitee| {
            let mut one = json!({
                "id": invitee.id.0, "name": invitee.name, "email": invitee.email, "withdrawn": invitee.withdrawn,
            });
            if let Some(pin) = pins.of(invitee.id) {
                one["pin"] = json!(pin.expose());
            }
            one
        });
        let mut value = json!({
            "id": self.0.booking.id.0,
            "account": self.0.account.id.0,
            "owner": { "name": self.0.account.owner.name(), "email": self.0.account.owner.email() },
            "title": self.0.booking.title,
            "state": self.state(),
            "start": self.time(first.starts),
            "end": self.time(first.ends),
            "tz": plan.zone,
            "rule": plan.rule,
            "early_minutes": plan.early.as_secs() / 60,
            "occurrences": self.0.times.windows().len(),
            "until": self.time(self.0.times.until()),
            "invitees": invitees.collect::<Vec<_>>(),
            "clashes": self.0.clashes.iter().map(|id| id.0).collect::<Vec<_>>(),
            "not_mailed": self.0.problems.iter().map(|problem| json!({
                "to": self.0.addressee(problem), "kind": problem.kind.word(), "why": problem.why,
                "again": problem.again.map(|at| self.time(at)),
            })).collect::<Vec<_>>(),
            "uid": self.0.booking.uid,
            "sequence": self.0.booking.sequence,
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
        let next = self.0.next(clock::wall());
        format!(
            "{:>6}  {:<10} {:<25} {:<25} {:<24} {}",
            self.0.booking.id.0,
            self.state(),
            self.time(next.starts),
            self.0.booking.plan.zone,
            self.0.account.owner.name(),
            self.0.booking.title
        )
    }

    fn state(&self) -> &'static str {
        self.0.state(clock::wall())
    }

    fn time(&self, at: DateTime<Utc>) -> String {
        let here = self.0.zone.from_utc_datetime(&at.naive_utc());
        here.to_rfc3339_opts(SecondsFormat::Secs, true)
    }
}
