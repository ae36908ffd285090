-- The files of recordings: of the mix, or of one call. `length` in milliseconds, nothing while it is being written; `bridge` has the file.
CREATE TABLE recordings (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    conference INTEGER NOT NULL REFERENCES conferences (id),
    number     INTEGER NOT NULL,
    call       INTEGER REFERENCES calls (id),
    file       TEXT    NOT NULL,
    bridge     TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    length     INTEGER,
    deleted_at INTEGER
) STRICT;
CREATE INDEX recordings_by_conference ON recordings (conference, number);
CREATE INDEX recordings_by_call ON recordings (call) WHERE call IS NOT NULL;
CREATE INDEX recordings_by_start ON recordings (bridge, started_at);
CREATE INDEX recordings_open ON recordings (bridge, id) WHERE length IS NULL;
CREATE INDEX recordings_ordered ON recordings (bridge, deleted_at) WHERE deleted_at IS NOT NULL;
