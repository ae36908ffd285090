/// A number under which the bridge is called, as an invitation names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessNumber {
    number: String,
    label: String,
    country: String,
    language: String,
}

/// Why that is no access number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessNumberError {
    /// Not E.164.
    #[error("`{0}` is no number in E.164: a plus and 7 to 15 digits, such as +442079460000")]
    Number(String),
    /// A label, country or language on more than one line, or over 100 characters.
    #[error(
        "an access number's label, country and language are single lines of at most 100 characters"
    )]
    Words,
}

impl AccessNumber {
    /// A number in E.164 (`+442079460000`), its label (`London`), its country and the language that
    /// is spoken there. Words may be empty.
    pub fn new(
        number: &str,
        label: &str,
        country: &str,
        language: &str,
    ) -> Result<Self, AccessNumberError> {
        let is_e164 = number.strip_prefix('+').is_some_and(|digits| {
            (7..=15).contains(&digits.len())
                && digits.bytes().all(|digit| digit.is_ascii_digit())
                && !digits.starts_with('0')
        });
        if !is_e164 {
            return Err(AccessNumberError::Number(number.to_owned()));
        }
        let is_line =
            |words: &&str| words.chars().count() <= 100 && !words.contains(char::is_control);
        if ![label, country, language].iter().all(is_line) {
            return Err(AccessNumberError::Words);
        }
        Ok(Self {
            number: number.to_owned(),
            label: label.trim().to_owned(),
            country: country.trim().to_owned(),
            language: language.trim().to_owned(),
        })
    }

    /// In E.164.
    pub fn number(&self) -> &str {
        &self.number
    }

    /// `London (United Kingdom, English)`, or what there is of it.
    pub fn place(&self) -> String {
        let known: Vec<&str> = [self.country.as_str(), &self.language]
            .into_iter()
            .filter(|words| !words.is_empty())
            .collect();
        match (self.label.is_empty(), known.is_empty()) {
            (_, true) => self.label.clone(),
            (true, false) => known.join(", "),
            (false, false) => format!("{} ({})", self.label, known.join(", ")),
        }
    }
}
