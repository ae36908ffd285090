-- Who gave a command from the portal: a user; nobody, where a caller or the bridge itself did.
ALTER TABLE events ADD COLUMN operator INTEGER;
