use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use conclave_accounts::{LONGEST_BOOKING, Plan, Window};

use crate::{
    PlanError,
    rule::Rule,
    zone::{Reading, check_local, zone},
};

/// How far a series is booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// At most so many occurrences: 1 to 1,000.
    pub occurrences: usize,
    /// None that starts more than so many days after the first: up to 731, which is two years.
    pub days: u32,
}

impl Default for Horizon {
    /// The farthest.
    fn default() -> Self {
        Self {
            occurrences: 1000,
            days: 731,
        }
    }
}

/// The moments of a booking: at least one, in order, none of which overlaps the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrences {
    windows: Vec<Window>,
    /// The plan's start, which may be excepted.
    start: DateTime<Utc>,
    zone: Tz,
    /// `None`: takes place once.
    rule: Option<String>,
    cut: bool,
}

impl Occurrences {
    /// When the booking's PINs work.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// Whether the rule would give more after the last of them.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// The end of the last one.
    pub fn until(&self) -> DateTime<Utc> {
        self.last().ends
    }

    pub(crate) fn first(&self) -> &Window {
        &self.windows[0]
    }

    pub(crate) fn last(&self) -> &Window {
        &self.windows[self.windows.len() - 1]
    }

    pub(crate) fn start(&self) -> DateTime<Utc> {
        self.start
    }

    pub(crate) fn zone(&self) -> Tz {
        self.zone
    }

    /// The `RRULE` of exactly these occurrences and those that are excepted.
    pub(crate) fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }
}

/// Which moments a plan means.
///
/// A rule is expanded on the wall clock and the local times are then made moments as RFC 5545
/// (3.3.5) says: of a time that comes twice the first is meant, a time that is jumped over is read
/// with the UTC offset before the jump. Where a jump brings two starts to one moment they are one
/// occurrence. Each takes [`Plan::length`] of elapsed time (3.8.5.3).
///
/// `UNTIL` may be in UTC, local (the last possible start on the plan's clock) or a date (that whole
/// day). The start must be one that the rule gives, `except` names starts that it gives, and an
/// occurrence is over before the next one opens; whatever else is refused.
pub fn occurrences(plan: &Plan, horizon: &Horizon) -> Result<Occurrences, PlanError> {
    let zone = zone(&plan.zone)?;
    check(plan)?;
    let rule = plan.rule.as_deref().map(Rule::parse).transpose()?;
    let (starts, cut) = match &rule {
        None => (vec![plan.starts], false),
        Some(rule) => series(plan, rule, zone, horizon)?,
    };
    let windows = windows(plan, zone, &starts)?;
    let last = windows.last().ok_or(PlanError::NoOccurrence)?.starts;
    Ok(Occurrences {
        start: Reading::of(plan.starts, zone).moment(),
        zone,
        rule: rule.map(|rule| rule.for_invitation(last, cut)),
        windows,
        cut,
    })
}

fn check(plan: &Plan) -> Result<(), PlanError> {
    check_local(plan.starts)?;
    let whole = |span: Duration| span.subsec_nanos() == 0;
    if !whole(plan.length) || !whole(plan.early) {
        return Err(PlanError::Fraction);
    }
    let length = TimeDelta::from_std(plan.length).map_err(|_| PlanError::Length)?;
    if length <= TimeDelta::zero() || length > LONGEST_BOOKING {
        return Err(PlanError::Length);
    }
    if plan.early > Duration::from_hours(24) {
        return Err(PlanError::Early);
    }
    Ok(())
}

/// The starts that are within the horizon, those that are excepted among them; and whether the rule
/// gives more.
fn series(
    plan: &Plan,
    rule: &Rule,
    zone: Tz,
    horizon: &Horizon,
) -> Result<(Vec<NaiveDateTime>, bool), PlanError> {
    let farthest = Horizon::default();
    let days = i64::from(horizon.days.min(farthest.days));
    let end = plan.starts + TimeDelta::days(days);
    let mut most = horizon.occurrences.clamp(1, farthest.occurrences);
    if rule
        .until
        .is_some_and(|until| until.latest_local() < plan.starts)
    {
        return Err(PlanError::NoOccurrence);
    }
    let mut starts = Vec::new();
    // At most 24 a day, for two years: the loop ends.
    for start in rule.local_starts(plan.starts)? {
        let moment = Reading::of(start, zone).moment();
        if rule
            .until
            .is_some_and(|until| until.is_before(start, moment))
        {
            return Ok((starts, false));
        }
        if start > end || most == 0 {
            return match starts.is_empty() {
                true => Err(PlanError::NoOccurrence),
                false => Ok((starts, true)),
            };
        }
        if starts.is_empty() && start != plan.starts {
            return Err(PlanError::StartNotInRule {
                start: plan.starts,
                first: start,
            });
        }
        most -= usize::from(!plan.except.contains(&start));
        starts.push(start);
    }
    Ok((starts, false))
}

fn windows(plan: &Plan, zone: Tz, starts: &[NaiveDateTime]) -> Result<Vec<Window>, PlanError> {
    let last = *starts.last().ok_or(PlanError::NoOccurrence)?;
    let known: BTreeSet<_> = starts.iter().collect();
    let except: BTreeSet<_> = plan
        .except
        .iter()
        .filter(|except| **except <= last)
        .collect();
    if let Some(except) = except.iter().find(|except| !known.contains(*except)) {
        return Err(PlanError::NothingToExcept(**except));
    }
    // A jump of the clock can bring starts into another order, too.
    let moments: BTreeSet<_> = known
        .difference(&except)
        .map(|start| Reading::of(**start, zone).moment())
        .collect();
    let windows: Vec<Window> = moments
        .into_iter()
        .map(|starts| {
            Window::new(starts, starts + plan.length, plan.early).map_err(|_| PlanError::Length)
        })
        .collect::<Result<_, _>>()?;
    let local = |moment: DateTime<Utc>| moment.with_timezone(&zone).naive_local();
    match windows.windows(2).find(|two| two[1].opens < two[0].ends) {
        None => Ok(windows),
        Some(two) => Err(PlanError::Overlap {
            one: local(two[0].starts),
            opens: local(two[1].opens),
            zone: plan.zone.clone(),
        }),
    }
}

/// Whether a window of one booking [clashes](Window::clashes) with one of another. Both lists are in
/// order, and no two windows of one list clash.
pub fn clashes(a: &[Window], b: &[Window]) -> bool {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    while let (Some(one), Some(other)) = (a.peek(), b.peek()) {
        if one.clashes(other) {
            return true;
        }
        if one.ends <= other.ends {
            a.next();
        } else {
            b.next();
        }
    }
    false
}
