-- Moments are milliseconds since 1970 (UTC). Words, not numbers, stand for states and reasons.

CREATE TABLE accounts (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    name     TEXT    NOT NULL,
    email    TEXT    NOT NULL COLLATE NOCASE,
    state    TEXT    NOT NULL CHECK (state IN ('active', 'suspended', 'closed')),
    bookings INTEGER NOT NULL CHECK (bookings IN (0, 1)),
    terms    TEXT    NOT NULL CHECK (json_valid(terms)),
    made_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX accounts_by_email ON accounts (email);

-- Every PIN there is or was, as its keyed hash. One table for all, so that no PIN leads two ways,
-- and a retired one stays until it may be given again.
CREATE TABLE pins (
    lookup      BLOB    NOT NULL PRIMARY KEY CHECK (length(lookup) = 32),
    account     INTEGER NOT NULL REFERENCES accounts (id),
    role        TEXT    NOT NULL CHECK (role IN ('host', 'guest')),
    digits      INTEGER NOT NULL,
    check_digit INTEGER NOT NULL CHECK (check_digit IN (0, 1)),
    made_at     INTEGER NOT NULL,
    retired_at  INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX pins_in_use ON pins (account, role) WHERE retired_at IS NULL;
CREATE INDEX pins_retired ON pins (retired_at) WHERE retired_at IS NOT NULL;

-- Which numbers were admitted on which account, and when last.
CREATE TABLE known_numbers (
    account INTEGER NOT NULL REFERENCES accounts (id),
    number  TEXT    NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (account, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX known_numbers_by_age ON known_numbers (last_at);

-- One run of the bridge: calls and conferences are numbered anew in each.
CREATE TABLE runs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    stopped_at INTEGER
) STRICT;
CREATE INDEX runs_open ON runs (id) WHERE stopped_at IS NULL;

CREATE TABLE calls (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    run          INTEGER NOT NULL REFERENCES runs (id),
    call         INTEGER NOT NULL,
    trunk        TEXT    NOT NULL,
    number       TEXT,
    answered_at  INTEGER NOT NULL,
    ended_at     INTEGER,
    reason       TEXT,
    codec        TEXT,
    encryption   TEXT,
    packets_lost INTEGER,
    jitter_ms    REAL,
    mos          REAL,
    UNIQUE (run, call)
) STRICT;
CREATE INDEX calls_by_time ON calls (answered_at);
CREATE INDEX calls_open ON calls (id) WHERE ended_at IS NULL;

CREATE TABLE conferences (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    run        INTEGER NOT NULL REFERENCES runs (id),
    conference INTEGER NOT NULL,
    account    INTEGER NOT NULL REFERENCES accounts (id),
    booking    INTEGER,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    reason     TEXT,
    UNIQUE (run, conference)
) STRICT;
CREATE INDEX conferences_by_time ON conferences (started_at);
CREATE INDEX conferences_by_account ON conferences (account, started_at);
CREATE INDEX conferences_open ON conferences (id) WHERE ended_at IS NULL;

-- A call in a conference. A caller who enters another PIN is in more than one, one after the other.
CREATE TABLE attendances (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    conference  INTEGER NOT NULL REFERENCES conferences (id),
    call        INTEGER NOT NULL REFERENCES calls (id),
    role        TEXT    NOT NULL CHECK (role IN ('host', 'guest')),
    holder      TEXT,
    waits_for   TEXT,
    arrived_at  INTEGER NOT NULL,
    admitted_at INTEGER,
    departed_at INTEGER,
    reason      TEXT
) STRICT;
CREATE INDEX attendances_by_conference ON attendances (conference);
CREATE INDEX attendances_by_call ON attendances (call, conference);
CREATE INDEX attendances_open ON attendances (id) WHERE departed_at IS NULL;

-- Commands, refusals and whatever else happened in a conference. No `call`: the operator.
CREATE TABLE events (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    conference INTEGER NOT NULL REFERENCES conferences (id),
    at         INTEGER NOT NULL,
    what       TEXT    NOT NULL,
    call       INTEGER REFERENCES calls (id),
    command    TEXT,
    about      INTEGER REFERENCES calls (id),
    refusal    TEXT
) STRICT;
CREATE INDEX events_by_conference ON events (conference, at);
CREATE INDEX events_by_time ON events (at);
CREATE INDEX events_by_call ON events (call);
CREATE INDEX events_about ON events (about);

CREATE TABLE wrong_pins (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    call     INTEGER NOT NULL REFERENCES calls (id),
    at       INTEGER NOT NULL,
    mistyped INTEGER NOT NULL CHECK (mistyped IN (0, 1))
) STRICT;
CREATE INDEX wrong_pins_by_call ON wrong_pins (call);
CREATE INDEX wrong_pins_by_time ON wrong_pins (at);
