//! Digits as tones in the audio, from telephones that send nothing else.

use std::time::Duration;

use conclave_conference::Prompt;

use crate::{
    bridge::Bridge,
    ear::{Ear, check_hears},
    journey::first_host,
    phone::Phone,
    sipp::Offer,
    tones,
};

#[test]
fn a_caller_needs_nothing_but_tones_in_mu_law() {
    a_caller_needs_nothing_but_tones(Offer::Early);
}

#[test]
fn a_caller_needs_nothing_but_tones_in_a_law() {
    a_caller_needs_nothing_but_tones(Offer::ALaw);
}

fn a_caller_needs_nothing_but_tones(offer: Offer) {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let mut host = first_host(&bridge, &account, 0);
    let mut guest = Phone::call_with(bridge.sip, 1, offer, &[]);
    guest.hears(Prompt::EnterPin);
    guest.press_tones(&format!("{}#", account.guest_pin));
    guest.hears(Prompt::PeopleInConference);
    guest.speak(true);
    check_hears(&host, &[&guest]);
    guest.speak(false);
    host.listen(Duration::from_millis(200));
    host.skip();

    let from = host.samples();
    guest.press_tones("*6");
    guest.hears(Prompt::Muted);
    host.listen(Duration::from_millis(200));
    let heard = host.heard_from(from);
    for key in *b"*6" {
        let ms = heard_ms(&heard, key);
        assert!(ms < 40, "{ms} ms of {}", key as char);
    }
    guest.speak(true);
    check_hears(&host, &[]);
    guest.speak(false);
    guest.press_tones("*6");
    guest.hears(Prompt::Unmuted);

    // The first event settles it: from then on a gateway's tones are sound, no digits.
    guest.press("*6");
    guest.hears(Prompt::Muted);
    guest.press_tones("*6");
    guest.listen(Duration::from_millis(600));
    assert_eq!(guest.heard_prompts(), []);
    guest.press("*6");
    guest.hears(Prompt::Unmuted);
}

/// For how long a key's tones are heard within 40 dB of their level (each of them has an amplitude of 4,000).
fn heard_ms(heard: &[i16], key: u8) -> usize {
    let (low, high) = tones::key(key);
    let level = 20.0 * (4000.0f64 / 32768.0).log10();
    let windows = heard.chunks(40).filter(|window| {
        let loudest = tones::level(window, low).max(tones::level(window, high));
        loudest > level - 40.0
    });
    5 * windows.count()
}
