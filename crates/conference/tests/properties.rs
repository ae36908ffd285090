//! Random lives of conferences: the invariants hold after every step, a naive model agrees, and the same
//! inputs give the same actions.

mod property;
mod support;

use std::time::Duration;

use chrono::TimeDelta;
use conclave_accounts::{Announce, CallId, HostLeaves, Role, Terms};
use conclave_conference::{Command, Floor, Phase, Place, WaitFor};
use proptest::prelude::*;

use property::{
    model::{Mode, Model, State, Tape},
    world::{Step, World},
};
use support::{Doors, START};

const CALLS: u64 = 8;

proptest! {
    #![proptest_config(config())]

    /// Plays whose end is told late, never or for nothing, keys pressed by anyone at any time.
    #[test]
    fn the_invariants_hold(
        terms in terms(),
        ends in booking(),
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let mut world = World::new(Doors { terms, ends });
        for step in &steps {
            if let Err(violation) = world.step(step) {
                return Err(TestCaseError::fail(format!("{step:?}: {violation}")));
            }
        }
        // Left to itself, everybody gets somewhere: a day later nobody waits for an answer that never comes.
        for _ in 0..100 {
            prop_assert_eq!(world.step(&Step::Wait(900)), Ok(None));
        }
        if let Some(conference) = &world.conference {
            let within = conference.conference().roster().filter(|(_, row)| row.hears());
            prop_assert!(within.count() >= 2, "a conference goes on while two talk, and no longer");
        }
    }

    #[test]
    fn a_naive_model_agrees(
        terms in terms(),
        ends in booking(),
        steps in prop::collection::vec(modelled_step(), 1..100),
    ) {
        let mut world = World::new(Doors { terms, ends });
        let mut model = None;
        for step in &steps {
            in_step(&mut world, &mut model, step)?;
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_actions(
        terms in terms(),
        ends in booking(),
        steps in prop::collection::vec(any_step(), 1..60),
    ) {
        let run = || {
            let mut world = World::new(Doors { terms: terms.clone(), ends });
            for step in &steps {
                let _ = world.step(step);
            }
            world.actions
        };
        prop_assert_eq!(run(), run());
    }
}

/// Many short lives; `PROPTEST_CASES` in the environment makes them more.
fn config() -> ProptestConfig {
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default().cases,
        None => 2_000,
    };
    ProptestConfig {
        cases,
        ..ProptestConfig::default()
    }
}

/// One step of both, and a comparison.
fn in_step(world: &mut World, model: &mut Option<Model>, step: &Step) -> Result<(), TestCaseError> {
    let broken = |violation| TestCaseError::fail(format!("{step:?}: {violation}"));
    if let Step::Wait(seconds) = *step {
        for _ in 0..seconds {
            let began = world.recorder_answers(true).map_err(broken)?;
            if let Some(model) = model.as_mut().filter(|_| began) {
                model.recorder_answers(true, world.now);
            }
            let ended = world.finish_plays().map_err(broken)?;
            if let Some(model) = model {
                model.notices_are_over(world.now);
            }
            world.now += TimeDelta::seconds(1);
            world.timeout().map_err(broken)?;
            if let Some(model) = model {
                if ended {
                    model.end_announced();
                }
                model.tick(world.now);
            }
            compare(world, model, step)?;
        }
        return Ok(());
    }
    if let Step::Arrive { call, .. } = *step {
        if !world.may_arrive(CallId(call)) {
            return compare(world, model, step);
        }
        if world.conference.is_none() {
            *model = Some(Model::new(world.doors.terms.clone(), world.doors.ends));
        }
    }
    let answer = world.step(step).map_err(broken)?;
    let expected = model.as_mut().and_then(|model| tell(model, step, world));
    if answer.is_some() {
        prop_assert_eq!(answer, expected, "the answer to {:?}", step);
    }
    compare(world, model, step)
}

/// Tells the model what happened.
fn tell(
    model: &mut Model,
    step: &Step,
    world: &World,
) -> Option<Result<(), conclave_conference::Refusal>> {
    let now = world.now;
    match *step {
        Step::Arrive {
            call,
            role,
            by_consent,
            ..
        } => {
            let by_consent = by_consent || (role == Role::Guest && world.doors.terms.consent);
            model.heed(world.doors.ends, now);
            model.arrive(CallId(call), role, by_consent, now);
            None
        }
        Step::Knock { role, .. } => {
            model.heed(world.doors.ends, now);
            Some(model.door(role))
        }
        Step::Move { told, .. } => {
            if let Some(ends) = world.doors.ends.filter(|_| told) {
                model.reschedule(Some(ends), now);
            }
            None
        }
        Step::Unbound => {
            if world.doors.ends.is_some() {
                model.reschedule(None, now);
            }
            None
        }
        Step::Leave { call } => {
            model.leave(CallId(call), now);
            None
        }
        Step::Press { call, command } => Some(model.command(Some(CallId(call)), command, now)),
        Step::Operator(command) => Some(model.command(None, command, now)),
        Step::PeerHold { call, held } => {
            model.peer_hold(CallId(call), held);
            None
        }
        Step::Level { call, dbfs } => {
            model.level(CallId(call), dbfs, now);
            None
        }
        Step::Noisy { call, noisy } => {
            model.noisy(CallId(call), noisy);
            None
        }
        // The world asks the recorder each second; here it fails.
        Step::Recorder(works) => {
            model.recorder_answers(works, now);
            None
        }
        Step::PlayEnds(_) | Step::StrayPlayEnds(_) | Step::Wait(_) | Step::ShutDown => None,
    }
}

fn compare(world: &World, model: &mut Option<Model>, step: &Step) -> Result<(), TestCaseError> {
    let expected = model.take_if(|model| model.mode == Mode::Over);
    prop_assert!(
        expected.is_none() || world.conference.is_none(),
        "{:?}: the model is over, the conference isn't",
        step
    );
    let (Some(watched), Some(model)) = (&world.conference, model) else {
        prop_assert!(world.conference.is_none(), "{:?}: the model is over", step);
        return Ok(());
    };
    let conference = watched.conference();
    let people: Vec<_> = conference
        .roster()
        .map(|(call, row)| {
            let state = match row.place() {
                Place::Waiting {
                    what: WaitFor::Host,
                    ..
                } => State::WaitsForHost,
                Place::Waiting {
                    what: WaitFor::Consent,
                    ..
                } => State::WaitsForConsent,
                Place::Waiting {
                    what: WaitFor::Notice,
                    ..
                } => State::HearsNotice,
                Place::Room => State::In,
                Place::Held { .. } => State::Held,
            };
            (call, state, row.is_heard())
        })
        .collect();
    prop_assert_eq!(people, model.people(), "after {:?}", step);
    let mode = match conference.phase() {
        Phase::AwaitingHost => Mode::AwaitingHost,
        Phase::Open => Mode::Open,
        Phase::HostAway { .. } => Mode::HostAway,
        Phase::Ending { .. } => Mode::Ending,
        _ => Mode::Over,
    };
    prop_assert_eq!(mode, model.mode, "after {:?}", step);
    prop_assert_eq!(conference.is_locked(), model.locked, "after {:?}", step);
    prop_assert_eq!(conference.floor(), model.floor, "after {:?}", step);
    let recorded = model.tape == Tape::On;
    prop_assert_eq!(conference.is_recorded(), recorded, "after {:?}", step);
    Ok(())
}

fn terms() -> impl Strategy<Value = Terms> {
    let announce = || {
        prop_oneof![
            Just(Announce::None),
            Just(Announce::Tone),
            Just(Announce::Name)
        ]
    };
    let host_leaves = prop_oneof![
        Just(HostLeaves::Continue),
        Just(HostLeaves::Hold),
        Just(HostLeaves::Hangup {
            grace: Duration::ZERO
        }),
        Just(HostLeaves::Hangup {
            grace: Duration::from_secs(20)
        }),
    ];
    let wait = prop_oneof![Just(30), Just(200)].prop_map(Duration::from_secs);
    let alone = prop_oneof![Just(10), Just(100)].prop_map(Duration::from_secs);
    (
        (
            prop::bool::weighted(0.9),
            prop::bool::weighted(0.2),
            prop::bool::weighted(0.7),
        ),
        (announce(), announce()),
        host_leaves,
        3_u32..20,
        (wait, alone),
    )
        .prop_map(
            |((lock, consent, recording), (entry, exit), host_leaves, places, (wait, alone))| {
                Terms {
                    lock,
                    consent,
                    recording,
                    recording_tone: Duration::from_secs(if lock { 15 } else { 0 }),
                    quieting: false,
                    noise_suppression: false,
                    levelling: false,
                    most_talkers: None,
                    entry,
                    exit,
                    host_leaves,
                    max_participants: places,
                    longest_wait: wait,
                    alone,
                }
            },
        )
}

fn booking() -> impl Strategy<Value = Option<chrono::DateTime<chrono::Utc>>> {
    prop::option::weighted(
        0.3,
        (60_i64..600).prop_map(|s| START + TimeDelta::seconds(s)),
    )
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![2 => Just(Role::Guest), 1 => Just(Role::Host)]
}

fn call() -> impl Strategy<Value = u64> {
    1..=CALLS
}

/// The steps that the model understands: all but those whose outcome depends on what plays.
fn modelled_step() -> impl Strategy<Value = Step> {
    let keys = prop_oneof![
        Just(Command::Mute),
        Just(Command::Lock),
        Just(Command::RollCall),
        Just(Command::EndForAll),
        Just(Command::Lecture),
        Just(Command::Quiet),
        Just(Command::Recording),
        Just(Command::Recording),
        Just(Command::Hand),
        Just(Command::Help),
    ];
    let portal = prop_oneof![
        4 => of_a_call(),
        1 => Just(Command::Lock),
        1 => Just(Command::Lecture),
        1 => Just(Command::Hand),
        1 => Just(Command::Quiet),
        1 => Just(Command::EndForAll),
        1 => Just(Command::RollCall),
        1 => any::<bool>().prop_map(|locked| Command::SetLock { locked }),
        1 => prop_oneof![Just(Floor::Open), Just(Floor::Lecture), Just(Floor::StrictLecture)]
            .prop_map(|floor| Command::SetFloor { floor }),
        2 => Just(Command::Star),
    ];
    prop_oneof![
        8 => (call(), role(), prop::bool::weighted(0.1), any::<bool>()).prop_map(
            |(call, role, by_consent, named)| Step::Arrive { call, role, by_consent, named }
        ),
        1 => (call(), role()).prop_map(|(call, role)| Step::Knock { call, role }),
        4 => call().prop_map(|call| Step::Leave { call }),
        8 => (call(), keys).prop_map(|(call, command)| Step::Press { call, command }),
        4 => portal.prop_map(Step::Operator),
        1 => (call(), any::<bool>()).prop_map(|(call, held)| Step::PeerHold { call, held }),
        1 => (call(), -60_i8..=0).prop_map(|(call, dbfs)| Step::Level { call, dbfs }),
        1 => (call(), any::<bool>()).prop_map(|(call, noisy)| Step::Noisy { call, noisy }),
        3 => (1_u32..30).prop_map(Step::Wait),
        1 => Just(Step::Recorder(false)),
        1 => (-60_i64..600, any::<bool>()).prop_map(|(ends_in, told)| Step::Move { ends_in, told }),
        1 => prop::bool::weighted(0.2).prop_map(|yes| if yes { Step::Unbound } else { Step::Wait(1) }),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let dialogue = prop_oneof![
        Just(Command::Consent),
        Just(Command::Star),
        Just(Command::RollCall),
    ];
    prop_oneof![
        30 => modelled_step(),
        8 => (call(), dialogue).prop_map(|(call, command)| Step::Press { call, command }),
        8 => any::<usize>().prop_map(Step::PlayEnds),
        1 => any::<u32>().prop_map(Step::StrayPlayEnds),
        1 => (0_u32..2000).prop_map(Step::Wait),
        4 => Just(Step::Recorder(true)),
        1 => Just(Step::ShutDown),
    ]
}

fn of_a_call() -> impl Strategy<Value = Command> {
    (call().prop_map(CallId), any::<bool>(), 0..5).prop_map(|(call, yes, which)| match which {
        0 => Command::MuteCall { call, muted: yes },
        1 => Command::Admit { call, welcome: yes },
        2 => Command::QuietCall { call, quieted: yes },
        3 => Command::LetSpeak { call },
        _ => Command::Remove { call },
    })
}
