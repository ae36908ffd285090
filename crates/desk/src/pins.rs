//! PINs that are drawn: as long as the PINs that are there ask for.

use std::collections::HashSet;

use conclave_accounts::{Doors, Pin, Role};
use conclave_store::StoredPin;

use crate::account::BroughtError;
use crate::{Desk, DeskError};

/// A drawn PIN is taken with a chance of the number of accounts in 10⁹: more misses in a row are no accident.
pub(crate) const TRIES: usize = 20;

/// Draws PINs for one thing that is done. What it has drawn counts with what is there.
#[derive(Debug)]
pub struct Draw<'a> {
    desk: &'a Desk,
    doors: Doors,
    drawn: HashSet<String>,
}

impl Desk {
    /// Begins to draw.
    pub async fn draw(&self) -> Result<Draw<'_>, DeskError> {
        Ok(Draw {
            desk: self,
            doors: self.doors_by_policy().await?,
            drawn: HashSet::new(),
        })
    }

    /// As the store keeps it.
    pub(crate) fn stored(&self, pin: &Pin, role: Role) -> StoredPin {
        let keys = self.keys();
        match role {
            Role::Host => StoredPin::host(pin, &keys),
            Role::Guest => StoredPin::guest(pin, &keys, self.draw_bytes()),
        }
    }
}

impl Draw<'_> {
    /// Takes a PIN that somebody brought into account. Says whether it must be forced upon the policy.
    pub(crate) fn bring(&mut self, pin: &Pin, force: bool) -> Result<bool, BroughtError> {
        if !self.drawn.insert(pin.expose().to_owned()) {
            return Err(BroughtError::Twice);
        }
        match self.desk.rules().pins.accept(pin, &self.doors) {
            Ok(()) => {
                self.doors.add_pin(pin);
                Ok(false)
            }
            Err(_) if force => Ok(true),
            Err(weak) => Err(BroughtError::Weak(weak)),
        }
    }

    pub(crate) fn pin(&mut self, role: Role) -> Result<Pin, DeskError> {
        let policy = &self.desk.rules().pins;
        let digits = policy.digits_for(role, &self.doors);
        let digits = digits.ok_or(DeskError::NoPinIsLongEnough)?;
        for _ in 0..TRIES {
            let pin = Pin::draw(digits, &mut **self.desk.random())?;
            if self.drawn.insert(pin.expose().to_owned()) {
                self.doors.add_pin(&pin);
                return Ok(pin);
            }
        }
        Err(DeskError::NoneDrawn)
    }
}
