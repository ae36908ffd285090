-- Bookings, what a report groups by, the watch on guessing, the audit log, the outbox, retention.

ALTER TABLE accounts ADD COLUMN department TEXT;
ALTER TABLE accounts ADD COLUMN cost_code TEXT;
ALTER TABLE accounts ADD COLUMN erased_at BIGINT;

-- `starts` is local, on the clock of `zone`.
CREATE TABLE bookings (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account    BIGINT NOT NULL REFERENCES accounts (id),
    title      TEXT    NOT NULL,
    plan       TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('booked', 'cancelled')),
    uid        TEXT    NOT NULL UNIQUE,
    sequence   BIGINT NOT NULL,
    first_at   BIGINT NOT NULL,
    last_at    BIGINT NOT NULL,
    over       BIGINT NOT NULL DEFAULT 0 CHECK (over IN (0, 1)),
    made_at    BIGINT NOT NULL
);
CREATE INDEX bookings_by_account ON bookings (account, last_at);
CREATE INDEX bookings_by_end ON bookings (last_at);
-- Those whose PINs are in use: as many as there are bookings to come.
CREATE INDEX bookings_open ON bookings (last_at) WHERE over = 0;

-- Each time that a booking takes place.
CREATE TABLE occurrences (
    booking   BIGINT NOT NULL REFERENCES bookings (id),
    ends_at   BIGINT NOT NULL,
    starts_at BIGINT NOT NULL,
    opens_at  BIGINT NOT NULL,
    PRIMARY KEY (booking, ends_at)
);

CREATE TABLE invitees (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    booking      BIGINT NOT NULL REFERENCES bookings (id),
    name         TEXT    NOT NULL,
    email        TEXT    NOT NULL,
    withdrawn_at BIGINT,
    mail         BIGINT NOT NULL CHECK (mail IN (0, 1))
);
CREATE INDEX invitees_by_booking ON invitees (booking);
CREATE INDEX invitees_by_email ON invitees (lower(email));

ALTER TABLE pins ADD COLUMN booking BIGINT REFERENCES bookings (id);
ALTER TABLE pins ADD COLUMN invitee BIGINT REFERENCES invitees (id);
-- The id of the key that `lookup` was made with, and the Guest PIN encrypted.
ALTER TABLE pins ADD COLUMN pin_key BIGINT NOT NULL DEFAULT 1;
ALTER TABLE pins ADD COLUMN sealed BYTEA;
DROP INDEX pins_in_use;
CREATE UNIQUE INDEX pins_in_use ON pins (account, role) WHERE retired_at IS NULL AND booking IS NULL;
CREATE INDEX pins_of_booking ON pins (booking) WHERE booking IS NOT NULL;
CREATE INDEX pins_by_invitee ON pins (invitee) WHERE invitee IS NOT NULL;
CREATE UNIQUE INDEX pins_of_invitee ON pins (invitee) WHERE invitee IS NOT NULL AND retired_at IS NULL;

-- How many PINs of each kind would be recognised: what the odds of guessing are computed from.
CREATE TABLE pin_counts (
    digits      BIGINT NOT NULL,
    check_digit BIGINT NOT NULL,
    role        TEXT    NOT NULL,
    forced      BIGINT NOT NULL,
    pin_key     BIGINT NOT NULL,
    booking     BIGINT NOT NULL CHECK (booking IN (0, 1)),
    count       BIGINT NOT NULL,
    PRIMARY KEY (digits, check_digit, role, forced, pin_key, booking)
);
INSERT INTO pin_counts
    SELECT digits, check_digit, role, forced, 1, 0, COUNT(*) FROM pins WHERE retired_at IS NULL
    GROUP BY digits, check_digit, role, forced;

-- The watch on guessing: notices in the order in which all bridges take note of them.
CREATE TABLE notices (
    place  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     BIGINT NOT NULL,
    notice TEXT    NOT NULL
);
CREATE TABLE watch (
    one   BIGINT PRIMARY KEY CHECK (one = 1),
    place BIGINT NOT NULL,
    state TEXT    NOT NULL
);

-- The audit log. Names and numbers stand in it as commitments; what they were is in `audit_subjects`, until erased.
CREATE TABLE audit (
    seq  BIGINT PRIMARY KEY,
    at   BIGINT NOT NULL,
    kind TEXT    NOT NULL,
    body TEXT    NOT NULL,
    mac  BYTEA    NOT NULL
);
CREATE INDEX audit_by_time ON audit (at);
CREATE TABLE audit_subjects (
    commitment BYTEA NOT NULL PRIMARY KEY,
    kind       TEXT NOT NULL,
    value      TEXT NOT NULL,
    -- With whom it is erased: an e-mail address, an account, or nobody.
    belongs    TEXT NOT NULL,
    salt       BYTEA NOT NULL,
    last_at    BIGINT NOT NULL
);
CREATE UNIQUE INDEX audit_subjects_by_value ON audit_subjects (kind, belongs, value);
CREATE INDEX audit_subjects_by_age ON audit_subjects (last_at);
CREATE TABLE audit_anchor (
    one   BIGINT PRIMARY KEY CHECK (one = 1),
    seq   BIGINT NOT NULL,
    mac   BYTEA    NOT NULL,
    proof BYTEA    NOT NULL
);

-- Letters to be sent. None holds a PIN: it is rendered when it is sent.
CREATE TABLE outbox (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    booking BIGINT NOT NULL REFERENCES bookings (id),
    invitee BIGINT REFERENCES invitees (id),
    kind    TEXT    NOT NULL CHECK (kind IN ('invitation', 'cancellation')),
    due_at  BIGINT,
    tries   BIGINT NOT NULL DEFAULT 0,
    problem TEXT,
    sent_at BIGINT
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_by_booking ON outbox (booking);
CREATE INDEX outbox_by_invitee ON outbox (invitee) WHERE invitee IS NOT NULL;

-- By which keys this database was made: a mark of each, not the key.
CREATE TABLE key_marks (
    name TEXT NOT NULL PRIMARY KEY,
    mark BYTEA NOT NULL
);

ALTER TABLE calls ADD COLUMN masked BIGINT NOT NULL DEFAULT 0 CHECK (masked IN (0, 1));
CREATE INDEX calls_to_mask ON calls (answered_at) WHERE masked = 0 AND number IS NOT NULL;
CREATE INDEX calls_by_number ON calls (number, answered_at) WHERE number IS NOT NULL;
CREATE INDEX conferences_by_booking ON conferences (booking) WHERE booking IS NOT NULL;
ALTER TABLE attendances ADD COLUMN invitee BIGINT REFERENCES invitees (id);
CREATE INDEX attendances_by_invitee ON attendances (invitee) WHERE invitee IS NOT NULL;
CREATE INDEX events_another_host ON events (at, conference) WHERE what = 'another-host';
