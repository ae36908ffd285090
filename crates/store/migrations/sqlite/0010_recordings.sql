-- The files of recordings: of the mix, or of one call. `length` in milliseconds, nothing while it is being written.
CREATE TABLE recordings (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    conference INTEGER NOT NULL REFERENCES conferences (id),
    number     INTEGER NOT NULL,
    call       INTEGER REFERENCES calls (id),
    file       TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    length     INTEGER,
    deleted_at INTEGER
) STRICT;
CREATE INDEX recordings_by_conference ON recordings (conference, number);
CREATE INDEX recordings_by_call ON recordings (call) WHERE call IS NOT NULL;
CREATE INDEX recordings_by_start ON recordings (started_at);
CREATE INDEX recordings_open ON recordings (id) WHERE length IS NULL;
CREATE INDEX recordings_ordered ON recordings (id) WHERE deleted_at IS NOT NULL;
