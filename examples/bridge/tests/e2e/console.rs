//! The portal's live console over real calls: what it shows, how soon, and what its buttons do in the sound.

use std::{
    io::Write,
    process::{Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use conclave_conference::Prompt;

use crate::{
    bridge::{Account, Bridge, free_port},
    browser::{Browser, Event},
    ear::{Ear, check_hears},
    journey::{enter, first_host, two},
    tones,
};

/// What changes is to be seen so soon, and this much later on a machine that is busy with other tests.
const SEEN_WITHIN: Duration = Duration::from_secs(1);
const BUSY: Duration = Duration::from_secs(1);

/// A bridge with its portal, and a browser in which the account's owner is signed in.
fn with_portal() -> (Bridge, Account, Browser) {
    let directory = tempfile::tempdir().unwrap();
    tones::write_prompts(&directory.path().join("prompts"));
    let at = format!("127.0.0.1:{}", free_port());
    let bridge = Bridge::start_in(directory, &["--prompts", "prompts", "--http", &at]);
    let account = bridge.account(&[]);
    let mut browser = Browser::at(at);
    sign_up(&bridge, &mut browser, "ada@example.org", "host");
    (bridge, account, browser)
}

fn sign_up(bridge: &Bridge, browser: &mut Browser, email: &str, role: &str) {
    let added = bridge.json(&["user", "add", email, "--role", role]);
    browser.set_up(added["link"].as_str().unwrap());
}

/// A console that somebody looks at.
struct Console<'a> {
    browser: &'a mut Browser,
    path: String,
    events: mpsc::Receiver<Event>,
    part: String,
    speaking: Vec<String>,
}

impl<'a> Console<'a> {
    fn open(browser: &'a mut Browser) -> Self {
        let list = browser.get("/live").body;
        let (_, rest) = list.split_once("href=\"/live/").unwrap();
        let path = format!("/live/{}", rest.split('"').next().unwrap());
        let events = browser.events(&format!("{path}/events"));
        Self {
            browser,
            path,
            events,
            part: String::new(),
            speaking: Vec::new(),
        }
    }

    /// Waits until it looks as wanted, which must be soon after `since`.
    #[track_caller]
    fn shows(&mut self, what: &str, since: Instant, wanted: impl Fn(&Self) -> bool) {
        let until = since + SEEN_WITHIN + BUSY;
        while !wanted(self) {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(event) = self.events.recv_timeout(left) else {
                panic!(
                    "not seen in time: {what}\n{:?}\n{}",
                    self.speaking, self.part
                );
            };
            match event.name.as_str() {
                "part" => self.part = event.data,
                "speaking" => {
                    self.speaking = event.data.split_whitespace().map(str::to_owned).collect();
                }
                other => panic!("{other}: {}", event.data),
            }
        }
    }

    #[track_caller]
    fn says(&mut self, words: &str, since: Instant) {
        self.shows(words, since, |console| console.part.contains(words));
    }

    /// The call of the first caller in that role.
    fn call(&self, role: &str) -> String {
        let role = format!("<span class=\"role\">{role}</span>");
        let row = self
            .part
            .split("<li id=\"call-")
            .find(|row| row.contains(&role));
        row.unwrap().split('"').next().unwrap().to_owned()
    }

    /// Presses a button; gives the moment at which it was done.
    #[track_caller]
    fn press(&mut self, word: &str, more: &str) -> Instant {
        let (_, rest) = self.part.split_once("name=\"started\" value=\"").unwrap();
        let started = rest.split('"').next().unwrap();
        let fields = format!("started={started}&do={word}{more}");
        let answer = self.browser.send(&self.path, &fields);
        assert_eq!(answer.status, 303, "{word}: {}", answer.body);
        Instant::now()
    }
}

#[test]
fn a_host_runs_a_conference_from_the_console() {
    let (bridge, account, mut browser) = with_portal();
    let nothing = browser.get("/live").body;
    assert!(
        nothing.contains("None of your conferences goes on now"),
        "{nothing}"
    );

    let mut guest = enter(&bridge, 1, &account.guest_pin, &[]);
    guest.hears(Prompt::WaitingForHost);
    let mut console = Console::open(&mut browser);
    console.says(
        "No Host is in yet. 1 caller waits for a Host.",
        Instant::now(),
    );
    let mut host = first_host_joins(&bridge, &account);
    guest.hears(Prompt::ConferenceStarting);
    console.says("1 Host, 1 Guest in the room.", Instant::now());
    let (host_call, guest_call) = (console.call("Host"), console.call("Guest"));

    // Who speaks is marked, and only while they do.
    let spoke = Instant::now();
    guest.babble(true);
    console.shows("the guest speaks", spoke, |console| {
        console.speaking == [guest_call.clone()]
    });
    guest.babble(false);
    // A talker is one for a while after the last word: the mixer's hangover.
    let fell_silent = Instant::now() + Duration::from_secs(1);
    console.shows("nobody speaks", fell_silent, |console| {
        console.speaking.is_empty()
    });

    // A mute is silence in the sound of the others.
    guest.speak(true);
    check_hears(&host, &[&guest]);
    let muted = console.press("mute", &format!("&call={guest_call}"));
    console.says("muted by a Host", muted);
    guest.hears(Prompt::MutedByHost);
    check_hears(&host, &[]);
    let unmuted = console.press("unmute", &format!("&call={guest_call}"));
    console.shows("unmuted", unmuted, |console| {
        !console.part.contains("muted by a Host")
    });
    guest.hears(Prompt::UnmutedByHost);
    check_hears(&host, &[&guest]);
    guest.speak(false);
    let lines = Instant::now() + Duration::from_secs(3);
    console.says("0 % lost", lines);

    let named = console.press("name", &format!("&call={guest_call}&name=Grace+Hopper"));
    console.says("<strong>Grace Hopper</strong>", named);
    let called = console.press("roll-call", "");
    host.hears(Prompt::RollCall);
    console.shows("still there", called, |console| {
        console.part.contains("call-")
    });

    let locked = console.press("lock", "");
    console.says("The conference is locked.", locked);
    guest.hears(Prompt::Locked);
    let mut refused = enter(&bridge, 2, &account.guest_pin, &[]);
    refused.hears(Prompt::ConferenceIsLocked);
    console.says(
        "1 caller was turned away since it was locked.",
        Instant::now(),
    );
    refused.is_hung_up();
    let unlocked = console.press("unlock", "");
    console.shows("unlocked", unlocked, |console| {
        !console.part.contains("is locked")
    });

    // A page that is too old does nothing, and says so.
    let fields = format!("started=1&do=disconnect&call={host_call}");
    let stale = console.browser.send(&console.path.clone(), &fields);
    assert_eq!(stale.status, 409);
    assert!(stale.body.contains("Nothing was done"), "{}", stale.body);

    console.press("end", "");
    host.hears(Prompt::HostEnded);
    host.is_hung_up();
    guest.is_hung_up();
    let over = loop {
        let event = console.events.recv_timeout(Duration::from_secs(5)).unwrap();
        if event.name == "over" {
            break event.data;
        }
    };
    assert_eq!(over.trim(), format!("/accounts/{}", account.id));
    the_record_says_who_did_what(&bridge, &mut browser);
}

/// Joins a Guest who waits, so it isn't alone.
fn first_host_joins(bridge: &Bridge, account: &Account) -> crate::phone::Phone {
    let mut host = enter(bridge, 0, &account.host_pin, &[]);
    host.hears(Prompt::PeopleInConference);
    host
}

fn the_record_says_who_did_what(bridge: &Bridge, browser: &mut Browser) {
    // It is written within a fraction of a second.
    let deadline = Instant::now() + Duration::from_secs(10);
    let page = loop {
        let page = browser.get("/conferences/1").body;
        if page.contains("ada@example.org: mute call")
            && page.contains("Grace Hopper")
            && !page.contains("is in")
        {
            break page;
        }
        assert!(Instant::now() < deadline, "{page}");
        std::thread::sleep(Duration::from_millis(100));
    };
    for words in ["ada@example.org: set locked", "was refused"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let audit = bridge.report("audit");
    for kind in [
        "command.mute-call",
        "command.name",
        "command.set-locked",
        "command.end-for-all",
    ] {
        let entry = audit.iter().find(|entry| entry["kind"] == kind);
        let entry = entry.unwrap_or_else(|| panic!("{kind}: {audit:#?}"));
        let by = entry["body"]["by"].as_str().or(entry["by"].as_str());
        assert_eq!(by, Some("ada@example.org"), "{entry}");
    }
}

#[test]
fn who_waits_for_consent_is_let_in_and_sent_away_from_the_console() {
    let (bridge, _, mut browser) = with_portal();
    let account = bridge.account(&["--consent", "on"]);
    let mut host = first_host(&bridge, &account, 0);
    let mut wanted = enter(&bridge, 1, &account.guest_pin, &[]);
    wanted.hears(Prompt::WaitingForConsent);
    let mut console = Console::open(&mut browser);
    console.says("1 caller waits to be let in.", Instant::now());
    let call = console.call("Guest");
    let let_in = console.press("let-in", &format!("&call={call}"));
    console.says("1 Host, 1 Guest in the room.", let_in);
    wanted.hears(Prompt::PeopleInConference);
    wanted.speak(true);
    check_hears(&host, &[&wanted]);

    let mut other = enter(&bridge, 2, &account.guest_pin, &[]);
    other.hears(Prompt::WaitingForConsent);
    console.says("1 caller waits to be let in.", Instant::now());
    let call = console.call("Guest");
    console.press("send-away", &format!("&call={call}"));
    other.hears(Prompt::Goodbye);
    other.is_hung_up();
    let call = {
        console.shows("one guest", Instant::now(), |c| {
            !c.part.contains("Waiting to be")
        });
        console.call("Guest")
    };
    console.press("disconnect", &format!("&call={call}"));
    wanted.hears(Prompt::RemovedByHost);
    wanted.is_hung_up();
    host.hears(Prompt::ExitTone);
}

#[test]
fn the_figures_are_such_as_prometheus_reads() {
    let (bridge, account, mut browser) = with_portal();
    let wrong = enter(&bridge, 2, "5555555558", &[]);
    let (host, guest) = two(&bridge, &account);
    let figures = |browser: &mut Browser| browser.get("/metrics").body;
    let text = figures(&mut browser);
    for line in [
        "conclave_calls 3",
        "conclave_calls_total 3",
        "conclave_conferences 1",
        "conclave_participants{place=\"room\"} 2",
        "conclave_pin_failures_total{kind=\"wrong\"} 1",
        "conclave_pin_failures_day{kind=\"wrong\"} 1",
        "conclave_pin_consent{kind=\"wrong\"} 0",
        "conclave_setup_failures_total{reason=\"no_media_port\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
    }
    let value = |text: &str, name: &str| -> f64 {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{name}:\n{text}"))
            .parse()
            .unwrap()
    };
    assert!(value(&text, "conclave_packets_received_total") > 100.0);
    let ticks = value(&text, "conclave_tick_lateness_seconds_count");
    assert!(ticks > 50.0, "{ticks} ticks");

    guest.hang_up();
    drop((host, wrong));
    let deadline = Instant::now() + Duration::from_secs(10);
    let text = loop {
        let text = figures(&mut browser);
        if value(&text, "conclave_ended_calls_jitter_seconds_count") >= 1.0 {
            break text;
        }
        assert!(Instant::now() < deadline, "{text}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(value(&text, "conclave_ended_calls_packets_received_total") > 50.0);
    assert!(value(&text, "conclave_tick_lateness_seconds_count") > ticks);
    promtool_accepts(&text);
}

/// `promtool check metrics` finds no fault: neither in the format nor in the names.
fn promtool_accepts(text: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool of Debian's package prometheus; `cargo xtask setup` installs it");
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && said.trim().is_empty(),
        "{said}\n{text}"
    );
}
