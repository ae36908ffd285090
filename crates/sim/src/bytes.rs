//! Bytes as the story of a bridge, for fuzzers: every three of them are one deed.

use std::time::Duration;

use chrono::TimeDelta;
use conclave_accounts::{Announce, CallId, HostLeaves, Outcome, Source, Terms, Verdict};
use conclave_attendant::{Access, Event};
use conclave_conference::{Command, ConferenceId, Floor, LeaveReason, NameId, PlayId};
use conclave_dtmf::{Digit, Way};

use crate::campaign::Failure;
use crate::town::{INVITEES, booking_pins, invitee_pin, pins};
use crate::watch::{Violation, ensure};
use crate::world::{Faults, START, Speech, World};

/// Tells the story that the bytes spell, on a bridge with four accounts of different terms: the first byte
/// says what goes wrong, then come deeds of three bytes each. All rules are checked after each; in the end
/// everybody hangs up, and nothing may be left.
///
/// # Panics
///
/// Where a rule is broken, as a fuzzer wants it.
pub fn check_bytes(bytes: &[u8]) {
    let Some((&fault, deeds)) = bytes.split_first() else {
        return;
    };
    let mut world = World::new(&four_terms(), 0);
    world.add_booking(1, START + Duration::from_secs(600));
    world.add_booking(2, START + Duration::from_secs(60));
    world.faults = faults(fault);
    let told = tell(&mut world, deeds);
    assert!(
        told.is_ok(),
        "{}",
        told.err().map_or(String::new(), |violation| {
            let notes = world.take_notes();
            Failure::of_bytes(violation, notes).to_string()
        })
    );
}

fn tell(world: &mut World, deeds: &[u8]) -> Result<(), Violation> {
    for deed in deeds.as_chunks::<3>().0 {
        act(world, *deed)?;
    }
    world.faults = Faults::default();
    let calls: Vec<CallId> = world.bridge().calls().map(|(call, _)| call).collect();
    for call in calls {
        world.hang_up(call)?;
    }
    // What was being said to a room that is gone would have been heard to its end by now.
    world.run_for(Duration::from_secs(600))?;
    ensure(world.bridge().calls().len() == 0, || {
        "somebody is left".to_owned()
    })?;
    ensure(world.is_silent(), || "something still plays".to_owned())
}

fn act(world: &mut World, [what, who, how]: [u8; 3]) -> Result<(), Violation> {
    let call = CallId(u64::from(who % 12));
    let account = u64::from(how % 4) + 1;
    let number = u32::from(how);
    let gap = Duration::from_millis(u64::from(who) * 4);
    match what % 20 {
        0..3 => world.dial(call, source(how), access(how)),
        3 => world.tell(Event::Digit {
            call,
            way: [Way::Event, Way::Info, Way::Tone][usize::from(how / 16 % 3)],
            digit: Digit::try_from(how % 16).unwrap_or(Digit::HASH),
        }),
        4..6 if how >= 192 => {
            let pin = invitee_pin(1 + u64::from(how % 2), 1 + u64::from(how / 2) % INVITEES);
            world.press(call, &format!("{pin}#"), gap);
            Ok(())
        }
        6..8 if how >= 192 => {
            world.press(call, &booking_pins(1 + u64::from(how % 2)).host, gap);
            Ok(())
        }
        4..6 => {
            world.press(call, &format!("{}#", pins(account).guest), gap);
            Ok(())
        }
        6..8 => {
            world.press(call, &pins(account).host, gap);
            Ok(())
        }
        8..10 => {
            world.press(call, KEYS[usize::from(how) % KEYS.len()], gap);
            Ok(())
        }
        10 => world.run_for(Duration::from_millis(u64::from(how) * 20)),
        11 => world.run_for(Duration::from_millis(u64::from(how) * 400)),
        12 => world.hang_up(call),
        13 => {
            let speech = match how {
                0..80 => Speech::Silence,
                _ => Speech::For(Duration::from_millis(u64::from(how) * 30)),
            };
            world.prepare_speech(call, speech);
            Ok(())
        }
        14 => world.tell(line_event(call, how)),
        15 => {
            let id = ConferenceId(u32::from(who % 8));
            world.execute(id, command(call, how)).map(drop)
        }
        16 => world.tell(Event::PlayEnded {
            play: PlayId {
                owner: u32::from(who % 8),
                number,
            },
        }),
        17 => world.tell(Event::NameRecorded {
            name: NameId(u64::from(who % 32)),
            usable: how % 2 == 0,
        }),
        18 => {
            let ready_at = world.now() + TimeDelta::milliseconds(i64::from(how) * 100 - 5_000);
            let outcome = match how % 2 {
                0 => Outcome::NotValid,
                _ => Outcome::Mistyped,
            };
            world.tell(Event::PinJudged {
                call,
                inquiry: u32::from(how / 32),
                verdict: Verdict { outcome, ready_at },
            })
        }
        _ => match how {
            0..4 => world.end_all(LeaveReason::Shutdown),
            4..8 => world.end_all(LeaveReason::OperatorEnded),
            8..12 => {
                world.stop_starting();
                Ok(())
            }
            128..192 => {
                let ends = world.now() + TimeDelta::seconds(i64::from(who) * 3 - 60);
                world.move_booking(1 + u64::from(how % 2), ends)
            }
            _ => {
                world.faults = faults(how);
                Ok(())
            }
        },
    }
}

const KEYS: [&str; 16] = [
    "*6", "*7", "*8", "##", "*5", "*4", "*3", "*2", "*9", "**", "*", "#", "*4*4", "*8*", "##*",
    "12#",
];

fn line_event(call: CallId, how: u8) -> Event {
    let on = how >= 128;
    match how % 5 {
        0 => Event::PeerHold { call, held: on },
        1 => Event::Noisy { call, noisy: on },
        2 => Event::Level {
            call,
            dbfs: -(how as i8 & 0x3f),
        },
        3 => Event::MediaQuiet { call },
        _ => Event::Probed { call, alive: on },
    }
}

fn command(call: CallId, how: u8) -> Command {
    let on = how >= 128;
    match how % 15 {
        0 => Command::Lock,
        1 => Command::EndForAll,
        2 => Command::Lecture,
        3 => Command::Quiet,
        4 => Command::Star,
        5 => Command::Hand,
        6 => Command::MuteCall { call, muted: on },
        7 => Command::Remove { call },
        8 => Command::SetLock { locked: on },
        9 => Command::QuietCall { call, quieted: on },
        10 => Command::LetSpeak { call },
        11 => Command::RollCall,
        12 => Command::SetFloor {
            floor: if on {
                Floor::StrictLecture
            } else {
                Floor::Open
            },
        },
        _ => Command::Admit { call, welcome: on },
    }
}

fn source(how: u8) -> Source {
    match how % 8 {
        0 => Source::withheld("trunk"),
        number => Source::new("trunk", &format!("+49301{number}")),
    }
}

fn access(how: u8) -> Access {
    Access {
        longest_pin: 12,
        bound: (how >= 240).then_some(conclave_accounts::AccountId(1)),
        ..Access::default()
    }
}

/// Each bit takes one kind of answer away, or brings it late.
fn faults(bits: u8) -> Faults {
    let every = |bit: u8| if bits & bit == 0 { 0 } else { 100 };
    Faults {
        lost_play_end: every(1),
        lost_verdict: every(2),
        slow_verdict: every(4),
        lost_name: every(8),
        late_name: every(16),
        late_digit: every(32),
        doubled_digit: every(64),
        lost_probe: every(128),
        slow_recorder: every(32),
        failing_recorder: if bits & 64 == 0 { 0 } else { 50 },
    }
}

/// One account for each way in which a conference can go on without its Host.
fn four_terms() -> [Terms; 4] {
    let plain = Terms {
        max_participants: 6,
        ..Terms::default()
    };
    [
        plain.clone(),
        Terms {
            entry: Announce::Name,
            exit: Announce::Name,
            host_leaves: HostLeaves::Hold,
            ..plain.clone()
        },
        Terms {
            consent: true,
            host_leaves: HostLeaves::Hangup {
                grace: Duration::from_secs(20),
            },
            ..plain.clone()
        },
        Terms {
            entry: Announce::None,
            exit: Announce::Name,
            host_leaves: HostLeaves::Hangup {
                grace: Duration::ZERO,
            },
            max_participants: 3,
            ..plain
        },
    ]
}
