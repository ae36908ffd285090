//! Calls that are not taken, and dead lines.

use std::{
    fs,
    time::{Duration, Instant},
};

use conclave_conference::Prompt;

use crate::{bridge::Bridge, ear::Ear, journey::two, phone::Phone, sipp::Offer, tones};

fn refused(bridge: &Bridge, to: &str) -> String {
    let mut phone = Phone::dial(bridge.sip, to, 0, Offer::Early, &[]);
    phone.sipp.wait_ended(Duration::from_secs(10));
    phone.sipp.trace()
}

fn start_with(config: &str) -> Bridge {
    let directory = tempfile::tempdir().unwrap();
    tones::write_prompts(&directory.path().join("prompts"));
    fs::write(directory.path().join("c.toml"), config).unwrap();
    Bridge::start_in(directory, &["--prompts", "prompts", "--config", "c.toml"])
}

#[test]
fn emergency_numbers_are_never_taken() {
    let bridge = Bridge::start();
    for number in ["112", "911", "999", "000"] {
        assert!(refused(&bridge, number).contains("SIP/2.0 404"));
    }
    assert!(bridge.log().contains("EMERGENCY"));
}

#[test]
fn a_source_that_is_not_allowed_is_refused() {
    let bridge = start_with("[[trunk]]\nname = 'elsewhere'\nfrom = ['192.0.2.0/24']\n");
    assert!(refused(&bridge, "conference").contains("SIP/2.0 403"));
    assert_eq!(bridge.report("calls").len(), 0);
}

#[test]
fn an_endpoint_is_asked_for_its_password() {
    let bridge = start_with(
        "[[trunk]]\nname = 'elsewhere'\nfrom = ['192.0.2.0/24']\n[[endpoint]]\nuser = 'reception'\npassword = 'long and random'\n",
    );
    let trace = refused(&bridge, "conference");
    assert!(
        trace.contains("SIP/2.0 401") && trace.contains("WWW-Authenticate:"),
        "{trace}"
    );
}

#[test]
fn a_full_bridge_says_when_to_try_again() {
    let bridge = start_with("[limits]\ncalls = 1\n");
    let _first = Phone::call(bridge.sip, 0, &[]);
    let trace = refused(&bridge, "conference");
    assert!(
        trace.contains("SIP/2.0 503") && trace.contains("Retry-After:"),
        "{trace}"
    );
}

/// Where the machine gives it no time, as here where it is stopped, new calls are refused until it has kept up for some seconds.
#[test]
fn an_overloaded_bridge_takes_no_more_calls_and_keeps_those_it_has() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let (mut host, guest) = two(&bridge, &account);
    bridge.signal("STOP");
    std::thread::sleep(Duration::from_secs(3));
    bridge.signal("CONT");
    let until = Instant::now() + Duration::from_secs(10);
    while !bridge.log().contains("too much to do") {
        assert!(Instant::now() < until, "it has not noticed");
        std::thread::sleep(Duration::from_millis(20));
    }
    let trace = refused(&bridge, "conference");
    assert!(
        trace.contains("SIP/2.0 503") && trace.contains("Retry-After: 5"),
        "{trace}"
    );
    let until = Instant::now() + Duration::from_secs(30);
    while !bridge.log().contains("there is room again") {
        assert!(Instant::now() < until, "it takes no more calls");
        std::thread::sleep(Duration::from_millis(100));
    }
    host.skip();
    let mut third = Phone::call(bridge.sip, 2, &[]);
    third.hears(Prompt::EnterPin);
    guest.hang_up();
    host.hears(Prompt::ExitTone);
}

/// A telephone that vanishes sends neither RTP nor BYE: after a minute it is asked for by OPTIONS, and when nothing
/// answers it is gone for the others as well.
#[test]
fn a_dead_line_is_ended() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let (mut host, guest) = two(&bridge, &account);
    host.skip();
    drop(guest);
    assert!(
        host.hears_within(Prompt::ExitTone, Duration::from_secs(50))
            .is_none(),
        "too early"
    );
    assert!(
        host.hears_within(Prompt::ExitTone, Duration::from_secs(40))
            .is_some(),
        "the dead line stays"
    );
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(bridge.report("calls")[1]["reason"], "lost");
}
