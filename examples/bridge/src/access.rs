//! What a dialled number says of a call: the account it is bound to, the keys that work.

use std::collections::BTreeMap;

use conclave_accounts::AccountId;
use conclave_attendant::Access;
use conclave_dtmf::{KeyMap, Who};

use crate::config::AccessNumber;

pub(crate) struct AccessNumbers(BTreeMap<String, (Option<AccountId>, KeyMap)>);

impl AccessNumbers {
    /// Checks the key maps; the error names the number and what is wrong.
    pub(crate) fn new(numbers: &[AccessNumber]) -> Result<Self, String> {
        let mut table = BTreeMap::new();
        for number in numbers {
            let keys = if number.keys.is_empty() {
                KeyMap::default()
            } else {
                let wrong = |problem: &dyn std::fmt::Display| {
                    format!("access number {}: {problem}", number.number)
                };
                let mut rows = Vec::with_capacity(number.keys.len());
                for row in &number.keys {
                    let who = row
                        .who
                        .parse::<Who>()
                        .map_err(|error| wrong(&format!("'{}': {error}", row.who)))?;
                    rows.push((row.keys.as_str(), who, row.command.as_str()));
                }
                KeyMap::parse(rows).map_err(|error| wrong(&error))?
            };
            let entry = (number.account.map(AccountId), keys);
            if table.insert(digits(&number.number), entry).is_some() {
                return Err(format!(
                    "access number {} stands there twice",
                    number.number
                ));
            }
        }
        Ok(Self(table))
    }

    /// What this request-URI user says; any that isn't an access number leads to the PIN with the default keys.
    pub(crate) fn of(&self, called: &str, longest_pin: usize) -> Access {
        let (bound, keys) = self.0.get(&digits(called)).cloned().unwrap_or_default();
        Access {
            bound,
            keys,
            longest_pin,
        }
    }
}

/// Numbers are compared by their digits: `+44 20 7946 0000` and `442079460000` are one.
fn digits(number: &str) -> String {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() {
        number.to_owned()
    } else {
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KeyBinding;

    fn number(number: &str, keys: &[(&str, &str, &str)]) -> AccessNumber {
        let keys = keys.iter().map(|(keys, who, command)| KeyBinding {
            keys: (*keys).into(),
            who: (*who).into(),
            command: (*command).into(),
        });
        AccessNumber {
            number: number.into(),
            label: String::new(),
            country: String::new(),
            language: String::new(),
            account: Some(7),
            keys: keys.collect(),
        }
    }

    #[test]
    fn a_number_is_known_however_it_is_written() {
        let numbers = AccessNumbers::new(&[number("+44 20 7946 0000", &[])]).unwrap();
        assert_eq!(numbers.of("+442079460000", 12).bound, Some(AccountId(7)));
        assert_eq!(numbers.of("442079460000", 12).bound, Some(AccountId(7)));
        assert_eq!(numbers.of("conference", 12).bound, None);
    }

    #[test]
    fn conflicts_are_named() {
        let error = AccessNumbers::new(&[number(
            "1",
            &[("*6", "everyone", "mute"), ("*6", "host", "lock")],
        )])
        .err()
        .unwrap();
        assert!(
            error.contains("access number 1") && error.contains("*6"),
            "{error}"
        );
    }
}
