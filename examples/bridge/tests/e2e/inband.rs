//! Digits as tones in the audio, from telephones that send nothing else.

use std::time::Duration;

use conclave_conference::Prompt;

use crate::{
    bridge::Bridge,
    ear::{Ear, check_hears},
    journey::first_host,
    phone::Phone,
    sipp::Offer,
};

#[test]
fn a_caller_needs_nothing_but_tones_in_mu_law() {
    a_caller_needs_nothing_but_tones(Offer::Early);
}

#[test]
fn a_caller_needs_nothing_but_tones_in_a_law() {
    a_caller_needs_nothing_but_tones(Offer::ALaw);
}

#[test]
fn a_caller_needs_nothing_but_tones_in_opus() {
    a_caller_needs_nothing_but_tones(Offer::Opus);
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
    let stretches = loud(&heard);
    assert!(stretches.len() <= 2, "{stretches:?}");
    assert!(stretches.iter().all(|ms| *ms < 40), "{stretches:?} ms");
    guest.speak(true);
    check_hears(&host, &[]);
    guest.speak(false);
    guest.press_tones("*6");
    guest.hears(Prompt::Unmuted);

    // The first event settles it: from then on a gateway's tones are sound, no digits. (Within a second it would be taken
    // for the same press as the tone before.)
    guest.listen(Duration::from_secs(1));
    guest.press("*6");
    guest.hears(Prompt::Muted);
    guest.press_tones("*6");
    guest.listen(Duration::from_millis(600));
    assert_eq!(guest.heard_prompts(), []);
    guest.press("*6");
    guest.hears(Prompt::Unmuted);
}

/// For how many ms each stretch of sound lasts that is within 40 dB of the keys' level (two tones, each with an amplitude
/// of 4,000). A sample or two of it, as Opus rings when a key is let go, are none.
fn loud(heard: &[i16]) -> Vec<usize> {
    let mut stretches: Vec<(usize, usize)> = Vec::new();
    for (at, _) in heard.iter().enumerate().filter(|(_, s)| s.abs() > 80) {
        match stretches.last_mut() {
            Some((_, last)) if at - *last < 160 => *last = at,
            _ => stretches.push((at, at)),
        }
    }
    stretches
        .iter()
        .map(|(first, last)| (last - first) / 8)
        .filter(|ms| *ms > 1)
        .collect()
}
