//! PINs that are drawn: as long as the PINs that are there ask for.

use std::collections::HashSet;

use conclave_accounts::{Doors, Pin, PinPolicy, Role};
use conclave_store::StoredPin;

use crate::{data::Data, output::Failure};

/// A drawn PIN is taken with a chance of the number of accounts in 10⁹: more misses in a row are no accident.
pub(crate) const TRIES: usize = 20;

/// Draws PINs for one command. What it has drawn counts with what is there.
pub(crate) struct Draw {
    policy: PinPolicy,
    doors: Doors,
    drawn: HashSet<String>,
}

impl Draw {
    pub(crate) async fn new(data: &Data, policy: &PinPolicy) -> Result<Self, Failure> {
        Ok(Self {
            policy: policy.clone(),
            doors: data.doors_by_policy().await?,
            drawn: HashSet::new(),
        })
    }

    /// Takes a PIN that somebody brought into account. Says whether it must be forced upon the policy.
    pub(crate) fn bring(&mut self, pin: &Pin, force: bool) -> Result<bool, String> {
        if !self.drawn.insert(pin.expose().to_owned()) {
            return Err("this PIN is there twice: nobody could tell the two apart".into());
        }
        match self.policy.accept(pin, &self.doors) {
            Ok(()) => {
                self.doors.add_pin(pin);
                Ok(false)
            }
            Err(_) if force => Ok(true),
            Err(weak) => Err(format!("{weak}; --force-weak-pin takes it all the same")),
        }
    }

    pub(crate) fn pin(&mut self, role: Role) -> Result<Pin, Failure> {
        let digits = self.policy.digits_for(role, &self.doors).ok_or_else(|| {
            Failure::usage("so many PINs are in use that none is long enough to be hard to guess: lower pins.wrong-a-day")
        })?;
        for _ in 0..TRIES {
            let pin = Pin::draw(digits, &mut rand::rng()).map_err(Failure::usage)?;
            if self.drawn.insert(pin.expose().to_owned()) {
                self.doors.add_pin(&pin);
                return Ok(pin);
            }
        }
        Err(Failure::machine("no PIN could be drawn that is not taken"))
    }
}

/// As the store keeps it.
pub(crate) fn stored(data: &Data, pin: &Pin, role: Role) -> StoredPin {
    match role {
        Role::Host => StoredPin::host(pin, &data.keys),
        Role::Guest => StoredPin::guest(pin, &data.keys, rand::random()),
    }
}
