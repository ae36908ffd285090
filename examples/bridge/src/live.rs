//! What the portal's console asks of the shell: kept up to date for those who look, free of cost while nobody does.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use conclave_accounts::CallId;
use conclave_attendant::Attendant;
use conclave_conference::{Conference, ConferenceId, Refusal};
use conclave_engine::{Command, LegId, LegStats, RoomId};
use conclave_portal::live::{Deed, Line, Order, Reception, Snapshot, Summary};
use tokio::sync::watch;

/// How often what is looked at is compared with what was shown.
pub(crate) const SHOWN_EVERY: Duration = Duration::from_millis(250);
/// How often the engine is asked how the packets of a conference fare.
const ASKED_EVERY: Duration = Duration::from_secs(2);
/// A talker of whom nothing was told for so long has stopped: in a room that is looked at, levels come each 260 ms.
const SPEAKS_FOR: Duration = Duration::from_millis(600);

/// Who looks at what.
#[derive(Default)]
pub(crate) struct Console {
    list: Option<watch::Sender<Arc<[Summary]>>>,
    conferences: BTreeMap<ConferenceId, Watched>,
    lines: BTreeMap<CallId, Heard>,
}

struct Watched {
    shown: watch::Sender<Arc<Snapshot>>,
    asked: Option<Instant>,
}

/// What the engine told of a call.
#[derive(Default)]
struct Heard {
    spoke: Option<Instant>,
    /// Packets lost and received when it was asked last.
    before: (u64, u64),
    reception: Option<Reception>,
}

impl Console {
    /// Whether anybody looks.
    pub(crate) fn is_watched(&self) -> bool {
        self.list.is_some() || !self.conferences.is_empty()
    }

    /// The list of conferences, for one more who looks at it.
    pub(crate) fn list(&mut self, attendant: &Attendant) -> watch::Receiver<Arc<[Summary]>> {
        let now = summaries(attendant);
        match &self.list {
            Some(list) => {
                show(list, now);
                list.subscribe()
            }
            None => self.list.insert(watch::Sender::new(now)).subscribe(),
        }
    }

    /// A conference, for one more who looks at it.
    pub(crate) fn watch(
        &mut self,
        id: ConferenceId,
        attendant: &Attendant,
    ) -> Option<watch::Receiver<Arc<Snapshot>>> {
        let now = self.snapshot(attendant.conference(id)?)?;
        if let Some(watched) = self.conferences.get(&id) {
            show(&watched.shown, now);
            return Some(watched.shown.subscribe());
        }
        let (shown, looks) = watch::channel(now);
        self.conferences.insert(id, Watched { shown, asked: None });
        Some(looks)
    }

    /// Shows what has changed, to those who look still. What is over is dropped: they see that, too.
    pub(crate) fn show(&mut self, attendant: &Attendant) {
        if let Some(list) = self.list.take_if(|list| list.is_closed()) {
            drop(list);
        }
        if let Some(list) = &self.list {
            show(list, summaries(attendant));
        }
        let mut watched = std::mem::take(&mut self.conferences);
        watched.retain(|id, watched| {
            let now = attendant
                .conference(*id)
                .and_then(|conference| self.snapshot(conference));
            let looked_at = !watched.shown.is_closed();
            looked_at
                && now.is_some_and(|now| {
                    show(&watched.shown, now);
                    true
                })
        });
        self.conferences = watched;
        if self.conferences.is_empty() {
            self.lines.clear();
        }
    }

    /// What the engine is to be told and asked now.
    pub(crate) fn questions(&mut self, attendant: &Attendant) -> Vec<Command> {
        let mut questions = Vec::new();
        for (id, watched) in &mut self.conferences {
            if watched
                .asked
                .is_some_and(|asked| asked.elapsed() < ASKED_EVERY)
            {
                continue;
            }
            watched.asked = Some(Instant::now());
            let Some(conference) = attendant.conference(*id) else {
                continue;
            };
            let room = RoomId(u64::from(id.0));
            questions.push(Command::Watch { room });
            let legs = conference.roster().map(|(call, _)| LegId(call.0));
            questions.extend(legs.map(|leg| Command::Ask { leg }));
        }
        questions
    }

    /// A call is heard to speak.
    pub(crate) fn spoke(&mut self, call: CallId) {
        if !self.conferences.is_empty() {
            self.lines.entry(call).or_default().spoke = Some(Instant::now());
        }
    }

    /// How a call's packets fare.
    pub(crate) fn received(&mut self, call: CallId, stats: &LegStats) {
        let line = self.lines.entry(call).or_default();
        let (lost, received) = std::mem::replace(&mut line.before, (stats.lost, stats.packets_in));
        let lost = stats.lost.saturating_sub(lost);
        let expected = lost + stats.packets_in.saturating_sub(received);
        // While nothing is expected, on hold say, the last that was known stands.
        if let Some(percent) = (lost * 100).checked_div(expected) {
            line.reception = Some(Reception {
                lost: u8::try_from(percent).unwrap_or(100),
                jitter_ms: u16::try_from(stats.jitter.as_millis()).unwrap_or(u16::MAX),
            });
        }
    }

    /// The call is gone.
    pub(crate) fn forget(&mut self, call: CallId) {
        self.lines.remove(&call);
    }

    fn snapshot(&self, conference: &Conference) -> Option<Arc<Snapshot>> {
        let line = |call| {
            let heard = self.lines.get(&call);
            Line {
                speaking: heard
                    .and_then(|heard| heard.spoke)
                    .is_some_and(|spoke| spoke.elapsed() < SPEAKS_FOR),
                reception: heard.and_then(|heard| heard.reception),
            }
        };
        Snapshot::of(conference, line).map(Arc::new)
    }
}

/// Carries out an order, if it was meant for this very conference.
pub(crate) fn obey(
    order: Order,
    attendant: &mut Attendant,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), Refusal> {
    let Order {
        conference,
        started,
        by,
        deed,
    } = order;
    let running = attendant.conference(conference);
    let began = running.and_then(Conference::started);
    if began.is_none_or(|began| began.timestamp_micros() != started.timestamp_micros()) {
        return Err(Refusal::Unknown);
    }
    match deed {
        Deed::Command(command) => attendant.execute(conference, by, command, now),
        Deed::Name { call, name } => attendant.rename(conference, by, call, &name, now),
    }
}

fn summaries(attendant: &Attendant) -> Arc<[Summary]> {
    attendant
        .conferences()
        .filter_map(|(_, conference)| Summary::of(conference))
        .collect()
}

/// Tells those who look, if that is news.
fn show<T: PartialEq>(to: &watch::Sender<T>, now: T) {
    to.send_if_modified(|shown| {
        let news = *shown != now;
        if news {
            *shown = now;
        }
        news
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reception_is_that_of_late() {
        let (mut console, call) = (Console::default(), CallId(1));
        let mut check = |lost, packets_in, expected| {
            let stats = LegStats {
                lost,
                packets_in,
                jitter: Duration::from_millis(7),
                ..LegStats::default()
            };
            console.received(call, &stats);
            let reception = console.lines[&call].reception;
            let percent = reception.map(|reception| reception.lost);
            assert_eq!(percent, expected, "{lost} of {packets_in}");
            assert!(reception.is_none_or(|reception| reception.jitter_ms == 7));
        };
        check(0, 0, None);
        check(0, 100, Some(0));
        check(10, 190, Some(10));
        // On hold: nothing is expected, and nothing new is known.
        check(10, 190, Some(10));
        check(10, 290, Some(0));
        check(110, 290, Some(100));
    }

    #[test]
    fn an_order_for_another_run_of_that_number_is_not_carried_out() {
        let now = chrono::DateTime::UNIX_EPOCH;
        let mut attendant = Attendant::new(conclave_attendant::Rules::default(), now);
        let order = Order {
            conference: ConferenceId(1),
            started: now,
            by: conclave_conference::OperatorId::BRIDGE,
            deed: Deed::Command(conclave_conference::Command::EndForAll),
        };
        assert_eq!(obey(order, &mut attendant, now), Err(Refusal::Unknown));
    }
}
