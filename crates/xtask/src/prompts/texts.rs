//! What the English prompts say: file name, text. A voice that is recorded by a person replaces the
//! files and keeps the names.

/// Spoken prompts. Some are heard by Hosts and Guests alike, or after a name as well as alone: they are worded
/// so that they fit both. Pronunciation counts, not spelling: "pin" is the word, not three letters.
pub(super) const SPOKEN: &[(&str, &str)] = &[
    // Before the room.
    ("welcome", "Welcome to your conference."),
    ("enter-pin", "Please enter your pin, then press hash."),
    ("pin-mistyped", "There is a typing mistake in that pin."),
    (
        "pin-not-valid",
        "Sorry, that pin does not open a conference right now.",
    ),
    ("goodbye", "Thank you for calling. Goodbye."),
    (
        "record-name",
        "After the tone, please say your name, then press hash.",
    ),
    ("unnamed-caller", "An unnamed caller."),
    (
        "waiting-for-host",
        "Your host is not here yet. Please hold the line, and you will join when the host arrives.",
    ),
    (
        "host-did-not-come",
        "Your host has not joined. Please call again later.",
    ),
    (
        "waiting-for-consent",
        "Please hold the line, while your host is asked to let you in.",
    ),
    ("conference-is-locked", "Sorry, this conference is locked."),
    (
        "conference-is-full",
        "Sorry, this conference is full. Please call again later.",
    ),
    // Coming and going.
    (
        "conference-starting",
        "Your host is here. The conference is starting.",
    ),
    ("you-are-the-first", "You are the first to arrive."),
    ("people-in-conference", "people are in the conference."),
    ("person-in-conference", "person is in the conference."),
    ("has-joined", "has joined."),
    ("has-left", "has left."),
    ("another-host", "Another host has joined."),
    ("host-has-left", "The host has left."),
    ("removed-by-host", "Your host has ended your call."),
    (
        "caller-waits-for-consent",
        "Caller waiting to join. Press star four to admit, or star to refuse.",
    ),
    ("caller-let-in", "The caller has been let in."),
    // Keys.
    ("muted", "You are muted."),
    ("unmuted", "You are no longer muted."),
    ("muted-by-host", "Your host has muted you."),
    ("unmuted-by-host", "Your host has unmuted you."),
    ("locked", "The conference is now locked."),
    ("unlocked", "The conference is now open."),
    ("roll-call", "The roll call."),
    (
        "lecture-on",
        "Lecture mode. Guests are muted. Press star six to speak.",
    ),
    (
        "lecture-strict",
        "Lecture mode. Guests stay muted. Press star nine to raise your hand.",
    ),
    ("lecture-off", "Lecture mode is off. Everyone can speak."),
    ("line-quieted", "The line has been quieted."),
    ("line-restored", "The line can be heard again."),
    ("hand-raised", "Hand raised."),
    ("hand-lowered", "Hand lowered."),
    ("you-may-speak", "You may speak now."),
    (
        "recording-started",
        "This conference is now being recorded.",
    ),
    ("recording-stopped", "The recording has stopped."),
    (
        "recording-failed",
        "The conference can not be recorded. Please tell the operator of this service.",
    ),
    (
        "recording-not-allowed",
        "Recording is not switched on for this account.",
    ),
    (
        "conference-is-recorded",
        "Please note: this conference is being recorded.",
    ),
    (
        "help-guest",
        "Star six mutes or unmutes you. Star nine raises or lowers your hand. Star star repeats this.",
    ),
    (
        "help-host",
        "Press star, and then: two to record, three to quiet a noisy line, four to let a caller in, five for lecture mode, six to mute yourself, seven to lock, eight for the roll call, nine to let the next hand speak. Hash hash ends the conference.",
    ),
    // The end.
    (
        "host-ended",
        "The conference is ending now. Thank you, and goodbye.",
    ),
    ("host-ended-cancelled", "The conference goes on."),
    ("five-minutes-left", "Five minutes are left."),
    ("one-minute-left", "One minute is left."),
    (
        "booking-ended",
        "The booked time is over. Thank you, and goodbye.",
    ),
    // Numbers.
    ("0", "zero"),
    ("1", "one"),
    ("2", "two"),
    ("3", "three"),
    ("4", "four"),
    ("5", "five"),
    ("6", "six"),
    ("7", "seven"),
    ("8", "eight"),
    ("9", "nine"),
    ("10", "ten"),
    ("11", "eleven"),
    ("12", "twelve"),
    ("13", "thirteen"),
    ("14", "fourteen"),
    ("15", "fifteen"),
    ("16", "sixteen"),
    ("17", "seventeen"),
    ("18", "eighteen"),
    ("19", "nineteen"),
    ("20", "twenty"),
    ("30", "thirty"),
    ("40", "forty"),
    ("50", "fifty"),
    ("60", "sixty"),
    ("70", "seventy"),
    ("80", "eighty"),
    ("90", "ninety"),
    ("hundred", "hundred"),
    ("thousand", "thousand"),
];
