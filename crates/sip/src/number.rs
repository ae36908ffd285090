//! Callers' numbers in E.164.

/// How a country writes numbers, for a trunk that sends them as its subscribers dial.
///
/// ```
/// # use conclave_sip::Dialling;
/// let swiss = Dialling::new("41").unwrap();
/// assert_eq!(swiss.e164("044 668 18 00").as_deref(), Some("+41446681800"));
/// assert_eq!(swiss.e164("0049301234567").as_deref(), Some("+49301234567"));
/// assert_eq!(swiss.e164("anonymous"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialling {
    country: String,
    national: String,
    international: String,
}

impl Dialling {
    /// A country by its code (`41`, `1`, …), with the prefixes that it dials: `00` and `0`; in zone 1, `011` and `1`;
    /// in Russia and Kazakhstan (7), `810` and `8`; in Italy and Spain, where the leading digit stays, `00` and none.
    pub fn new(country: &str) -> Result<Self, DiallingError> {
        let (international, national) = match country {
            "1" => ("011", "1"),
            "7" => ("810", "8"),
            "39" | "34" => ("00", ""),
            _ => ("00", "0"),
        };
        Self::with_prefixes(country, international, national)
    }

    /// A country with other prefixes; an empty national prefix means that numbers are written without one.
    pub fn with_prefixes(
        country: &str,
        international: &str,
        national: &str,
    ) -> Result<Self, DiallingError> {
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let sound = (1..=3).contains(&country.len())
            && !country.starts_with('0')
            && digits(country)
            && digits(international)
            && digits(national);
        if !sound {
            return Err(DiallingError);
        }
        Ok(Self {
            country: country.into(),
            national: national.into(),
            international: international.into(),
        })
    }

    /// The number in E.164 with its `+`, or `None` if it can't be one.
    pub fn e164(&self, number: &str) -> Option<String> {
        e164(number, Some(self))
    }
}

/// A country code has one to three digits and no 0 in front; prefixes are digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a country code such as 41 is needed: one to three digits")]
pub struct DiallingError;

/// The number in E.164, by the trunk's country where it has one. Digits, `+` in front and the usual separators
/// (RFC 3966 section 5.1.1) are read; anything else is no number.
pub(crate) fn e164(number: &str, dialling: Option<&Dialling>) -> Option<String> {
    let (plus, digits) = digits(number)?;
    let full = match (plus, dialling) {
        (true, _) => digits,
        (false, None) => return None,
        (false, Some(rule)) => {
            if let Some(rest) = strip(&digits, &rule.international) {
                rest.into()
            } else {
                let national = strip(&digits, &rule.national).unwrap_or(&digits);
                format!("{}{national}", rule.country)
            }
        }
    };
    // E.164 section 6.2.1: at most 15 digits; shorter than 7 is an extension or a service, not a subscriber.
    ((7..=15).contains(&full.len()) && !full.starts_with('0')).then(|| format!("+{full}"))
}

fn strip<'a>(digits: &'a str, prefix: &str) -> Option<&'a str> {
    if prefix.is_empty() {
        return None;
    }
    digits.strip_prefix(prefix)
}

/// A leading `+` and the digits; `None` for anything that isn't a telephone number.
fn digits(number: &str) -> Option<(bool, String)> {
    let number = number.trim();
    if number.len() > 64 {
        return None;
    }
    let (plus, rest) = match number.strip_prefix('+') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let mut digits = String::new();
    for c in rest.chars() {
        match c {
            '0'..='9' => digits.push(c),
            '-' | '.' | '(' | ')' | ' ' => {}
            _ => return None,
        }
    }
    (!digits.is_empty()).then_some((plus, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_trunks_send_them() {
        let check = |country: Option<&str>, number: &str, expected: Option<&str>| {
            let rule = country.map(|c| Dialling::new(c).unwrap());
            assert_eq!(e164(number, rule.as_ref()).as_deref(), expected, "{number}");
        };
        check(None, "+41446681800", Some("+41446681800"));
        check(None, "0446681800", None);
        check(Some("41"), "0446681800", Some("+41446681800"));
        check(Some("41"), "446681800", Some("+41446681800"));
        check(Some("1"), "(212) 555-0123", Some("+12125550123"));
        check(Some("1"), "12125550123", Some("+12125550123"));
        check(Some("1"), "011442071838750", Some("+442071838750"));
        check(Some("39"), "0669812345", Some("+390669812345"));
        check(Some("41"), "anonymous", None);
        check(Some("41"), "12", None);
        check(Some("41"), "+0123456789", None);
        check(Some("41"), "+12345678901234567", None);
        check(Some("41"), "", None);
        check(Some("41"), &"1".repeat(10_000), None);
        assert!(Dialling::new("").is_err());
        assert!(Dialling::new("4x").is_err());
    }
}
