//! Headless Chromium, driven through its DevTools protocol over a pipe: what a person sees, presses and types.
//!
//! The protocol is JSON with a NUL after each message. The crates that wrap it bring some 60,000 generated lines or an asynchronous
//! WebSocket client; what these tests need of it fits on this page.

use std::{
    cell::RefCell,
    collections::VecDeque,
    fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    rc::Rc,
    sync::mpsc,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

/// How long Chromium may take for one answer, and a page until it shows what is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where `cargo xtask setup` puts axe-core.
const AXE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../target/axe-core/axe.min.js"
);

/// The time zone of everybody who looks.
pub(crate) const ZONE: chrono_tz::Tz = chrono_tz::Tz::Europe__Berlin;

/// A desk's screen, or a phone's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Screen {
    Desk,
    Phone,
}

impl Screen {
    fn size(self) -> (u32, u32) {
        match self {
            Self::Desk => (1280, 900),
            Self::Phone => (390, 844),
        }
    }
}

/// A browser's process. Each [`Page`] in it has cookies of its own.
pub(crate) struct Chromium {
    line: Rc<RefCell<Line>>,
    axe: Rc<str>,
}

impl Chromium {
    pub(crate) fn start() -> Self {
        let axe = fs::read_to_string(AXE)
            .unwrap_or_else(|error| panic!("{AXE}: {error}; `cargo xtask setup` fetches it"));
        let profile = tempfile::tempdir().unwrap();
        let log = fs::File::create(profile.path().join("log")).unwrap();
        // The shell puts the pipes where Chromium looks for them.
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >&2"])
            .args(["chromium", "--headless=new", "--remote-debugging-pipe"])
            .args(["--no-sandbox", "--no-first-run", "--disable-gpu"])
            .args(["--disable-dev-shm-usage", "--disable-background-networking"])
            .args(["--lang=en-US", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("chromium; `cargo xtask setup` installs it");
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let (told, heard) = mpsc::channel();
        std::thread::spawn(move || {
            loop {
                let mut message = Vec::new();
                answers.read_until(0, &mut message).unwrap_or_default();
                if message.pop() != Some(0) {
                    return;
                }
                if told
                    .send(serde_json::from_slice(&message).unwrap())
                    .is_err()
                {
                    return;
                }
            }
        });
        let line = Line {
            to: process.stdin.take().unwrap(),
            process,
            heard,
            asked: 0,
            faults: VecDeque::new(),
            _profile: profile,
        };
        Self {
            line: Rc::new(RefCell::new(line)),
            axe: axe.into(),
        }
    }

    /// Somebody who was never here before, with a screen of that kind.
    pub(crate) fn page(&self, screen: Screen) -> Page {
        let ask = |method: &str, with: Value| self.line.borrow_mut().ask(None, method, with);
        let person = ask("Target.createBrowserContext", json!({}));
        let with = json!({ "url": "about:blank", "browserContextId": person["browserContextId"] });
        let target = ask("Target.createTarget", with);
        let with = json!({ "targetId": target["targetId"], "flatten": true });
        let session = ask("Target.attachToTarget", with)["sessionId"].clone();
        let page = Page {
            line: Rc::clone(&self.line),
            axe: Rc::clone(&self.axe),
            session: session.as_str().unwrap().to_owned(),
            screen,
        };
        for domain in ["Page", "Runtime", "Log"] {
            page.ask(&format!("{domain}.enable"), json!({}));
        }
        let zone = json!({ "timezoneId": ZONE.name() });
        page.ask("Emulation.setTimezoneOverride", zone);
        page.look(screen, false);
        page
    }
}

/// What goes to Chromium and comes from it.
struct Line {
    process: Child,
    to: ChildStdin,
    heard: mpsc::Receiver<Value>,
    asked: u64,
    /// What went wrong in a page: an exception, something that the content security policy forbids, something that isn't there.
    faults: VecDeque<Value>,
    _profile: tempfile::TempDir,
}

impl Line {
    #[track_caller]
    fn ask(&mut self, session: Option<&str>, method: &str, with: Value) -> Value {
        let answer = self.try_to(session, method, with);
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn try_to(
        &mut self,
        session: Option<&str>,
        method: &str,
        with: Value,
    ) -> Result<Value, String> {
        self.asked += 1;
        let mut message = json!({ "id": self.asked, "method": method, "params": with });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        self.to
            .write_all(format!("{message}\0").as_bytes())
            .map_err(|error| error.to_string())?;
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let mut message = self
                .heard
                .recv_timeout(left)
                .map_err(|_| "Chromium does not answer".to_owned())?;
            if message["id"] == self.asked {
                return match message["error"].take() {
                    Value::Null => Ok(message["result"].take()),
                    error => Err(error.to_string()),
                };
            }
            let entry = &message["params"]["entry"];
            let is_fault = match message["method"].as_str() {
                Some("Runtime.exceptionThrown") => true,
                // A refusal is a page, too: that its status is none of the 200s is no fault of the page before it.
                Some("Log.entryAdded") => entry["level"] == "error" && entry["source"] != "network",
                _ => false,
            };
            if is_fault {
                self.faults.push_back(message);
            }
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A page that somebody looks at.
pub(crate) struct Page {
    line: Rc<RefCell<Line>>,
    axe: Rc<str>,
    session: String,
    screen: Screen,
}

impl Page {
    #[track_caller]
    fn ask(&self, method: &str, with: Value) -> Value {
        self.line
            .borrow_mut()
            .ask(Some(&self.session), method, with)
    }

    /// What an expression of JavaScript comes to; an error where the page is just being left.
    fn evaluate(&self, expression: &str) -> Result<Value, String> {
        let with = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut line = self.line.borrow_mut();
        let mut answer = line.try_to(Some(&self.session), "Runtime.evaluate", with)?;
        match answer["exceptionDetails"].take() {
            Value::Null => Ok(answer["result"]["value"].take()),
            thrown => Err(thrown.to_string()),
        }
    }

    /// Waits until the expression comes to something.
    #[track_caller]
    fn until(&self, what: &str, expression: &str) -> Value {
        let began = Instant::now();
        loop {
            let found = self.evaluate(expression);
            if let Ok(value) = &found
                && !matches!(value, Value::Null | Value::Bool(false))
            {
                return value.clone();
            }
            assert!(
                began.elapsed() < PATIENCE,
                "not seen in time: {what} ({found:?})\n{}",
                self.text()
            );
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    pub(crate) fn go(&self, url: &str) {
        self.ask("Page.navigate", json!({ "url": url }));
        self.until(url, "document.readyState === 'complete'");
    }

    /// Waits until the page of that path is there.
    #[track_caller]
    pub(crate) fn is_at(&self, path: &str) {
        let expression = format!(
            "document.readyState === 'complete' && location.pathname + location.search === {}",
            json!(path)
        );
        self.until(path, &expression);
    }

    /// What can be read now, its beginning.
    pub(crate) fn text(&self) -> String {
        let text =
            self.evaluate("`${location.pathname}\\n${document.body.innerText.slice(0, 1500)}`");
        text.map(|text| text.as_str().unwrap_or_default().to_owned())
            .unwrap_or_else(|error| error)
    }

    /// Waits until these words can be read.
    #[track_caller]
    pub(crate) fn reads(&self, words: &str) {
        let expression = format!(
            "document.readyState === 'complete' && document.body.innerText.includes({})",
            json!(words)
        );
        self.until(words, &expression);
    }

    /// Loads the page again until these words can be read: what is shown is written within a fraction of a second.
    #[track_caller]
    pub(crate) fn reads_at_last(&self, words: &str) {
        let expression = format!(
            "document.readyState === 'complete'
               && (document.body.innerText.includes({}) || (location.reload(), false))",
            json!(words)
        );
        self.until(words, &expression);
    }

    /// Waits until these words can't be read any more.
    #[track_caller]
    pub(crate) fn reads_no_more(&self, words: &str) {
        let expression = format!("!document.body.innerText.includes({})", json!(words));
        self.until(&format!("gone: {words}"), &expression);
    }

    /// What stands in the first that the selector finds.
    #[track_caller]
    pub(crate) fn text_of(&self, selector: &str) -> String {
        let expression = format!("document.querySelector({})?.textContent", json!(selector));
        self.until(selector, &expression)
            .as_str()
            .unwrap()
            .trim()
            .to_owned()
    }

    /// How many there are of what the selector finds.
    pub(crate) fn count(&self, selector: &str) -> u64 {
        let expression = format!("document.querySelectorAll({}).length", json!(selector));
        self.evaluate(&expression).unwrap().as_u64().unwrap()
    }

    /// Waits until what the selector finds can be seen.
    #[track_caller]
    pub(crate) fn sees(&self, selector: &str) {
        let expression = format!(
            "document.querySelector({})?.checkVisibility()",
            json!(selector)
        );
        self.until(selector, &expression);
    }

    /// Waits until nothing is left of what the selector finds.
    #[track_caller]
    pub(crate) fn sees_no_more(&self, selector: &str) {
        let expression = format!("!document.querySelector({})", json!(selector));
        self.until(&format!("gone: {selector}"), &expression);
    }

    /// Presses the button, link or fold of that name.
    #[track_caller]
    pub(crate) fn press(&self, name: &str) {
        let found = format!("named('button, a, summary', {})", json!(name));
        self.press_what(name, &found);
    }

    /// Presses the first that the selector finds.
    #[track_caller]
    pub(crate) fn press_first(&self, selector: &str) {
        let found = format!("document.querySelector({})", json!(selector));
        self.press_what(selector, &found);
    }

    /// Presses something where a person would: in its middle, if nothing lies over it.
    #[track_caller]
    fn press_what(&self, name: &str, found: &str) {
        let expression = format!(
            "(() => {{ {NAMED}
               const found = {found};
               if (!found || document.readyState !== 'complete') return null;
               found.scrollIntoView({{ block: 'center', behavior: 'instant' }});
               const {{ x, y, width, height }} = found.getBoundingClientRect();
               const at = [x + width / 2, y + height / 2];
               return found.contains(document.elementFromPoint(...at)) ? at : null;
             }})()"
        );
        let at = self.until(&format!("{name}, to be pressed"), &expression);
        match self.screen {
            Screen::Desk => {
                for kind in ["mousePressed", "mouseReleased"] {
                    let with = json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1 });
                    self.ask("Input.dispatchMouseEvent", with);
                }
            }
            Screen::Phone => {
                for (kind, points) in [
                    ("touchStart", json!([{ "x": at[0], "y": at[1] }])),
                    ("touchEnd", json!([])),
                ] {
                    let with = json!({ "type": kind, "touchPoints": points });
                    self.ask("Input.dispatchTouchEvent", with);
                }
            }
        }
    }

    /// Types into the field of that label, in place of what is in it.
    #[track_caller]
    pub(crate) fn fill(&self, label: &str, text: &str) {
        let expression = format!(
            "(() => {{ {NAMED}
               const found = named('input, textarea', {});
               if (!found || document.readyState !== 'complete') return null;
               found.focus();
               if (!['date', 'time'].includes(found.type)) found.select();
               return true;
             }})()",
            json!(label)
        );
        self.until(&format!("{label}, to be filled in"), &expression);
        self.types(text);
    }

    /// Types into a field for a day or a time of day, which has its own keys: one digit after the other.
    #[track_caller]
    pub(crate) fn fill_in_digits(&self, label: &str, digits: &str) {
        self.fill(label, "");
        for digit in digits.chars() {
            let text = digit.to_string();
            let with = json!({ "type": "keyDown", "key": text, "text": text });
            self.ask("Input.dispatchKeyEvent", with);
        }
    }

    /// Types where the focus is.
    pub(crate) fn types(&self, text: &str) {
        self.ask("Input.insertText", json!({ "text": text }));
    }

    /// What is in the field of that label.
    #[track_caller]
    pub(crate) fn value_of(&self, label: &str) -> String {
        let expression = format!(
            "(() => {{ {NAMED} return named('input, textarea, select', {})?.value; }})()",
            json!(label)
        );
        let value = self.until(label, &expression);
        value.as_str().unwrap().to_owned()
    }

    /// Chooses from a list, by what stands in it.
    #[track_caller]
    pub(crate) fn choose(&self, label: &str, option: &str) {
        let expression = format!(
            "(() => {{ {NAMED}
               const list = named('select', {});
               const wanted = [...list?.options ?? []].find((one) => one.text === {});
               if (wanted) list.value = wanted.value;
               return !!wanted;
             }})()",
            json!(label),
            json!(option)
        );
        self.until(&format!("{option} in {label}"), &expression);
    }

    /// Presses a key.
    pub(crate) fn key(&self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            other => panic!("{other} is not on this keyboard"),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut with =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                with["text"] = text.into();
            }
            self.ask("Input.dispatchKeyEvent", with);
        }
    }

    /// Goes on by Tab until the one of that name has the focus, which must be seen all the way.
    #[track_caller]
    pub(crate) fn tab_to(&self, name: &str) {
        let expression = format!(
            "(() => {{ {NAMED}
               const at = document.activeElement;
               const style = getComputedStyle(at);
               const seen = at === document.body || (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2);
               return {{ here: at === named('button, a, summary, input', {}), seen, what: at.outerHTML.slice(0, 200) }};
             }})()",
            json!(name)
        );
        self.until(name, "document.readyState === 'complete'");
        for _ in 0..60 {
            self.key("Tab");
            let at = self.evaluate(&expression).unwrap();
            assert_eq!(at["seen"], true, "the focus is not to be seen: {at}");
            if at["here"] == true {
                return;
            }
        }
        panic!("Tab does not lead to '{name}'\n{}", self.text());
    }

    /// What has the focus is called so.
    #[track_caller]
    pub(crate) fn has_focus(&self, name: &str) {
        let expression = format!(
            "(() => {{ {NAMED} return called(document.activeElement) === {}; }})()",
            json!(name)
        );
        self.until(&format!("the focus on {name}"), &expression);
    }

    /// As on that screen, by day or by night.
    fn look(&self, screen: Screen, dark: bool) {
        let (width, height) = screen.size();
        let phone = screen == Screen::Phone;
        let with =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone });
        self.ask("Emulation.setDeviceMetricsOverride", with);
        let with = json!({ "enabled": phone });
        self.ask("Emulation.setTouchEmulationEnabled", with);
        let scheme = if dark { "dark" } else { "light" };
        let with = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.ask("Emulation.setEmulatedMedia", with);
    }

    /// axe-core finds nothing, on a desk's screen by day and on a phone's by night; nothing runs out of either screen, and no script
    /// failed. Leaves four pictures of that name in `target/portal/`.
    #[track_caller]
    pub(crate) fn is_fine(&self, name: &str) {
        self.until(name, "document.readyState === 'complete'");
        self.evaluate(&format!("{}; true", self.axe)).unwrap();
        for (screen, kind) in [(Screen::Desk, "desk"), (Screen::Phone, "phone")] {
            for (dark, light) in [(false, "light"), (true, "dark")] {
                self.look(screen, dark);
                let what = format!("{name}-{kind}-{light}");
                self.picture(&what);
                assert_eq!(self.evaluate(WIDE), Ok(json!([])), "{what}");
                // Colours depend on the light and places on the screen: two of the four show all of both.
                if (screen == Screen::Phone) != dark {
                    continue;
                }
                let found = self.evaluate(AUDIT).unwrap();
                assert_eq!(found["faults"], json!([]), "{what}: {found:#}");
                let passed = found["passes"].as_u64().unwrap();
                assert!(passed > 10, "{what}: axe-core looked at {passed} things");
            }
        }
        self.look(self.screen, false);
        let faults = &self.line.borrow().faults;
        assert!(faults.is_empty(), "{name}: {faults:#?}");
    }

    /// The whole page as it looks now, and where the picture of it lies.
    pub(crate) fn picture(&self, name: &str) -> PathBuf {
        let with = json!({ "format": "png", "captureBeyondViewport": true });
        let shot = self.ask("Page.captureScreenshot", with);
        let data = BASE64_STANDARD.decode(shot["data"].as_str().unwrap());
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/portal"));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{name}.png"));
        fs::write(&file, data.unwrap()).unwrap();
        file
    }
}

/// What something is called: by its own label, or by the words in it that can be seen or are read out.
const NAMED: &str = "
    const called = (one) => one.ariaLabel
      ?? (one.labels?.length ? [...one.labels].map((label) => label.textContent).join(' ') : one.textContent).replace(/\\s+/g, ' ').trim();
    const named = (kind, name) => [...document.querySelectorAll(kind)]
      .find((one) => called(one) === name && one.getClientRects().length > 0);
";

/// The rules of WCAG 2.2 to level AA, and the good practices that axe-core knows besides.
const AUDIT: &str = "(async () => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const { violations, passes } = await axe.run(document, { runOnly: tags });
    const faults = violations.map(({ id, help, nodes }) =>
      ({ id, help, where: nodes.map(({ html, failureSummary }) => ({ html, failureSummary })) }));
    return { faults, passes: passes.length };
})()";

/// What runs out of the screen.
const WIDE: &str = "document.documentElement.scrollWidth <= innerWidth ? []
    : [...document.querySelectorAll('main *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
        .map((one) => one.outerHTML.slice(0, 120))";
