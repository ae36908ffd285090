//! The keys of the room, the Host's leaving, hold.

use std::time::Duration;

use conclave_conference::Prompt;
use conclave_media::Codec;

use crate::{
    bridge::Bridge,
    ear::{Ear, check_hears},
    journey::{enter, first_host, joining_guest, two},
    phone::Script,
    quality::encoded,
    sipp::Step,
};

#[test]
fn tones_announce_entry_and_exit() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let (mut host, guest) = two(&bridge, &account);
    host.hears(Prompt::EntryTone);
    guest.hang_up();
    host.hears(Prompt::ExitTone);
}

#[test]
fn everyone_mutes_themselves_and_hears_of_it_alone() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let (mut host, mut guest) = two(&bridge, &account);
    host.speak(true);
    guest.speak(true);
    check_hears(&host, &[&guest]);
    host.skip();
    guest.press("*6");
    guest.hears(Prompt::Muted);
    check_hears(&host, &[]);
    check_hears(&guest, &[&host]);
    guest.press("*6");
    guest.hears(Prompt::Unmuted);
    check_hears(&host, &[&guest]);
    assert_eq!(host.heard_prompts(), [], "the host heard of it");
}

#[test]
fn a_locked_door_refuses_every_pin() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let (mut host, mut guest) = two(&bridge, &account);
    // A Guest's Host command does nothing.
    guest.press("*7");
    std::thread::sleep(Duration::from_millis(600));
    assert!(!guest.heard_prompts().contains(&Prompt::Locked));
    host.press("*7");
    host.hears(Prompt::Locked);
    guest.hears(Prompt::Locked);
    for pin in [&account.guest_pin, &account.host_pin] {
        let mut refused = enter(&bridge, 2, pin, &[]);
        refused.hears(Prompt::ConferenceIsLocked);
        refused.is_hung_up();
        host.hears(Prompt::RefusedTone);
    }
    assert!(!guest.heard_prompts().contains(&Prompt::RefusedTone));
    host.press("*7");
    host.hears(Prompt::Unlocked);
    let third = joining_guest(&bridge, &account, 2, &[]);
    third.speak(true);
    check_hears(&host, &[&third]);
}

#[test]
fn the_roll_call_counts_for_the_host_alone() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let (mut host, mut guest) = two(&bridge, &account);
    guest.skip();
    host.press("*8");
    host.hears_all(&[Prompt::RollCall, Prompt::Two, Prompt::PeopleInConference]);
    assert_eq!(guest.heard_prompts(), []);
}

#[test]
fn the_host_ends_it_for_all_and_may_take_it_back() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let (mut host, mut guest) = two(&bridge, &account);
    host.press("##");
    // The message of the test is short: the star has to be quick.
    host.press("*");
    host.hears(Prompt::HostEndedCancelled);
    guest.hears(Prompt::HostEndedCancelled);
    guest.speak(true);
    check_hears(&host, &[&guest]);
    guest.speak(false);

    host.press("##");
    host.hears(Prompt::HostEnded);
    guest.hears(Prompt::HostEnded);
    host.is_hung_up();
    guest.is_hung_up();
}

#[test]
fn automatic_host_hangup_comes_without_a_message() {
    let bridge = Bridge::start();
    let account = bridge.account(&["--host-leaves", "hangup"]);
    let (host, mut guest) = two(&bridge, &account);
    guest.skip();
    host.hang_up();
    guest.is_hung_up();
    assert_eq!(guest.heard_prompts(), []);
}

#[test]
fn a_grace_holds_the_guests_until_the_host_is_back() {
    let bridge = Bridge::start();
    let account = bridge.account(&["--host-leaves", "hangup", "--host-grace", "6"]);
    let (host, mut guest) = two(&bridge, &account);
    guest.skip();
    guest.speak(true);
    host.hang_up();
    guest.hears(Prompt::HoldMusic);
    let host = enter(&bridge, 0, &account.host_pin, &[]);
    host.speak(true);
    guest.hears(Prompt::ConferenceStarting);
    check_hears(&guest, &[&host]);
    check_hears(&host, &[&guest]);
    host.hang_up();
    guest.hears(Prompt::HoldMusic);
    guest.is_hung_up();
}

#[test]
fn hold_keeps_the_guests_apart_until_a_host_is_back() {
    let bridge = Bridge::start();
    let account = bridge.account(&["--host-leaves", "hold"]);
    let (host, mut guest) = two(&bridge, &account);
    let mut second = joining_guest(&bridge, &account, 2, &[]);
    guest.speak(true);
    second.speak(true);
    check_hears(&second, &[&guest]);
    guest.skip();
    second.skip();
    host.hang_up();
    guest.hears(Prompt::HoldMusic);
    second.hears(Prompt::HoldMusic);
    check_hears(&second, &[]);
    let host = enter(&bridge, 0, &account.host_pin, &[]);
    check_hears(&host, &[&guest, &second]);
    check_hears(&second, &[&guest]);
}

#[test]
fn guests_go_on_without_the_host_where_the_account_says_so() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let (host, mut guest) = two(&bridge, &account);
    let mut second = joining_guest(&bridge, &account, 2, &[]);
    host.hang_up();
    guest.hears(Prompt::HostHasLeft);
    second.hears(Prompt::HostHasLeft);
    guest.speak(true);
    check_hears(&second, &[&guest]);
}

#[test]
fn one_of_two_hosts_may_leave() {
    let bridge = Bridge::start();
    let account = bridge.account(&["--host-leaves", "hangup"]);
    let (mut host, guest) = two(&bridge, &account);
    let second = enter(&bridge, 2, &account.host_pin, &[]);
    host.hears(Prompt::AnotherHost);
    second.speak(true);
    host.hang_up();
    check_hears(&guest, &[&second]);
}

#[test]
fn lecture_hands_and_help() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let (mut host, mut guest) = two(&bridge, &account);
    guest.speak(true);
    host.press("*5");
    guest.hears(Prompt::LectureOn);
    check_hears(&host, &[]);
    guest.press("*6");
    guest.hears(Prompt::Unmuted);
    check_hears(&host, &[&guest]);
    host.press("*5");
    guest.hears(Prompt::LectureStrict);
    check_hears(&host, &[]);
    guest.press("*6");
    guest.hears(Prompt::MutedByHost);
    check_hears(&host, &[]);
    guest.press("*9");
    guest.hears(Prompt::HandRaised);
    host.press("*9");
    guest.hears(Prompt::YouMaySpeak);
    check_hears(&host, &[&guest]);
    host.press("*5");
    guest.hears(Prompt::LectureOff);
    check_hears(&host, &[&guest]);
    guest.press("*9");
    guest.hears(Prompt::HandRaised);
    guest.press("*9");
    guest.hears(Prompt::HandLowered);
    guest.press("**");
    guest.hears(Prompt::HelpGuest);
    host.press("**");
    host.hears(Prompt::HelpHost);
}

#[test]
fn a_line_on_hold_leaves_the_mix() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let host = first_host(&bridge, &account, 0);
    let steps = [
        Step::Reinvite("sendonly"),
        Step::Reinvite("sendrecv"),
        Step::Update("inactive"),
        Step::Update("sendrecv"),
    ];
    let mut guest = joining_guest(&bridge, &account, 1, &steps);
    guest.speak(true);
    host.speak(true);
    check_hears(&host, &[&guest]);
    for _ in 0..2 {
        guest.sipp.step();
        // Its PBX plays music from now on, which the room must not hear.
        check_hears(&host, &[]);
        let before = guest.packets(0, <[_]>::len);
        std::thread::sleep(Duration::from_millis(300));
        let since = guest.packets(0, <[_]>::len) - before;
        assert_eq!(since, 0, "nothing is sent to a line on hold");
        guest.sipp.step();
        check_hears(&host, &[&guest]);
        check_hears(&guest, &[&host]);
    }
}

/// Found by its sound: the Guest who speaks is louder, and would be the one if nothing were flagged.
#[test]
fn a_line_that_plays_music_is_quieted_rather_than_one_who_speaks() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let mut host = first_host(&bridge, &account, 0);
    let mut plays = joining_guest(&bridge, &account, 1, &[]);
    let speaks = joining_guest(&bridge, &account, 2, &[]);
    plays.say(Some(1_500.0));
    speaks.babble(true);
    std::thread::sleep(Duration::from_secs(10));
    speaks.babble(false);
    speaks.speak(true);
    check_hears(&host, &[&plays, &speaks]);
    host.press("*3");
    host.hears(Prompt::LineQuieted);
    plays.hears(Prompt::LineQuieted);
    check_hears(&host, &[&speaks]);
    // A tone without a pause would soon be taken for music, too.
    speaks.speak(false);
    host.press("*3");
    host.hears(Prompt::LineRestored);
    check_hears(&host, &[&plays]);
}

#[test]
fn an_account_may_have_noisy_lines_quieted_by_themselves() {
    let bridge = Bridge::start();
    let account = bridge.account(&["--quieting", "on"]);
    let mut host = first_host(&bridge, &account, 0);
    let mut plays = joining_guest(&bridge, &account, 1, &[]);
    plays.say(Some(1_500.0));
    check_hears(&host, &[&plays]);
    std::thread::sleep(Duration::from_secs(9));
    host.hears(Prompt::LineQuieted);
    plays.hears(Prompt::LineQuieted);
    check_hears(&host, &[]);
    // Somebody is back at the telephone.
    plays.say(None);
    plays.babble(true);
    std::thread::sleep(Duration::from_secs(9));
    host.hears(Prompt::LineRestored);
    plays.hears(Prompt::LineRestored);
}

/// What a Guest says, loud at first, comes to −19 dBm0, at 8 dB a second and then 2.
#[test]
fn an_account_may_have_voices_levelled() {
    for (switch, least, most) in [("on", 2.5, 14.0), ("off", -1.0, 1.0)] {
        let bridge = Bridge::start();
        let account = bridge.account(&["--levelling", switch, "--max-talkers", "8"]);
        let (host, guest) = two(&bridge, &account);
        std::thread::sleep(Duration::from_millis(500));
        let heard = |seconds: u64| {
            let from = host.samples();
            std::thread::sleep(Duration::from_secs(seconds));
            let samples = host.heard_from(from);
            let power: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
            10.0 * (power / samples.len() as f64).log10()
        };
        guest.babble(true);
        let at_first = heard(1);
        std::thread::sleep(Duration::from_secs(5));
        let softer = at_first - heard(3);
        assert!(
            (least..most).contains(&softer),
            "{switch}: {softer} dB softer"
        );
    }
}

/// The hiss of a Guest's line is turned down by some 12 dB.
#[test]
fn an_account_may_have_noise_turned_down() {
    for (switch, expected) in [("on", 8.0..16.0), ("off", -1.0..1.0)] {
        let bridge = Bridge::start();
        let account = bridge.account(&["--noise-suppression", switch]);
        let (host, guest) = two(&bridge, &account);
        let mut seed = 1_u32;
        let hiss: Vec<i16> = (0..160 * 50 * 7)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((seed >> 16) as i16) / 50
            })
            .collect();
        let packets = encoded(Codec::Pcmu, &hiss);
        let before = host.samples();
        guest.play(Script {
            frames: packets.len() as u16,
            packets: (0..)
                .zip(packets)
                .map(|(n, packet)| (Duration::from_millis(u64::from(n) * 20), n, packet))
                .collect(),
        });
        std::thread::sleep(Duration::from_secs(7));
        let heard = host.heard_from(before);
        let power = |samples: &[i16]| samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
        let share = power(&hiss[..160 * 100]) / power(&heard[160 * 200..160 * 300]);
        let softer = 10.0 * share.log10();
        assert!(expected.contains(&softer), "{switch}: {softer} dB softer");
    }
}

#[test]
fn digits_are_never_heard_by_others() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let host = first_host(&bridge, &account, 0);
    let mut guest = joining_guest(&bridge, &account, 1, &[Step::InfoRelay('5')]);
    std::thread::sleep(Duration::from_millis(500));
    let before = host.samples();
    guest.press("123456789");
    guest.sipp.step();
    std::thread::sleep(Duration::from_millis(400));
    let heard = host.heard_from(before);
    for part in heard.chunks_exact(160) {
        assert!(
            part.iter().all(|sample| sample.abs() < 64),
            "the host hears {part:?}"
        );
    }
}

#[test]
fn consent_lets_in_and_sends_away() {
    let bridge = Bridge::start();
    let account = bridge.account(&["--consent", "on"]);
    let mut host = first_host(&bridge, &account, 0);
    let mut guest = enter(&bridge, 1, &account.guest_pin, &[]);
    guest.hears_all(&[Prompt::WaitingForConsent, Prompt::HoldMusic]);
    guest.speak(true);
    check_hears(&host, &[]);
    host.press("*4");
    host.hears(Prompt::CallerWaitsForConsent);
    host.press("*4");
    host.hears(Prompt::CallerLetIn);
    check_hears(&host, &[&guest]);
    let mut second = enter(&bridge, 2, &account.guest_pin, &[]);
    second.hears(Prompt::HoldMusic);
    host.press("*4");
    host.hears(Prompt::CallerWaitsForConsent);
    host.press("*");
    second.hears(Prompt::Goodbye);
    second.is_hung_up();
}
