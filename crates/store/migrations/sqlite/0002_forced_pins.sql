-- A PIN that an operator took in although it is easier to guess than the policy bears.
ALTER TABLE pins ADD COLUMN forced INTEGER NOT NULL DEFAULT 0 CHECK (forced IN (0, 1));
