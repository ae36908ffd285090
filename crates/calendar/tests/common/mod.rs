//! What the tests share.
#![allow(dead_code, unreachable_pub)]

use std::time::Duration;

use chrono::NaiveDateTime;
use conclave_accounts::Plan;

pub fn local(text: &str) -> NaiveDateTime {
    text.parse().unwrap()
}

/// An hour, in Berlin unless `zone` is set.
pub fn plan(starts: &str, zone: &str, rule: Option<&str>) -> Plan {
    Plan {
        starts: local(starts),
        length: Duration::from_secs(3600),
        zone: zone.to_owned(),
        early: Duration::ZERO,
        rule: rule.map(str::to_owned),
        except: vec![],
    }
}
