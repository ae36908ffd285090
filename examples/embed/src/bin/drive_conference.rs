//! Drives a conference by typed commands, without any network: `arrive 1 4711` (call 1, by the Host
//! PIN 4711 or the Guest PIN 1234), `key 1 *7`, `leave 1`.

use conclave_accounts::*;
use conclave_conference::{Actor, Caller, Command, Conference, ConferenceId, Event, LeaveReason};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now = chrono::DateTime::UNIX_EPOCH; // a product passes the time of its clock
    let ada = Account::new(AccountId(1), Owner::new("Ada", "ada@example.org")?);
    let mut directory = Directory::new(PinKey::new([7; 32])); // a product keeps its key secret
    directory.add(ada, &Pin::parse("4711")?, &Pin::parse("1234")?)?;
    let mut doorkeeper = Doorkeeper::new(PinPolicy::default(), now);
    let mut conference: Option<Conference> = None;
    for line in std::io::stdin().lines() {
        let line = line?;
        let [verb, call, what @ ..] = &line.split_whitespace().collect::<Vec<_>>()[..] else {
            continue;
        };
        let call = CallId(call.parse()?);
        match (*verb, what, &mut conference) {
            ("arrive", [pin], room) => {
                let (pin, source) = (Pin::parse(pin)?, Source::withheld("keyboard"));
                let verdict = doorkeeper.judge(&source, &pin, directory.find(&pin), None, now);
                let Outcome::Admit(ticket) = verdict.outcome else {
                    println!("{call}: {:?}", verdict.outcome);
                    continue;
                };
                let begin = || Conference::new(ConferenceId(1), &ticket, now);
                let room = room.get_or_insert_with(begin);
                let caller = Caller::default();
                #[rustfmt::skip]
                room.handle_event(Event::Arrived { call, ticket, caller }, now);
            }
            ("leave", [], Some(room)) => {
                let reason = LeaveReason::HungUp;
                room.handle_event(Event::Left { call, reason }, now);
            }
            ("key", [keys], Some(room)) => {
                let command = match *keys {
                    "*6" => Command::Mute,
                    "*7" => Command::Lock,
                    "##" => Command::EndForAll,
                    _ => Command::Help,
                };
                if let Err(refusal) = room.execute(Actor::Caller(call), command, now) {
                    println!("{call}: {refusal}");
                }
            }
            _ => println!("not understood: {line}"),
        }
        while let Some(action) = conference.as_mut().and_then(Conference::poll_action) {
            println!("{action:?}");
        }
        conference.take_if(|conference| conference.is_over());
    }
    Ok(())
}
