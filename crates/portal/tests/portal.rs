//! The portal through its router, as browsers of every role meet it.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::pin::Pin as Pinned;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode, header};
use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{
    AccountId, AccountState, CallId, ConferenceKey, Owner, Pin, Plan, Role, Source, Terms, Title,
    Window,
};
use conclave_conference::{
    Command, ConferenceId, EndReason, Fact, Floor, LeaveReason, Muted, OperatorId, Place, Record,
    Refusal, WaitFor,
};
use conclave_desk::{Desk, Rules, dial_in_numbers};
use conclave_portal::live::{
    Caller, Deed, Live, Order, Reception, Request as Wish, Snapshot, Stage, Summary,
};
use conclave_portal::{Access, ENTRANCES, Portal, Site, role_table};
use conclave_store::{
    Act, AuditPage, Auditor, Books, Entry, FreshKeys, Keys, NewAccount, NewBooking, SqlStore,
    Store, StoredPin, Token, UserEmail, UserRole,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt;

#[path = "portal/api.rs"]
mod api;
#[path = "portal/desk.rs"]
mod desk;
#[path = "portal/factor.rs"]
mod factor;
#[path = "portal/live.rs"]
mod live;
#[path = "portal/oidc.rs"]
mod oidc;
#[path = "portal/programs.rs"]
mod programs;

const PASSWORD: &str = "four odd words here";

/// A portal on a database of its own, whose clock stands still.
struct Bed {
    _dir: TempDir,
    keys: Keys,
    store: SqlStore,
    router: Router,
    ahead: Arc<AtomicI64>,
    bridge: Arc<Mutex<Bridge>>,
}

fn random(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

fn start() -> DateTime<Utc> {
    "2026-11-28T12:00:00Z".parse().unwrap()
}

/// A bridge in whose one conference, of the first account, whatever is wanted happens.
struct Bridge {
    now: Snapshot,
    /// Kept up to date, where a test wants that; else whoever looks sees it once.
    shown: Option<watch::Sender<Arc<Snapshot>>>,
    /// The list, for as long as that is so.
    listed: watch::Sender<Arc<[Summary]>>,
    orders: Vec<Order>,
    refuses: Option<Refusal>,
}

impl Bridge {
    fn new() -> Self {
        let caller = |call, role, place| Caller {
            call: CallId(call),
            role,
            name: None,
            number: Some(format!("+493012345{call}")),
            arrived: start(),
            place,
            muted: None,
            on_hold: false,
            noisy: false,
            hand: false,
            can_let_speak: false,
            speaking: false,
            reception: None,
        };
        let asks = Place::Waiting {
            what: WaitFor::Consent,
            since: start(),
        };
        let callers = vec![
            Caller {
                speaking: true,
                reception: Some(Reception {
                    lost: 3,
                    jitter_ms: 12,
                }),
                ..caller(11, Role::Host, Place::Room)
            },
            Caller {
                name: Some("Grace <b>".to_owned()),
                muted: Some(Muted::ByHost),
                hand: true,
                can_let_speak: true,
                noisy: true,
                ..caller(12, Role::Guest, Place::Room)
            },
            caller(13, Role::Guest, asks),
        ];
        let summary = Summary {
            id: ConferenceId(1),
            account: AccountId(1),
            booking: None,
            started: start(),
            stage: Stage::Open,
            hosts: 1,
            guests: 1,
            waiting: 1,
            asking: 1,
            locked: true,
        };
        Self {
            now: Snapshot {
                summary,
                floor: Floor::Lecture,
                can_lock: true,
                turned_away: 2,
                callers,
            },
            shown: None,
            listed: watch::Sender::new(Arc::default()),
            orders: Vec::new(),
            refuses: None,
        }
    }

    fn answer(&mut self, wish: Wish) {
        match wish {
            Wish::List { answer } => {
                let list = Arc::from([self.now.summary.clone()]);
                let looks = match &self.shown {
                    Some(_) => {
                        self.listed.send_replace(list);
                        self.listed.subscribe()
                    }
                    None => watch::channel(list).1,
                };
                answer.send(looks).unwrap();
            }
            Wish::Watch { conference, answer } => {
                let looks = || match &self.shown {
                    Some(shown) => shown.subscribe(),
                    None => watch::channel(Arc::new(self.now.clone())).1,
                };
                let there = conference == self.now.summary.id;
                answer.send(there.then(looks)).unwrap();
            }
            Wish::Order { order, answer } => {
                self.orders.push(order);
                answer.send(self.refuses.map_or(Ok(()), Err)).unwrap();
            }
            Wish::Metrics { answer } => answer.send("conclave_calls 3\n".to_owned()).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

fn runs(bridge: Arc<Mutex<Bridge>>) -> Live {
    let (live, mut wishes) = Live::channel();
    tokio::spawn(async move {
        while let Some(wish) = wishes.recv().await {
            bridge.lock().unwrap().answer(wish);
        }
    });
    live
}

impl Bed {
    async fn new() -> Self {
        Self::at(Site::loopback()).await
    }

    async fn at(site: Site) -> Self {
        Self::demanding(site, &[]).await
    }

    /// Of these roles it demands a second factor.
    async fn demanding(site: Site, roles: &[UserRole]) -> Self {
        let demand = |portal: Portal| portal.demanding_second_factors(roles);
        Self::made(site, Arc::default(), demand).await
    }

    /// Of a portal that is finished so; its clock is `ahead` by so many seconds.
    async fn made(
        site: Site,
        ahead: Arc<AtomicI64>,
        finish: impl FnOnce(Portal) -> Portal,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::load_or_create(dir.path(), FreshKeys::draw(&mut random(1))).unwrap();
        let auditor = Auditor::new(dir.path(), &keys, Box::new(random(2)));
        let store = SqlStore::serve(dir.path(), auditor).await.unwrap();
        let clock = Arc::clone(&ahead);
        let clock = move || start() + TimeDelta::seconds(clock.load(Ordering::Relaxed));
        let now = Arc::new(keys.clone());
        let rules = Rules {
            numbers: dial_in_numbers([["+442079460000", "London", "United Kingdom", "English"]]),
            ..Rules::default()
        };
        let desk = Desk::new(
            store.clone(),
            Box::new(move || Arc::clone(&now)),
            rules,
            Box::new(random(4)),
        );
        let portal = Portal::new(Arc::new(desk), site, Box::new(clock), Box::new(random(3)));
        let bridge = Arc::new(Mutex::new(Bridge::new()));
        let portal = portal.unwrap().with_live(runs(Arc::clone(&bridge)));
        let portal = finish(portal);
        Self {
            _dir: dir,
            keys,
            store,
            router: portal.router(),
            ahead,
            bridge,
        }
    }

    fn now(&self) -> DateTime<Utc> {
        start() + TimeDelta::seconds(self.ahead.load(Ordering::Relaxed))
    }

    fn pass(&self, seconds: i64) {
        self.ahead.fetch_add(seconds, Ordering::Relaxed);
    }

    fn act(&self) -> Act {
        Act::new("root@bridge1", self.now())
    }

    /// A user with a link to set a password by.
    async fn invited(&self, email: &str, role: UserRole) -> String {
        let email = UserEmail::parse(email).unwrap();
        let user = self.store.add_user(&email, role, &self.act()).await;
        let user = user.unwrap();
        let code = Token::draw(&mut random(100 + user.id.0));
        let ends = self.now() + TimeDelta::hours(48);
        self.store
            .offer_link(user.id, &code.hash(), ends, &self.act())
            .await
            .unwrap();
        code.expose().to_string()
    }

    /// A browser in which a new user of that role is signed in.
    async fn signed_in(&self, email: &str, role: UserRole) -> Browser {
        let code = self.invited(email, role).await;
        let mut browser = self.browser();
        let fields = [
            ("code", &*code),
            ("password", PASSWORD),
            ("again", PASSWORD),
        ];
        let answer = browser.send("/set-up", &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        browser
    }

    /// Whether a PIN opens something for that role, at some time.
    async fn opens(&self, pin: &str, role: Role) -> bool {
        let pin = Pin::parse(pin).unwrap();
        let lookups: Vec<_> = self
            .keys
            .lookups(&pin)
            .iter()
            .map(|one| one.lookup)
            .collect();
        let nobody = Source::withheld("");
        let found = self
            .store
            .door(&lookups, &nobody, self.now())
            .await
            .unwrap();
        found.is_some_and(|found| {
            found.door.role == role && found.door.state == AccountState::Active
        })
    }

    /// What the form for a booking carries so that it is made once.
    async fn portal_once(&self, browser: &mut Browser) -> String {
        let page = browser.get("/book").await.text;
        let (_, rest) = page.split_once("name=\"once\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    fn browser(&self) -> Browser {
        Browser {
            router: self.router.clone(),
            cookies: Vec::new(),
            host: "127.0.0.1:8080",
        }
    }

    async fn account(&self, name: &str, pins: [&str; 2]) -> AccountId {
        let [host, guest] = pins.map(|digits| Pin::parse(digits).unwrap());
        let first = name.to_lowercase();
        let first = first.split(' ').next().unwrap();
        let email = format!("{first}@example.org");
        let new = NewAccount {
            owner: Owner::new(name, &email).unwrap(),
            terms: Terms::default(),
            department: None,
            cost_code: None,
            bookings: true,
            // As short as they are, no policy is to be blamed for them.
            host: StoredPin {
                forced: true,
                ..StoredPin::host(&host, &self.keys)
            },
            guest: StoredPin {
                forced: true,
                ..StoredPin::guest(&guest, &self.keys, [7; 24])
            },
        };
        let added = self.store.add_accounts(vec![new], &self.act()).await;
        added.unwrap()[0].id
    }

    /// A booking in an hour, of 90 minutes.
    async fn booked(&self, account: AccountId) {
        let starts = self.now() + TimeDelta::hours(1);
        let ends = starts + TimeDelta::minutes(90);
        let host = StoredPin {
            forced: true,
            ..StoredPin::host(&Pin::parse("555555").unwrap(), &self.keys)
        };
        let guest = StoredPin {
            forced: true,
            ..StoredPin::guest(&Pin::parse("666666").unwrap(), &self.keys, [8; 24])
        };
        let booking = NewBooking {
            account,
            title: Title::new("Budget").unwrap(),
            plan: Plan {
                starts: starts.naive_utc(),
                length: std::time::Duration::from_secs(90 * 60),
                zone: "UTC".to_owned(),
                early: std::time::Duration::ZERO,
                rule: None,
                except: Vec::new(),
            },
            windows: vec![Window::new(starts, ends, std::time::Duration::ZERO).unwrap()],
            uid: "1@example.org".to_owned(),
            host,
            guest: Some(guest),
            invitees: Vec::new(),
            mail: false,
        };
        self.store.book(booking, &self.act()).await.unwrap();
    }

    /// A conference of ten minutes on the account, an hour ago; one call, a Host's.
    async fn held(&self, account: AccountId, number: &str) {
        let began = self.now() - TimeDelta::hours(1);
        let run = self.store.begin_run(began).await.unwrap();
        let (call, ended) = (CallId(1), began + TimeDelta::minutes(10));
        let fact = |at, fact| {
            Entry::Conference(Record {
                at,
                conference: ConferenceId(1),
                fact,
            })
        };
        let key = ConferenceKey::Account(account);
        let arrived = Fact::Arrived {
            call,
            role: Role::Host,
            holder: None,
            invitee: None,
            waits_for: None,
        };
        let (hung_up, reason) = (LeaveReason::HungUp, EndReason::LastLeft);
        let entries = [
            Entry::CallAnswered {
                call,
                at: began,
                source: Source::new("berlin", number),
            },
            fact(began, Fact::Started { key, account }),
            fact(began, arrived),
            fact(began, Fact::Admitted { call }),
            fact(
                ended,
                Fact::Departed {
                    call,
                    reason: hung_up,
                },
            ),
            fact(ended, Fact::Ended { reason }),
            Entry::CallEnded {
                call,
                at: ended,
                reason: hung_up,
            },
        ];
        self.store.write(run, &entries, ended).await.unwrap();
    }
}

#[derive(Clone)]
struct Browser {
    router: Router,
    cookies: Vec<(String, String)>,
    host: &'static str,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: impl header::AsHeaderName) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }
}

impl Browser {
    async fn ask(&mut self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 10 << 20).await.unwrap();
        for line in parts.headers.get_all(header::SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(kept, _)| kept != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.host)
            .header(header::COOKIE, cookies.join("; "))
            .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 9))))
    }

    async fn get(&mut self, path: &str) -> Answer {
        let request = self.request("GET", path).body(Body::empty()).unwrap();
        self.ask(request).await
    }

    /// The form token of a page.
    async fn form(&mut self, path: &str) -> String {
        let page = self.get(path).await.text;
        let (_, rest) = page.split_once("name=\"form\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = self.request("POST", path).body(Body::from(body)).unwrap();
        self.ask(request).await
    }

    /// Fills in the form of that page and sends it.
    async fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let form = self.form(path).await;
        let fields: Vec<_> = [("form", form.as_str())]
            .iter()
            .chain(fields)
            .copied()
            .collect();
        self.post(path, &fields).await
    }

    /// The same with fields that the page would have hidden.
    async fn send_with(
        &mut self,
        path: &str,
        hidden: &[(&str, &str)],
        fields: &[(&str, &str)],
    ) -> Answer {
        self.send(path, &[hidden, fields].concat()).await
    }

    async fn sign_in(&mut self, email: &str, password: &str) -> Answer {
        self.send("/sign-in", &[("email", email), ("password", password)])
            .await
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        let found = self.cookies.iter().find(|(kept, _)| kept == name);
        found.map(|(_, value)| value.as_str())
    }
}

#[tokio::test]
async fn every_entrance_is_open_to_whom_the_table_says() {
    let (bed, _openid) = oidc::both().await;
    let ada = bed.account("Ada", ["111111", "222222"]).await;
    bed.held(ada, "+4930123456").await;
    bed.booked(ada).await;
    for role in UserRole::ALL {
        // Ada's own address for the Host, so that the pages of one thing are there.
        let email = match role {
            UserRole::Host => "ada@example.org",
            UserRole::Service => "service@example.org",
            UserRole::Administrator => "admin@example.org",
            UserRole::Auditor => "auditor@example.org",
        };
        let browser = bed.signed_in(email, role).await;
        for entrance in ENTRANCES {
            walk(
                browser.clone(),
                Some(role),
                entrance.method,
                entrance.path,
                entrance.access,
            )
            .await;
        }
    }
    for entrance in ENTRANCES {
        walk(
            bed.browser(),
            None,
            entrance.method,
            entrance.path,
            entrance.access,
        )
        .await;
    }
}

async fn walk(
    mut browser: Browser,
    role: Option<UserRole>,
    method: &str,
    path: &str,
    access: Access,
) {
    let path = path.replace("{id}", "1").replace("{invitee}", "1");
    let said = format!("{method} {path} as {role:?}");
    let answer = match method {
        "GET" => browser.get(&path).await,
        "POST" => browser.post(&path, &[]).await,
        "PATCH" | "DELETE" => {
            let request = browser.request(method, &path).body(Body::empty());
            browser.ask(request.unwrap()).await
        }
        other => panic!("{other}"),
    };
    let to_sign_in =
        answer.status == StatusCode::SEE_OTHER && answer.header(header::LOCATION) == "/sign-in";
    let open = match (access, role) {
        (Access::Machine | Access::Everybody, _) => true,
        (Access::Roles(_), None) => {
            assert!(
                to_sign_in && answer.text.is_empty(),
                "{said}: {}",
                answer.status
            );
            return;
        }
        (Access::Roles(roles), Some(role)) => roles.contains(&role),
        // To a program's entrances a browser's session opens nothing; their own walk is in `api.rs`.
        (Access::Token(..), _) => {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{said}");
            return;
        }
    };
    assert!(!to_sign_in, "{said}");
    let forbidden = answer.text.contains("not for your role");
    assert_eq!(forbidden, !open, "{said}: {}", answer.text);
    match (open, method) {
        (false, _) => assert_eq!(answer.status, StatusCode::FORBIDDEN, "{said}"),
        // A form without its token does nothing, whoever sends it.
        (true, "POST") => {
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{said}");
            assert!(answer.text.contains("Nothing was done"), "{said}");
        }
        (true, _) => {
            let fine = answer.status.is_success() || answer.status == StatusCode::SEE_OTHER;
            assert!(fine, "{said}: {}", answer.status);
        }
    }
}

#[test]
fn the_documentation_has_the_table() {
    let page = include_str!("../../../docs/security.md");
    let table = role_table();
    assert!(
        page.contains(&table),
        "docs/security.md should hold this:\n{table}"
    );
}

#[tokio::test]
async fn nobody_reads_another_accounts_things_by_guessing() {
    let bed = Bed::new().await;
    let ada = bed.account("Ada", ["111111", "222222"]).await;
    let bob = bed.account("Bob", ["333333", "444444"]).await;
    bed.held(ada, "+4930123456").await;
    bed.held(bob, "+4940999999").await;
    bed.bridge.lock().unwrap().now.summary.account = bob;
    let mut browser = bed.signed_in("ada@example.org", UserRole::Host).await;
    let live = browser.get("/live").await;
    assert!(
        live.text.contains("None of your conferences goes on"),
        "{}",
        live.text
    );
    let form = browser.form("/accounts").await;
    for id in [1, 999] {
        let fields = [("form", &*form), ("do", "end"), ("started", "0")];
        let answer = browser.post(&format!("/live/{id}"), &fields).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    assert!(bed.bridge.lock().unwrap().orders.is_empty());
    let list = browser.get("/accounts").await;
    assert!(list.text.contains("Ada") && !list.text.contains("Bob"));
    for own in ["/accounts/1", "/conferences/1"] {
        assert_eq!(browser.get(own).await.status, StatusCode::OK, "{own}");
    }
    for (others, nobodys) in [
        ("/accounts/2", "/accounts/999"),
        ("/conferences/2", "/conferences/999"),
        ("/live/1", "/live/999"),
        ("/live/1/events", "/live/999/events"),
    ] {
        let (others, nobodys) = (browser.get(others).await, browser.get(nobodys).await);
        assert_eq!(others.status, StatusCode::NOT_FOUND);
        assert_eq!(
            others.text, nobodys.text,
            "one can't be told from the other"
        );
    }
    for strange in [
        "/accounts/x",
        "/accounts/-1",
        "/accounts/%2B1",
        "/accounts/99999999999999999999",
    ] {
        let answer = browser.get(strange).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{strange}");
    }
    for trick in [
        "/accounts?find=Bob",
        "/accounts?after=1",
        "/accounts?find=2",
    ] {
        assert!(!browser.get(trick).await.text.contains("Bob"), "{trick}");
    }
}

#[tokio::test]
async fn a_user_sets_a_password_signs_in_and_out() {
    let bed = Bed::new().await;
    let code = bed.invited("Ada@example.org", UserRole::Host).await;
    let mut browser = bed.browser();
    let nothing_set = browser.sign_in("ada@example.org", PASSWORD).await;
    assert_eq!(nothing_set.status, StatusCode::FORBIDDEN);

    let set = |new: &'static str, again: &'static str, code: &str| {
        let (mut browser, code) = (browser.clone(), code.to_owned());
        async move {
            let fields = [("code", code.as_str()), ("password", new), ("again", again)];
            browser.send("/set-up", &fields).await
        }
    };
    let short = set("short", "short", &code).await;
    assert_eq!(short.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        short.text.contains("at least 12 characters"),
        "{}",
        short.text
    );
    assert!(short.text.contains(&code), "it need not be typed again");
    assert!(
        set(PASSWORD, "another one altogether", &code)
            .await
            .text
            .contains("not the same")
    );
    let wrong = set(PASSWORD, PASSWORD, &"0".repeat(64)).await;
    assert!(wrong.text.contains("link is not valid"));
    let whole_link = format!("http://127.0.0.1:8080/set-up#{code}");
    let done = set(PASSWORD, PASSWORD, &whole_link).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    let again = set(PASSWORD, PASSWORD, &code).await;
    assert!(again.text.contains("link is not valid"), "once");

    // One answer, whatever is wrong.
    let unknown = browser.sign_in("nobody@example.org", PASSWORD).await;
    let wrong = browser
        .sign_in("ada@example.org", "four odd words there")
        .await;
    assert_eq!(unknown.status, wrong.status);
    assert_eq!(
        unknown.text.replace("nobody@", ""),
        wrong.text.replace("ada@", "")
    );

    let visit = browser.cookie("conclave-visit").unwrap().to_owned();
    let before = browser.get("/accounts").await;
    assert_eq!(before.header(header::LOCATION), "/sign-in");
    let signed_in = browser.sign_in("ADA@example.org", PASSWORD).await;
    assert_eq!(signed_in.header(header::LOCATION), "/");
    let session = browser.cookie("conclave-session").unwrap().to_owned();
    assert_ne!(session, visit);
    assert_eq!(browser.cookie("conclave-visit"), None);
    let page = browser.get("/accounts").await;
    assert!(page.text.contains("ada@example.org, Host"), "{}", page.text);
    assert!(page.text.contains("No account has your e-mail address"));
    assert!(!page.text.contains(&session), "a token is in no page");

    let form = browser.form("/accounts").await;
    let mut left_open = browser.clone();
    let out = browser.post("/sign-out", &[("form", &form)]).await;
    assert_eq!(out.header(header::LOCATION), "/sign-in");
    assert_eq!(browser.cookie("conclave-session"), None);
    let after = left_open.get("/accounts").await;
    assert_eq!(
        after.header(header::LOCATION),
        "/sign-in",
        "the token is worth nothing"
    );

    let kinds: Vec<_> = bed.store.audit(&AuditPage::default()).await.unwrap();
    let kinds: Vec<_> = kinds.iter().map(|row| row.kind.as_str()).collect();
    for kind in ["user.password-set", "user.signed-in", "user.signed-out"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
}

#[tokio::test]
async fn a_session_ends_with_time_and_with_its_user() {
    let bed = Bed::new().await;
    let mut browser = bed.signed_in("ada@example.org", UserRole::Host).await;
    let mut idle = browser.clone();
    for _ in 0..20 {
        bed.pass(1800);
        assert_eq!(browser.get("/accounts").await.status, StatusCode::OK);
    }
    bed.pass(3600);
    assert_eq!(idle.get("/accounts").await.status, StatusCode::SEE_OTHER);
    browser.sign_in("ada@example.org", PASSWORD).await;
    for _ in 0..23 {
        bed.pass(1800);
        browser.get("/accounts").await;
    }
    assert_eq!(browser.get("/accounts").await.status, StatusCode::OK);
    bed.pass(1800);
    let half_a_day = browser.get("/accounts").await;
    assert_eq!(half_a_day.status, StatusCode::SEE_OTHER);

    browser.sign_in("ada@example.org", PASSWORD).await;
    let (ada, _) = bed.store.user("ada@example.org").await.unwrap().unwrap();
    bed.store
        .suspend_user(ada.id, true, &bed.act())
        .await
        .unwrap();
    assert_eq!(browser.get("/accounts").await.status, StatusCode::SEE_OTHER);
    let suspended = browser.sign_in("ada@example.org", PASSWORD).await;
    assert_eq!(suspended.status, StatusCode::FORBIDDEN);
    assert!(
        suspended.text.contains("do not belong together"),
        "as any other"
    );
}

#[tokio::test]
async fn a_form_counts_only_from_the_page_it_was_on() {
    let bed = Bed::new().await;
    let mut browser = bed.signed_in("ada@example.org", UserRole::Host).await;
    let mut other = bed.signed_in("eve@example.org", UserRole::Host).await;
    let form = browser.form("/accounts").await;
    let others = other.form("/accounts").await;
    let refused = |answer: Answer| {
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.text.contains("Nothing was done"), "{}", answer.text);
    };
    refused(browser.post("/sign-out", &[]).await);
    refused(browser.post("/sign-out", &[("form", "x")]).await);
    refused(browser.post("/sign-out", &[("form", &others)]).await);
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let request = browser.request("POST", "/sign-out").header(name, value);
        let request = request.body(Body::from(format!("form={form}"))).unwrap();
        refused(browser.ask(request).await);
    }
    let much = "x".repeat(20_000);
    let large = [("form", form.as_str()), ("x", &much)];
    let large = browser.post("/sign-out", &large).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(browser.get("/accounts").await.status, StatusCode::OK);
    let request = browser.request("POST", "/sign-out");
    let request = request.header("origin", "http://127.0.0.1:8080");
    let request = request.body(Body::from(format!("form={form}"))).unwrap();
    assert_eq!(browser.ask(request).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn whoever_guesses_has_to_wait_whether_or_not_there_is_such_a_user() {
    for email in ["ada@example.org", "nobody@example.org"] {
        let bed = Bed::new().await;
        bed.signed_in("ada@example.org", UserRole::Host).await;
        let mut browser = bed.browser();
        for _ in 0..10 {
            let wrong = browser.sign_in(email, "not that one").await;
            assert_eq!(wrong.status, StatusCode::FORBIDDEN);
        }
        let answer = browser.sign_in(email, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{email}");
        assert_eq!(answer.header(header::RETRY_AFTER), "60");
        assert!(answer.text.contains("in 60 seconds"));
        bed.pass(60);
        let answer = browser.sign_in("ada@example.org", PASSWORD).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn every_answer_is_hardened() {
    let bed = Bed::new().await;
    let mut browser = bed
        .signed_in("ada@example.org", UserRole::Administrator)
        .await;
    for path in [
        "/accounts",
        "/sign-in",
        "/nowhere",
        "/healthz",
        "/style.css",
        "/audit?month=x&after=y",
    ] {
        let answer = browser.get(path).await;
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{path}"
        );
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(answer.header(header::REFERRER_POLICY), "same-origin");
        assert_eq!(answer.header(header::STRICT_TRANSPORT_SECURITY), "");
        let kept = answer.header(header::CACHE_CONTROL);
        assert_eq!(kept == "no-store", path != "/style.css", "{path}: {kept}");
        // The policy would forbid them.
        assert!(
            !answer.text.contains("style=\"") && !answer.text.contains("<style"),
            "{path}"
        );
    }
    let mut strange = bed.browser();
    strange.host = "evil.example";
    let answer = strange.get("/sign-in").await;
    assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(strange.get("/healthz").await.text, "ok\n");
    assert_eq!(strange.get("/readyz").await.text, "ready\n");
}

#[tokio::test]
async fn behind_tls_cookies_are_for_this_host_alone() {
    let site = Site::https("https://conf.example.org", Vec::new()).unwrap();
    let bed = Bed::at(site).await;
    let mut browser = bed.browser();
    browser.host = "conf.example.org";
    let answer = browser.get("/sign-in").await;
    let cookie = answer.header(header::SET_COOKIE);
    assert!(cookie.starts_with("__Host-conclave-visit="), "{cookie}");
    assert!(
        cookie.contains("; Secure") && cookie.contains("; HttpOnly"),
        "{cookie}"
    );
    assert!(
        answer
            .header(header::STRICT_TRANSPORT_SECURITY)
            .contains("max-age")
    );
    assert_eq!(
        bed.browser().get("/sign-in").await.status,
        StatusCode::MISDIRECTED_REQUEST
    );
}

#[tokio::test]
async fn pages_show_what_there_is_to_whom_it_may_be_shown() {
    let bed = Bed::new().await;
    let mut admin = bed
        .signed_in("admin@example.org", UserRole::Administrator)
        .await;
    for (path, advice) in [
        ("/accounts", "conclave-bridge account add"),
        ("/accounts?find=zoe", "No account matches “zoe”"),
        ("/conferences", "There was no conference in November 2026"),
        ("/reports", "nothing to add up"),
        (
            "/audit?month=2020-01",
            "Nothing was written down in January 2020",
        ),
    ] {
        let page = admin.get(path).await.text;
        assert!(page.contains(advice), "{path}: {page}");
    }
    let ada = bed.account("Ada <b>", ["111111", "222222"]).await;
    assert_eq!(ada, AccountId(1));
    let page = admin.get("/accounts/1").await.text;
    assert!(page.contains("Nothing is booked") && page.contains("no conference in November"));
    assert!(!page.contains("<b>"), "names are text: {page}");
    bed.booked(ada).await;
    bed.held(ada, "+4930123456").await;

    let page = admin.get("/accounts/1").await.text;
    assert!(
        page.contains("Budget") && page.contains("28 Nov 2026, 13:00 UTC, 1 h 30 min"),
        "{page}"
    );
    assert!(
        page.contains("href=\"/conferences/1\"") && page.contains("10 min"),
        "{page}"
    );
    let page = admin.get("/conferences/1").await.text;
    assert!(
        page.contains("+4930123456") && page.contains("hung up"),
        "{page}"
    );
    let mut service = bed
        .signed_in("service@example.org", UserRole::Service)
        .await;
    let page = service.get("/conferences/1").await.text;
    assert!(
        page.contains("+4930***56") && !page.contains("+4930123456"),
        "{page}"
    );
    let page = admin.get("/reports").await.text;
    assert!(
        page.contains("10 min") && page.contains("None. One would stand here"),
        "{page}"
    );
    let page = admin.get("/audit").await.text;
    assert!(
        page.contains("booking.") && page.contains("user.signed-in"),
        "{page}"
    );
    for path in ["/accounts/1", "/conferences/1", "/audit", "/reports"] {
        let page = admin.get(path).await.text;
        for pin in ["111111", "222222", "555555", "666666"] {
            assert!(!page.contains(pin), "{path} shows a PIN");
        }
    }
}

#[tokio::test]
async fn a_long_list_is_turned_page_by_page() {
    let bed = Bed::new().await;
    let mut admin = bed.signed_in("admin@example.org", UserRole::Auditor).await;
    for _ in 0..120 {
        let nothing = serde_json::json!({});
        bed.store
            .note("test.note", &nothing, &bed.act())
            .await
            .unwrap();
    }
    let first = admin.get("/audit").await.text;
    assert_eq!(first.matches("<tr>").count(), 101, "a hundred under a head");
    let (_, link) = first.split_once("/audit?month=2026-11&amp;after=").unwrap();
    let after = link.split('"').next().unwrap();
    let second = admin
        .get(&format!("/audit?month=2026-11&after={after}"))
        .await
        .text;
    let rows = second.matches("<tr>").count();
    assert!(
        (20..=30).contains(&rows) && !second.contains("More of"),
        "{rows}"
    );
    assert_eq!(
        first.matches("test.note").count() + second.matches("test.note").count(),
        120
    );
}

#[tokio::test]
async fn the_console_shows_each_role_what_it_may_see() {
    let bed = Bed::new().await;
    bed.account("Ada", ["111111", "222222"]).await;
    let mut pages = Vec::new();
    for (email, role) in [
        ("ada@example.org", UserRole::Host),
        ("service@example.org", UserRole::Service),
        ("admin@example.org", UserRole::Administrator),
        ("auditor@example.org", UserRole::Auditor),
    ] {
        let mut browser = bed.signed_in(email, role).await;
        let list = browser.get("/live").await.text;
        assert!(
            list.contains("href=\"/live/1\"") && list.contains("1 Host, 1 Guest in the room."),
            "{list}"
        );
        pages.push((role, browser.get("/live/1").await.text));
    }
    for (role, page) in &pages {
        for words in [
            "Conference of Ada",
            "1 caller waits to be let in. The conference is locked.",
            "2 callers were turned away",
            "Grace &#60;b&#62;",
            "muted by a Host",
            "hand is up",
            "music or noise",
            "line fair",
            "3 % lost, 12 ms jitter",
            "<li id=\"call-11\" data-call=\"11\" class=\"speaks\">",
            "Waiting to be let in (1)",
        ] {
            assert!(page.contains(words), "{role}: {words}: {page}");
        }
        let full = matches!(role, UserRole::Administrator | UserRole::Auditor);
        assert_eq!(page.contains("+49301234511"), full, "{role}");
        assert_eq!(page.contains("+4930***11"), !full, "{role}");
        let acts = *role != UserRole::Auditor;
        for button in [
            "unlock",
            "let-in",
            "mute",
            "unmute",
            "let-speak",
            "disconnect",
            "end",
        ] {
            let there = page.contains(&format!("name=\"do\" value=\"{button}\""));
            assert_eq!(there, acts, "{role}: {button}");
        }
    }
    bed.bridge.lock().unwrap().now.summary.stage = Stage::Ending {
        can_take_back: true,
    };
    let mut admin = bed.browser();
    admin.sign_in("admin@example.org", PASSWORD).await;
    let page = admin.get("/live/1").await.text;
    assert!(page.contains("Take the end back") && !page.contains("value=\"lock\""));
}

#[tokio::test]
async fn buttons_give_orders_in_the_users_name() {
    let bed = Bed::new().await;
    bed.account("Ada", ["111111", "222222"]).await;
    let mut host = bed.signed_in("ada@example.org", UserRole::Host).await;
    let (ada, _) = bed.store.user("ada@example.org").await.unwrap().unwrap();
    let page = host.get("/live/1").await.text;
    let (_, rest) = page.split_once("name=\"started\" value=\"").unwrap();
    let started = rest.split('"').next().unwrap().to_owned();
    let call = CallId(12);
    let command = Deed::Command;
    let floor = |floor| command(Command::SetFloor { floor });
    let checks = [
        ("mute", command(Command::MuteCall { call, muted: true })),
        ("unmute", command(Command::MuteCall { call, muted: false })),
        (
            "quiet",
            command(Command::QuietCall {
                call,
                quieted: true,
            }),
        ),
        (
            "restore",
            command(Command::QuietCall {
                call,
                quieted: false,
            }),
        ),
        ("let-speak", command(Command::LetSpeak { call })),
        ("disconnect", command(Command::Remove { call })),
        (
            "let-in",
            command(Command::Admit {
                call,
                welcome: true,
            }),
        ),
        (
            "send-away",
            command(Command::Admit {
                call,
                welcome: false,
            }),
        ),
        ("lock", command(Command::SetLock { locked: true })),
        ("unlock", command(Command::SetLock { locked: false })),
        ("open", floor(Floor::Open)),
        ("lecture", floor(Floor::Lecture)),
        ("strict", floor(Floor::StrictLecture)),
        ("quiet-noise", command(Command::Quiet)),
        ("next-hand", command(Command::Hand)),
        ("roll-call", command(Command::RollCall)),
        ("end", command(Command::EndForAll)),
        ("take-back", command(Command::Star)),
        (
            "name",
            Deed::Name {
                call,
                name: "Grace Hopper".to_owned(),
            },
        ),
    ];
    for (word, deed) in checks {
        let fields = [
            ("do", word),
            ("call", "12"),
            ("started", &*started),
            ("name", "Grace Hopper"),
        ];
        let answer = host.send("/live/1", &fields).await;
        assert_eq!(
            answer.status,
            StatusCode::SEE_OTHER,
            "{word}: {}",
            answer.text
        );
        assert_eq!(answer.header(header::LOCATION), "/live/1");
        let expected = Order {
            conference: ConferenceId(1),
            started: start(),
            by: OperatorId(ada.id.0),
            deed,
        };
        assert_eq!(
            bed.bridge.lock().unwrap().orders.pop(),
            Some(expected),
            "{word}"
        );
    }
    for (fields, status) in [
        (
            [("do", "destroy"), ("started", &*started)],
            StatusCode::NOT_FOUND,
        ),
        ([("do", "lock"), ("started", "soon")], StatusCode::NOT_FOUND),
    ] {
        assert_eq!(
            host.send("/live/1", &fields).await.status,
            status,
            "{fields:?}"
        );
    }
    bed.bridge.lock().unwrap().refuses = Some(Refusal::Locked);
    let fields = [("do", "let-in"), ("call", "13"), ("started", &*started)];
    let refused = host.send("/live/1", &fields).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text.contains("Unlock it first"), "{}", refused.text);
}

/// The next event of a stream, without comments.
async fn event(body: &mut Body) -> Option<String> {
    loop {
        let frame = std::future::poll_fn(|context| Pinned::new(&mut *body).poll_frame(context));
        let bytes = frame.await?.unwrap().into_data().unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        if !text.starts_with(':') && !text.starts_with("retry:") {
            return Some(text);
        }
    }
}

#[tokio::test]
async fn changes_come_by_themselves_and_a_slow_reader_misses_only_what_is_past() {
    let bed = Bed::new().await;
    bed.account("Ada", ["111111", "222222"]).await;
    let host = bed.signed_in("ada@example.org", UserRole::Host).await;
    let (mut now, shown) = {
        let mut bridge = bed.bridge.lock().unwrap();
        bridge.shown = Some(watch::Sender::new(Arc::new(bridge.now.clone())));
        (bridge.now.clone(), bridge.shown.clone().unwrap())
    };
    let request = host.request("GET", "/live/1/events");
    let request = request.body(Body::empty()).unwrap();
    let response = host.router.clone().oneshot(request).await.unwrap();
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/event-stream"
    );
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let mut body = response.into_body();
    let part = event(&mut body).await.unwrap();
    assert!(
        part.starts_with("event: part\ndata: ") && part.contains("call-12"),
        "{part}"
    );
    assert!(
        !part.contains("class=\"speaks\""),
        "who speaks comes by itself"
    );
    assert_eq!(
        event(&mut body).await.unwrap(),
        "event: speaking\ndata: 11\n\n"
    );

    // Who speaks is all that changes.
    now.callers[0].speaking = false;
    shown.send_replace(Arc::new(now.clone()));
    assert_eq!(
        event(&mut body).await.unwrap(),
        "event: speaking\ndata: \n\n"
    );

    // Nobody reads while all this happens.
    for n in 0..100 {
        now.callers[1].name = Some(format!("Grace {n}"));
        shown.send_replace(Arc::new(now.clone()));
        tokio::task::yield_now().await;
    }
    let mut parts = 0;
    loop {
        let part = event(&mut body).await.unwrap();
        parts += 1;
        if part.contains("Grace 99") {
            break;
        }
    }
    assert!(parts <= 5, "{parts} parts");

    drop(shown);
    bed.bridge.lock().unwrap().shown = None;
    assert_eq!(
        event(&mut body).await.unwrap(),
        "event: over\ndata: /accounts/1\n\n"
    );
    assert_eq!(event(&mut body).await, None);
}

#[tokio::test]
async fn figures_are_for_this_machine() {
    let bed = Bed::new().await;
    let check = |peer: &'static str,
                 more: Option<(&'static str, &'static str)>,
                 host: &'static str,
                 status| {
        let router = bed.router.clone();
        async move {
            let peer: SocketAddr = peer.parse().unwrap();
            let mut request = Request::get("/metrics")
                .header(header::HOST, host)
                .extension(ConnectInfo(peer));
            if let Some((name, value)) = more {
                request = request.header(name, value);
            }
            let request = request.body(Body::empty()).unwrap();
            let answer = router.oneshot(request).await.unwrap();
            assert_eq!(answer.status(), status, "{peer} {more:?} {host}");
        }
    };
    let (fine, none) = (StatusCode::OK, StatusCode::NOT_FOUND);
    check("127.0.0.1:9", None, "127.0.0.1:8080", fine).await;
    check("[::1]:9", None, "localhost:8080", fine).await;
    check("192.0.2.1:9", None, "127.0.0.1:8080", none).await;
    check("127.0.0.1:9", None, "evil.example", none).await;
    let through = Some(("x-forwarded-for", "192.0.2.1"));
    check("127.0.0.1:9", through, "127.0.0.1:8080", none).await;
}
