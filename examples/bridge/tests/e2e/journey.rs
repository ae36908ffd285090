//! From the answer to the room: PINs, names, hold music, the Host.

use std::time::Duration;

use conclave_conference::Prompt;

use crate::{
    bridge::{Account, Bridge},
    ear::{Ear, check_hears},
    phone::Phone,
    sipp::{Offer, Step},
};

/// Calls and enters a PIN.
pub(crate) fn enter(bridge: &Bridge, voice: usize, pin: &str, steps: &[Step]) -> Phone {
    let mut phone = Phone::call(bridge.sip, voice, steps);
    phone.hears(Prompt::EnterPin);
    phone.press(&format!("{pin}#"));
    phone
}

/// A Host who finds nobody else there.
pub(crate) fn first_host(bridge: &Bridge, account: &Account, voice: usize) -> Phone {
    let mut host = enter(bridge, voice, &account.host_pin, &[]);
    host.hears(Prompt::YouAreTheFirst);
    host
}

/// A Guest who comes into a conference that runs.
pub(crate) fn joining_guest(
    bridge: &Bridge,
    account: &Account,
    voice: usize,
    steps: &[Step],
) -> Phone {
    let mut guest = enter(bridge, voice, &account.guest_pin, steps);
    guest.hears(Prompt::PeopleInConference);
    guest
}

/// A Host and a Guest in a conference, nothing being said.
pub(crate) fn two(bridge: &Bridge, account: &Account) -> (Phone, Phone) {
    let host = first_host(bridge, account, 0);
    let guest = joining_guest(bridge, account, 1, &[]);
    (host, guest)
}

#[test]
fn guest_waits_to_hold_music_for_the_host() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let mut guest = enter(&bridge, 1, &account.guest_pin, &[]);
    guest.hears_all(&[Prompt::WaitingForHost, Prompt::HoldMusic]);
    let mut second = enter(&bridge, 2, &account.guest_pin, &[]);
    second.hears_all(&[Prompt::WaitingForHost, Prompt::HoldMusic]);
    guest.speak(true);
    second.speak(true);
    check_hears(&guest, &[]);
    check_hears(&second, &[]);

    let mut host = enter(&bridge, 0, &account.host_pin, &[]);
    host.speak(true);
    guest.hears(Prompt::ConferenceStarting);
    second.hears(Prompt::ConferenceStarting);
    host.hears_all(&[Prompt::Three, Prompt::PeopleInConference]);
    check_hears(&host, &[&guest, &second]);
    check_hears(&guest, &[&host, &second]);
    check_hears(&second, &[&host, &guest]);

    // One unbroken stream for each call, from the answer on.
    for phone in [&host, &guest, &second] {
        phone.packets(0, |packets| {
            for pair in packets.windows(2) {
                assert_eq!(
                    pair[1].sequence,
                    pair[0].sequence.wrapping_add(1),
                    "{}",
                    phone.name
                );
                assert_eq!(pair[1].ssrc, pair[0].ssrc, "{}", phone.name);
                assert_eq!(
                    pair[1].timestamp,
                    pair[0].timestamp.wrapping_add(160),
                    "{}",
                    phone.name
                );
            }
        });
    }
}

#[test]
fn three_wrong_pins_end_the_call() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let mut phone = Phone::call(bridge.sip, 0, &[]);
    phone.hears_all(&[Prompt::Welcome, Prompt::EnterPin]);
    // Turn two neighbouring digits about that differ: the check digit catches it.
    let mut mistyped = account.guest_pin.clone().into_bytes();
    let at = (0..9).find(|at| mistyped[*at] != mistyped[at + 1]).unwrap();
    mistyped.swap(at, at + 1);
    phone.press(std::str::from_utf8(&mistyped).unwrap());
    phone.press("#");
    phone.hears_all(&[Prompt::PinMistyped, Prompt::EnterPin]);
    phone.press("1#");
    phone.hears_all(&[Prompt::PinMistyped, Prompt::EnterPin]);
    phone.press("12345#");
    phone.hears(Prompt::Goodbye);
    phone.is_hung_up();
}

#[test]
fn a_suspended_account_answers_as_an_unknown_pin_does() {
    let bridge = Bridge::start();
    let account = bridge.account(&[
        "--host-pin",
        "4711004711",
        "--guest-pin",
        "0815000815",
        "--force-weak-pin",
    ]);
    assert!(
        bridge
            .run(&["account", "suspend", &account.id.to_string()])
            .status
            .success()
    );
    let mut phone = enter(&bridge, 0, "4711004711", &[]);
    phone.hears_all(&[Prompt::PinNotValid, Prompt::EnterPin]);
}

#[test]
fn a_pin_needs_no_hash_and_comes_by_info_as_well() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let steps: Vec<_> = account.host_pin.chars().map(Step::InfoRelay).collect();
    let mut host = Phone::call(bridge.sip, 0, &steps);
    host.hears(Prompt::Welcome);
    steps.iter().for_each(|_| host.sipp.step());
    host.hears(Prompt::YouAreTheFirst);

    let mut steps: Vec<_> = account.guest_pin.chars().map(Step::Info).collect();
    steps.push(Step::Info('#'));
    steps.push(Step::Refer);
    steps.push(Step::Options);
    let mut guest = Phone::call(bridge.sip, 1, &steps);
    guest.hears(Prompt::Welcome);
    steps.iter().for_each(|_| guest.sipp.step());
    guest.hears(Prompt::PeopleInConference);
    guest.speak(true);
    check_hears(&host, &[&guest]);
}

#[test]
fn an_offer_may_be_delayed() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let mut host = Phone::call_with(bridge.sip, 0, Offer::Delayed, &[]);
    host.cut_media(false);
    host.hears(Prompt::EnterPin);
    host.press(&format!("{}#", account.host_pin));
    host.hears(Prompt::YouAreTheFirst);
    let guest = joining_guest(&bridge, &account, 1, &[]);
    guest.speak(true);
    host.speak(true);
    check_hears(&host, &[&guest]);
    check_hears(&guest, &[&host]);
}

#[test]
fn names_are_recorded_and_heard_by_the_others() {
    let bridge = Bridge::start();
    let account = bridge.account(&["--entry", "name", "--exit", "name"]);
    let say_name = |phone: &mut Phone, by_hash: bool| {
        phone.hears_all(&[Prompt::RecordName, Prompt::RecordTone]);
        phone.speak(true);
        std::thread::sleep(Duration::from_millis(900));
        phone.speak(false);
        if by_hash {
            phone.press("#");
        }
    };
    let mut host = enter(&bridge, 0, &account.host_pin, &[]);
    say_name(&mut host, true);
    host.hears(Prompt::YouAreTheFirst);
    let mut guest = enter(&bridge, 1, &account.guest_pin, &[]);
    let before = host.samples();
    say_name(&mut guest, false);
    guest.hears(Prompt::PeopleInConference);
    host.hears(Prompt::HasJoined);
    let loudest = host.loudest(before, guest.voice);
    assert!(loudest > -30.0, "the name is heard, at {loudest:.0} dB");

    // The roll call is heard by the Host alone.
    guest.skip();
    let (mine, theirs) = (host.samples(), guest.samples());
    host.press("*8");
    host.hears(Prompt::RollCall);
    std::thread::sleep(Duration::from_millis(3500));
    for voice in [host.voice, guest.voice] {
        assert!(
            host.loudest(mine, voice) > -30.0,
            "the host hears the name at {voice}"
        );
        assert!(
            guest.loudest(theirs, voice) < -50.0,
            "the guest hears no name at {voice}"
        );
    }
    assert!(!guest.heard_prompts().contains(&Prompt::RollCall));

    guest.hang_up();
    host.hears(Prompt::HasLeft);
}

#[test]
fn star_on_hold_lets_one_enter_another_pin() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let mut phone = enter(&bridge, 0, &account.guest_pin, &[]);
    phone.hears(Prompt::HoldMusic);
    phone.press("*");
    phone.hears(Prompt::EnterPin);
    phone.press(&format!("{}#", account.host_pin));
    phone.hears(Prompt::YouAreTheFirst);
}
