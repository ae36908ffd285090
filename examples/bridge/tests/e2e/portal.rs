//! Each role's way through the portal, in a real browser, beside real calls.

use std::{fs, process::Command};

use conclave_conference::Prompt;

use crate::{
    bridge::{Bridge, free_port},
    chromium::{Chromium, Page, Screen, ZONE},
    ear::{Ear, check_hears},
    journey::{enter, two},
    tones,
};

const PASSWORD: &str = "four odd words here";

/// A bridge with its portal, and where that is.
fn with_portal() -> (Bridge, String) {
    configured("")
}

fn configured(config: &str) -> (Bridge, String) {
    let directory = tempfile::tempdir().unwrap();
    tones::write_prompts(&directory.path().join("prompts"));
    let at = format!("127.0.0.1:{}", free_port());
    fs::write(directory.path().join("bridge.toml"), config).unwrap();
    let arguments = [
        "--prompts",
        "prompts",
        "--http",
        &at,
        "--config",
        "bridge.toml",
    ];
    (Bridge::start_in(directory, &arguments), at)
}

/// The first time somebody comes: by a set-up link.
fn sign_up(page: &Page, bridge: &Bridge, at: &str, email: &str, role: &str) {
    let added = bridge.json(&["user", "add", email, "--role", role, "--http", at]);
    page.go(added["link"].as_str().unwrap());
    let code = page.value_of("Set-up code");
    assert_eq!(code.len(), 64, "the link's code is filled in by itself");
    page.fill("New password", PASSWORD);
    page.fill("New password, again", PASSWORD);
    page.press("Set password and sign in");
    page.reads("Sign out");
}

/// From the set-up link to the record, with the conference that was booked on the way.
#[test]
fn a_hosts_way() {
    let (bridge, at) = with_portal();
    bridge.account(&[]);
    let chromium = Chromium::start();
    let page = chromium.page(Screen::Desk);
    sign_up(&page, &bridge, &at, "ada@example.org", "host");
    page.reads("Ada Byron");
    page.is_fine("accounts");

    page.press("Book a conference");
    page.reads("Doors open");
    page.is_fine("book");
    assert_eq!(page.value_of("Time zone"), ZONE.name(), "the viewer's own");
    let now = bridge.now().with_timezone(&ZONE);
    page.fill("What it is about", "Board meeting");
    page.fill_in_digits("Day", &now.format("%m%d%Y").to_string());
    page.fill_in_digits("Begins at", &now.format("%I%M%p").to_string());
    page.press_first("main .fields button");
    page.reads("It is booked");
    page.is_fine("booked");
    let pin = |selector: &str| page.text_of(selector).replace(' ', "");
    let (host_pin, guest_pin) = (pin(".fresh .pin"), pin("dl .pin"));

    let mut guest = enter(&bridge, 1, &guest_pin, &[]);
    guest.hears(Prompt::WaitingForHost);
    page.press("Live");
    page.press("Board meeting");
    page.reads("No Host is in yet. 1 caller waits for a Host.");
    let mut host = enter(&bridge, 0, &host_pin, &[]);
    host.hears(Prompt::PeopleInConference);
    page.reads("1 Host, 1 Guest in the room.");
    guest.hears(Prompt::ConferenceStarting);

    // The mark of who speaks moves with the voice.
    guest.babble(true);
    page.sees(".people .speaks .says");
    assert_eq!(page.text_of(".people .speaks .role"), "Guest");
    let caller = page.text_of(".people .speaks strong");
    page.is_fine("console");
    guest.babble(false);
    page.sees_no_more(".people .speaks");

    guest.speak(true);
    check_hears(&host, &[&guest]);
    page.press(&format!("Mute {caller}"));
    page.reads("muted by a Host");
    guest.hears(Prompt::MutedByHost);
    check_hears(&host, &[]);
    page.press(&format!("Unmute {caller}"));
    page.reads_no_more("muted by a Host");
    check_hears(&host, &[&guest]);
    guest.speak(false);

    page.press("Lock");
    page.reads("The conference is locked.");
    let mut refused = enter(&bridge, 2, &guest_pin, &[]);
    refused.hears(Prompt::ConferenceIsLocked);
    page.reads("1 caller was turned away since it was locked.");
    refused.is_hung_up();

    page.press("End the conference");
    page.press("End it for everyone");
    page.reads("The conference is over.");
    host.hears(Prompt::HostEnded);
    host.is_hung_up();
    guest.is_hung_up();
    page.press("Its record is with its account");
    page.press_first("a[href^='/conferences/']");
    page.reads("Who was in it");
    page.reads_at_last("operator ended");
    page.reads("was refused");
    page.sees(".timeline rect.muted");
    page.sees(".timeline rect.locked");
    page.reads("ada@example.org: mute call");
    page.is_fine("record");
    page.press("Sign out");
    page.reads("No password yet, or forgotten?");
    page.is_fine("sign-in");
}

/// Looks after other people's accounts, and sees no PIN.
#[test]
fn the_way_of_customer_service() {
    let (bridge, at) = with_portal();
    let account = bridge.account(&[]);
    let chromium = Chromium::start();
    let page = chromium.page(Screen::Desk);
    sign_up(&page, &bridge, &at, "sam@example.org", "service");
    page.fill("Find an account", "byron");
    page.press("Find");
    page.is_at("/accounts?find=byron");
    page.press("Ada Byron");
    page.reads("Numbers and PINs");
    page.is_fine("account-by-service");
    assert_eq!(page.count(".pin"), 0);
    page.press("Change settings");
    page.reads("Host leaves");
    page.is_fine("settings");
    page.press("Accounts");
    page.is_at("/accounts");
    page.press("Ada Byron");
    page.press("Reset a PIN");
    page.press("Reset the Guest PIN");
    page.reads("The new one is shown to nobody");
    page.is_fine("reset");

    page.press("Live");
    page.reads("No conference goes on now.");
    page.is_fine("live-empty");
    let mut host = enter(&bridge, 0, &account.host_pin, &[]);
    host.hears(Prompt::YouAreTheFirst);
    page.reads("Ada Byron, since");
    page.is_fine("live");
    page.press_first("#conferences a");
    page.reads("In the room (1)");
    page.press_first(".acts summary");
    page.press_first(".acts .danger");
    host.hears(Prompt::RemovedByHost);
    host.is_hung_up();
    page.reads("The conference is over.");
}

/// On a telephone's screen, by touch: makes a user, and reads what administrators read.
#[test]
fn an_administrators_way() {
    let (bridge, at) = with_portal();
    bridge.account(&[]);
    let chromium = Chromium::start();
    let page = chromium.page(Screen::Phone);
    sign_up(&page, &bridge, &at, "root@example.org", "administrator");
    page.press("Users");
    page.fill("E-mail address", "ada@example.org");
    page.choose("Role", "Host");
    page.press("Make the user");
    page.reads("sets a password here, once");
    page.is_fine("users");
    let link = page.text_of(".fresh code");
    let ada = chromium.page(Screen::Phone);
    ada.go(&link);
    ada.is_fine("set-up");
    ada.fill("New password", PASSWORD);
    ada.fill("New password, again", PASSWORD);
    ada.press("Set password and sign in");
    ada.reads("Your accounts");

    page.press("Suspend ada@example.org");
    page.reads("suspended");
    ada.press("Live");
    ada.reads("No password yet, or forgotten?");

    for (name, path) in [
        ("Policies", "policies"),
        ("Reports", "reports"),
        ("API tokens", "tokens"),
        ("Import", "import"),
        ("Audit log", "audit"),
    ] {
        page.press(name);
        page.is_at(&format!("/{path}"));
        page.is_fine(&format!("{path}-by-administrator"));
    }
    page.reads("user.suspended");
}

/// An authenticator app scans the picture; from then on its codes are asked for, of whom the configuration says so at once.
#[test]
fn a_second_factor() {
    let (bridge, at) = configured("[http]\nsecond-factor = [\"administrator\"]\n");
    let chromium = Chromium::start();
    let page = chromium.page(Screen::Desk);
    sign_up(&page, &bridge, &at, "root@example.org", "administrator");
    page.reads("Your role needs a second factor");
    page.press("Users");
    page.is_at("/second-factor");
    let scanned = said(
        Command::new("zbarimg")
            .args(["--quiet", "--raw"])
            .arg(page.picture("qr")),
    );
    let (_, rest) = scanned.split_once("?secret=").unwrap();
    let key = rest.split('&').next().unwrap();
    page.is_fine("second-factor");
    assert_eq!(page.text_of("#key").replace(' ', ""), key);
    let app = |ahead: i64| {
        let then = bridge.now() + chrono::TimeDelta::seconds(ahead);
        let then = then.format("@%s").to_string();
        said(Command::new("oathtool").args(["--totp", "--base32", "--now", &then, key]))
    };
    page.fill("Code", "000000");
    page.press("Turn it on");
    page.reads("That is not the code of now.");
    page.fill("Code", &app(0));
    page.press("Turn it on");
    page.reads("shown this once");
    assert_eq!(page.count(".codes li"), 10);
    let recovery = page.text_of(".codes code");
    page.is_fine("recovery-codes");

    // The code of the step after, as the one of now is used up.
    for code in [app(30), recovery] {
        page.press("Sign out");
        page.reads("No password yet, or forgotten?");
        page.fill("E-mail address", "root@example.org");
        page.fill("Password", PASSWORD);
        page.press_first("main button");
        page.is_at("/sign-in/code");
        page.reads("The code of your app");
        page.is_fine("code");
        page.fill("Code", &code);
        page.press_first("main button");
        page.is_at("/accounts");
    }
    page.press("Second factor");
    page.reads("9 recovery codes are left");
    page.is_fine("second-factor-on");
    let reset = bridge.json(&["user", "reset-second-factor", "root@example.org"]);
    assert_eq!(reset["has_second_factor"], false);
    page.press("Accounts");
    page.is_at("/second-factor");
}

/// What a program says, that must succeed.
fn said(command: &mut Command) -> String {
    let output = command.output().expect("`cargo xtask setup` installs it");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Reads everything and changes nothing.
#[test]
fn an_auditors_way() {
    let (bridge, at) = with_portal();
    let account = bridge.account(&[]);
    let (host, guest) = two(&bridge, &account);
    let chromium = Chromium::start();
    let page = chromium.page(Screen::Desk);
    sign_up(&page, &bridge, &at, "theo@example.org", "auditor");
    page.press("Live");
    page.press_first("#conferences a");
    page.reads("In the room (2)");
    assert_eq!(page.count("main button"), 0, "nothing to press");
    page.is_fine("console-by-auditor");
    guest.hang_up();
    page.reads("In the room (1)");
    host.hang_up();
    page.reads("The conference is over.");
    page.press("Conferences");
    page.is_at("/conferences");
    page.is_fine("conferences");
    page.press_first("a[href^='/conferences/']");
    page.reads("Who was in it");
    page.reads("+442079460011");
    page.press("Reports");
    page.reads("Ada Byron");
    page.is_fine("reports-of-use");
    page.press("Usage by month");
    page.reads("Twelve months");
    page.is_fine("usage-by-month");
    page.press("Audit log");
    page.is_at("/audit");
    page.is_fine("audit");
}

/// Without a mouse: signs in, locks and ends.
#[test]
fn a_host_with_a_keyboard_alone() {
    let (bridge, at) = with_portal();
    let account = bridge.account(&[]);
    let (mut host, mut guest) = two(&bridge, &account);
    let chromium = Chromium::start();
    let page = chromium.page(Screen::Desk);
    sign_up(&page, &bridge, &at, "ada@example.org", "host");
    page.press("Sign out");
    page.reads("No password yet, or forgotten?");
    page.tab_to("E-mail address");
    page.types("ada@example.org");
    page.tab_to("Password");
    page.types(PASSWORD);
    page.key("Enter");
    page.reads("Your accounts");
    page.tab_to("To the content");
    page.tab_to("Live");
    page.key("Enter");
    page.reads("Conference of Ada Byron");
    page.tab_to("To the content");
    page.key("Enter");
    page.tab_to("Conference of Ada Byron");
    page.key("Enter");
    page.reads("In the room (2)");
    page.tab_to("Lock");
    page.key("Enter");
    page.reads("The conference is locked.");
    page.has_focus("Unlock");
    guest.hears(Prompt::Locked);
    page.key("Enter");
    page.has_focus("Lock");
    page.tab_to("End the conference");
    page.key("Enter");
    page.tab_to("End it for everyone");
    page.key("Enter");
    host.hears(Prompt::HostEnded);
    host.is_hung_up();
    guest.is_hung_up();
    page.reads("The conference is over.");
}
