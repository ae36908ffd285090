//! Callers who do what callers do, and worse: one seed is one story of a bridge.

use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use conclave_accounts::{Announce, CallId, HostLeaves, PinPolicy, Source, Terms};
use conclave_attendant::{Access, Event, Step};
use conclave_conference::{Command, ConferenceId, Floor, LeaveReason, NameId, Place, PlayId};
use conclave_dtmf::{Digit, Way};

use crate::rng::Chance;
use crate::town::{INVITEES, booking_pins, invitee_pin, pins, with_check_digit};
use crate::watch::{Violation, ensure};
use crate::world::{Faults, Note, START, Speech, World};

/// What became of a story, to be sure that it was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tale {
    /// Calls that were answered; as many have ended.
    pub calls: u64,
    /// Looks at who hears whom in which somebody did.
    pub heard: u64,
    /// Things done by callers, operators and chance.
    pub deeds: u64,
}

/// A rule that was broken, and how it came to that.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Which story, if it was told by a seed: the same one tells it again.
    pub seed: Option<u64>,
    /// The rule.
    pub violation: Violation,
    /// What came out last.
    pub notes: Vec<Note>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in &self.notes {
            let ms = (note.at - START).num_milliseconds();
            writeln!(f, "{:>9}.{:03} {}", ms / 1000, ms % 1000, note.words)?;
        }
        write!(f, "{}", self.violation)?;
        match self.seed {
            Some(seed) => write!(f, "\nagain: cargo run -p conclave-sim -- --seed {seed}"),
            None => Ok(()),
        }
    }
}

impl Failure {
    pub(crate) fn of_bytes(violation: Violation, notes: Vec<Note>) -> Self {
        Self {
            seed: None,
            violation,
            notes,
        }
    }
}

impl std::error::Error for Failure {}

/// Tells the story of that seed: some minutes in which callers act at random and everything may fail, then
/// calm, in which everybody must get somewhere, then the end.
///
/// # Errors
///
/// The first rule that is broken.
pub fn run(seed: u64) -> Result<Tale, Failure> {
    let mut story = Story::new(seed);
    story.tell().map_err(|violation| Failure {
        seed: Some(seed),
        violation,
        notes: story.world.take_notes(),
    })?;
    Ok(story.tale)
}

const ACCOUNTS: u64 = 3;
const ALONE: Duration = Duration::from_secs(5 * 60);
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);
/// Longer than all that a caller can be asked and told before being in a conference or hung up.
const LONGEST_JOURNEY: Duration = Duration::from_secs(8 * 60);

struct Story {
    world: World,
    chance: Chance,
    crowd: u64,
    next_call: u64,
    /// Whether the first account has a booking, to which some are invited by name.
    booked: bool,
    tale: Tale,
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let terms: Vec<Terms> = (0..ACCOUNTS).map(|_| some_terms(&mut chance)).collect();
        // In some stories the alarm is soon raised, and strangers are let in by consent, Hosts as well.
        let policy = PinPolicy {
            ceiling: if chance.percent(30) { 3 } else { 100 },
            ..PinPolicy::default()
        };
        let mut world = World::under(policy, &terms, chance.bits());
        let mut often = |most: u64| chance.below(most) as u8;
        world.faults = Faults {
            lost_play_end: often(30),
            lost_verdict: often(20),
            slow_verdict: often(30),
            lost_name: often(30),
            late_name: often(60),
            late_digit: often(10),
            doubled_digit: often(30),
            lost_probe: often(60),
            slow_recorder: often(60),
            failing_recorder: often(60),
        };
        let crowd = 2 + chance.below(12);
        let booked = chance.percent(40);
        if booked {
            world.add_booking(1, START + chance.between_ms(60_000, 900_000));
        }
        Self {
            world,
            crowd,
            chance,
            next_call: 1,
            booked,
            tale: Tale::default(),
        }
    }

    fn tell(&mut self) -> Result<(), Violation> {
        let acts_until = START + self.chance.between_ms(180_000, 900_000);
        while self.world.now() < acts_until {
            let pause = match self.chance.percent(20) {
                true => self.chance.between_ms(1_000, 20_000),
                false => self.chance.between_ms(0, 1_500),
            };
            self.world.run_for(pause)?;
            self.act()?;
            self.tale.deeds += 1;
            self.tale.heard += u64::from(self.somebody_hears());
        }
        self.calm_down()?;
        self.end()
    }

    /// After the faults stop everybody gets somewhere: into a conference or out of the bridge; and
    /// who waits or is alone doesn't stay for ever.
    fn calm_down(&mut self) -> Result<(), Violation> {
        self.world.faults = Faults::default();
        self.world.run_for(LONGEST_JOURNEY)?;
        let stuck = self.calls().into_iter().find(|(_, step)| match step {
            Step::Pin | Step::Judging | Step::Naming(_) => true,
            Step::InConference(_) | Step::Farewell(_) => false,
        });
        ensure(stuck.is_none(), || format!("{stuck:?} has got nowhere"))?;
        // Whose wait or time alone ends just now is being told so.
        let told = self.calls().into_iter();
        let told: Vec<_> = told
            .filter(|(_, step)| matches!(step, Step::Farewell(_)))
            .collect();
        self.world.run_for(Duration::from_secs(10))?;
        let stuck = told
            .iter()
            .find(|(call, _)| self.world.bridge().step(*call).is_some());
        ensure(stuck.is_none(), || format!("{stuck:?} is never hung up"))?;
        self.world.run_for(LONGEST_WAIT + ALONE + ALONE)?;
        for (id, conference) in self.world.bridge().conferences() {
            let waits = conference
                .roster()
                .find(|(_, row)| row.place() != Place::Room);
            ensure(waits.is_none(), || format!("{waits:?} waits for ever"))?;
            ensure(conference.roster().count() > 1, || {
                format!("somebody is alone for ever in {id:?}")
            })?;
        }
        Ok(())
    }

    /// Everybody leaves, by themselves or sent; nothing is left.
    fn end(&mut self) -> Result<(), Violation> {
        if self.chance.percent(50) {
            for (call, _) in self.calls() {
                self.world.hang_up(call)?;
                let pause = self.chance.between_ms(0, 500);
                self.world.run_for(pause)?;
            }
        } else {
            let reason = *self
                .chance
                .pick(&[LeaveReason::Shutdown, LeaveReason::OperatorEnded]);
            self.world.end_all(reason)?;
        }
        self.world.run_for(Duration::from_secs(60))?;
        self.tale.calls = self.next_call - 1;
        let left: Vec<_> = self.calls();
        ensure(left.is_empty(), || format!("{left:?} are left"))?;
        ensure(self.world.is_silent(), || {
            "something still plays".to_owned()
        })?;
        ensure(self.world.watch().ended() == self.tale.calls, || {
            format!(
                "of {} calls {} have ended",
                self.tale.calls,
                self.world.watch().ended()
            )
        })
    }

    fn calls(&self) -> Vec<(CallId, Step)> {
        self.world.bridge().calls().collect()
    }

    fn somebody_hears(&self) -> bool {
        let calls = self.calls();
        calls.iter().any(|(listener, _)| {
            calls
                .iter()
                .any(|(talker, _)| self.world.watch().hears(*listener, *talker))
        })
    }

    fn act(&mut self) -> Result<(), Violation> {
        let calls = self.calls();
        if calls.is_empty() || ((calls.len() as u64) < self.crowd && self.chance.percent(30)) {
            return self.dial();
        }
        match self.chance.below(100) {
            0..3 => self.operate(),
            3 if self.booked => {
                let now = self.world.now() - TimeDelta::seconds(30);
                let ends = now + self.chance.between_ms(0, 900_000);
                self.world.move_booking(1, ends)
            }
            3..6 => self.stray(),
            6..10 => {
                let (call, _) = *self.chance.pick(&calls);
                self.world.hang_up(call)
            }
            10..25 => {
                let (call, _) = *self.chance.pick(&calls);
                let event = self.line_event(call);
                self.world.tell(event)
            }
            _ => {
                let (call, step) = *self.chance.pick(&calls);
                self.press(call, step);
                Ok(())
            }
        }
    }

    fn dial(&mut self) -> Result<(), Violation> {
        let call = CallId(self.next_call);
        self.next_call += 1;
        let source = match self.chance.percent(10) {
            true => Source::withheld("trunk"),
            // So many that the throttle's delays stay short, for most of them.
            false => Source::new("trunk", &format!("+49301{}", self.chance.below(40))),
        };
        let access = Access {
            longest_pin: 12,
            ..Access::default()
        };
        self.world.dial(call, source, access)
    }

    fn press(&mut self, call: CallId, step: Step) {
        let keys = match step {
            Step::Pin => self.some_pin(),
            Step::Naming(_) => {
                if self.chance.percent(60) {
                    let speech = match self.chance.percent(30) {
                        true => Speech::Silence,
                        false => Speech::For(self.chance.between_ms(200, 6_000)),
                    };
                    self.world.prepare_speech(call, speech);
                }
                self.chance.pick(&["#", "#", "5", "*", "##"]).to_string()
            }
            Step::InConference(_) => {
                const KEYS: [&str; 20] = [
                    "*6", "*6", "*7", "*8", "##", "*5", "*4", "*4*4", "*3", "*2", "*9", "**", "*",
                    "*", "#", "7", "*6*6", "#*", "*#", "*8*",
                ];
                self.chance.pick(&KEYS).to_string()
            }
            Step::Judging | Step::Farewell(_) => self
                .chance
                .pick(&["#", "*", "1", "##", "123456"])
                .to_string(),
        };
        let gap = self.chance.between_ms(40, 900);
        self.world.press(call, &keys, gap);
    }

    /// Mostly a good one; the first account's more often than not, so that callers meet.
    fn some_pin(&mut self) -> String {
        let account = match self.chance.percent(60) {
            true => 1,
            false => 1 + self.chance.below(ACCOUNTS),
        };
        let pins = match self.booked && self.chance.percent(50) {
            true => booking_pins(1),
            false => pins(account),
        };
        let mut pin = match self.chance.below(100) {
            0..45 if self.booked && self.chance.percent(60) => {
                invitee_pin(1, 1 + self.chance.below(INVITEES))
            }
            0..45 => pins.guest,
            45..75 => pins.host,
            75..83 => with_check_digit(&format!("{:09}", self.chance.below(1_000_000_000))),
            83..88 => format!("{:010}", self.chance.below(10_000_000_000)),
            88..92 => self
                .chance
                .pick(&["1", "123", "#", "*", "12345*"])
                .to_string(),
            92..95 => format!("55*{}", pins.guest),
            95..98 => pins.guest[..6].to_owned(),
            _ => String::new(),
        };
        if self.chance.percent(70) {
            pin.push('#');
        }
        if self.chance.percent(10) {
            pin.push('#');
        }
        pin
    }

    fn line_event(&mut self, call: CallId) -> Event {
        match self.chance.below(5) {
            0 | 1 => Event::PeerHold {
                call,
                held: self.chance.percent(40),
            },
            2 => Event::Noisy {
                call,
                noisy: self.chance.percent(50),
            },
            3 => Event::Level {
                call,
                dbfs: -(self.chance.below(60) as i8),
            },
            _ => Event::MediaQuiet { call },
        }
    }

    fn operate(&mut self) -> Result<(), Violation> {
        let rooms: Vec<ConferenceId> = self
            .world
            .bridge()
            .conferences()
            .map(|(id, _)| id)
            .collect();
        let calls = self.calls();
        let (call, _) = *self.chance.pick(&calls);
        let room = match rooms.is_empty() {
            true => ConferenceId(0),
            false => *self.chance.pick(&rooms),
        };
        let yes = self.chance.percent(50);
        let command = match self.chance.below(15) {
            0 => Command::Lock,
            1 => Command::EndForAll,
            2 => Command::Lecture,
            3 => Command::Quiet,
            4 => Command::Star,
            5 => Command::MuteCall { call, muted: yes },
            6 => Command::Remove { call },
            7 => Command::SetLock { locked: yes },
            8 => Command::QuietCall { call, quieted: yes },
            9 => Command::LetSpeak { call },
            10 => Command::SetFloor {
                floor: *self
                    .chance
                    .pick(&[Floor::Open, Floor::Lecture, Floor::StrictLecture]),
            },
            11 => Command::RollCall,
            12 => Command::Recording,
            _ => Command::Admit { call, welcome: yes },
        };
        // A refusal is as good as any answer.
        self.world.execute(room, command).map(drop)
    }

    /// Facts that come twice, or of calls, plays, names and inquiries that are no more or never were.
    fn stray(&mut self) -> Result<(), Violation> {
        let call = CallId(self.chance.below(self.next_call + 3));
        let number = self.chance.below(60) as u32;
        let owner = self.chance.below(6) as u32;
        let event = match self.chance.below(5) {
            0 => Event::PlayEnded {
                play: PlayId { owner, number },
            },
            1 => Event::NameRecorded {
                name: NameId(1_000 + u64::from(number)),
                usable: false,
            },
            2 => Event::Probed {
                call,
                alive: self.chance.percent(80),
            },
            3 => Event::Digit {
                call: CallId(self.next_call),
                way: Way::Event,
                digit: Digit::HASH,
            },
            _ => Event::HungUp {
                call: CallId(self.next_call + 1),
            },
        };
        self.world.tell(event)
    }
}

fn some_terms(chance: &mut Chance) -> Terms {
    let announce = [Announce::None, Announce::Tone, Announce::Name];
    Terms {
        lock: chance.percent(80),
        consent: chance.percent(25),
        recording: chance.percent(50),
        recording_tone: Duration::from_secs(chance.below(3) * 15),
        quieting: chance.percent(30),
        noise_suppression: chance.percent(30),
        levelling: chance.percent(30),
        most_talkers: chance.percent(30).then_some(8),
        entry: *chance.pick(&announce),
        exit: *chance.pick(&announce),
        host_leaves: match chance.below(4) {
            0 => HostLeaves::Continue,
            1 => HostLeaves::Hold,
            _ => HostLeaves::Hangup {
                grace: Duration::from_secs(chance.below(3) * 15),
            },
        },
        max_participants: 2 + chance.below(10) as u32,
        longest_wait: LONGEST_WAIT,
        alone: ALONE,
    }
}
