//! What the property tests are made of.

pub(crate) mod model;
pub(crate) mod world;
