-- Bookings, what a report groups by, the watch on guessing, the audit log, the outbox, retention.

ALTER TABLE accounts ADD COLUMN department TEXT;
ALTER TABLE accounts ADD COLUMN cost_code TEXT;
ALTER TABLE accounts ADD COLUMN erased_at INTEGER;

-- `starts` is local, on the clock of `zone`.
CREATE TABLE bookings (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account    INTEGER NOT NULL REFERENCES accounts (id),
    title      TEXT    NOT NULL,
    plan       TEXT    NOT NULL CHECK (json_valid(plan)),
    state      TEXT    NOT NULL CHECK (state IN ('booked', 'cancelled')),
    uid        TEXT    NOT NULL UNIQUE,
    sequence   INTEGER NOT NULL,
    first_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    over       INTEGER NOT NULL DEFAULT 0 CHECK (over IN (0, 1)),
    made_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX bookings_by_account ON bookings (account, last_at);
CREATE INDEX bookings_by_end ON bookings (last_at);
-- Those whose PINs are in use: as many as there are bookings to come.
CREATE INDEX bookings_open ON bookings (last_at) WHERE over = 0;

-- Each time that a booking takes place.
CREATE TABLE occurrences (
    booking   INTEGER NOT NULL REFERENCES bookings (id),
    ends_at   INTEGER NOT NULL,
    starts_at INTEGER NOT NULL,
    opens_at  INTEGER NOT NULL,
    PRIMARY KEY (booking, ends_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE invitees (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    booking      INTEGER NOT NULL REFERENCES bookings (id),
    name         TEXT    NOT NULL,
    email        TEXT    NOT NULL,
    withdrawn_at INTEGER,
    mail         INTEGER NOT NULL CHECK (mail IN (0, 1))
) STRICT;
CREATE INDEX invitees_by_booking ON invitees (booking);
CREATE INDEX invitees_by_email ON invitees (lower(email));

ALTER TABLE pins ADD COLUMN booking INTEGER REFERENCES bookings (id);
ALTER TABLE pins ADD COLUMN invitee INTEGER REFERENCES invitees (id);
-- The id of the key that `lookup` was made with, and the Guest PIN encrypted.
ALTER TABLE pins ADD COLUMN pin_key INTEGER NOT NULL DEFAULT 1;
ALTER TABLE pins ADD COLUMN sealed BLOB;
DROP INDEX pins_in_use;
CREATE UNIQUE INDEX pins_in_use ON pins (account, role) WHERE retired_at IS NULL AND booking IS NULL;
CREATE INDEX pins_of_booking ON pins (booking) WHERE booking IS NOT NULL;
CREATE INDEX pins_by_invitee ON pins (invitee) WHERE invitee IS NOT NULL;
CREATE UNIQUE INDEX pins_of_invitee ON pins (invitee) WHERE invitee IS NOT NULL AND retired_at IS NULL;

-- How many PINs of each kind would be recognised: what the odds of guessing are computed from.
CREATE TABLE pin_counts (
    digits      INTEGER NOT NULL,
    check_digit INTEGER NOT NULL,
    role        TEXT    NOT NULL,
    forced      INTEGER NOT NULL,
    pin_key     INTEGER NOT NULL,
    booking     INTEGER NOT NULL CHECK (booking IN (0, 1)),
    count       INTEGER NOT NULL,
    PRIMARY KEY (digits, check_digit, role, forced, pin_key, booking)
) STRICT, WITHOUT ROWID;
INSERT INTO pin_counts
    SELECT digits, check_digit, role, forced, 1, 0, COUNT(*) FROM pins WHERE retired_at IS NULL
    GROUP BY digits, check_digit, role, forced;

-- The watch on guessing: notices in the order in which all bridges take note of them.
CREATE TABLE notices (
    place  INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    notice TEXT    NOT NULL
) STRICT;
CREATE TABLE watch (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    place INTEGER NOT NULL,
    state TEXT    NOT NULL
) STRICT;

-- The audit log. Names and numbers stand in it as commitments; what they were is in `audit_subjects`, until erased.
CREATE TABLE audit (
    seq  INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    kind TEXT    NOT NULL,
    body TEXT    NOT NULL,
    mac  BLOB    NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (at);
CREATE TABLE audit_subjects (
    commitment BLOB NOT NULL PRIMARY KEY,
    kind       TEXT NOT NULL,
    value      TEXT NOT NULL,
    -- With whom it is erased: an e-mail address, an account, or nobody.
    belongs    TEXT NOT NULL,
    salt       BLOB NOT NULL,
    last_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX audit_subjects_by_value ON audit_subjects (kind, belongs, value);
CREATE INDEX audit_subjects_by_age ON audit_subjects (last_at);
CREATE TABLE audit_anchor (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    seq   INTEGER NOT NULL,
    mac   BLOB    NOT NULL,
    proof BLOB    NOT NULL
) STRICT;

-- Letters to be sent. None holds a PIN: it is rendered when it is sent.
CREATE TABLE outbox (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    booking INTEGER NOT NULL REFERENCES bookings (id),
    invitee INTEGER REFERENCES invitees (id),
    kind    TEXT    NOT NULL CHECK (kind IN ('invitation', 'cancellation')),
    due_at  INTEGER,
    tries   INTEGER NOT NULL DEFAULT 0,
    problem TEXT,
    sent_at INTEGER
) STRICT;
CREATE INDEX outbox_due ON outbox (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_by_booking ON outbox (booking);
CREATE INDEX outbox_by_invitee ON outbox (invitee) WHERE invitee IS NOT NULL;

-- By which keys this database was made: a mark of each, not the key.
CREATE TABLE key_marks (
    name TEXT NOT NULL PRIMARY KEY,
    mark BLOB NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE calls ADD COLUMN masked INTEGER NOT NULL DEFAULT 0 CHECK (masked IN (0, 1));
CREATE INDEX calls_to_mask ON calls (answered_at) WHERE masked = 0 AND number IS NOT NULL;
CREATE INDEX calls_by_number ON calls (number, answered_at) WHERE number IS NOT NULL;
CREATE INDEX conferences_by_booking ON conferences (booking) WHERE booking IS NOT NULL;
ALTER TABLE attendances ADD COLUMN invitee INTEGER REFERENCES invitees (id);
CREATE INDEX attendances_by_invitee ON attendances (invitee) WHERE invitee IS NOT NULL;
CREATE INDEX events_another_host ON events (at, conference) WHERE what = 'another-host';
