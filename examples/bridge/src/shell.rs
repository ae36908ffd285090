//! The shell around the machine: facts from SIP, media and store go in, orders come out and are carried out.
//! One task owns it all; nothing here decides what a caller hears.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use conclave_accounts::{
    AccountId, Alert, BookingId, CallId, Ceiling, Outcome, Pin, Source, Ticket, Verdict,
};
use conclave_attendant::{Action, Attendant, Audience, Event, Report, Route};
use conclave_conference::{Clip, Fact, LeaveReason, NameId, PlayId, Prompt};
use conclave_dtmf::{Way, parse_info};
use conclave_engine::{
    self as engine, ClipId, Command, Engine, LegId, LegMedia, NameRules, OpusSettings, Overload,
    Port, RoomId,
};
use conclave_portal::live::Request;
use conclave_record::Told;
use conclave_sip::{CallMedia, CallRef, Direction, IncomingCall, SipEvent, SipServer};
use conclave_store::{self as store, Entry, Porter, Recorder, SqlStore, Store};
use tokio::sync::mpsc;
use tracing::{Instrument as _, Span, error, info, warn};

use crate::{
    access::AccessNumbers,
    clock::Clock,
    keyring::Keyring,
    live::{Console, SHOWN_EVERY, obey},
    metrics::{self, Counts, Figures},
    recording::{self, Recordings},
    spans,
};

/// What the shell carries things between.
pub(crate) struct Parts {
    pub(crate) attendant: Attendant,
    pub(crate) porter: Arc<Porter<SqlStore>>,
    pub(crate) sip: SipServer,
    pub(crate) engine: Engine,
    pub(crate) store: SqlStore,
    pub(crate) keys: Arc<Keyring>,
    pub(crate) recorder: Recorder,
    pub(crate) access: AccessNumbers,
    /// The names of the trunks, whose media come from where their offers say.
    pub(crate) trunks: BTreeSet<String>,
    pub(crate) clock: Clock,
    pub(crate) longest_pin: usize,
    pub(crate) opus: OpusSettings,
    pub(crate) recordings: Recordings,
    pub(crate) recorded: mpsc::UnboundedReceiver<(recording::Key, Told)>,
}

pub(crate) struct Shell {
    parts: Parts,
    calls: BTreeMap<CallId, Call>,
    /// Answers of the store and of peers come back by this way.
    answers: mpsc::UnboundedSender<Answer>,
    console: Console,
    counts: Counts,
    overload: Overload,
    overloaded: bool,
    draining: bool,
}

/// What the shell knows of a call beyond the machine.
struct Call {
    source: Source,
    called: String,
    /// Known from the offer, or, where the offer is ours, from the answer to it.
    media: Option<CallMedia>,
    held: bool,
    /// A ticket that is good only with a human's consent.
    by_consent: Option<Ticket>,
    /// Where calls are traced, this one's trace.
    span: Span,
}

/// What a task that was sent out brings back.
enum Answer {
    Judged {
        call: CallId,
        inquiry: u32,
        verdict: Box<Verdict>,
    },
    Probed {
        call: CallId,
        alive: bool,
    },
    /// In digits; `None` while there are no PINs.
    LongestPin(Option<usize>),
    /// Until when a booking lasts whose conference runs.
    BookingEnds(BookingId, DateTime<Utc>),
}

/// How often the store is asked for what others did: operators, and other bridges.
const NEWS_EVERY: Duration = Duration::from_secs(1);

impl Shell {
    /// Runs until `stop` says so and every call has ended, or until `drain` has passed since.
    pub(crate) async fn run(
        parts: Parts,
        mut sip_events: mpsc::Receiver<SipEvent>,
        mut media_events: mpsc::Receiver<engine::Event>,
        mut requests: mpsc::Receiver<Request>,
        mut stop: mpsc::Receiver<()>,
        drain: Duration,
    ) {
        let (answers, mut answered) = mpsc::unbounded_channel();
        let mut shell = Self {
            parts,
            calls: BTreeMap::new(),
            answers,
            console: Console::default(),
            counts: Counts::default(),
            overload: Overload::default(),
            overloaded: false,
            draining: false,
        };
        let began = tokio::time::Instant::now();
        let mut deadline: Option<tokio::time::Instant> = None;
        let mut news = tokio::time::interval(NEWS_EVERY);
        news.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut shown = tokio::time::interval(SHOWN_EVERY);
        shown.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            shell.carry_out();
            if shell.draining && shell.calls.is_empty() {
                break;
            }
            let timer = shell.next_timer();
            tokio::select! {
                Some(event) = sip_events.recv() => shell.on_sip(event),
                Some(event) = media_events.recv() => shell.on_media(event),
                Some(answer) = answered.recv() => shell.on_answer(answer),
                Some((key, told)) = shell.parts.recorded.recv() => shell.on_recording(key, told),
                () = tokio::time::sleep_until(timer) => {
                    let now = shell.parts.clock.now();
                    shell.parts.attendant.handle_timeout(now);
                    shell.parts.porter.handle_timeout(now);
                }
                Some(request) = requests.recv() => shell.on_request(request),
                _ = shown.tick(), if shell.console.is_watched() => shell.show(),
                _ = news.tick() => {
                    shell.look_at_load(began.elapsed());
                    shell.ask_for_news();
                }
                Some(()) = stop.recv() => {
                    if shell.draining {
                        info!("told to stop again: ending all calls now");
                        deadline = Some(tokio::time::Instant::now());
                    } else {
                        info!(calls = shell.calls.len(), wait_s = drain.as_secs(), "stopping: new calls are refused, conferences may end by themselves");
                        shell.draining = true;
                        shell.parts.sip.drain();
                        shell.parts.attendant.drain();
                        deadline = Some(tokio::time::Instant::now() + drain);
                    }
                }
                () = tokio::time::sleep_until(deadline.unwrap_or(timer)), if deadline.is_some() => {
                    info!(calls = shell.calls.len(), "ending the calls that are left");
                    shell.parts.attendant.end_all(LeaveReason::Shutdown, shell.parts.clock.now());
                    deadline = None;
                }
            }
            shell.tell_alerts();
        }
        shell.close().await;
    }

    /// Refuses new calls where those that are there would suffer from more.
    fn look_at_load(&mut self, now: Duration) {
        let stats = self.parts.engine.stats();
        let overloaded = self.overload.is_on(&stats, now);
        if std::mem::replace(&mut self.overloaded, overloaded) == overloaded {
            return;
        }
        self.parts.sip.set_busy(overloaded);
        let (busy, behind) = (stats.busy_percent, stats.behind_percent);
        if overloaded {
            warn!(
                legs = stats.legs,
                "too much to do: a media thread works {busy} % of the time and {behind} % of its ticks begin late; new calls are refused with 503"
            );
        } else {
            info!(
                legs = stats.legs,
                "there is room again: new calls are taken"
            );
        }
    }

    async fn close(self) {
        let Parts {
            sip,
            engine,
            recorder,
            store,
            porter,
            clock,
            recordings,
            mut recorded,
            ..
        } = self.parts;
        sip.shutdown().await;
        engine.shutdown();
        recordings.finish().await;
        while let Ok((key, told)) = recorded.try_recv() {
            recording::log(key, &told);
            if let Some(entry) = recording::entry(key, &told, clock.now()) {
                recorder.record(entry);
            }
        }
        if let Err(problem) = porter.save(true, clock.now()).await {
            warn!(
                "what is known of guessing could not be summed up; the next start reads its log: {problem}"
            );
        }
        if let Err(problem) = recorder.finish().await {
            error!("the last records could not be written: {problem}");
        }
        store.close().await;
    }

    fn next_timer(&self) -> tokio::time::Instant {
        let machine = self.parts.attendant.poll_timeout().map(|(at, _)| at);
        let next = machine
            .into_iter()
            .chain(self.parts.porter.poll_timeout())
            .min();
        let far = || tokio::time::Instant::now() + Duration::from_secs(3600);
        next.map_or_else(far, |at| self.parts.clock.instant(at).into())
    }

    fn tell(&mut self, event: Event) {
        let now = self.parts.clock.now();
        self.parts.attendant.handle_event(event, now);
    }

    fn on_sip(&mut self, event: SipEvent) {
        match event {
            SipEvent::Incoming(incoming) => self.on_incoming(*incoming),
            SipEvent::Media { call, media } => self.on_call_media(CallId(call.0), media),
            SipEvent::Info {
                call,
                content_type,
                body,
            } => {
                if let Ok(info) = parse_info(&content_type, &body.0) {
                    self.tell(Event::Digit {
                        call: CallId(call.0),
                        way: Way::Info,
                        digit: info.digit,
                    });
                }
            }
            SipEvent::Ended { call, reason } => {
                let call = CallId(call.0);
                info!(%call, ?reason, "call ended");
                self.parts.engine.send(Command::Stop { leg: leg(call) });
                self.tell(Event::HungUp { call });
            }
            SipEvent::EmergencyCall {
                trunk,
                number,
                called,
            } => {
                warn!(
                    trunk,
                    number,
                    called,
                    "EMERGENCY NUMBER dialled through the bridge and answered with 404: check the routing of this trunk"
                );
            }
            _ => {}
        }
    }

    fn on_incoming(&mut self, incoming: IncomingCall) {
        let IncomingCall {
            call,
            trunk,
            number,
            called,
            media,
            local_ip,
            ..
        } = incoming;
        let id = CallId(call.0);
        let is_trunk = self.parts.trunks.contains(&trunk);
        let span = spans::call(id, is_trunk.then_some(trunk.as_str()));
        // Trunks and peers on this machine send from the address that they offered and can share a socket; others may
        // be behind address translation and get a port of their own.
        let port = match &media {
            Some(media) if media.remote.ip().is_loopback() || is_trunk => Port::Shared,
            _ => Port::Own,
        };
        let remote = media.as_ref().map(|media| media.remote);
        let local = match self
            .parts
            .engine
            .reserve_for(leg(id), port, local_ip, remote)
        {
            Ok(local) => local,
            Err(problem) => {
                warn!(call = %id, "refused with 503: {problem}");
                spans::refused(&span, "no-port");
                self.counts.no_port();
                self.parts
                    .sip
                    .reject(call, 503, Some(Duration::from_secs(10)));
                return;
            }
        };
        info!(call = %id, trunk, number, called, "call");
        self.calls.insert(
            id,
            Call {
                source: Source { trunk, number },
                called,
                media: None,
                held: false,
                by_consent: None,
                span,
            },
        );
        self.parts.sip.answer(call, local);
        if let Some(media) = media {
            self.on_call_media(id, media);
        }
    }

    /// The first media of a call start it; later ones change it.
    fn on_call_media(&mut self, call: CallId, media: CallMedia) {
        let Some(state) = self.calls.get_mut(&call) else {
            return;
        };
        let first = state.media.replace(media).is_none();
        spans::agreed(&state.span, media.codec);
        let held = matches!(media.direction, Direction::RecvOnly | Direction::Inactive);
        let changed = std::mem::replace(&mut state.held, held) != held;
        if first {
            let source = state.source.clone();
            let access = self.parts.access.of(&state.called, self.parts.longest_pin);
            self.parts.engine.send(Command::Start {
                leg: leg(call),
                media: leg_media(&media, self.parts.opus),
            });
            self.tell(Event::Answered {
                call,
                source,
                access,
            });
        }
        if !first || !matches!(media.direction, Direction::SendRecv) {
            self.parts.engine.send(Command::Update {
                leg: leg(call),
                media: leg_media(&media, self.parts.opus),
                direction: direction(media.direction),
            });
        }
        if changed {
            self.tell(Event::PeerHold { call, held });
        }
    }

    fn on_media(&mut self, event: engine::Event) {
        match event {
            engine::Event::Digit { leg, way, digit } => self.tell(Event::Digit {
                call: CallId(leg.0),
                way,
                digit,
            }),
            engine::Event::PlayEnded { play } => self.tell(Event::PlayEnded {
                play: PlayId::from_u64(play.0),
            }),
            engine::Event::NameRecorded { clip, usable, .. } => {
                self.tell(Event::NameRecorded {
                    name: NameId(clip.0 - NAMES),
                    usable,
                });
            }
            engine::Event::Reception { leg, stats } => {
                self.console.received(CallId(leg.0), &stats);
            }
            engine::Event::Level { leg, dbfs } => {
                self.console.spoke(CallId(leg.0));
                self.tell(Event::Level {
                    call: CallId(leg.0),
                    dbfs: dbfs.clamp(-127.0, 0.0) as i8,
                });
            }
            engine::Event::Noisy { leg, noisy } => {
                let call = CallId(leg.0);
                info!(%call, noisy, "music or steady noise on a line");
                self.tell(Event::Noisy { call, noisy });
            }
            engine::Event::Quiet { leg } => self.tell(Event::MediaQuiet {
                call: CallId(leg.0),
            }),
            engine::Event::Stopped { leg, stats } => self.on_stopped(CallId(leg.0), &stats),
            _ => {}
        }
    }

    /// The last that is heard of a call.
    fn on_stopped(&mut self, call: CallId, stats: &engine::LegStats) {
        self.console.forget(call);
        self.counts.media(stats);
        let Some(Call {
            media: Some(media), ..
        }) = self.calls.remove(&call)
        else {
            return;
        };
        self.parts.recorder.record(Entry::Media {
            call,
            media: store::CallMedia {
                codec: Some(media.codec.rtpmap_name().to_owned()),
                encryption: Some("none".to_owned()),
                packets_lost: Some(stats.lost),
                // Of a call that sent nothing there is nothing to say.
                jitter_ms: (stats.packets_in > 0).then_some(stats.jitter.as_secs_f64() * 1000.0),
                mos: (stats.mos > 0.0).then_some(f64::from(stats.mos)),
            },
        });
    }

    fn on_recording(&mut self, key: recording::Key, told: Told) {
        recording::log(key, &told);
        if let Some(entry) = recording::entry(key, &told, self.parts.clock.now()) {
            self.parts.recorder.record(entry);
        }
        let (conference, recording) = key;
        match told {
            Told::Begun { .. } => self.tell(Event::RecordingBegan {
                conference,
                recording,
            }),
            Told::Failed { .. } => {
                self.parts.engine.untap(room(conference));
                self.tell(Event::RecordingFailed {
                    conference,
                    recording,
                });
            }
            Told::Track { .. } | Told::Progress { .. } | Told::Over(_) => {}
        }
    }

    fn start_recording(&mut self, key: recording::Key) {
        let (conference, recording) = key;
        let now = self.parts.clock.now();
        match self.parts.recordings.start(key, now) {
            Some(tap) => self.parts.engine.tap(room(conference), tap),
            None => self.tell(Event::RecordingFailed {
                conference,
                recording,
            }),
        }
    }

    /// The portal's.
    fn on_request(&mut self, request: Request) {
        // Whoever asked may have gone.
        match request {
            Request::List { answer } => {
                let _ = answer.send(self.console.list(&self.parts.attendant));
            }
            Request::Watch { conference, answer } => {
                let _ = answer.send(self.console.watch(conference, &self.parts.attendant));
                self.ask_engine();
            }
            Request::Order { order, answer } => {
                info!(
                    conference = order.conference.0,
                    user = order.by.0,
                    "an order from the portal"
                );
                let now = self.parts.clock.now();
                let _ = answer.send(obey(order, &mut self.parts.attendant, now));
                self.show();
            }
            Request::Metrics { answer } => {
                let _ = answer.send(metrics::text(&Figures {
                    counts: &self.counts,
                    attendant: &self.parts.attendant,
                    engine: self.parts.engine.stats(),
                    sip: self.parts.sip.gauges(),
                    porter: &self.parts.porter,
                    dropped_entries: self.parts.recorder.dropped(),
                    overloaded: self.overloaded,
                }));
            }
            _ => {}
        }
    }

    /// Those who look see what has changed.
    fn show(&mut self) {
        self.console.show(&self.parts.attendant);
        self.ask_engine();
    }

    fn ask_engine(&mut self) {
        for question in self.console.questions(&self.parts.attendant) {
            self.parts.engine.send(question);
        }
    }

    fn on_answer(&mut self, answer: Answer) {
        match answer {
            Answer::Judged {
                call,
                inquiry,
                verdict,
            } => {
                if let Some(state) = self.calls.get_mut(&call) {
                    state.by_consent = match &verdict.outcome {
                        Outcome::Admit(ticket) => Some(ticket.clone()).filter(Ticket::by_consent),
                        _ => None,
                    };
                }
                self.tell(Event::PinJudged {
                    call,
                    inquiry,
                    verdict: *verdict,
                });
            }
            Answer::Probed { call, alive } => self.tell(Event::Probed { call, alive }),
            Answer::LongestPin(longest) => {
                self.parts.longest_pin = longest.unwrap_or(self.parts.longest_pin);
            }
            Answer::BookingEnds(booking, ends_at) => {
                self.tell(Event::BookingMoved { booking, ends_at });
            }
        }
    }

    /// What operators and other bridges did meanwhile: notices of guesses, longer PINs, bookings that were moved.
    fn ask_for_news(&self) {
        self.parts.keys.refresh();
        let (store, porter) = (self.parts.store.clone(), Arc::clone(&self.parts.porter));
        let (answers, now) = (self.answers.clone(), self.parts.clock.now());
        let running: Vec<BookingId> = self.parts.attendant.live_bookings().collect();
        tokio::spawn(async move {
            let news = async {
                porter.catch_up(now).await?;
                porter.save(false, now).await?;
                let pins = store.pins().await?;
                let longest = pins.iter().map(|pins| usize::from(pins.digits)).max();
                // Nobody listens only when the bridge is going down.
                let _ = answers.send(Answer::LongestPin(longest));
                if !running.is_empty() {
                    for (booking, ends_at) in store.ends_of(&running, now).await? {
                        let _ = answers.send(Answer::BookingEnds(booking, ends_at));
                    }
                }
                Ok::<_, store::StoreError>(())
            };
            if let Err(problem) = news.await {
                warn!("the store can't be asked for news just now: {problem}");
            }
        });
    }

    fn tell_alerts(&mut self) {
        let at = self.parts.clock.now();
        while let Some(alert) = self.parts.porter.poll_alert() {
            self::alert(&alert);
            self.parts.recorder.record(Entry::Alert { alert, at });
        }
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.parts.attendant.poll_action() {
            match action {
                Action::CheckPin {
                    call,
                    inquiry,
                    pin,
                    source,
                    bound,
                } => self.look_up(call, inquiry, pin, source, bound),
                Action::Route { call, route } => {
                    let route = match route {
                        Route::Silence => engine::Route::Silence,
                        Route::HoldMusic => engine::Route::Music,
                        Route::Room { conference, heard } => engine::Route::Room {
                            room: room(conference),
                            heard,
                        },
                    };
                    self.parts.engine.send(Command::Route {
                        leg: leg(call),
                        route,
                    });
                }
                Action::Tune { conference, sound } => self.parts.engine.send(Command::Tune {
                    room: room(conference),
                    sound: engine::Sound {
                        noise_suppression: sound.noise_suppression,
                        levelling: sound.levelling,
                        most_talkers: sound.most_talkers,
                    },
                }),
                Action::Play { play, to, clips } => {
                    let to = match to {
                        Audience::Call(call) => engine::Audience::Leg(leg(call)),
                        Audience::Room { conference, except } => engine::Audience::Room {
                            room: room(conference),
                            except: except.map(leg),
                        },
                    };
                    let clips = clips.into_iter().map(clip).collect();
                    self.parts.engine.send(Command::Play {
                        play: engine::PlayId(play.to_u64()),
                        to,
                        clips,
                    });
                }
                Action::Stop { play } => self.parts.engine.send(Command::StopPlay {
                    play: engine::PlayId(play.to_u64()),
                }),
                Action::RecordName { call, name } => {
                    let rules = NameRules::default();
                    self.parts.engine.send(Command::RecordName {
                        leg: leg(call),
                        clip: clip(Clip::Name(name)),
                        rules,
                    });
                }
                Action::FinishName { call } => self
                    .parts
                    .engine
                    .send(Command::FinishName { leg: leg(call) }),
                Action::ForgetName { name } => self.parts.engine.send(Command::DropClip {
                    clip: clip(Clip::Name(name)),
                }),
                Action::StartRecording {
                    conference,
                    recording,
                } => self.start_recording((conference, recording)),
                Action::StopRecording { conference, .. } => {
                    self.parts.engine.untap(room(conference));
                }
                Action::Probe { call } => self.probe(call),
                Action::HangUp { call, reason } => {
                    info!(%call, reason = reason.as_str(), "hanging up");
                    self.parts.sip.hang_up(CallRef(call.0));
                }
                Action::Report(report) => self.book(report),
            }
        }
    }

    fn book(&mut self, report: Report) {
        self.counts.report(&report);
        if let Some((call, told)) = spans::of_report(&report)
            && let Some(state) = self.calls.get(&call)
        {
            told.to(&state.span);
        }
        if let Report::Conference(record) = &report
            && let Fact::Admitted { call } = record.fact
            && let Some(ticket) = self
                .calls
                .get_mut(&call)
                .and_then(|state| state.by_consent.take())
        {
            // A human let this caller in: the PIN was not guessed.
            let (porter, now) = (Arc::clone(&self.parts.porter), self.parts.clock.now());
            tokio::spawn(async move {
                if let Err(problem) = porter.vouch(&ticket, now).await {
                    warn!("that a caller was let in can't be noted: {problem}");
                }
            });
        }
        if let Some(entry) = entry(report) {
            self.parts.recorder.record(entry);
        }
    }

    /// The store is asked by a task of its own: a slow disk must not keep the others waiting.
    fn look_up(
        &self,
        call: CallId,
        inquiry: u32,
        pin: Pin,
        source: Source,
        bound: Option<AccountId>,
    ) {
        let (porter, answers) = (Arc::clone(&self.parts.porter), self.answers.clone());
        let (keys, now) = (self.parts.keys.current(), self.parts.clock.now());
        let state = self.calls.get(&call);
        let span = state.map_or_else(Span::none, |state| spans::look_up(&state.span));
        let look_up = async move {
            let judged = porter.judge(&keys, &source, &pin, bound, now).await;
            spans::judged(&Span::current(), &judged);
            match judged {
                Ok(verdict) => {
                    // Nobody listens only when the bridge is going down.
                    let _ = answers.send(Answer::Judged {
                        call,
                        inquiry,
                        verdict: Box::new(verdict),
                    });
                }
                // The caller is asked again when the inquiry's time is up.
                Err(problem) => error!(%call, "a PIN could not be judged: {problem}"),
            }
        };
        tokio::spawn(look_up.instrument(span));
    }

    fn probe(&self, call: CallId) {
        let (sip, answers) = (self.parts.sip.clone(), self.answers.clone());
        tokio::spawn(async move {
            let alive = sip.probe(CallRef(call.0)).await;
            let _ = answers.send(Answer::Probed { call, alive });
        });
    }
}

fn alert(alert: &Alert) {
    let what = |ceiling: &Ceiling| match ceiling {
        Ceiling::WrongPins => "wrong PINs",
        Ceiling::TypingErrors => "mistyped PINs",
    };
    match alert {
        Alert::CeilingReached { ceiling, .. } => warn!(
            "ALARM: the day's ceiling of {} is reached; until a day passes quietly callers who aren't known need a host's consent (*4)",
            what(ceiling)
        ),
        Alert::Quiet { ceiling, .. } => info!(
            "a day passed without many {}: consent is no longer asked for",
            what(ceiling)
        ),
        Alert::Ended { ceiling, .. } => info!(
            "consent because of {} was ended by an operator",
            what(ceiling)
        ),
        _ => warn!("PIN guessing: {alert:?}"),
    }
}

fn entry(report: Report) -> Option<Entry> {
    Some(match report {
        Report::CallAnswered { call, at, source } => Entry::CallAnswered { call, at, source },
        Report::WrongPin { call, at, mistyped } => Entry::WrongPin { call, at, mistyped },
        Report::Conference(record) => Entry::Conference(record),
        Report::CallEnded { call, at, reason } => Entry::CallEnded { call, at, reason },
        _ => return None,
    })
}

/// Clips below this are prompts, from it on recorded names.
const NAMES: u64 = 1 << 32;

pub(crate) fn prompt_clip(prompt: Prompt) -> ClipId {
    ClipId(prompt as u64)
}

fn clip(clip: Clip) -> ClipId {
    match clip {
        Clip::Prompt(prompt) => prompt_clip(prompt),
        Clip::Name(name) => ClipId(NAMES + name.0),
    }
}

fn leg(call: CallId) -> LegId {
    LegId(call.0)
}

fn room(conference: conclave_conference::ConferenceId) -> RoomId {
    RoomId(u64::from(conference.0))
}

fn leg_media(media: &CallMedia, opus: OpusSettings) -> LegMedia {
    LegMedia {
        remote: media.remote,
        codec: media.codec,
        payload_type: media.payload_type,
        event_payload_type: media.event_payload_type,
        comfort_payload_type: media.comfort_payload_type,
        ptime: media.ptime,
        rtcp: engine::Rtcp::At(media.remote_rtcp),
        opus: opus.within(media.opus),
    }
}

fn direction(direction: Direction) -> engine::Direction {
    match direction {
        Direction::SendRecv => engine::Direction::SendRecv,
        Direction::SendOnly => engine::Direction::SendOnly,
        Direction::RecvOnly => engine::Direction::RecvOnly,
        Direction::Inactive => engine::Direction::Inactive,
    }
}
