//! Session timers (RFC 4028) from the called side.

use std::time::Duration;

use rsipstack::sip::Headers;

use crate::config::SessionTimers;
use crate::message::{header, names};

/// What a session agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refresh {
    /// The session interval.
    pub(crate) interval: Duration,
    /// Whether this side refreshes.
    pub(crate) ours: bool,
    /// Whether the peer knows session timers.
    pub(crate) supported: bool,
}

/// The peer wants a shorter interval than is allowed: `422`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooSmall;

impl Refresh {
    /// Decides on a request that sets up or refreshes a session (RFC 4028 section 9).
    pub(crate) fn decide(
        headers: &Headers,
        rule: &SessionTimers,
    ) -> Result<Option<Self>, TooSmall> {
        let supported = names(headers, "Supported", "timer") || names(headers, "Require", "timer");
        let floor = seconds(header(headers, "Min-SE"))
            .unwrap_or(Duration::ZERO)
            .max(rule.min);
        let Some(value) = header(headers, "Session-Expires") else {
            // A peer that can't be refreshed is watched by its media alone.
            let on = supported && !rule.expires.is_zero();
            return Ok(on.then(|| Self {
                interval: rule.expires.max(floor),
                ours: true,
                supported,
            }));
        };
        let wanted = seconds(Some(value)).unwrap_or(rule.expires);
        if wanted < rule.min && supported {
            return Err(TooSmall);
        }
        let longest = if rule.expires.is_zero() {
            wanted
        } else {
            rule.expires
        };
        Ok(Some(Self {
            interval: wanted.min(longest).max(floor),
            ours: !(supported && refresher(value) == Some("uac")),
            supported,
        }))
    }

    /// What the answer to a refresh of ours says; without a word the interval stands.
    pub(crate) fn answered(self, headers: &Headers) -> Self {
        let Some(value) = header(headers, "Session-Expires") else {
            return self;
        };
        Self {
            interval: seconds(Some(value))
                .unwrap_or(self.interval)
                .max(Duration::from_secs(90)),
            // In the answer to our request the peer is the UAS.
            ours: refresher(value) != Some("uas"),
            ..self
        }
    }

    /// The value of Session-Expires in a response of ours.
    pub(crate) fn value(&self) -> String {
        let who = if self.ours { "uas" } else { "uac" };
        format!("{};refresher={who}", self.interval.as_secs())
    }

    /// The value of Session-Expires in a request of ours.
    pub(crate) fn request_value(&self) -> String {
        format!("{};refresher=uac", self.interval.as_secs())
    }

    /// When this side is to refresh, or to give the session up, counted from the last refresh.
    pub(crate) fn due(&self) -> Duration {
        if self.ours {
            return self.interval / 2;
        }
        self.gives_up()
    }

    /// When the session is over without a refresh (RFC 4028 section 10).
    pub(crate) fn gives_up(&self) -> Duration {
        self.interval - (self.interval / 3).min(Duration::from_secs(32))
    }
}

fn seconds(value: Option<&str>) -> Option<Duration> {
    let number = value?.split(';').next()?.trim();
    let seconds: u32 = number.parse().ok()?;
    Some(Duration::from_secs(u64::from(seconds)))
}

fn refresher(value: &str) -> Option<&'static str> {
    value.split(';').skip(1).find_map(|param| {
        let (name, value) = param.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("refresher") {
            return None;
        }
        ["uac", "uas"]
            .into_iter()
            .find(|who| value.trim().eq_ignore_ascii_case(who))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rsipstack::sip::headers::make_header;

    #[test]
    fn who_refreshes_and_when() {
        let rule = SessionTimers::default();
        let check = |lines: &[(&str, &str)], expected: Result<Option<(u64, bool)>, TooSmall>| {
            let headers: Vec<_> = lines
                .iter()
                .map(|(n, v)| make_header(n, (*v).to_owned()))
                .collect();
            let got = Refresh::decide(&headers.into(), &rule);
            let got = got.map(|r| r.map(|r| (r.interval.as_secs(), r.ours)));
            assert_eq!(got, expected, "{lines:?}");
        };
        let timer = ("Supported", "100rel, timer");
        check(&[], Ok(None));
        check(&[timer], Ok(Some((1_800, true))));
        check(&[timer, ("Min-SE", "3600")], Ok(Some((3_600, true))));
        check(&[timer, ("Session-Expires", "600")], Ok(Some((600, true))));
        check(
            &[timer, ("Session-Expires", "600;refresher=uac")],
            Ok(Some((600, false))),
        );
        check(&[timer, ("x", "600; Refresher=UAS")], Ok(Some((600, true))));
        check(
            &[timer, ("Session-Expires", "7200;refresher=uac")],
            Ok(Some((1_800, false))),
        );
        check(
            &[timer, ("Session-Expires", "7200"), ("Min-SE", "3600")],
            Ok(Some((3_600, true))),
        );
        check(&[timer, ("Session-Expires", "89")], Err(TooSmall));
        // A proxy asked; the caller couldn't understand a 422.
        check(
            &[("Session-Expires", "60;refresher=uac")],
            Ok(Some((90, true))),
        );
        check(&[timer, ("Session-Expires", "-1")], Ok(Some((1_800, true))));
    }

    #[test]
    fn the_session_is_given_up_before_it_expires() {
        let refresh = |secs, ours| Refresh {
            interval: Duration::from_secs(secs),
            ours,
            supported: true,
        };
        assert_eq!(refresh(90, false).due(), Duration::from_secs(60));
        assert_eq!(refresh(1_800, false).due(), Duration::from_secs(1_768));
        assert_eq!(refresh(1_800, true).due(), Duration::from_secs(900));
    }
}
