//! Names in the audit log: a commitment stands there, what it stands for lies apart and can be erased.

use std::fmt;

use rand_core::CryptoRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;

use crate::secret::{hmac, parse_hex};

/// What is personal about a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SubjectKind {
    /// A person's name.
    Person,
    /// An e-mail address.
    Email,
    /// A telephone number.
    Number,
    /// Whoever works on the bridge.
    Operator,
    /// What a booking is about.
    Title,
}

impl SubjectKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Person,
        Self::Email,
        Self::Number,
        Self::Operator,
        Self::Title,
    ];

    /// The word that a store keeps.
    pub fn word(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Email => "email",
            Self::Number => "number",
            Self::Operator => "operator",
            Self::Title => "title",
        }
    }

    /// From the word that a store kept.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// A name, address or number with the salt of its commitment. This is what is kept apart from the log: once it is
/// erased, whoever guesses the name can't tell that the guess is right, whatever keys they have.
///
/// One subject has one salt, so that its entries can be found together as long as it isn't erased.
#[derive(Clone, PartialEq, Eq)]
pub struct Subject {
    /// What it is.
    pub kind: SubjectKind,
    /// The name, address or number.
    pub value: String,
    /// 32 random bytes, of this subject alone.
    pub salt: [u8; 32],
}

impl Subject {
    /// A subject that no entry speaks of yet.
    pub fn draw(
        kind: SubjectKind,
        value: impl Into<String>,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Self {
        let mut salt = [0; 32];
        rng.fill_bytes(&mut salt);
        Self {
            kind,
            value: value.into(),
            salt,
        }
    }

    /// What stands in the log: HMAC-SHA-256 of kind, a zero byte and value, under the salt.
    pub fn commitment(&self) -> Commitment {
        let parts: [&[u8]; 2] = [&[0], self.value.as_bytes()];
        Commitment(hmac(&self.salt, self.kind.word().as_bytes(), &parts))
    }

    /// Whether the commitment is to this subject.
    pub fn matches(&self, commitment: &Commitment) -> bool {
        self.commitment() == *commitment
    }
}

impl fmt::Debug for Subject {
    /// Names belong in no log, and the salt is what erasing rests on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// What stands in the audit log in place of a name. Shown, and written to JSON, as 64 hexadecimal digits.
#[derive(Clone, Copy)]
pub struct Commitment([u8; 32]);

impl Commitment {
    /// From the bytes that a store kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes that a store keeps.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hexadecimal digits.
    pub fn parse(digits: &str) -> Option<Self> {
        parse_hex(digits.as_bytes()).map(|bytes| Self(*bytes))
    }
}

impl PartialEq for Commitment {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Commitment {}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commitment({self})")
    }
}

impl Serialize for Commitment {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Commitment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(from)?;
        Self::parse(&digits)
            .ok_or_else(|| serde::de::Error::custom("a commitment is 64 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn a_commitment_is_to_one_subject_and_its_salt() {
        let mut rng = StdRng::seed_from_u64(5);
        let ada = Subject::draw(SubjectKind::Person, "Ada Lovelace", &mut rng);
        let noted = ada.commitment();
        assert!(ada.matches(&noted));
        // A right guess at an erased name is no better than a wrong one.
        let guess = Subject::draw(SubjectKind::Person, "Ada Lovelace", &mut rng);
        assert!(!guess.matches(&noted));
        let check = |changed: Subject| assert!(!changed.matches(&noted));
        check(Subject {
            kind: SubjectKind::Email,
            ..ada.clone()
        });
        check(Subject {
            value: "Ada Lovelac".into(),
            ..ada.clone()
        });
        assert!(!format!("{ada:?}").contains("Ada"));
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let noted = Commitment::from_bytes([0xab; 32]);
        let json = serde_json::to_string(&noted).unwrap();
        assert_eq!(json, format!("\"{}\"", "ab".repeat(32)));
        assert_eq!(serde_json::from_str::<Commitment>(&json).unwrap(), noted);
        assert!(serde_json::from_str::<Commitment>("\"ab\"").is_err());
        for kind in SubjectKind::ALL {
            assert_eq!(SubjectKind::from_word(kind.word()), Some(kind));
        }
    }
}
