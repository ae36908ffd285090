-- Who signs in to the portal. An address is kept in lower case; a password as what Argon2id made of it.
CREATE TABLE users (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    email    TEXT    NOT NULL UNIQUE,
    role     TEXT    NOT NULL CHECK (role IN ('host', 'service', 'administrator', 'auditor')),
    state    TEXT    NOT NULL CHECK (state IN ('active', 'suspended')),
    password TEXT,
    made_at  INTEGER NOT NULL
) STRICT;

-- Of links and sessions the hash of what proves them, never the proof itself.
CREATE TABLE setup_links (
    hash    BLOB    NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    ends_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX setup_links_by_user ON setup_links (user_id);
CREATE INDEX setup_links_by_end ON setup_links (ends_at);

CREATE TABLE sessions (
    hash    BLOB    NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    made_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_end ON sessions (ends_at);
