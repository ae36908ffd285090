-- Several bridges can share a PostgreSQL database, each closing only what its own runs left open. Here there is one.
ALTER TABLE runs ADD COLUMN bridge TEXT NOT NULL DEFAULT 'main';

-- Addresses are found in upper and lower case by an expression that every database has.
DROP INDEX accounts_by_email;
CREATE INDEX accounts_by_email ON accounts (lower(email));

-- The rows that hold a reference are looked up before an account may go.
CREATE INDEX pins_by_account ON pins (account);
