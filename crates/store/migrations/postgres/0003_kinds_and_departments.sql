-- Reports by kind of entry and by department; numbers in the audit log, which are forgotten sooner than names.

CREATE INDEX audit_by_kind ON audit (kind, seq);
CREATE INDEX accounts_by_department ON accounts (lower(department));
DROP INDEX audit_subjects_by_age;
CREATE INDEX audit_subjects_by_age ON audit_subjects (kind, last_at);
