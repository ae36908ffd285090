//! A `Duration` as whole or broken seconds: what a configuration file says.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
    if span.subsec_nanos() == 0 {
        to.serialize_u64(span.as_secs())
    } else {
        to.serialize_f64(span.as_secs_f64())
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(from)?;
    Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
}
