//! The prompts that a bridge can play, by the names of their files.

/// Declares the enum, its file names and the list of all from one table.
macro_rules! prompts {
    ($($variant:ident => $name:literal),+ $(,)?) => {
        /// One prompt, tone or piece of music; each stands for a file `<name>.wav` in a prompt directory.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Prompt {
            $(#[doc = concat!("The file `", $name, ".wav`.")] $variant,)+
        }

        impl Prompt {
            /// Every prompt, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The file's name without its ending, as in `enter-pin`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

prompts! {
    Welcome => "welcome",
    EnterPin => "enter-pin",
    PinMistyped => "pin-mistyped",
    PinNotValid => "pin-not-valid",
    Goodbye => "goodbye",
    RecordName => "record-name",
    RecordTone => "record-tone",
    UnnamedCaller => "unnamed-caller",
    WaitingForHost => "waiting-for-host",
    HoldMusic => "hold-music",
    HostDidNotCome => "host-did-not-come",
    ConferenceStarting => "conference-starting",
    YouAreTheFirst => "you-are-the-first",
    PeopleInConference => "people-in-conference",
    PersonInConference => "person-in-conference",
    EntryTone => "entry-tone",
    ExitTone => "exit-tone",
    HasJoined => "has-joined",
    HasLeft => "has-left",
    AnotherHost => "another-host",
    Muted => "muted",
    Unmuted => "unmuted",
    MutedByHost => "muted-by-host",
    UnmutedByHost => "unmuted-by-host",
    Locked => "locked",
    Unlocked => "unlocked",
    ConferenceIsLocked => "conference-is-locked",
    ConferenceIsFull => "conference-is-full",
    RefusedTone => "refused-tone",
    RollCall => "roll-call",
    HostEnded => "host-ended",
    HostEndedCancelled => "host-ended-cancelled",
    HostHasLeft => "host-has-left",
    LectureOn => "lecture-on",
    LectureStrict => "lecture-strict",
    LectureOff => "lecture-off",
    LineQuieted => "line-quieted",
    LineRestored => "line-restored",
    HandRaised => "hand-raised",
    HandLowered => "hand-lowered",
    YouMaySpeak => "you-may-speak",
    RecordingStarted => "recording-started",
    RecordingStopped => "recording-stopped",
    RecordingTone => "recording-tone",
    RecordingFailed => "recording-failed",
    RecordingNotAllowed => "recording-not-allowed",
    ConferenceIsRecorded => "conference-is-recorded",
    FiveMinutesLeft => "five-minutes-left",
    OneMinuteLeft => "one-minute-left",
    BookingEnded => "booking-ended",
    HelpGuest => "help-guest",
    HelpHost => "help-host",
    RemovedByHost => "removed-by-host",
    WaitingForConsent => "waiting-for-consent",
    CallerWaitsForConsent => "caller-waits-for-consent",
    CallerLetIn => "caller-let-in",
    Zero => "0", One => "1", Two => "2", Three => "3", Four => "4", Five => "5", Six => "6",
    Seven => "7", Eight => "8", Nine => "9", Ten => "10", Eleven => "11", Twelve => "12",
    Thirteen => "13", Fourteen => "14", Fifteen => "15", Sixteen => "16", Seventeen => "17",
    Eighteen => "18", Nineteen => "19", Twenty => "20", Thirty => "30", Forty => "40",
    Fifty => "50", Sixty => "60", Seventy => "70", Eighty => "80", Ninety => "90",
    Hundred => "hundred", Thousand => "thousand",
}

impl Prompt {
    /// The prompt of that name, if there is one.
    ///
    /// ```
    /// # use conclave_conference::Prompt;
    /// assert_eq!(Prompt::from_name("enter-pin"), Some(Prompt::EnterPin));
    /// assert_eq!(Prompt::from_name("no-such-prompt"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|prompt| prompt.name() == name)
    }

    /// A number from 0 to 999,999 as English speaks it; a larger one is spoken as 999,999.
    ///
    /// ```
    /// # use conclave_conference::Prompt::*;
    /// assert_eq!(conclave_conference::Prompt::number(1_342), [One, Thousand, Three, Hundred, Forty, Two]);
    /// ```
    pub fn number(number: u32) -> Vec<Self> {
        const ONES: [Prompt; 21] = {
            use Prompt::*;
            [
                Zero, One, Two, Three, Four, Five, Six, Seven, Eight, Nine, Ten, Eleven, Twelve,
                Thirteen, Fourteen, Fifteen, Sixteen, Seventeen, Eighteen, Nineteen, Twenty,
            ]
        };
        const TENS: [Prompt; 8] = {
            use Prompt::*;
            [Twenty, Thirty, Forty, Fifty, Sixty, Seventy, Eighty, Ninety]
        };
        fn below_thousand(number: usize, words: &mut Vec<Prompt>) {
            if number >= 100 {
                words.extend([ONES[number / 100], Prompt::Hundred]);
            }
            match number % 100 {
                0 => {}
                rest @ 1..=20 => words.push(ONES[rest]),
                rest => {
                    words.push(TENS[rest / 10 - 2]);
                    if !rest.is_multiple_of(10) {
                        words.push(ONES[rest % 10]);
                    }
                }
            }
        }
        let number = number.min(999_999) as usize;
        if number == 0 {
            return vec![Self::Zero];
        }
        let mut words = Vec::with_capacity(8);
        if number >= 1000 {
            below_thousand(number / 1000, &mut words);
            words.push(Self::Thousand);
        }
        below_thousand(number % 1000, &mut words);
        words
    }
}

impl std::fmt::Display for Prompt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Prompt;

    #[test]
    fn names_are_unique_and_found_again() {
        for prompt in Prompt::ALL {
            assert_eq!(Prompt::from_name(prompt.name()), Some(*prompt));
        }
    }

    #[test]
    fn numbers_are_spoken_as_english_does() {
        let check = |number, expected: &str| {
            let spoken: Vec<_> = Prompt::number(number)
                .iter()
                .map(|word| word.name())
                .collect();
            assert_eq!(spoken.join(" "), expected, "{number}");
        };
        check(0, "0");
        check(1, "1");
        check(20, "20");
        check(21, "20 1");
        check(30, "30");
        check(99, "90 9");
        check(100, "1 hundred");
        check(115, "1 hundred 15");
        check(2_000, "2 thousand");
        check(17_203, "17 thousand 2 hundred 3");
        check(u32::MAX, "9 hundred 90 9 thousand 9 hundred 90 9");
    }
}
