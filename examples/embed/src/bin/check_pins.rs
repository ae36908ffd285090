//! Checks PINs typed on standard input against a directory in memory, as a bridge would for one
//! caller: `check_pins [NUMBER]`. The PINs that open something are printed first.

use std::io::{self, BufRead};

use chrono::{DateTime, Utc};
use conclave_accounts::{
    Account, AccountId, Directory, Doorkeeper, Outcome, Owner, Pin, PinKey, PinPolicy, Source,
};
use rand::RngExt;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut rng = rand::rng();
    let policy = PinPolicy::default();
    let host = Pin::draw(policy.host_digits, &mut rng)?;
    let guest = Pin::draw(policy.guest_digits, &mut rng)?;
    let mut directory = Directory::new(PinKey::new(rng.random()));
    let owner = Owner::new("Ada Byron", "ada@example.org")?;
    directory.add(Account::new(AccountId(1), owner), &host, &guest)?;
    println!("host {}\nguest {}", host.expose(), guest.expose());
    println!("odds {}", policy.check(&directory.doors())?);

    let number = std::env::args().nth(1);
    let caller = Source {
        trunk: "keyboard".to_owned(),
        number,
    };
    let mut doorkeeper = Doorkeeper::new(policy, now());
    for line in io::stdin().lock().lines() {
        let pin = match Pin::parse(line?.trim()) {
            Ok(pin) => pin,
            Err(error) => {
                println!("{error}");
                continue;
            }
        };
        let now = now();
        let found = directory.find_for(&caller, &pin, now);
        let verdict = doorkeeper.judge(&caller, &pin, found, None, now);
        // A bridge would keep the answer back until then; here it is enough to say so.
        let wait = (verdict.ready_at - now).num_seconds();
        match verdict.outcome {
            Outcome::Admit(ticket) if ticket.by_consent() => {
                println!("{wait} s: {} by consent", ticket.role())
            }
            Outcome::Admit(ticket) => {
                directory.opened(&caller, &ticket, now);
                println!("{wait} s: {} of {}", ticket.role(), ticket.conference());
            }
            Outcome::Mistyped => println!("{wait} s: mistyped"),
            Outcome::NotValid => println!("{wait} s: not valid"),
        }
    }
    Ok(())
}

fn now() -> DateTime<Utc> {
    std::time::SystemTime::now().into()
}
