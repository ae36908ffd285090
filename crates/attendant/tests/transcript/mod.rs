//! Reads a transcript and plays it.

mod read;

use std::time::Duration;

use chrono::{DateTime, Utc};
use conclave_attendant::{Access, Event};
use conclave_conference::ConferenceId;
use conclave_sim::{START, World};

use read::{Input, Settings};

/// From one key to the next.
const GAP: Duration = Duration::from_millis(200);
/// A Host PIN's length.
const LONGEST_PIN: usize = 12;
const IN_THE_BOOKS: &str = "in the books: ";

/// The transcript with the answers that the bridge gives now.
pub(crate) fn play(transcript: &str) -> Result<String, String> {
    let Settings {
        terms,
        policy,
        booked_until,
        books,
    } = read::settings(transcript)?;
    let mut world = World::under(policy, &[terms.clone(), terms], 0);
    if let Some(ends) = booked_until {
        world.add_booking(1, ends);
    }
    let mut played = String::new();
    // What is said to the reader stays with the input that it stands before.
    let mut said = String::new();
    for (number, line) in transcript.lines().enumerate() {
        if line.starts_with('<') {
            continue;
        }
        let Some(input) = line.strip_prefix('>') else {
            said.push_str(&format!("{line}\n"));
            continue;
        };
        let (at, input) = read::input(input.trim())
            .and_then(|(at, input)| {
                if at < world.now() {
                    return Err("time doesn't go back".to_owned());
                }
                world.run_until(at).map_err(|broken| broken.to_string())?;
                answers(&mut world, None, books, &mut played);
                played.push_str(&format!("{}{line}\n", std::mem::take(&mut said)));
                Ok((at, input))
            })
            .map_err(|error| format!("line {}: {error}", number + 1))?;
        happen(&mut world, input).map_err(|broken| format!("line {}: {broken}", number + 1))?;
        answers(&mut world, Some(at), books, &mut played);
    }
    Ok(played + &said)
}

/// What came out, each with its time unless that is the input's.
fn answers(world: &mut World, input: Option<DateTime<Utc>>, books: bool, played: &mut String) {
    for note in world.take_notes() {
        if !books && note.words.starts_with(IN_THE_BOOKS) {
            continue;
        }
        let at = match Some(note.at) == input {
            true => String::new(),
            false => format!("{} ", read::written(note.at)),
        };
        played.push_str(&format!("< {at}{}\n", note.words));
    }
}

fn newest(world: &World) -> ConferenceId {
    let newest = world.bridge().conferences().last().map(|(id, _)| id);
    newest.unwrap_or(ConferenceId(0))
}

fn happen(world: &mut World, input: Input) -> Result<(), conclave_sim::Violation> {
    match input {
        Input::TimePasses => Ok(()),
        Input::Dials {
            call,
            source,
            bound,
            keys,
        } => {
            let access = Access {
                bound,
                keys: *keys,
                longest_pin: LONGEST_PIN,
            };
            world.dial(call, source, access)
        }
        Input::Presses { call, keys } => {
            let gaps = keys.len().saturating_sub(1) as u32;
            world.press(call, &keys, GAP);
            world.run_for(GAP * gaps)
        }
        Input::HangsUp { call } => world.hang_up(call),
        Input::Says { call, speech } => {
            world.prepare_speech(call, speech);
            Ok(())
        }
        Input::Told(event) => world.tell(*event),
        Input::LastVerdictAgain { call, inquiry } => {
            let verdict = conclave_accounts::Verdict {
                outcome: conclave_accounts::Outcome::NotValid,
                ready_at: START,
            };
            world.tell(Event::PinJudged {
                call,
                inquiry,
                verdict,
            })
        }
        Input::Operator { command } => world.execute(newest(world), command).map(|_| ()),
        Input::Rename { call, name } => world.rename(newest(world), call, &name).map(|_| ()),
        Input::Faults(change) => {
            change(&mut world.faults);
            Ok(())
        }
        Input::Moved { account, ends } => world.move_booking(account, ends),
        Input::Drains => {
            world.stop_starting();
            Ok(())
        }
        Input::EndsAll(reason) => world.end_all(reason),
    }
}
