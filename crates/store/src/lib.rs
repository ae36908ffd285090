//! Accounts, conference records and calls in SQL.
