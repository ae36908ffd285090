//! What all pages share: the desk and its store, the clock, the passwords, the watch on guessing.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{Account, AccountId};
use conclave_desk::Desk;
use conclave_store::{
    Act, NewSession, Session, SqlStore, Store, Token, User, UserEmail, UserId, UserRole,
};
use rand_core::CryptoRng;
use tokio::sync::Semaphore;

use crate::live::Live;
use crate::oidc::Provider;
use crate::password::{Passwords, PasswordsError};
use crate::problem::Problem;
use crate::routes;
use crate::site::Site;
use crate::throttle::{Key, Pace, Throttle};

/// What tells the portal the time.
pub type Clock = Box<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// So long a set-up link is good: for whoever makes one.
pub const LINK_LASTS: TimeDelta = TimeDelta::hours(48);

/// A session ends after so long, however busy it is.
pub(crate) const SESSION_LASTS: TimeDelta = TimeDelta::hours(12);
/// So long somebody may look for their telephone between the password and the code.
pub(crate) const HALF_SESSION_LASTS: TimeDelta = TimeDelta::minutes(10);
/// A session that isn't used for so long ends.
const IDLE: TimeDelta = TimeDelta::minutes(60);
/// Use is noted so often, not at each request.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

const FROM_AN_ADDRESS: Pace = Pace {
    at_once: 10,
    every: TimeDelta::seconds(30),
};
const AT_A_USER: Pace = Pace {
    at_once: 10,
    every: TimeDelta::seconds(60),
};
/// Codes of second factors: whoever tries them knows the password. One in 300,000 is right.
const AT_A_CODE: Pace = Pace {
    at_once: 5,
    every: TimeDelta::minutes(5),
};
/// Browsers that look at something live, at the same time: each holds a connection for as long.
const LOOKERS: usize = 128;
/// Programs that listen to what happens, likewise.
const LISTENERS: usize = 64;
/// Keys of each kind that are remembered: a few megabytes.
const REMEMBERED: usize = 20_000;

/// The portal of one store. Clones share it.
#[derive(Clone)]
pub struct Portal {
    parts: Arc<Parts>,
    live: Option<Live>,
    demands: Arc<[UserRole]>,
    provider: Option<Arc<Provider>>,
}

struct Parts {
    desk: Arc<Desk>,
    site: Site,
    clock: Clock,
    random: Mutex<Box<dyn CryptoRng + Send>>,
    passwords: Passwords,
    watch: Mutex<Watch>,
    lookers: Arc<Semaphore>,
    listeners: Arc<Semaphore>,
}

/// The watch on guessing.
struct Watch {
    addresses: Throttle,
    users: Throttle,
    codes: Throttle,
}

impl fmt::Debug for Portal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Portal")
    }
}

impl Portal {
    /// A portal at that desk. `random` draws tokens and salts: it must be a generator fit for keys, seeded by the
    /// operating system.
    pub fn new(
        desk: Arc<Desk>,
        site: Site,
        clock: Clock,
        mut random: Box<dyn CryptoRng + Send>,
    ) -> Result<Self, PasswordsError> {
        let passwords = Passwords::new(salt(&mut *random))?;
        let parts = Parts {
            desk,
            site,
            clock,
            random: Mutex::new(random),
            passwords,
            watch: Mutex::new(Watch {
                addresses: Throttle::new(FROM_AN_ADDRESS, REMEMBERED),
                users: Throttle::new(AT_A_USER, REMEMBERED),
                codes: Throttle::new(AT_A_CODE, REMEMBERED),
            }),
            lookers: Arc::new(Semaphore::new(LOOKERS)),
            listeners: Arc::new(Semaphore::new(LISTENERS)),
        };
        Ok(Self {
            parts: Arc::new(parts),
            live: None,
            demands: Arc::from([]),
            provider: None,
        })
    }

    /// The same beside a bridge that runs: with its conferences, live, and its metrics.
    pub fn with_live(self, live: Live) -> Self {
        Self {
            live: Some(live),
            ..self
        }
    }

    /// The same for users of whom those in these roles must have a second factor: before they have set it up, no other
    /// page opens for them.
    pub fn demanding_second_factors(self, of: impl Into<Arc<[UserRole]>>) -> Self {
        Self {
            demands: of.into(),
            ..self
        }
    }

    /// The same for users who sign in at an OpenID provider: as well as by password, or instead.
    pub fn with_provider(self, provider: Arc<Provider>) -> Self {
        Self {
            provider: Some(provider),
            ..self
        }
    }

    /// All pages, each behind the guard that its [entrance](crate::ENTRANCES) asks for.
    pub fn router(self) -> Router {
        routes::router(self)
    }

    /// Whether this role is nothing without a second factor.
    pub(crate) fn demands_second_factor(&self, role: UserRole) -> bool {
        self.demands.contains(&role)
    }

    pub(crate) fn provider(&self) -> Option<&Provider> {
        self.provider.as_deref()
    }

    /// Whether nobody signs in by password; what the provider is called by which they do.
    pub(crate) fn instead_of_passwords(&self) -> Option<&str> {
        let settings = self.provider()?.settings();
        (!settings.passwords).then_some(settings.label.as_str())
    }

    /// Where there are passwords.
    pub(crate) fn has_passwords(&self) -> Result<(), Problem> {
        self.instead_of_passwords().map_or(Ok(()), |label| {
            Err(Problem::Refused(format!(
                "There are no passwords here: people sign in with {label}."
            )))
        })
    }

    pub(crate) fn live(&self) -> Option<&Live> {
        self.live.as_ref()
    }

    /// Places for those who look at something live.
    pub(crate) fn lookers(&self) -> &Arc<Semaphore> {
        &self.parts.lookers
    }

    /// Places for programs that listen.
    pub(crate) fn listeners(&self) -> &Arc<Semaphore> {
        &self.parts.listeners
    }

    pub(crate) fn desk(&self) -> &Desk {
        &self.parts.desk
    }

    pub(crate) fn store(&self) -> &SqlStore {
        self.parts.desk.store()
    }

    /// What this user does now.
    pub(crate) fn act(&self, user: &User) -> Act {
        Act::new(user.email.as_str(), self.now())
    }

    pub(crate) fn site(&self) -> &Site {
        &self.parts.site
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.parts.clock)()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.parts.clock
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.parts.passwords
    }

    pub(crate) fn draw_token(&self) -> Token {
        Token::draw(&mut **locked(&self.parts.random))
    }

    /// Lets something be drawn.
    pub(crate) fn draw<T>(&self, draw: impl FnOnce(&mut (dyn CryptoRng + Send)) -> T) -> T {
        draw(&mut **locked(&self.parts.random))
    }

    pub(crate) fn draw_salt(&self) -> [u8; 16] {
        salt(&mut **locked(&self.parts.random))
    }

    /// The session of a browser, which is noted to be in use.
    pub(crate) async fn session(&self, token: &Token) -> Result<Option<Session>, Problem> {
        let (hash, now) = (token.hash(), self.now());
        let session = self.store().session(&hash, IDLE, now).await?;
        if session
            .as_ref()
            .is_some_and(|session| now - session.seen >= NOTED_EVERY)
        {
            self.store().session_seen(&hash, now).await?;
        }
        Ok(session)
    }

    /// Signs a browser in, with a token that it never had before.
    pub(crate) async fn begin_session(
        &self,
        user: UserId,
        replaces: Option<&Token>,
    ) -> Result<Token, Problem> {
        let (token, now) = (self.draw_token(), self.now());
        let new = NewSession {
            user,
            token: token.hash(),
            ends: now + SESSION_LASTS,
            replaces: replaces.map(Token::hash),
        };
        self.store().begin_session(&new, now).await?;
        Ok(token)
    }

    /// Counts a try at a password or a link, before it is known whether it is right: of many at the same time none
    /// slips through. Says how long to wait where it is one too many.
    pub(crate) fn count_try(
        &self,
        from: Option<IpAddr>,
        at: Option<&UserEmail>,
    ) -> Result<(), TimeDelta> {
        let now = self.now();
        let (address, user) = (Key::address(from), at.cloned().map(Key::User));
        let mut watch = locked(&self.parts.watch);
        let waits = [
            watch.addresses.wait(&address, now),
            user.as_ref().and_then(|user| watch.users.wait(user, now)),
        ];
        if let Some(wait) = waits.into_iter().flatten().max() {
            return Err(wait);
        }
        watch.addresses.count(address, now);
        if let Some(user) = user {
            watch.users.count(user, now);
        }
        Ok(())
    }

    /// It was right: it is no guess.
    pub(crate) fn forgive_try(&self, from: Option<IpAddr>, at: Option<&UserEmail>) {
        let mut watch = locked(&self.parts.watch);
        watch.addresses.forgive(&Key::address(from));
        if let Some(user) = at {
            watch.users.forgive(&Key::User(user.clone()));
        }
    }

    /// The same for a code of a user's second factor.
    pub(crate) fn count_code(&self, at: &UserEmail) -> Result<(), TimeDelta> {
        let (now, key) = (self.now(), Key::User(at.clone()));
        let mut watch = locked(&self.parts.watch);
        if let Some(wait) = watch.codes.wait(&key, now) {
            return Err(wait);
        }
        watch.codes.count(key, now);
        Ok(())
    }

    pub(crate) fn forgive_code(&self, at: &UserEmail) {
        let mut watch = locked(&self.parts.watch);
        watch.codes.forgive(&Key::User(at.clone()));
    }

    /// An account, if this user may see it; one of somebody else's is as good as none. All that belongs to an account,
    /// its bookings and conferences, is asked for through this.
    pub(crate) async fn account(&self, user: &User, id: AccountId) -> Result<Account, Problem> {
        let account = self.store().account(id).await?.ok_or(Problem::NotFound)?;
        if sees_all(user.role) || is_own(user, &account) {
            Ok(account)
        } else {
            Err(Problem::NotFound)
        }
    }
}

/// Whose accounts a role sees: everybody's, or those of the user's own address.
pub(crate) fn sees_all(role: UserRole) -> bool {
    match role {
        UserRole::Host => false,
        UserRole::Service | UserRole::Administrator | UserRole::Auditor => true,
    }
}

pub(crate) fn is_own(user: &User, account: &Account) -> bool {
    account.owner.email().to_lowercase() == user.email.as_str()
}

/// Whether a role changes anything at all.
pub(crate) fn changes(role: UserRole) -> bool {
    match role {
        UserRole::Host | UserRole::Service | UserRole::Administrator => true,
        UserRole::Auditor => false,
    }
}

/// Who sees PINs: of an account of one's own, and whoever runs the bridge. Customer service helps without, and an auditor
/// sees none at all.
pub(crate) fn sees_pins(user: &User, account: &Account) -> bool {
    match user.role {
        UserRole::Administrator => true,
        UserRole::Host | UserRole::Service => is_own(user, account),
        UserRole::Auditor => false,
    }
}

fn salt(random: &mut (impl CryptoRng + ?Sized)) -> [u8; 16] {
    let mut salt = [0; 16];
    random.fill_bytes(&mut salt);
    salt
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
