-- What an authenticator app shares with us, encrypted; the last time step whose code was used (RFC 6238), so that none is used twice.
ALTER TABLE users ADD COLUMN second_factor BYTEA;
ALTER TABLE users ADD COLUMN second_factor_step BIGINT NOT NULL DEFAULT 0;

-- Codes for whoever lost the telephone: the hash of each that is left.
CREATE TABLE recovery_codes (
    user_id BIGINT NOT NULL REFERENCES users (id),
    hash    BYTEA  NOT NULL,
    PRIMARY KEY (user_id, hash)
);

-- Browsers in which the password was right and the second factor is awaited.
CREATE TABLE half_sessions (
    hash    BYTEA  NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    ends_at BIGINT NOT NULL
);
CREATE INDEX half_sessions_by_user ON half_sessions (user_id);
CREATE INDEX half_sessions_by_end ON half_sessions (ends_at);
