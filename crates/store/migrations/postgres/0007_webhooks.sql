-- Who is told of what happens: at which address, of which events, and the secret that signs it, encrypted.
CREATE TABLE webhooks (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id       BIGINT NOT NULL REFERENCES users (id),
    url           TEXT   NOT NULL,
    events        TEXT   NOT NULL,
    sealed        BYTEA  NOT NULL,
    made_at       BIGINT NOT NULL,
    failing_since BIGINT,
    disabled_at   BIGINT
);
CREATE INDEX webhooks_by_user ON webhooks (user_id, id);
CREATE INDEX webhooks_open ON webhooks (id) WHERE disabled_at IS NULL;

-- What is to be told. It holds numbers of things, and no name.
CREATE TABLE deliveries (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook      BIGINT NOT NULL REFERENCES webhooks (id),
    event        TEXT   NOT NULL,
    at           BIGINT NOT NULL,
    body         TEXT   NOT NULL,
    due_at       BIGINT,
    tries        BIGINT NOT NULL DEFAULT 0,
    problem      TEXT,
    delivered_at BIGINT
);
CREATE INDEX deliveries_open ON deliveries (webhook, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_by_webhook ON deliveries (webhook, id);
CREATE INDEX deliveries_by_time ON deliveries (at);
