//! Second factors of the portal's users, their recovery codes, and browsers that still owe one.

use chrono::{DateTime, Utc};

use super::audit::{Deed, Note};
use super::users::{there_is, user_columns, user_from};
use super::{SqlStore, args};
use crate::error::{Result, bad};
use crate::{Act, NewFactor, SealedFactor, StoreError, TokenHash, User, UserId};

pub(super) const SET: &str =
    "UPDATE users SET second_factor = $2, second_factor_step = $3 WHERE id = $1";
pub(super) const UNSET: &str = "UPDATE users SET second_factor = NULL WHERE id = $1";
pub(super) const OF: &str = "SELECT second_factor FROM users WHERE id = $1";
pub(super) const USE_STEP: &str = "UPDATE users SET second_factor_step = $2
    WHERE id = $1 AND second_factor IS NOT NULL AND second_factor_step < $2";
pub(super) const ADD_CODE: &str = "INSERT INTO recovery_codes (user_id, hash) VALUES ($1, $2)";
pub(super) const USE_CODE: &str = "DELETE FROM recovery_codes WHERE user_id = $1 AND hash = $2";
pub(super) const DROP_CODES: &str = "DELETE FROM recovery_codes WHERE user_id = $1";
pub(super) const CODES: &str = "SELECT COUNT(*) AS codes FROM recovery_codes WHERE user_id = $1";
pub(super) const ADD_HALF: &str =
    "INSERT INTO half_sessions (hash, user_id, ends_at) VALUES ($1, $2, $3)";
pub(super) const BY_HALF: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM half_sessions h JOIN users u ON u.id = h.user_id
    WHERE h.hash = $1 AND h.ends_at > $2 AND u.state = 'active' AND u.second_factor IS NOT NULL"
);
pub(super) const DROP_HALF: &str = "DELETE FROM half_sessions WHERE hash = $1";
pub(super) const DROP_HALVES: &str = "DELETE FROM half_sessions WHERE user_id = $1";
pub(super) const OLD_HALVES: &str = "DELETE FROM half_sessions WHERE hash IN
    (SELECT hash FROM half_sessions WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2)";

impl SqlStore {
    pub(super) async fn put_factor(&self, id: UserId, new: &NewFactor, act: &Act) -> Result<()> {
        let mut deed = self.deed().await?;
        there_is(&mut deed.turn, id).await?;
        let row = args![id, new.secret.as_bytes(), new.step];
        deed.turn.run(SET, row).await?;
        put_codes(&mut deed, id, &new.recovery).await?;
        deed.note(Note::of(act, "user.second-factor-set").number("user", id.0))
            .await?;
        deed.commit().await
    }

    pub(super) async fn factor_of(&self, id: UserId) -> Result<Option<SealedFactor>> {
        let row = self.db.one(OF, args![id]).await?;
        let sealed = row.ok_or(StoreError::NoSuchUser(id))?;
        let sealed = sealed.blob_opt("second_factor")?;
        sealed
            .map(|bytes| SealedFactor::from_bytes(&bytes).map_err(|e| bad("second_factor", e)))
            .transpose()
    }

    pub(super) async fn use_step(&self, id: UserId, step: u64) -> Result<bool> {
        let mut turn = self.db.begin().await?;
        let used = turn.run(USE_STEP, args![id, step]).await?;
        turn.commit().await?;
        Ok(used == 1)
    }

    pub(super) async fn use_recovery(
        &self,
        id: UserId,
        code: &TokenHash,
        act: &Act,
    ) -> Result<bool> {
        let mut deed = self.deed().await?;
        if deed.turn.run(USE_CODE, args![id, &code.0]).await? == 0 {
            return Ok(false);
        }
        let row = deed.turn.one(CODES, args![id]).await?;
        let left = row.map(|row| row.id("codes")).transpose()?;
        let note = Note::of(act, "user.recovery-code-used")
            .number("user", id.0)
            .number("left", left.unwrap_or_default());
        deed.note(note).await?;
        deed.commit().await?;
        Ok(true)
    }

    pub(super) async fn recovery_left(&self, id: UserId) -> Result<u64> {
        let row = self.db.one(CODES, args![id]).await?;
        row.ok_or_else(|| bad("recovery_codes", "nothing was counted"))?
            .id("codes")
    }

    pub(super) async fn renew_recovery(
        &self,
        id: UserId,
        codes: &[TokenHash],
        act: &Act,
    ) -> Result<()> {
        let mut deed = self.deed().await?;
        there_is(&mut deed.turn, id).await?;
        put_codes(&mut deed, id, codes).await?;
        let note = Note::of(act, "user.recovery-codes-renewed").number("user", id.0);
        deed.note(note).await?;
        deed.commit().await
    }

    pub(super) async fn drop_factor(&self, id: UserId, act: &Act) -> Result<()> {
        let mut deed = self.deed().await?;
        there_is(&mut deed.turn, id).await?;
        deed.turn.run(UNSET, args![id]).await?;
        forget(&mut deed, id).await?;
        let note = Note::of(act, "user.second-factor-dropped").number("user", id.0);
        deed.note(note).await?;
        deed.commit().await
    }

    pub(super) async fn new_half_session(
        &self,
        token: &TokenHash,
        user: UserId,
        ends: DateTime<Utc>,
    ) -> Result<()> {
        let mut turn = self.db.begin().await?;
        turn.run(ADD_HALF, args![&token.0, user, ends]).await?;
        turn.commit().await
    }

    pub(super) async fn find_half_session(
        &self,
        token: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<User>> {
        let row = self.db.one(BY_HALF, args![&token.0, now]).await?;
        row.as_ref().map(user_from).transpose()
    }
}

async fn put_codes(deed: &mut Deed, id: UserId, codes: &[TokenHash]) -> Result<()> {
    deed.turn.run(DROP_CODES, args![id]).await?;
    for code in codes {
        deed.turn.run(ADD_CODE, args![id, &code.0]).await?;
    }
    Ok(())
}

/// What a user without a second factor has none of, within a deed.
pub(super) async fn forget(deed: &mut Deed, id: UserId) -> Result<()> {
    for drop in [DROP_CODES, DROP_HALVES] {
        deed.turn.run(drop, args![id]).await?;
    }
    Ok(())
}
