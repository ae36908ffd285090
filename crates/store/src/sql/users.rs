//! Users of the portal, their set-up links and their sessions.

use chrono::{DateTime, TimeDelta, Utc};

use super::audit::{Deed, Note};
use super::{Row, SqlStore, Turn, args, factors, tokens, webhooks};
use crate::error::{Result, bad};
use crate::{
    Act, NewSession, Page, PasswordHash, Session, StoreError, TokenHash, User, UserEmail, UserId,
    UserRole,
};

pub(super) const ADD: &str = "INSERT INTO users (email, role, state, made_at)
    VALUES ($1, $2, 'active', $3) RETURNING id";
/// The columns of a user `u`: what [`user_from`] reads.
macro_rules! user_columns {
    () => {
        "u.id, u.email, u.role, u.state, u.password, u.second_factor"
    };
}
pub(super) use user_columns;
macro_rules! users {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            user_columns!(),
            " FROM users u WHERE ",
            $condition
        )
    };
}
pub(super) const ALL: &str = users!("u.id > $1 ORDER BY u.id LIMIT $2");
pub(super) const BY_ID: &str = users!("u.id = $1");
pub(super) const BY_EMAIL: &str = users!("u.email = lower($1)");
pub(super) const BY_LINK: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM setup_links l JOIN users u ON u.id = l.user_id
    WHERE l.hash = $1 AND l.ends_at > $2 AND u.state = 'active'"
);
pub(super) const BY_SESSION: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", s.seen_at, s.ends_at FROM sessions s JOIN users u ON u.id = s.user_id
    WHERE s.hash = $1 AND s.ends_at > $2 AND s.seen_at > $3 AND u.state = 'active'"
);
pub(super) const SET_STATE: &str = "UPDATE users SET state = $2 WHERE id = $1";
pub(super) const SET_ROLE: &str = "UPDATE users SET role = $2 WHERE id = $1";
pub(super) const SET_PASSWORD: &str = "UPDATE users SET password = $2 WHERE id = $1";
pub(super) const ADD_LINK: &str =
    "INSERT INTO setup_links (hash, user_id, ends_at) VALUES ($1, $2, $3)";
pub(super) const DROP_LINKS: &str = "DELETE FROM setup_links WHERE user_id = $1";
pub(super) const ADD_SESSION: &str =
    "INSERT INTO sessions (hash, user_id, made_at, seen_at, ends_at) VALUES ($1, $2, $3, $3, $4)";
pub(super) const SEEN_SESSION: &str =
    "UPDATE sessions SET seen_at = $2 WHERE hash = $1 AND seen_at < $2";
pub(super) const DROP_SESSION: &str = "DELETE FROM sessions WHERE hash = $1";
pub(super) const DROP_SESSIONS: &str = "DELETE FROM sessions WHERE user_id = $1";
pub(super) const DROP: &str = "DELETE FROM users WHERE id = $1";
pub(super) const OLD_SESSIONS: &str = "DELETE FROM sessions WHERE hash IN
    (SELECT hash FROM sessions WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2)";
pub(super) const OLD_LINKS: &str = "DELETE FROM setup_links WHERE hash IN
    (SELECT hash FROM setup_links WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2)";

impl SqlStore {
    pub(super) async fn new_user(
        &self,
        email: &UserEmail,
        role: UserRole,
        act: &Act,
    ) -> Result<User> {
        let mut deed = self.deed().await?;
        let row = args![email.as_str(), role.word(), act.at];
        let row = match deed.turn.one(ADD, row).await {
            Err(error) if error.is_unique_violation() => return Err(StoreError::UserExists),
            other => other?,
        };
        let id = UserId(
            row.ok_or_else(|| bad("users", "nothing was inserted"))?
                .id("id")?,
        );
        let note = Note::of(act, "user.added")
            .number("user", id.0)
            .word("role", role.word())
            .address("email", email.as_str());
        deed.note(note).await?;
        tokens::once(&mut deed, act, id.0).await?;
        deed.commit().await?;
        Ok(User {
            id,
            email: email.clone(),
            role,
            suspended: false,
            has_password: false,
            has_second_factor: false,
        })
    }

    pub(super) async fn all_users(&self, page: Page) -> Result<Vec<User>> {
        let rows = self.db.all(ALL, args![page.after, page.limit()]).await?;
        rows.iter().map(user_from).collect()
    }

    pub(super) async fn user_of(
        &self,
        email: &str,
    ) -> Result<Option<(User, Option<PasswordHash>)>> {
        let row = self.db.one(BY_EMAIL, args![email]).await?;
        row.map(|row| {
            let password = row.text_opt("password")?.map(PasswordHash::new);
            Ok((user_from(&row)?, password))
        })
        .transpose()
    }

    pub(super) async fn put_user_state(
        &self,
        id: UserId,
        suspended: bool,
        act: &Act,
    ) -> Result<()> {
        let mut deed = self.deed().await?;
        there_is(&mut deed.turn, id).await?;
        let (state, kind) = if suspended {
            ("suspended", "user.suspended")
        } else {
            ("active", "user.resumed")
        };
        deed.turn.run(SET_STATE, args![id, state]).await?;
        if suspended {
            shut_out(&mut deed, id).await?;
        }
        deed.note(Note::of(act, kind).number("user", id.0)).await?;
        deed.commit().await
    }

    pub(super) async fn put_user_role(&self, id: UserId, role: UserRole, act: &Act) -> Result<()> {
        let mut deed = self.deed().await?;
        there_is(&mut deed.turn, id).await?;
        deed.turn.run(SET_ROLE, args![id, role.word()]).await?;
        let note = Note::of(act, "user.role-changed")
            .number("user", id.0)
            .word("role", role.word());
        deed.note(note).await?;
        deed.commit().await
    }

    pub(super) async fn new_link(
        &self,
        id: UserId,
        link: &TokenHash,
        ends: DateTime<Utc>,
        act: &Act,
    ) -> Result<()> {
        let mut deed = self.deed().await?;
        if there_is(&mut deed.turn, id).await?.suspended {
            return Err(StoreError::UserSuspended(id));
        }
        deed.turn.run(DROP_LINKS, args![id]).await?;
        deed.turn.run(ADD_LINK, args![&link.0, id, ends]).await?;
        deed.note(Note::of(act, "user.link").number("user", id.0))
            .await?;
        deed.commit().await
    }

    pub(super) async fn user_of_link(
        &self,
        link: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<User>> {
        let row = self.db.one(BY_LINK, args![&link.0, now]).await?;
        row.as_ref().map(user_from).transpose()
    }

    pub(super) async fn use_link(
        &self,
        link: &TokenHash,
        password: &PasswordHash,
        now: DateTime<Utc>,
    ) -> Result<User> {
        let mut deed = self.deed().await?;
        let row = deed.turn.one(BY_LINK, args![&link.0, now]).await?;
        let user = user_from(&row.ok_or(StoreError::NoSuchLink)?)?;
        let password = args![user.id, password.expose()];
        deed.turn.run(SET_PASSWORD, password).await?;
        shut_out(&mut deed, user.id).await?;
        let act = Act::new(user.email.as_str(), now);
        let note = Note::of(&act, "user.password-set").number("user", user.id.0);
        deed.note(note).await?;
        deed.commit().await?;
        Ok(User {
            has_password: true,
            ..user
        })
    }

    pub(super) async fn new_session(&self, new: &NewSession, now: DateTime<Utc>) -> Result<User> {
        let mut deed = self.deed().await?;
        let user = there_is(&mut deed.turn, new.user).await?;
        if user.suspended {
            return Err(StoreError::UserSuspended(user.id));
        }
        if let Some(old) = &new.replaces {
            for drop in [DROP_SESSION, factors::DROP_HALF] {
                deed.turn.run(drop, args![&old.0]).await?;
            }
        }
        let session = args![&new.token.0, user.id, now, new.ends];
        deed.turn.run(ADD_SESSION, session).await?;
        let act = Act::new(user.email.as_str(), now);
        deed.note(Note::of(&act, "user.signed-in").number("user", user.id.0))
            .await?;
        deed.commit().await?;
        Ok(user)
    }

    pub(super) async fn find_session(
        &self,
        token: &TokenHash,
        idle: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>> {
        let row = self
            .db
            .one(BY_SESSION, args![&token.0, now, now - idle])
            .await?;
        row.map(|row| {
            Ok(Session {
                user: user_from(&row)?,
                seen: row.moment("seen_at")?,
                ends: row.moment("ends_at")?,
            })
        })
        .transpose()
    }

    pub(super) async fn seen(&self, token: &TokenHash, now: DateTime<Utc>) -> Result<()> {
        let mut turn = self.db.begin().await?;
        turn.run(SEEN_SESSION, args![&token.0, now]).await?;
        turn.commit().await
    }

    pub(super) async fn drop_session(&self, token: &TokenHash, act: &Act) -> Result<()> {
        let mut deed = self.deed().await?;
        if deed.turn.run(DROP_SESSION, args![&token.0]).await? > 0 {
            deed.note(Note::of(act, "user.signed-out")).await?;
        }
        deed.commit().await
    }

    pub(super) async fn drop_sessions(&self, id: UserId, act: &Act) -> Result<u64> {
        let mut deed = self.deed().await?;
        there_is(&mut deed.turn, id).await?;
        let ended = deed.turn.run(DROP_SESSIONS, args![id]).await?;
        let note = Note::of(act, "user.sessions-ended").number("user", id.0);
        deed.note(note.number("sessions", ended)).await?;
        deed.commit().await?;
        Ok(ended)
    }

    /// Says whether there may be more.
    pub(super) async fn drop_old_sessions(&self, step: u32, now: DateTime<Utc>) -> Result<bool> {
        let mut turn = self.db.begin().await?;
        let sessions = turn.run(OLD_SESSIONS, args![now, step]).await?;
        let links = turn.run(OLD_LINKS, args![now, step]).await?;
        let halves = turn.run(factors::OLD_HALVES, args![now, step]).await?;
        turn.commit().await?;
        Ok(sessions.max(links).max(halves) == u64::from(step))
    }
}

/// Forgets a user, within a deed; says whether there was one.
pub(super) async fn erase(deed: &mut Deed, email: &str) -> Result<bool> {
    let Some(row) = deed.turn.one(BY_EMAIL, args![email]).await? else {
        return Ok(false);
    };
    let id = UserId(row.id("id")?);
    shut_out(deed, id).await?;
    factors::forget(deed, id).await?;
    tokens::drop_of_user(deed, id).await?;
    webhooks::drop_of_user(deed, id).await?;
    deed.turn.run(DROP, args![id]).await?;
    Ok(true)
}

/// Whatever let this user in lets nobody in any more: sessions, whole and half, and the link.
async fn shut_out(deed: &mut Deed, id: UserId) -> Result<()> {
    for drop in [DROP_LINKS, DROP_SESSIONS, factors::DROP_HALVES] {
        deed.turn.run(drop, args![id]).await?;
    }
    Ok(())
}

pub(super) async fn there_is(turn: &mut Turn, id: UserId) -> Result<User> {
    let row = turn.one(BY_ID, args![id]).await?;
    user_from(&row.ok_or(StoreError::NoSuchUser(id))?)
}

pub(super) fn user_from(row: &Row) -> Result<User> {
    let (role, state) = (row.text("role")?, row.text("state")?);
    Ok(User {
        id: UserId(row.id("id")?),
        email: UserEmail::parse(&row.text("email")?).map_err(|e| bad("email", e))?,
        role: UserRole::from_word(&role).ok_or_else(|| bad("role", role))?,
        suspended: match state.as_str() {
            "active" => false,
            "suspended" => true,
            other => return Err(bad("state", other)),
        },
        has_password: row.text_opt("password")?.is_some(),
        has_second_factor: row.blob_opt("second_factor")?.is_some(),
    })
}
