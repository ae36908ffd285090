-- Moments are milliseconds since 1970 (UTC), flags are 0 and 1. Words, not numbers, stand for states and reasons.
-- The same tables and columns as in SQLite, so that one text of a statement does for both.

CREATE TABLE accounts (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name     TEXT   NOT NULL,
    email    TEXT   NOT NULL,
    state    TEXT   NOT NULL CHECK (state IN ('active', 'suspended', 'closed')),
    bookings BIGINT NOT NULL CHECK (bookings IN (0, 1)),
    terms    TEXT   NOT NULL CHECK (jsonb_typeof(terms::jsonb) = 'object'),
    made_at  BIGINT NOT NULL
);
CREATE INDEX accounts_by_email ON accounts (lower(email));

-- Every PIN there is or was, as its keyed hash. One table for all, so that no PIN leads two ways,
-- and a retired one stays until it may be given again.
CREATE TABLE pins (
    lookup      BYTEA  NOT NULL PRIMARY KEY CHECK (length(lookup) = 32),
    account     BIGINT NOT NULL REFERENCES accounts (id),
    role        TEXT   NOT NULL CHECK (role IN ('host', 'guest')),
    digits      BIGINT NOT NULL,
    check_digit BIGINT NOT NULL CHECK (check_digit IN (0, 1)),
    made_at     BIGINT NOT NULL,
    retired_at  BIGINT,
    forced      BIGINT NOT NULL DEFAULT 0 CHECK (forced IN (0, 1))
);
CREATE UNIQUE INDEX pins_in_use ON pins (account, role) WHERE retired_at IS NULL;
CREATE INDEX pins_by_account ON pins (account);
CREATE INDEX pins_retired ON pins (retired_at) WHERE retired_at IS NOT NULL;

-- Which numbers were admitted on which account, and when last.
CREATE TABLE known_numbers (
    account BIGINT NOT NULL REFERENCES accounts (id),
    number  TEXT   NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (account, number)
);
CREATE INDEX known_numbers_by_age ON known_numbers (last_at);

-- One run of a bridge: calls and conferences are numbered anew in each.
CREATE TABLE runs (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bridge     TEXT   NOT NULL DEFAULT 'main',
    started_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    stopped_at BIGINT
);
CREATE INDEX runs_open ON runs (id) WHERE stopped_at IS NULL;

CREATE TABLE calls (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run          BIGINT NOT NULL REFERENCES runs (id),
    call         BIGINT NOT NULL,
    trunk        TEXT   NOT NULL,
    number       TEXT,
    answered_at  BIGINT NOT NULL,
    ended_at     BIGINT,
    reason       TEXT,
    codec        TEXT,
    encryption   TEXT,
    packets_lost BIGINT,
    jitter_ms    DOUBLE PRECISION,
    mos          DOUBLE PRECISION,
    UNIQUE (run, call)
);
CREATE INDEX calls_by_time ON calls (answered_at);
CREATE INDEX calls_open ON calls (id) WHERE ended_at IS NULL;

CREATE TABLE conferences (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run        BIGINT NOT NULL REFERENCES runs (id),
    conference BIGINT NOT NULL,
    account    BIGINT NOT NULL REFERENCES accounts (id),
    booking    BIGINT,
    started_at BIGINT NOT NULL,
    ended_at   BIGINT,
    reason     TEXT,
    UNIQUE (run, conference)
);
CREATE INDEX conferences_by_time ON conferences (started_at);
CREATE INDEX conferences_by_account ON conferences (account, started_at);
CREATE INDEX conferences_open ON conferences (id) WHERE ended_at IS NULL;

-- A call in a conference. A caller who enters another PIN is in more than one, one after the other.
CREATE TABLE attendances (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conference  BIGINT NOT NULL REFERENCES conferences (id),
    call        BIGINT NOT NULL REFERENCES calls (id),
    role        TEXT   NOT NULL CHECK (role IN ('host', 'guest')),
    holder      TEXT,
    waits_for   TEXT,
    arrived_at  BIGINT NOT NULL,
    admitted_at BIGINT,
    departed_at BIGINT,
    reason      TEXT
);
CREATE INDEX attendances_by_conference ON attendances (conference);
CREATE INDEX attendances_by_call ON attendances (call, conference);
CREATE INDEX attendances_open ON attendances (id) WHERE departed_at IS NULL;

-- Commands, refusals and whatever else happened in a conference. No `call`: the operator.
CREATE TABLE events (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conference BIGINT NOT NULL REFERENCES conferences (id),
    at         BIGINT NOT NULL,
    what       TEXT   NOT NULL,
    call       BIGINT REFERENCES calls (id),
    command    TEXT,
    about      BIGINT REFERENCES calls (id),
    refusal    TEXT
);
CREATE INDEX events_by_conference ON events (conference, at);
CREATE INDEX events_by_time ON events (at);
CREATE INDEX events_by_call ON events (call);
CREATE INDEX events_about ON events (about);

CREATE TABLE wrong_pins (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call     BIGINT NOT NULL REFERENCES calls (id),
    at       BIGINT NOT NULL,
    mistyped BIGINT NOT NULL CHECK (mistyped IN (0, 1))
);
CREATE INDEX wrong_pins_by_call ON wrong_pins (call);
CREATE INDEX wrong_pins_by_time ON wrong_pins (at);
