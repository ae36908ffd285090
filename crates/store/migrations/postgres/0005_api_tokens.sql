-- What programs prove themselves by: of each token the hash, never the token itself.
CREATE TABLE api_tokens (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    name    TEXT   NOT NULL,
    hash    BYTEA  NOT NULL UNIQUE,
    scopes  TEXT   NOT NULL,
    made_at BIGINT NOT NULL,
    used_at BIGINT,
    ends_at BIGINT
);
CREATE INDEX api_tokens_by_user ON api_tokens (user_id, id);
CREATE INDEX api_tokens_by_end ON api_tokens (ends_at) WHERE ends_at IS NOT NULL;

-- What was made once, by the key of whoever asked: who asks again is told of it, and nothing is made twice.
CREATE TABLE once (
    user_id BIGINT NOT NULL REFERENCES users (id),
    hash    BYTEA  NOT NULL,
    request BYTEA  NOT NULL,
    made    BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, hash)
);
CREATE INDEX once_by_time ON once (made_at);
