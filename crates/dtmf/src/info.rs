use core::time::Duration;

use crate::Digit;

/// The longest INFO body that is looked at, in bytes; the two lines of a digit take about thirty.
pub const MAX_INFO_BODY: usize = 256;

/// A digit that came in the body of a SIP INFO request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InfoDigit {
    /// Which key.
    pub digit: Digit,
    /// For how long it was pressed, where the body says so; at most 65,535 ms.
    pub duration: Option<Duration>,
}

/// Why an INFO body is not a digit. Says nothing of what the body held: it may be part of a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InfoError {
    /// Neither `application/dtmf-relay` nor `application/dtmf`.
    #[error("the content type is neither application/dtmf-relay nor application/dtmf")]
    ContentType,
    /// Longer than [`MAX_INFO_BODY`].
    #[error("the body is longer than {MAX_INFO_BODY} bytes")]
    TooLong,
    /// No `Signal` line, or an empty body.
    #[error("the body names no signal")]
    NoSignal,
    /// Two `Signal` lines that disagree.
    #[error("the body names two different signals")]
    TwoSignals,
    /// The signal is none of the sixteen keys (hook flash, for instance).
    #[error("the signal is not one of the keys 0-9, *, #, A-D")]
    NotADigit,
}

/// Reads the digit from the body of a SIP INFO request.
///
/// `application/dtmf-relay` holds `Signal=5` and mostly `Duration=160` (milliseconds) on lines of
/// their own; `application/dtmf` the bare key. Case, spaces, missing or doubled line ends and
/// further lines don't matter; event codes (`10` for `*`, `11` for `#`, up to `15`) are taken, as some gateways
/// write them. A `Duration` that is not a number is left out.
///
/// # Errors
/// One of [`InfoError`] where the body is not exactly one digit.
///
/// ```
/// use conclave_dtmf::{Digit, parse_info};
/// let info = parse_info("application/dtmf-relay", b"Signal= *\r\nDuration= 250\r\n").unwrap();
/// assert_eq!(info.digit, Digit::STAR);
/// assert_eq!(info.duration.unwrap().as_millis(), 250);
/// ```
pub fn parse_info(content_type: &str, body: &[u8]) -> Result<InfoDigit, InfoError> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let bare = media_type.eq_ignore_ascii_case("application/dtmf");
    if !bare && !media_type.eq_ignore_ascii_case("application/dtmf-relay") {
        return Err(InfoError::ContentType);
    }
    if body.len() > MAX_INFO_BODY {
        return Err(InfoError::TooLong);
    }
    // Some send the two lines of dtmf-relay under the shorter name.
    if bare && !body.contains(&b'=') {
        let digit = signal(body.trim_ascii())?;
        return Ok(InfoDigit {
            digit,
            duration: None,
        });
    }
    relay(body)
}

fn relay(body: &[u8]) -> Result<InfoDigit, InfoError> {
    let mut found: Option<Digit> = None;
    let mut duration = None;
    for line in body.split(|byte| matches!(byte, b'\r' | b'\n')) {
        let mut parts = line.splitn(2, |&byte| byte == b'=');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            continue;
        };
        let value = value.trim_ascii();
        if name.trim_ascii().eq_ignore_ascii_case(b"signal") {
            let digit = signal(value)?;
            if found.is_some_and(|earlier| earlier != digit) {
                return Err(InfoError::TwoSignals);
            }
            found = Some(digit);
        } else if name.trim_ascii().eq_ignore_ascii_case(b"duration") {
            duration = number(value).map(|ms| Duration::from_millis(ms.into()));
        }
    }
    let digit = found.ok_or(InfoError::NoSignal)?;
    Ok(InfoDigit { digit, duration })
}

fn signal(value: &[u8]) -> Result<Digit, InfoError> {
    match value {
        [] => Err(InfoError::NoSignal),
        [key] => Digit::new(char::from(*key)).ok_or(InfoError::NotADigit),
        [b'1', unit @ b'0'..=b'5'] => {
            Digit::try_from(10 + (unit - b'0')).map_err(|_| InfoError::NotADigit)
        }
        _ => Err(InfoError::NotADigit),
    }
}

fn number(value: &[u8]) -> Option<u16> {
    core::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(content_type: &str, body: &str, expected: Result<(char, Option<u64>), InfoError>) {
        let got = parse_info(content_type, body.as_bytes()).map(|info| {
            let ms = info.duration.map(|duration| duration.as_millis() as u64);
            (info.digit.as_char(), ms)
        });
        assert_eq!(got, expected, "{content_type}: {body:?}");
    }

    #[test]
    fn bodies_as_phones_send_them() {
        let relay = "application/dtmf-relay";
        check(relay, "Signal=5\r\nDuration=160\r\n", Ok(('5', Some(160))));
        check(relay, "Signal= 1\r\nDuration= 160", Ok(('1', Some(160))));
        check(relay, "signal=#\nDURATION=80\n\n", Ok(('#', Some(80))));
        check(relay, "\r\n Signal = * \r\n", Ok(('*', None)));
        check(relay, "Signal=10\r\nDuration=100", Ok(('*', Some(100))));
        check(relay, "Signal=11", Ok(('#', None)));
        check(relay, "Signal=a\rDuration=1", Ok(('A', Some(1))));
        check(relay, "Signal=5\r\nDuration=forever", Ok(('5', None)));
        check(relay, "Signal=5\r\nDuration=70000", Ok(('5', None)));
        check(relay, "Signal=5\r\nSignal=5", Ok(('5', None)));
        check(
            "Application/DTMF-Relay; charset=utf-8",
            "Signal=0",
            Ok(('0', None)),
        );
        let bare = "application/dtmf";
        check(bare, "5", Ok(('5', None)));
        check(bare, " # \r\n", Ok(('#', None)));
        check(bare, "11", Ok(('#', None)));
        check(bare, "Signal=7\r\nDuration=90", Ok(('7', Some(90))));
    }

    #[test]
    fn what_is_not_a_digit_says_why() {
        let relay = "application/dtmf-relay";
        check("application/sdp", "Signal=5", Err(InfoError::ContentType));
        check("", "5", Err(InfoError::ContentType));
        check(relay, "", Err(InfoError::NoSignal));
        check(relay, "Signal=", Err(InfoError::NoSignal));
        check(relay, "Duration=100", Err(InfoError::NoSignal));
        check(relay, "Signal=hf", Err(InfoError::NotADigit));
        check(relay, "Signal=16", Err(InfoError::NotADigit));
        check(relay, "Signal=5\nSignal=6", Err(InfoError::TwoSignals));
        check("application/dtmf", "12345", Err(InfoError::NotADigit));
        check("application/dtmf", "\r\n", Err(InfoError::NoSignal));
        check(
            relay,
            &"x".repeat(MAX_INFO_BODY + 1),
            Err(InfoError::TooLong),
        );
    }

    proptest! {
        #[test]
        fn no_body_panics(relay: bool, body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_info(if relay { "application/dtmf-relay" } else { "application/dtmf" }, &body);
        }

        #[test]
        fn spaces_and_line_ends_never_change_the_digit(
            code in 0u8..16, pads in proptest::array::uniform4("[ \t]{0,3}"), end in "(\r\n|\n|\r){0,3}",
        ) {
            let digit = Digit::try_from(code).unwrap();
            let [a, b, c, d] = pads;
            let body = std::format!("{end}{a}SIGNAL{b}={c}{}{d}{end}", digit.as_char());
            prop_assert_eq!(parse_info("application/dtmf-relay", body.as_bytes()).unwrap().digit, digit);
        }
    }
}
