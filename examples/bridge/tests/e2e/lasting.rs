//! Starting, stopping, crashing: what is kept.

use std::time::Duration;

use conclave_conference::Prompt;

use crate::{
    bridge::Bridge,
    ear::Ear,
    journey::{first_host, joining_guest, two},
    phone::Phone,
    sipp::Offer,
};

#[test]
fn a_first_start_takes_less_than_a_second_and_accounts_work_at_once() {
    let bridge = Bridge::start();
    assert!(
        bridge.start_up < Duration::from_secs(1),
        "{:?}",
        bridge.start_up
    );
    let account = bridge.account(&[]);
    let _host = first_host(&bridge, &account, 0);
}

#[test]
fn after_a_crash_accounts_are_whole_and_open_calls_interrupted() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let host = first_host(&bridge, &account, 0);
    let guest = joining_guest(&bridge, &account, 1, &[]);
    guest.hang_up();
    let second = joining_guest(&bridge, &account, 2, &[]);
    // What is older than a second is whole.
    std::thread::sleep(Duration::from_millis(1500));
    let directory = bridge.kill();
    drop((host, second));

    let bridge = Bridge::start_in(directory, &["--prompts", "prompts"]);
    let calls = bridge.report("calls");
    let reasons: Vec<_> = calls
        .iter()
        .map(|call| call["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons, ["interrupted", "hung-up", "interrupted"]);
    assert!(
        calls.iter().all(|call| call["admitted"].is_string()),
        "{calls:?}"
    );
    let conferences = bridge.report("conferences");
    assert_eq!(conferences.len(), 1);
    assert_eq!(conferences[0]["reason"], "interrupted");
    let _host = first_host(&bridge, &account, 0);
}

#[test]
fn what_a_call_did_is_written_as_it_happens() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let (mut host, guest) = two(&bridge, &account);
    guest.hang_up();
    host.press("##");
    host.is_hung_up();
    std::thread::sleep(Duration::from_millis(1000));
    let calls = bridge.report("calls");
    assert_eq!(calls.len(), 2);
    let column = |name: &str| -> Vec<_> {
        calls
            .iter()
            .map(|call| call[name].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(column("role"), ["host", "guest"]);
    assert_eq!(column("reason"), ["host-ended", "hung-up"]);
    assert_eq!(column("number"), ["+442079460010", "+442079460011"]);
    assert_eq!(column("codec"), ["PCMU", "PCMU"]);
    assert_eq!(bridge.report("conferences")[0]["reason"], "host-ended");
    // Neither the log nor the books know a PIN.
    for secret in [&account.host_pin, &account.guest_pin] {
        assert!(!bridge.log().contains(secret.as_str()));
        for file in std::fs::read_dir(bridge.directory.path().join("data")).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(
                !bytes
                    .windows(secret.len())
                    .any(|part| part == secret.as_bytes()),
                "a PIN lies in the data directory"
            );
        }
    }
}

#[test]
fn a_stopping_bridge_refuses_new_calls_and_waits_for_the_others() {
    let mut bridge = Bridge::start();
    let account = bridge.account(&[]);
    let (mut host, mut guest) = two(&bridge, &account);
    let terminated = std::process::Command::new("kill")
        .args(["-TERM", &bridge.process().to_string()])
        .status()
        .unwrap();
    assert!(terminated.success());
    std::thread::sleep(Duration::from_millis(300));
    let mut late = Phone::dial(bridge.sip, "conference", 2, Offer::Early, &[]);
    late.sipp.wait_ended(Duration::from_secs(10));
    let trace = late.sipp.trace();
    assert!(
        trace.contains("SIP/2.0 503") && trace.contains("Retry-After:"),
        "{trace}"
    );
    // The conference goes on until it ends by itself.
    guest.press("**");
    guest.hears(Prompt::HelpGuest);
    host.press("##");
    host.is_hung_up();
    guest.is_hung_up();
    assert!(bridge.terminate().success());
}
