//! What happened, written down.

use chrono::{DateTime, Utc};
use conclave_accounts::{CallId, ConferenceKey};
use conclave_conference::{Actor, Command, ConferenceId, Fact, Record, Refusal, WaitFor};
use sqlx::{Sqlite, Transaction};

use super::accounts::role_word;
use super::{SqliteStore, millis};
use crate::error::Result;
use crate::store::{Books, KNOWN_FOR};
use crate::{CallMedia, Entry, RunId};

pub(super) const BEGIN_RUN: &str = "INSERT INTO runs (started_at, seen_at) VALUES (?1, ?1)";
pub(super) const SEEN: &str = "UPDATE runs SET seen_at = MAX(seen_at, ?2) WHERE id = ?1";
pub(super) const STILL_RUNNING: &str = "UPDATE runs SET seen_at = MAX(seen_at, ?2)
    WHERE id = ?1 AND EXISTS (SELECT 1 FROM calls WHERE ended_at IS NULL)";
pub(super) const CLOSE_ATTENDANCES: &str = "UPDATE attendances SET reason = 'interrupted',
    departed_at = MAX(arrived_at, COALESCE(admitted_at, 0), (
        SELECT r.seen_at FROM conferences c JOIN runs r ON r.id = c.run WHERE c.id = attendances.conference))
    WHERE departed_at IS NULL";
pub(super) const CLOSE_CALLS: &str = "UPDATE calls SET reason = 'interrupted',
    ended_at = MAX(answered_at, (SELECT seen_at FROM runs WHERE id = calls.run)) WHERE ended_at IS NULL";
pub(super) const CLOSE_CONFERENCES: &str = "UPDATE conferences SET reason = 'interrupted',
    ended_at = MAX(started_at, (SELECT seen_at FROM runs WHERE id = conferences.run)) WHERE ended_at IS NULL";
pub(super) const CLOSE_RUNS: &str = "UPDATE runs SET stopped_at = seen_at WHERE stopped_at IS NULL";
pub(super) const FORGET_NUMBERS: &str = "DELETE FROM known_numbers WHERE last_at < ?1";

pub(super) const CALL_ANSWERED: &str =
    "INSERT INTO calls (run, call, trunk, number, answered_at) VALUES (?1, ?2, ?3, ?4, ?5)";
pub(super) const CALL_MEDIA: &str = "UPDATE calls SET codec = COALESCE(?3, codec),
    encryption = COALESCE(?4, encryption), packets_lost = COALESCE(?5, packets_lost),
    jitter_ms = COALESCE(?6, jitter_ms), mos = COALESCE(?7, mos) WHERE run = ?1 AND call = ?2";
pub(super) const CALL_ENDED: &str =
    "UPDATE calls SET ended_at = ?3, reason = ?4 WHERE run = ?1 AND call = ?2 AND ended_at IS NULL";
pub(super) const WRONG_PIN: &str = "INSERT INTO wrong_pins (call, at, mistyped) SELECT id, ?3, ?4 FROM calls WHERE run = ?1 AND call = ?2";
pub(super) const STARTED: &str =
    "INSERT INTO conferences (run, conference, account, booking, started_at)
    SELECT ?1, ?2, id, ?4, ?5 FROM accounts WHERE id = ?3";
pub(super) const ARRIVED: &str =
    "INSERT INTO attendances (conference, call, role, holder, waits_for, arrived_at)
    SELECT c.id, k.id, ?4, ?5, ?6, ?7 FROM conferences c, calls k
    WHERE c.run = ?1 AND c.conference = ?2 AND k.run = ?1 AND k.call = ?3";
pub(super) const ADMITTED: &str = "UPDATE attendances SET admitted_at = COALESCE(admitted_at, ?4)
    WHERE call = (SELECT id FROM calls WHERE run = ?1 AND call = ?3)
    AND conference = (SELECT id FROM conferences WHERE run = ?1 AND conference = ?2) AND departed_at IS NULL";
pub(super) const KNOWN: &str = "INSERT INTO known_numbers (account, number, last_at)
    SELECT c.account, k.number, ?4 FROM conferences c, calls k
    WHERE c.run = ?1 AND c.conference = ?2 AND k.run = ?1 AND k.call = ?3 AND k.number IS NOT NULL
    ON CONFLICT (account, number) DO UPDATE SET last_at = MAX(last_at, excluded.last_at)";
pub(super) const DEPARTED: &str = "UPDATE attendances SET departed_at = ?4, reason = ?5
    WHERE call = (SELECT id FROM calls WHERE run = ?1 AND call = ?3)
    AND conference = (SELECT id FROM conferences WHERE run = ?1 AND conference = ?2) AND departed_at IS NULL";
pub(super) const ENDED: &str = "UPDATE conferences SET ended_at = ?3, reason = ?4
    WHERE run = ?1 AND conference = ?2 AND ended_at IS NULL";
pub(super) const EVENT: &str =
    "INSERT INTO events (conference, at, what, call, command, about, refusal)
    SELECT id, ?3, ?4, (SELECT id FROM calls WHERE run = ?1 AND call = ?5), ?6,
        (SELECT id FROM calls WHERE run = ?1 AND call = ?7), ?8
    FROM conferences WHERE run = ?1 AND conference = ?2";

impl Books for SqliteStore {
    async fn begin_run(&self, now: DateTime<Utc>) -> Result<RunId> {
        let mut turn = self.begin().await?;
        close_open(&mut turn).await?;
        sqlx::query(FORGET_NUMBERS)
            .bind(millis(now - KNOWN_FOR))
            .execute(&mut *turn)
            .await?;
        let begun = sqlx::query(BEGIN_RUN)
            .bind(millis(now))
            .execute(&mut *turn)
            .await?;
        turn.commit().await?;
        Ok(RunId(begun.last_insert_rowid().cast_unsigned()))
    }

    async fn write(&self, run: RunId, entries: &[Entry], now: DateTime<Utc>) -> Result<()> {
        let mut pen = Pen {
            turn: self.begin().await?,
            run: run.0.cast_signed(),
        };
        for entry in entries {
            if !pen.entry(entry).await? {
                tracing::warn!(
                    ?entry,
                    "an entry about an unknown call or conference is left out of the books"
                );
            }
        }
        sqlx::query(SEEN)
            .bind(pen.run)
            .bind(millis(now))
            .execute(&mut *pen.turn)
            .await?;
        Ok(pen.turn.commit().await?)
    }

    async fn still_running(&self, run: RunId, now: DateTime<Utc>) -> Result<()> {
        let seen = sqlx::query(STILL_RUNNING)
            .bind(run.0.cast_signed())
            .bind(millis(now));
        Ok(seen.execute(&self.0.writer).await.map(drop)?)
    }

    async fn end_run(&self, run: RunId, now: DateTime<Utc>) -> Result<()> {
        let mut turn = self.begin().await?;
        sqlx::query(SEEN)
            .bind(run.0.cast_signed())
            .bind(millis(now))
            .execute(&mut *turn)
            .await?;
        close_open(&mut turn).await?;
        Ok(turn.commit().await?)
    }
}

/// Only the serving process has anything open, so whatever is open is of a run that is over.
async fn close_open(turn: &mut Transaction<'static, Sqlite>) -> Result<()> {
    for statement in [
        CLOSE_ATTENDANCES,
        CLOSE_CALLS,
        CLOSE_CONFERENCES,
        CLOSE_RUNS,
    ] {
        sqlx::query(statement).execute(&mut **turn).await?;
    }
    Ok(())
}

/// Writes one entry after the other within one turn. Each method says whether there was anything to write to.
struct Pen {
    turn: Transaction<'static, Sqlite>,
    run: i64,
}

impl Pen {
    async fn entry(&mut self, entry: &Entry) -> Result<bool> {
        match entry {
            Entry::CallAnswered { call, at, source } => {
                let query = self
                    .about(CALL_ANSWERED, *call)
                    .bind(&source.trunk)
                    .bind(source.number.as_deref());
                self.done(query.bind(millis(*at))).await
            }
            Entry::WrongPin { call, at, mistyped } => {
                let query = self
                    .about(WRONG_PIN, *call)
                    .bind(millis(*at))
                    .bind(*mistyped);
                self.done(query).await
            }
            Entry::Media { call, media } => self.media(*call, media).await,
            Entry::CallEnded { call, at, reason } => {
                let query = self
                    .about(CALL_ENDED, *call)
                    .bind(millis(*at))
                    .bind(reason.as_str());
                self.done(query).await
            }
            Entry::Conference(record) => self.record(record).await,
        }
    }

    async fn media(&mut self, call: CallId, media: &CallMedia) -> Result<bool> {
        let query = self
            .about(CALL_MEDIA, call)
            .bind(media.codec.as_deref())
            .bind(media.encryption.as_deref())
            .bind(media.packets_lost.map(u64::cast_signed))
            .bind(media.jitter_ms)
            .bind(media.mos);
        self.done(query).await
    }

    async fn record(
        &mut self,
        Record {
            at,
            conference,
            fact,
        }: &Record,
    ) -> Result<bool> {
        let at = millis(*at);
        match fact {
            Fact::Started { key, account } => {
                let booking = match key {
                    ConferenceKey::Account(_) => None,
                    ConferenceKey::Booking(id) => Some(id.0.cast_signed()),
                };
                let query = self
                    .within(STARTED, *conference)
                    .bind(account.0.cast_signed())
                    .bind(booking);
                self.done(query.bind(at)).await
            }
            Fact::Arrived {
                call,
                role,
                holder,
                waits_for,
            } => {
                let waits_for = waits_for.map(|wait| match wait {
                    WaitFor::Host => "host",
                    WaitFor::Consent => "consent",
                });
                let query = self
                    .within(ARRIVED, *conference)
                    .bind(call.0.cast_signed())
                    .bind(role_word(*role))
                    .bind(holder.as_deref())
                    .bind(waits_for);
                self.done(query.bind(at)).await
            }
            Fact::Admitted { call } => {
                let query = self
                    .within(KNOWN, *conference)
                    .bind(call.0.cast_signed())
                    .bind(at);
                self.done(query).await?;
                let query = self
                    .within(ADMITTED, *conference)
                    .bind(call.0.cast_signed())
                    .bind(at);
                self.done(query).await
            }
            Fact::Departed { call, reason } => {
                let query = self
                    .within(DEPARTED, *conference)
                    .bind(call.0.cast_signed())
                    .bind(at);
                self.done(query.bind(reason.as_str())).await
            }
            Fact::Ended { reason } => {
                let query = self
                    .within(ENDED, *conference)
                    .bind(at)
                    .bind(reason.as_str());
                self.done(query).await
            }
            Fact::Held { call } => {
                self.event(*conference, at, "held", Happened::to(*call))
                    .await
            }
            Fact::AnotherHost { call } => {
                self.event(*conference, at, "another-host", Happened::to(*call))
                    .await
            }
            Fact::Refused { call, why } => {
                let happened = Happened {
                    refusal: Some(refusal_word(*why)),
                    ..Happened::to(*call)
                };
                self.event(*conference, at, "refused", happened).await
            }
            Fact::Command {
                by,
                command,
                refused,
            } => {
                let (command, about) = command_words(*command);
                let by = match by {
                    Actor::Caller(call) => Some(*call),
                    Actor::Operator => None,
                };
                let refusal = refused.map(refusal_word);
                let happened = Happened {
                    by,
                    command: Some(command),
                    about,
                    refusal,
                };
                self.event(*conference, at, "command", happened).await
            }
            // A later version of the conference may know more facts than these books have columns for.
            _ => Ok(false),
        }
    }

    async fn event(
        &mut self,
        conference: ConferenceId,
        at: i64,
        what: &'static str,
        happened: Happened,
    ) -> Result<bool> {
        let query = self
            .within(EVENT, conference)
            .bind(at)
            .bind(what)
            .bind(happened.by.map(|call| call.0.cast_signed()))
            .bind(happened.command)
            .bind(happened.about.map(|call| call.0.cast_signed()))
            .bind(happened.refusal);
        self.done(query).await
    }

    fn about<'q>(&self, statement: &'static str, call: CallId) -> Query<'q> {
        sqlx::query(statement)
            .bind(self.run)
            .bind(call.0.cast_signed())
    }

    fn within<'q>(&self, statement: &'static str, conference: ConferenceId) -> Query<'q> {
        sqlx::query(statement).bind(self.run).bind(conference.0)
    }

    async fn done(&mut self, query: Query<'_>) -> Result<bool> {
        Ok(query.execute(&mut *self.turn).await?.rows_affected() > 0)
    }
}

type Query<'q> = sqlx::query::Query<'q, Sqlite, sqlx::sqlite::SqliteArguments>;

/// The columns of an event.
struct Happened {
    by: Option<CallId>,
    command: Option<&'static str>,
    about: Option<CallId>,
    refusal: Option<&'static str>,
}

impl Happened {
    fn to(call: CallId) -> Self {
        Self {
            by: Some(call),
            command: None,
            about: None,
            refusal: None,
        }
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
