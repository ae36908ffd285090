-- Who is told of what happens: at which address, of which events, and the secret that signs it, encrypted.
CREATE TABLE webhooks (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id       INTEGER NOT NULL REFERENCES users (id),
    url           TEXT    NOT NULL,
    events        TEXT    NOT NULL,
    sealed        BLOB    NOT NULL,
    made_at       INTEGER NOT NULL,
    failing_since INTEGER,
    disabled_at   INTEGER
) STRICT;
CREATE INDEX webhooks_by_user ON webhooks (user_id, id);
CREATE INDEX webhooks_open ON webhooks (id) WHERE disabled_at IS NULL;

-- What is to be told. It holds numbers of things, and no name.
CREATE TABLE deliveries (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook      INTEGER NOT NULL REFERENCES webhooks (id),
    event        TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    body         TEXT    NOT NULL,
    due_at       INTEGER,
    tries        INTEGER NOT NULL DEFAULT 0,
    problem      TEXT,
    delivered_at INTEGER
) STRICT;
CREATE INDEX deliveries_open ON deliveries (webhook, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_by_webhook ON deliveries (webhook, id);
CREATE INDEX deliveries_by_time ON deliveries (at);
