//! How a transcript is read, played and told.

pub(crate) mod read;
pub(crate) mod stage;
pub(crate) mod words;
