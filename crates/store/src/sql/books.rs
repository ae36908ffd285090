//! What happened, written down.

use chrono::{DateTime, Utc};
use conclave_accounts::{AccountId, Alert, BookingId, CallId, Ceiling, ConferenceKey};
use conclave_conference::{Actor, Command, Fact, Floor, OperatorId, Record, Refusal, WaitFor};
use serde_json::{Value, json};

use super::accounts::role_word;
use super::audit::{Deed, Note};
use super::webhooks::{About, Listeners};
use super::{Arg, Row, SqlStore, Turn, args, recordings};
use crate::error::{Result, bad};
use crate::store::{Books, KNOWN_FOR};
use crate::{CallMedia, Entry, HookEvent, RunId};

pub(super) const BEGIN_RUN: &str =
    "INSERT INTO runs (bridge, started_at, seen_at) VALUES ($1, $2, $2) RETURNING id";
pub(super) const SEEN: &str =
    "UPDATE runs SET seen_at = CASE WHEN seen_at < $2 THEN $2 ELSE seen_at END WHERE id = $1";
/// An open call of another bridge does as well: it costs this one a needless write, and the index stays short.
pub(super) const STILL_RUNNING: &str =
    "UPDATE runs SET seen_at = CASE WHEN seen_at < $2 THEN $2 ELSE seen_at END
    WHERE id = $1 AND EXISTS (SELECT 1 FROM calls WHERE ended_at IS NULL)";
/// At the last moment that the run was seen, but at none before the row's own. Whose run it is, is asked of each open
/// row: they are few, and the runs of a bridge may be many.
pub(super) const CLOSE_ATTENDANCES: &str =
    "UPDATE attendances SET reason = 'interrupted', departed_at = (
        SELECT CASE
            WHEN r.seen_at >= attendances.arrived_at AND r.seen_at >= COALESCE(attendances.admitted_at, 0) THEN r.seen_at
            WHEN attendances.admitted_at > attendances.arrived_at THEN attendances.admitted_at
            ELSE attendances.arrived_at END
        FROM conferences c JOIN runs r ON r.id = c.run WHERE c.id = attendances.conference)
    WHERE departed_at IS NULL AND (
        SELECT r.bridge FROM conferences c JOIN runs r ON r.id = c.run WHERE c.id = attendances.conference) = $1";
pub(super) const CLOSE_CALLS: &str = "UPDATE calls SET reason = 'interrupted', ended_at = (
        SELECT CASE WHEN r.seen_at > calls.answered_at THEN r.seen_at ELSE calls.answered_at END
        FROM runs r WHERE r.id = calls.run)
    WHERE ended_at IS NULL AND (SELECT r.bridge FROM runs r WHERE r.id = calls.run) = $1";
pub(super) const CLOSE_CONFERENCES: &str =
    "UPDATE conferences SET reason = 'interrupted', ended_at = (
        SELECT CASE WHEN r.seen_at > conferences.started_at THEN r.seen_at ELSE conferences.started_at END
        FROM runs r WHERE r.id = conferences.run)
    WHERE ended_at IS NULL AND (SELECT r.bridge FROM runs r WHERE r.id = conferences.run) = $1";
pub(super) const CLOSE_RUNS: &str =
    "UPDATE runs SET stopped_at = seen_at WHERE stopped_at IS NULL AND bridge = $1";
pub(super) const FORGET_NUMBERS: &str = "DELETE FROM known_numbers WHERE last_at < $1";

pub(super) const CALL_ANSWERED: &str =
    "INSERT INTO calls (run, call, trunk, number, answered_at) VALUES ($1, $2, $3, $4, $5)";
pub(super) const CALL_MEDIA: &str = "UPDATE calls SET codec = COALESCE($3, codec),
    encryption = COALESCE($4, encryption), packets_lost = COALESCE($5, packets_lost),
    jitter_ms = COALESCE($6, jitter_ms), mos = COALESCE($7, mos) WHERE run = $1 AND call = $2";
pub(super) const CALL_ENDED: &str =
    "UPDATE calls SET ended_at = $3, reason = $4 WHERE run = $1 AND call = $2 AND ended_at IS NULL";
pub(super) const WRONG_PIN: &str = "INSERT INTO wrong_pins (call, at, mistyped) SELECT id, $3, $4 FROM calls WHERE run = $1 AND call = $2";
pub(super) const STARTED: &str =
    "INSERT INTO conferences (run, conference, account, booking, started_at)
    SELECT $1, $2, id, $4, $5 FROM accounts WHERE id = $3";
pub(super) const ARRIVED: &str =
    "INSERT INTO attendances (conference, call, role, holder, waits_for, arrived_at, invitee)
    SELECT c.id, k.id, $4, $5, $6, $7, $8 FROM conferences c, calls k
    WHERE c.run = $1 AND c.conference = $2 AND k.run = $1 AND k.call = $3";
pub(super) const ADMITTED: &str = "UPDATE attendances SET admitted_at = COALESCE(admitted_at, $4)
    WHERE call = (SELECT id FROM calls WHERE run = $1 AND call = $3)
    AND conference = (SELECT id FROM conferences WHERE run = $1 AND conference = $2) AND departed_at IS NULL";
pub(super) const KNOWN: &str = "INSERT INTO known_numbers (account, number, last_at)
    SELECT c.account, k.number, $4 FROM conferences c, calls k
    WHERE c.run = $1 AND c.conference = $2 AND k.run = $1 AND k.call = $3 AND k.number IS NOT NULL
    ON CONFLICT (account, number) DO UPDATE SET last_at =
        CASE WHEN known_numbers.last_at < excluded.last_at THEN excluded.last_at ELSE known_numbers.last_at END";
pub(super) const NAMED: &str = "UPDATE attendances SET holder = $4
    WHERE call = (SELECT id FROM calls WHERE run = $1 AND call = $3)
    AND conference = (SELECT id FROM conferences WHERE run = $1 AND conference = $2) AND departed_at IS NULL";
pub(super) const DEPARTED: &str = "UPDATE attendances SET departed_at = $4, reason = $5
    WHERE call = (SELECT id FROM calls WHERE run = $1 AND call = $3)
    AND conference = (SELECT id FROM conferences WHERE run = $1 AND conference = $2) AND departed_at IS NULL";
pub(super) const ENDED: &str = "UPDATE conferences SET ended_at = $3, reason = $4
    WHERE run = $1 AND conference = $2 AND ended_at IS NULL";
pub(super) const EVENT: &str =
    "INSERT INTO events (conference, at, what, call, command, about, refusal, operator)
    SELECT id, $3, $4, (SELECT id FROM calls WHERE run = $1 AND call = $5), $6,
        (SELECT id FROM calls WHERE run = $1 AND call = $7), $8, (SELECT id FROM users WHERE id = $9)
    FROM conferences WHERE run = $1 AND conference = $2";

pub(super) const HELD_ON: &str =
    "SELECT id, account, booking FROM conferences WHERE run = $1 AND conference = $2";
pub(super) const VISIT: &str = "SELECT role, admitted_at FROM attendances
    WHERE conference = $1 AND call = $2 ORDER BY id DESC LIMIT 1";
pub(super) const IN_OPEN: &str = "SELECT t.call, t.role, c.id, c.account, c.booking
    FROM attendances t JOIN conferences c ON c.id = t.conference
    WHERE t.departed_at IS NULL AND t.admitted_at IS NOT NULL
        AND (SELECT r.bridge FROM runs r WHERE r.id = c.run) = $1 ORDER BY t.id";
pub(super) const OPEN: &str = "SELECT c.id, c.account, c.booking FROM conferences c
    WHERE c.ended_at IS NULL AND (SELECT r.bridge FROM runs r WHERE r.id = c.run) = $1 ORDER BY c.id";
pub(super) const CALL: &str = "SELECT id, number FROM calls WHERE run = $1 AND call = $2";
pub(super) const USER: &str = "SELECT email FROM users WHERE id = $1";
pub(super) const CONFERENCE: &str = "SELECT id FROM conferences WHERE run = $1 AND conference = $2";

#[async_trait::async_trait]
impl Books for SqlStore {
    async fn begin_run(&self, now: DateTime<Utc>) -> Result<RunId> {
        let mut turn = self.db.begin().await?;
        close_open(&mut turn, &self.bridge, now).await?;
        turn.run(FORGET_NUMBERS, args![now - KNOWN_FOR]).await?;
        let begun = turn.one(BEGIN_RUN, args![&*self.bridge, now]).await?;
        let id = begun
            .ok_or_else(|| bad("id", "no row was added"))?
            .id("id")?;
        turn.commit().await?;
        Ok(RunId(id))
    }

    async fn write(&self, run: RunId, entries: &[Entry], now: DateTime<Utc>) -> Result<()> {
        let mut pen = Pen {
            deed: self.deed().await?,
            run,
            listeners: Listeners::default(),
        };
        for entry in entries {
            if !pen.entry(entry).await? {
                tracing::warn!(
                    ?entry,
                    "an entry about an unknown call or conference is left out of the books"
                );
            }
        }
        pen.deed.turn.run(SEEN, args![run, now]).await?;
        pen.deed.commit().await
    }

    async fn still_running(&self, run: RunId, now: DateTime<Utc>) -> Result<()> {
        let mut turn = self.db.begin().await?;
        turn.run(STILL_RUNNING, args![run, now]).await?;
        turn.commit().await
    }

    async fn end_run(&self, run: RunId, now: DateTime<Utc>) -> Result<()> {
        let mut turn = self.db.begin().await?;
        turn.run(SEEN, args![run, now]).await?;
        close_open(&mut turn, &self.bridge, now).await?;
        turn.commit().await
    }
}

/// Only the serving process of this name has anything open, so whatever is open is of a run that is over.
async fn close_open(turn: &mut Turn, bridge: &str, now: DateTime<Utc>) -> Result<()> {
    tell_of_open(turn, bridge, now).await?;
    for statement in [
        CLOSE_ATTENDANCES,
        CLOSE_CALLS,
        CLOSE_CONFERENCES,
        CLOSE_RUNS,
    ] {
        turn.run(statement, args![bridge]).await?;
    }
    Ok(())
}

/// Tells that what is open is over: it was interrupted.
async fn tell_of_open(turn: &mut Turn, bridge: &str, now: DateTime<Utc>) -> Result<()> {
    let mut listeners = Listeners::default();
    if !listeners.are_there(turn).await? {
        return Ok(());
    }
    for row in turn.all(IN_OPEN, args![bridge]).await? {
        let (call, role) = (row.id("call")?, row.text("role")?);
        let more = json!({ "call": call, "role": role, "reason": "interrupted" });
        listeners
            .tell(turn, HookEvent::CallLeft, about_from(&row)?, more, now)
            .await?;
    }
    for row in turn.all(OPEN, args![bridge]).await? {
        let (about, more) = (about_from(&row)?, json!({ "reason": "interrupted" }));
        listeners
            .tell(turn, HookEvent::ConferenceEnded, about, more, now)
            .await?;
    }
    Ok(())
}

fn about_from(conference: &Row) -> Result<About> {
    Ok(About {
        account: AccountId(conference.id("account")?),
        booking: conference.id_opt("booking")?.map(BookingId),
        conference: Some(conference.id("id")?),
    })
}

/// Writes one entry after the other within one turn. Each method says whether there was anything to write to.
struct Pen {
    deed: Deed,
    run: RunId,
    listeners: Listeners,
}

impl Pen {
    async fn entry(&mut self, entry: &Entry) -> Result<bool> {
        let run = self.run;
        match entry {
            Entry::CallAnswered { call, at, source } => {
                let (trunk, number) = (&source.trunk, source.number.as_deref());
                self.done(CALL_ANSWERED, args![run, *call, trunk, number, *at])
                    .await
            }
            Entry::WrongPin { call, at, mistyped } => {
                let written = self
                    .done(WRONG_PIN, args![run, *call, *at, *mistyped])
                    .await?;
                let kind = if *mistyped {
                    "pin.mistyped"
                } else {
                    "pin.wrong"
                };
                if written {
                    let note = self.about_call(Note::at(kind, *at), *call).await?;
                    self.deed.note(note).await?;
                }
                Ok(written)
            }
            Entry::Media { call, media } => self.media(*call, media).await,
            Entry::CallEnded { call, at, reason } => {
                self.done(CALL_ENDED, args![run, *call, *at, reason.as_str()])
                    .await
            }
            Entry::Conference(record) => {
                let written = self.record(record).await?;
                if written {
                    self.audit(record).await?;
                    self.tell(record).await?;
                }
                Ok(written)
            }
            Entry::RecordingFile {
                conference,
                recording,
                call,
                file,
                at,
            } => {
                let args = args![run, conference.0, recording.0, *call, file, *at];
                self.done(recordings::FILE, args).await
            }
            Entry::RecordingOver {
                conference,
                recording,
                length,
            } => {
                let length = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
                let args = args![run, conference.0, recording.0, length];
                // One that failed before it began has no file.
                self.done(recordings::OVER, args).await?;
                Ok(true)
            }
            Entry::Alert { alert, at } => {
                self.deed.note(alarm(alert, *at)).await?;
                Ok(true)
            }
        }
    }

    async fn media(&mut self, call: CallId, media: &CallMedia) -> Result<bool> {
        let (codec, encryption) = (media.codec.as_deref(), media.encryption.as_deref());
        let (lost, jitter, mos) = (media.packets_lost, media.jitter_ms, media.mos);
        let args = args![self.run, call, codec, encryption, lost, jitter, mos];
        self.done(CALL_MEDIA, args).await
    }

    async fn record(&mut self, record: &Record) -> Result<bool> {
        let (run, at, conference) = (self.run, record.at, record.conference.0);
        match &record.fact {
            Fact::Started { key, account } => {
                let booking = match key {
                    ConferenceKey::Account(_) => None,
                    ConferenceKey::Booking(id) => Some(*id),
                };
                self.done(STARTED, args![run, conference, *account, booking, at])
                    .await
            }
            Fact::Arrived {
                call,
                role,
                holder,
                invitee,
                waits_for,
            } => {
                let (role, holder) = (role_word(*role), holder.as_deref());
                let waits_for = waits_for.map(|wait| match wait {
                    WaitFor::Host => "host",
                    WaitFor::Consent => "consent",
                    WaitFor::Notice => "notice",
                });
                let args = args![
                    run, conference, *call, role, holder, waits_for, at, *invitee
                ];
                self.done(ARRIVED, args).await
            }
            Fact::Admitted { call } => {
                let args = args![run, conference, *call, at];
                self.done(KNOWN, args).await?;
                self.done(ADMITTED, args).await
            }
            Fact::Named { by, call, name } => {
                let named = self
                    .done(NAMED, args![run, conference, *call, &**name])
                    .await?;
                let happened = Happened {
                    command: Some("name"),
                    about: Some(*call),
                    ..Happened::by(*by)
                };
                Ok(named && self.event(record, "command", happened).await?)
            }
            Fact::Departed { call, reason } => {
                let args = args![run, conference, *call, at, reason.as_str()];
                self.done(DEPARTED, args).await
            }
            Fact::Ended { reason } => {
                self.done(ENDED, args![run, conference, at, reason.as_str()])
                    .await
            }
            Fact::Held { call } => self.event(record, "held", Happened::to(*call)).await,
            Fact::AnotherHost { call } => {
                self.event(record, "another-host", Happened::to(*call))
                    .await
            }
            Fact::RecordingStarted { .. } => {
                self.event(record, "recording-started", Happened::default())
                    .await
            }
            Fact::RecordingStopped { .. } => {
                self.event(record, "recording-stopped", Happened::default())
                    .await
            }
            Fact::Refused { call, why } => {
                let happened = Happened {
                    refusal: Some(refusal_word(*why)),
                    ..Happened::to(*call)
                };
                self.event(record, "refused", happened).await
            }
            Fact::Command {
                by,
                command,
                refused,
            } => {
                let (command, about) = command_words(*command);
                let happened = Happened {
                    command: Some(command),
                    about,
                    refusal: refused.map(refusal_word),
                    ..Happened::by(*by)
                };
                self.event(record, "command", happened).await
            }
            // A later version of the conference may know more facts than these books have columns for.
            _ => Ok(false),
        }
    }

    /// What of it belongs into the audit log: who was let in, refused, gave commands.
    async fn audit(&mut self, record: &Record) -> Result<()> {
        let conference = self.conference(record).await?;
        let note = |kind: &str| Note::at(kind, record.at).number("conference", conference);
        let note = match &record.fact {
            Fact::Started { key, account } => {
                let note = note("conference.started").number("account", account.0);
                match key {
                    ConferenceKey::Account(_) => note,
                    ConferenceKey::Booking(id) => note.number("booking", id.0),
                }
            }
            Fact::Admitted { call } => self.about_call(note("call.admitted"), *call).await?,
            Fact::Refused { call, why } => {
                let note = note("call.refused").word("why", refusal_word(*why));
                self.about_call(note, *call).await?
            }
            Fact::AnotherHost { call } => {
                self.about_call(note("conference.another-host"), *call)
                    .await?
            }
            Fact::Command {
                by,
                command,
                refused,
            } => {
                let (command, about) = command_words(*command);
                let mut note = note(&format!("command.{command}"));
                if let Some(why) = refused {
                    note = note.word("refused", refusal_word(*why));
                }
                if let Some(about) = about {
                    let (id, _) = self.call(about).await?;
                    note = note.number("about", id);
                }
                match by {
                    Actor::Caller(call) => self.about_call(note, *call).await?,
                    Actor::Operator(by) => self.by_operator(note, *by).await?,
                }
            }
            Fact::Named { by, call, .. } => {
                let (about, _) = self.call(*call).await?;
                let note = note("command.name").number("about", about);
                match by {
                    Actor::Caller(call) => self.about_call(note, *call).await?,
                    Actor::Operator(by) => self.by_operator(note, *by).await?,
                }
            }
            Fact::RecordingStarted { recording } => {
                note("recording.started").number("recording", recording.0.into())
            }
            Fact::RecordingStopped { recording, why } => note("recording.stopped")
                .number("recording", recording.0.into())
                .word("reason", why.as_str()),
            Fact::Ended { reason } => note("conference.ended").word("reason", reason.as_str()),
            _ => return Ok(()),
        };
        self.deed.note(note).await
    }

    /// What of it is told by webhooks.
    async fn tell(&mut self, record: &Record) -> Result<()> {
        let event = match &record.fact {
            Fact::Started { .. } => HookEvent::ConferenceStarted,
            Fact::Admitted { .. } => HookEvent::CallJoined,
            Fact::Departed { .. } => HookEvent::CallLeft,
            Fact::Ended { .. } => HookEvent::ConferenceEnded,
            _ => return Ok(()),
        };
        if !self.listeners.are_there(&mut self.deed.turn).await? {
            return Ok(());
        }
        let args = args![self.run, record.conference.0];
        let row = self.deed.turn.one(HELD_ON, args).await?;
        let row = row.ok_or_else(|| bad("conference", "it is not in the books"))?;
        let (about, conference) = (about_from(&row)?, row.id("id")?);
        let more = match &record.fact {
            Fact::Admitted { call } => match self.visit(conference, *call).await? {
                // Who was held and let in again has joined once.
                Some((visit, admitted)) if at_once(admitted, record.at) => visit,
                _ => return Ok(()),
            },
            Fact::Departed { call, reason } => match self.visit(conference, *call).await? {
                Some((mut visit, _)) => {
                    visit["reason"] = json!(reason.as_str());
                    visit
                }
                None => return Ok(()),
            },
            Fact::Ended { reason } => json!({ "reason": reason.as_str() }),
            _ => Value::Null,
        };
        self.listeners
            .tell(&mut self.deed.turn, event, about, more, record.at)
            .await
    }

    /// A call's time in a conference, if it was let in, and since when.
    async fn visit(
        &mut self,
        conference: u64,
        call: CallId,
    ) -> Result<Option<(Value, DateTime<Utc>)>> {
        let (id, _) = self.call(call).await?;
        let Some(row) = self.deed.turn.one(VISIT, args![conference, id]).await? else {
            return Ok(None);
        };
        let Some(admitted) = row.moment_opt("admitted_at")? else {
            return Ok(None);
        };
        let visit = json!({ "call": id, "role": row.text("role")? });
        Ok(Some((visit, admitted)))
    }

    /// Who works on the bridge: the user of that number, if there is one.
    async fn by_operator(&mut self, note: Note, by: OperatorId) -> Result<Note> {
        let user = self.deed.turn.one(USER, args![by.0]).await?;
        Ok(match user {
            Some(user) => note.by(&user.text("email")?),
            None => note.word("by", "operator"),
        })
    }

    async fn about_call(&mut self, note: Note, call: CallId) -> Result<Note> {
        let (id, number) = self.call(call).await?;
        let note = note.number("call", id);
        Ok(match number {
            Some(number) => note.number_of(id, &number),
            None => note,
        })
    }

    /// A call's number in the books, and its caller's.
    async fn call(&mut self, call: CallId) -> Result<(u64, Option<String>)> {
        let row = self.deed.turn.one(CALL, args![self.run, call]).await?;
        let row = row.ok_or_else(|| bad("call", "it is not in the books"))?;
        Ok((row.id("id")?, row.text_opt("number")?))
    }

    async fn conference(&mut self, record: &Record) -> Result<u64> {
        let args = args![self.run, record.conference.0];
        let row = self.deed.turn.one(CONFERENCE, args).await?;
        let row = row.ok_or_else(|| bad("conference", "it is not in the books"))?;
        row.id("id")
    }

    async fn event(
        &mut self,
        record: &Record,
        what: &'static str,
        happened: Happened,
    ) -> Result<bool> {
        let (run, conference, at) = (self.run, record.conference.0, record.at);
        let Happened {
            call,
            operator,
            command,
            about,
            refusal,
        } = happened;
        let operator = operator.map(|OperatorId(user)| user);
        let args = args![
            run, conference, at, what, call, command, about, refusal, operator
        ];
        self.done(EVENT, args).await
    }

    async fn done(&mut self, statement: &'static str, args: &[Arg<'_>]) -> Result<bool> {
        Ok(self.deed.turn.run(statement, args).await? > 0)
    }
}

/// As exact as the books are.
fn at_once(one: DateTime<Utc>, other: DateTime<Utc>) -> bool {
    one.timestamp_millis() == other.timestamp_millis()
}

/// The columns of an event.
#[derive(Default)]
struct Happened {
    call: Option<CallId>,
    operator: Option<OperatorId>,
    command: Option<&'static str>,
    about: Option<CallId>,
    refusal: Option<&'static str>,
}

impl Happened {
    fn to(call: CallId) -> Self {
        Self {
            call: Some(call),
            ..Self::default()
        }
    }

    fn by(actor: Actor) -> Self {
        match actor {
            Actor::Caller(call) => Self::to(call),
            Actor::Operator(by) => Self {
                operator: Some(by),
                ..Self::default()
            },
        }
    }
}

fn alarm(alert: &Alert, at: DateTime<Utc>) -> Note {
    let (kind, ceiling) = match alert {
        Alert::CeilingReached { ceiling, .. } => ("alarm.reached", Some(ceiling)),
        Alert::Quiet { ceiling, .. } => ("alarm.quiet", Some(ceiling)),
        Alert::Ended { ceiling, .. } => ("alarm.ended", Some(ceiling)),
        _ => ("alarm.other", None),
    };
    let note = Note::at(kind, at);
    match ceiling {
        Some(Ceiling::WrongPins) => note.word("ceiling", "wrong-pins"),
        Some(Ceiling::TypingErrors) => note.word("ceiling", "typing-errors"),
        None => note,
    }
}

/// The word for a command, and the call that it names.
fn command_words(command: Command) -> (&'static str, Option<CallId>) {
    match command {
        Command::Mute => ("mute", None),
        Command::Lock => ("lock", None),
        Command::RollCall => ("roll-call", None),
        Command::EndForAll => ("end-for-all", None),
        Command::Lecture => ("lecture", None),
        Command::Consent => ("consent", None),
        Command::Quiet => ("quiet", None),
        Command::Recording => ("recording", None),
        Command::Hand => ("hand", None),
        Command::Help => ("help", None),
        Command::Star => ("star", None),
        Command::SetLock { locked: true } => ("set-locked", None),
        Command::SetLock { locked: false } => ("set-unlocked", None),
        Command::SetFloor { floor } => match floor {
            Floor::Open => ("set-open", None),
            Floor::Lecture => ("set-lecture", None),
            Floor::StrictLecture => ("set-strict-lecture", None),
        },
        Command::QuietCall {
            call,
            quieted: true,
        } => ("quiet-call", Some(call)),
        Command::QuietCall {
            call,
            quieted: false,
        } => ("restore-call", Some(call)),
        Command::LetSpeak { call } => ("let-speak", Some(call)),
        Command::MuteCall { call, muted: true } => ("mute-call", Some(call)),
        Command::MuteCall { call, muted: false } => ("unmute-call", Some(call)),
        Command::Remove { call } => ("remove", Some(call)),
        Command::Admit {
            call,
            welcome: true,
        } => ("admit", Some(call)),
        Command::Admit {
            call,
            welcome: false,
        } => ("send-away", Some(call)),
        _ => ("other", None),
    }
}

fn refusal_word(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Unknown => "unknown",
        Refusal::NotAHost => "not-a-host",
        Refusal::NotAllowed => "not-allowed",
        Refusal::Locked => "locked",
        Refusal::Full => "full",
        Refusal::Ending => "ending",
        Refusal::NothingToDo => "nothing-to-do",
        _ => "other",
    }
}
