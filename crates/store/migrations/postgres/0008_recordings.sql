-- The files of recordings: of the mix, or of one call. `length` in milliseconds, nothing while it is being written; `bridge` has the file.
CREATE TABLE recordings (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conference BIGINT NOT NULL REFERENCES conferences (id),
    number     BIGINT NOT NULL,
    call       BIGINT REFERENCES calls (id),
    file       TEXT   NOT NULL,
    bridge     TEXT   NOT NULL,
    started_at BIGINT NOT NULL,
    length     BIGINT,
    deleted_at BIGINT
);
CREATE INDEX recordings_by_conference ON recordings (conference, number);
CREATE INDEX recordings_by_call ON recordings (call) WHERE call IS NOT NULL;
CREATE INDEX recordings_by_start ON recordings (bridge, started_at);
CREATE INDEX recordings_open ON recordings (bridge, id) WHERE length IS NULL;
CREATE INDEX recordings_ordered ON recordings (bridge, deleted_at) WHERE deleted_at IS NOT NULL;
