//! Tokens of programs, and what was made once.

use chrono::{DateTime, Utc};

use super::audit::{Deed, Note};
use super::users::{there_is, user_columns, user_from};
use super::{Row, SqlStore, args};
use crate::error::{Result, bad};
use crate::{
    Act, ApiToken, ApiTokenId, Done, NewApiToken, ONCE_LASTS, Once, Page, Scope, StoreError,
    TokenHash, UserId,
};

pub(super) const ADD: &str =
    "INSERT INTO api_tokens (user_id, name, hash, scopes, made_at, ends_at)
    VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";
macro_rules! tokens {
    ($condition:literal) => {
        concat!(
            "SELECT t.id AS token, t.name, t.scopes, t.made_at, t.used_at, t.ends_at,
            ",
            user_columns!(),
            " FROM api_tokens t JOIN users u ON u.id = t.user_id WHERE ",
            $condition
        )
    };
}
pub(super) const ALL: &str = tokens!("t.id > $1 ORDER BY t.id LIMIT $2");
pub(super) const OF_USER: &str = tokens!("t.user_id = $3 AND t.id > $1 ORDER BY t.id LIMIT $2");
pub(super) const BY_ID: &str = tokens!("t.id = $1");
pub(super) const BY_HASH: &str =
    tokens!("t.hash = $1 AND u.state = 'active' AND (t.ends_at IS NULL OR t.ends_at > $2)");
pub(super) const USED: &str = "UPDATE api_tokens SET used_at = $2 WHERE id = $1";
pub(super) const DROP: &str = "DELETE FROM api_tokens WHERE id = $1";
pub(super) const DROP_OF_USER: &str = "DELETE FROM api_tokens WHERE user_id = $1";
pub(super) const OLD: &str = "DELETE FROM api_tokens WHERE id IN
    (SELECT id FROM api_tokens WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2)";
pub(super) const ADD_ONCE: &str =
    "INSERT INTO once (user_id, hash, request, made, made_at) VALUES ($1, $2, $3, $4, $5)";
pub(super) const DONE: &str = "SELECT request, made FROM once WHERE user_id = $1 AND hash = $2";
pub(super) const DROP_ONCE_OF_USER: &str = "DELETE FROM once WHERE user_id = $1";
pub(super) const OLD_ONCE: &str = "DELETE FROM once WHERE (user_id, hash) IN
    (SELECT user_id, hash FROM once WHERE made_at <= $1 ORDER BY made_at LIMIT $2)";

impl SqlStore {
    pub(super) async fn new_api_token(&self, new: &NewApiToken, act: &Act) -> Result<ApiToken> {
        let mut deed = self.deed().await?;
        let user = there_is(&mut deed.turn, new.user).await?;
        if user.suspended {
            return Err(StoreError::UserSuspended(user.id));
        }
        let scopes = words(&new.scopes);
        let row = args![new.user, &new.name, &new.token.0, &scopes, act.at, new.ends];
        let row = deed.turn.one(ADD, row).await?;
        let row = row.ok_or_else(|| bad("api_tokens", "nothing was inserted"))?;
        let id = ApiTokenId(row.id("id")?);
        let note = Note::of(act, "token.added")
            .number("token", id.0)
            .number("user", user.id.0)
            .word("scopes", &scopes);
        deed.note(note).await?;
        once(&mut deed, act, id.0).await?;
        deed.commit().await?;
        Ok(ApiToken {
            id,
            user,
            name: new.name.clone(),
            scopes: new.scopes.clone(),
            made: act.at,
            used: None,
            ends: new.ends,
        })
    }

    pub(super) async fn all_api_tokens(
        &self,
        of: Option<UserId>,
        page: Page,
    ) -> Result<Vec<ApiToken>> {
        let (after, limit) = (page.after, page.limit());
        let rows = match of {
            Some(user) => self.db.all(OF_USER, args![after, limit, user]).await?,
            None => self.db.all(ALL, args![after, limit]).await?,
        };
        rows.iter().map(token_from).collect()
    }

    pub(super) async fn api_token_of(
        &self,
        token: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<ApiToken>> {
        let row = self.db.one(BY_HASH, args![&token.0, now]).await?;
        row.as_ref().map(token_from).transpose()
    }

    pub(super) async fn note_use(&self, id: ApiTokenId, now: DateTime<Utc>) -> Result<()> {
        let mut turn = self.db.begin().await?;
        turn.run(USED, args![id.0, now]).await?;
        turn.commit().await
    }

    pub(super) async fn drop_api_token(&self, id: ApiTokenId, act: &Act) -> Result<()> {
        let mut deed = self.deed().await?;
        let row = deed.turn.one(BY_ID, args![id.0]).await?;
        let token = token_from(&row.ok_or(StoreError::NoSuchApiToken(id))?)?;
        deed.turn.run(DROP, args![id.0]).await?;
        let note = Note::of(act, "token.revoked")
            .number("token", id.0)
            .number("user", token.user.id.0);
        deed.note(note).await?;
        deed.commit().await
    }

    pub(super) async fn done_under(&self, once: &Once) -> Result<Option<Done>> {
        let row = self.db.one(DONE, args![once.user, &once.key.0]).await?;
        row.map(|row| {
            let request = row.blob("request")?;
            let request = <[u8; 32]>::try_from(request).map_err(|_| bad("request", "length"))?;
            Ok(Done {
                request: TokenHash(request),
                made: row.id("made")?,
            })
        })
        .transpose()
    }

    /// Says whether there may be more.
    pub(super) async fn drop_old_tokens(&self, step: u32, now: DateTime<Utc>) -> Result<bool> {
        let mut turn = self.db.begin().await?;
        let tokens = turn.run(OLD, args![now, step]).await?;
        let once = turn.run(OLD_ONCE, args![now - ONCE_LASTS, step]).await?;
        turn.commit().await?;
        Ok(tokens.max(once) == u64::from(step))
    }
}

/// Notes what was made, where it is to be made once, within the deed that makes it.
pub(super) async fn once(deed: &mut Deed, act: &Act, made: u64) -> Result<()> {
    let Some(once) = &act.once else {
        return Ok(());
    };
    let row = args![once.user, &once.key.0, &once.request.0, made, act.at];
    match deed.turn.run(ADD_ONCE, row).await {
        Err(error) if error.is_unique_violation() => Err(StoreError::Repeated),
        other => other.map(drop),
    }
}

/// Whatever a user's programs have goes with the user, within a deed.
pub(super) async fn drop_of_user(deed: &mut Deed, user: UserId) -> Result<()> {
    for drop in [DROP_OF_USER, DROP_ONCE_OF_USER] {
        deed.turn.run(drop, args![user]).await?;
    }
    Ok(())
}

fn words(scopes: &[Scope]) -> String {
    let words: Vec<_> = scopes.iter().map(|scope| scope.word()).collect();
    words.join(" ")
}

fn token_from(row: &Row) -> Result<ApiToken> {
    let scopes = row.text("scopes")?;
    let scopes = scopes.split_whitespace().map(str::parse);
    Ok(ApiToken {
        id: ApiTokenId(row.id("token")?),
        user: user_from(row)?,
        name: row.text("name")?,
        scopes: scopes
            .collect::<Result<_, _>>()
            .map_err(|error| bad("scopes", error))?,
        made: row.moment("made_at")?,
        used: row.moment_opt("used_at")?,
        ends: row.moment_opt("ends_at")?,
    })
}
