-- What programs prove themselves by: of each token the hash, never the token itself.
CREATE TABLE api_tokens (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id),
    name    TEXT    NOT NULL,
    hash    BLOB    NOT NULL UNIQUE,
    scopes  TEXT    NOT NULL,
    made_at INTEGER NOT NULL,
    used_at INTEGER,
    ends_at INTEGER
) STRICT;
CREATE INDEX api_tokens_by_user ON api_tokens (user_id, id);
CREATE INDEX api_tokens_by_end ON api_tokens (ends_at) WHERE ends_at IS NOT NULL;

-- What was made once, by the key of whoever asked: who asks again is told of it, and nothing is made twice.
CREATE TABLE once (
    user_id INTEGER NOT NULL REFERENCES users (id),
    hash    BLOB    NOT NULL,
    request BLOB    NOT NULL,
    made    INTEGER NOT NULL,
    made_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX once_by_time ON once (made_at);
