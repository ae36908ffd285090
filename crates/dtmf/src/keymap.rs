use core::fmt::{self, Write as _};
use core::str::FromStr;

use crate::Digit;

/// What the keys in a conference ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyCommand {
    /// Mutes or unmutes oneself.
    Mute,
    /// Locks or unlocks the conference.
    Lock,
    /// Plays the roll call to the Host who asks.
    RollCall,
    /// Ends the conference for everyone.
    EndForAll,
    /// Goes on from open to lecture to strict lecture to open.
    Lecture,
    /// Plays the next caller who waits for consent; again: lets them in.
    Consent,
    /// Quiets the line that disturbs; again: restores it.
    Quiet,
    /// Starts or stops the recording.
    Record,
    /// Guest: raises or lowers the hand; Host: lets the next raised hand speak.
    Hand,
    /// Speaks the keys that one may use.
    Help,
}

impl KeyCommand {
    /// Every command, in the order of the default map.
    pub const ALL: [KeyCommand; 10] = [
        KeyCommand::Mute,
        KeyCommand::Lock,
        KeyCommand::RollCall,
        KeyCommand::EndForAll,
        KeyCommand::Lecture,
        KeyCommand::Consent,
        KeyCommand::Quiet,
        KeyCommand::Record,
        KeyCommand::Hand,
        KeyCommand::Help,
    ];

    /// The name in configuration: `mute`, `lock`, `roll-call`, `end-for-all`, `lecture`, `consent`,
    /// `quiet`, `record`, `hand`, `help`.
    pub const fn name(self) -> &'static str {
        match self {
            KeyCommand::Mute => "mute",
            KeyCommand::Lock => "lock",
            KeyCommand::RollCall => "roll-call",
            KeyCommand::EndForAll => "end-for-all",
            KeyCommand::Lecture => "lecture",
            KeyCommand::Consent => "consent",
            KeyCommand::Quiet => "quiet",
            KeyCommand::Record => "record",
            KeyCommand::Hand => "hand",
            KeyCommand::Help => "help",
        }
    }
}

impl fmt::Display for KeyCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyCommand {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|command| command.name() == name)
            .ok_or(UnknownName(()))
    }
}

/// Whose keys they are. A map can keep for Hosts what everyone may do; it cannot give to Guests what the conference
/// takes from a Host alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// Host and Guest.
    Everyone,
    /// The Host alone; a Guest's press is to be ignored and counted.
    Host,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Who::Everyone => "everyone",
            Who::Host => "host",
        })
    }
}

impl FromStr for Who {
    type Err = UnknownName;

    /// `everyone` or `host`, as configuration writes them.
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "everyone" => Ok(Who::Everyone),
            "host" => Ok(Who::Host),
            _ => Err(UnknownName(())),
        }
    }
}

/// No command, or no group of callers, has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such name")]
pub struct UnknownName(());

/// The keys of one command: one to [`Keys::LONGEST`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    keys: [Digit; Keys::LONGEST],
    len: u8,
}

impl Keys {
    /// The most keys that a command may have.
    pub const LONGEST: usize = 4;

    /// The keys written in `text`, such as `*6`; `None` if there are none, too many, or another character.
    pub fn new(text: &str) -> Option<Keys> {
        let mut keys = Keys::EMPTY;
        for key in text.chars() {
            keys = keys.with(Digit::new(key)?)?;
        }
        (keys.len > 0).then_some(keys)
    }

    /// The keys in the order in which they are pressed.
    pub fn as_slice(&self) -> &[Digit] {
        &self.keys[..usize::from(self.len)]
    }

    pub(crate) const EMPTY: Keys = Keys {
        keys: [Digit::STAR; Keys::LONGEST],
        len: 0,
    };

    /// These and one more; `None` if that is one too many.
    pub(crate) fn with(mut self, digit: Digit) -> Option<Keys> {
        *self.keys.get_mut(usize::from(self.len))? = digit;
        self.len += 1;
        Some(self)
    }

    pub(crate) fn starts_with(&self, start: &Keys) -> bool {
        self.as_slice().starts_with(start.as_slice())
    }

    /// Whether losing exactly one of these keys leaves all of `other` in a row.
    fn leaves_with_one_lost(&self, other: &Keys) -> bool {
        (0..self.as_slice().len()).any(|lost| {
            let (before, after) = self.as_slice().split_at(lost);
            let left = before.iter().chain(&after[1..]);
            (0..self.as_slice().len()).any(|start| {
                let mut rest = left.clone().skip(start);
                other.as_slice().iter().all(|key| rest.next() == Some(key))
            })
        })
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice()
            .iter()
            .try_for_each(|digit| f.write_char(digit.as_char()))
    }
}

/// The keys of a map are public knowledge, other than the digits that a caller types.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({self})")
    }
}

/// One entry of a key map. Shown as `*6 (everyone) mute`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// What is pressed.
    pub keys: Keys,
    /// Who may.
    pub who: Who,
    /// What it does.
    pub command: KeyCommand,
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) {}", self.keys, self.who, self.command)
    }
}

/// Which keys do what, as data: there is the default, and an access number may have another, where
/// a PBX in front keeps some keys for itself.
///
/// A map without conflict is the only kind there is: no two entries have the same keys, no entry's
/// keys begin another's, and what is left of an entry with one digit lost never holds another one.
///
/// ```
/// use conclave_dtmf::{KeyCommand, KeyMap, Who};
/// let map = KeyMap::parse([("*6", Who::Everyone, "mute"), ("99", Who::Host, "end-for-all")]).unwrap();
/// assert_eq!(map.bindings().count(), 2);
/// let refused = KeyMap::parse([("*7", Who::Host, "lock"), ("*7", Who::Everyone, "mute")]);
/// assert_eq!(
///     refused.unwrap_err().to_string(),
///     "`*7 (host) lock` and `*7 (everyone) mute` have the same keys",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMap {
    entries: [Option<Binding>; KeyMap::CAPACITY],
    len: usize,
}

impl KeyMap {
    /// The most entries that a map may have.
    pub const CAPACITY: usize = 32;

    /// A map of these entries.
    ///
    /// # Errors
    /// [`KeyMapError::Conflict`] with the first two entries that cannot live together, or
    /// [`KeyMapError::TooMany`].
    pub fn new(bindings: impl IntoIterator<Item = Binding>) -> Result<KeyMap, KeyMapError> {
        let mut map = KeyMap {
            entries: [None; Self::CAPACITY],
            len: 0,
        };
        for binding in bindings {
            map.add(binding)?;
        }
        Ok(map)
    }

    /// A map from configuration: keys, who may press them, and the command's [name](KeyCommand::name).
    ///
    /// # Errors
    /// As [`KeyMap::new`], and for keys or commands that don't exist the entry's place, from 1.
    pub fn parse<'a>(
        entries: impl IntoIterator<Item = (&'a str, Who, &'a str)>,
    ) -> Result<KeyMap, KeyMapError> {
        let mut map = KeyMap::new([])?;
        for (index, (keys, who, command)) in entries.into_iter().enumerate() {
            let entry = index + 1;
            let keys = Keys::new(keys).ok_or(KeyMapError::Keys { entry })?;
            let command = command
                .parse()
                .map_err(|_| KeyMapError::Command { entry })?;
            map.add(Binding { keys, who, command })?;
        }
        Ok(map)
    }

    /// The entries, in the order in which they were given.
    pub fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.entries[..self.len].iter().flatten()
    }

    /// The entry with exactly these keys.
    pub fn lookup(&self, keys: &[Digit]) -> Option<&Binding> {
        self.bindings()
            .find(|binding| binding.keys.as_slice() == keys)
    }

    /// Whether any caller, or only a Host, may give `command`; `None` if no keys are bound to it.
    pub fn who_may(&self, command: KeyCommand) -> Option<Who> {
        let bound = self.bindings().filter(|binding| binding.command == command);
        bound.map(|binding| binding.who).min()
    }

    /// Whether more keys could make an entry out of these.
    pub(crate) fn is_begun_by(&self, keys: &Keys) -> bool {
        self.bindings()
            .any(|binding| binding.keys != *keys && binding.keys.starts_with(keys))
    }

    fn add(&mut self, binding: Binding) -> Result<(), KeyMapError> {
        for &earlier in self.bindings() {
            if let Some(kind) = ConflictKind::between(&earlier.keys, &binding.keys) {
                return Err(KeyConflict {
                    first: earlier,
                    second: binding,
                    kind,
                }
                .into());
            }
        }
        *self.entries.get_mut(self.len).ok_or(KeyMapError::TooMany)? = Some(binding);
        self.len += 1;
        Ok(())
    }
}

impl Default for KeyMap {
    /// `*6` mute, `*9` hand and `**` help for everyone; for the Host `*7` lock, `*8` roll call, `##`
    /// end for all, `*5` lecture, `*4` consent, `*3` quiet, `*2` record.
    fn default() -> Self {
        let parsed = KeyMap::parse([
            ("*6", Who::Everyone, "mute"),
            ("*7", Who::Host, "lock"),
            ("*8", Who::Host, "roll-call"),
            ("##", Who::Host, "end-for-all"),
            ("*5", Who::Host, "lecture"),
            ("*4", Who::Host, "consent"),
            ("*3", Who::Host, "quiet"),
            ("*2", Who::Host, "record"),
            ("*9", Who::Everyone, "hand"),
            ("**", Who::Everyone, "help"),
        ]);
        match parsed {
            Ok(map) => map,
            Err(_) => unreachable!("the default map has no conflict: a test makes it"),
        }
    }
}

/// Why a key map was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyMapError {
    /// Two entries cannot live together.
    #[error(transparent)]
    Conflict(#[from] KeyConflict),
    /// The keys of an entry are not one to four of `0`–`9`, `*`, `#`, `A`–`D`.
    #[error("entry {entry}: the keys must be one to four of 0-9, *, #, A-D")]
    Keys {
        /// Its place in the list, from 1.
        entry: usize,
    },
    /// The command of an entry does not exist.
    #[error("entry {entry}: there is no such command")]
    Command {
        /// Its place in the list, from 1.
        entry: usize,
    },
    /// More than [`KeyMap::CAPACITY`] entries.
    #[error("a key map has at most {} entries", KeyMap::CAPACITY)]
    TooMany,
}

/// Two entries of a key map that cannot live together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{first}` and `{second}` {kind}")]
pub struct KeyConflict {
    /// The entry that was there.
    pub first: Binding,
    /// The entry that was refused.
    pub second: Binding,
    /// What is wrong with the two.
    pub kind: ConflictKind,
}

/// What is wrong with two entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// The same keys.
    Duplicate,
    /// One's keys begin the other's, which could then never be pressed.
    Prefix,
    /// One lost digit would turn one into the other.
    OneLostDigit,
}

impl ConflictKind {
    fn between(a: &Keys, b: &Keys) -> Option<ConflictKind> {
        if a == b {
            Some(ConflictKind::Duplicate)
        } else if a.starts_with(b) || b.starts_with(a) {
            Some(ConflictKind::Prefix)
        } else if a.leaves_with_one_lost(b) || b.leaves_with_one_lost(a) {
            Some(ConflictKind::OneLostDigit)
        } else {
            None
        }
    }
}

impl fmt::Display for ConflictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConflictKind::Duplicate => "have the same keys",
            ConflictKind::Prefix => "begin with the same keys, and one of them ends there",
            ConflictKind::OneLostDigit => {
                "are too alike: with one digit lost, one of them is taken for the other"
            }
        })
    }
}
