//! The built bridge, called over real SIP and RTP by telephones that we did not write. Who hears whom is measured
//! in the sound: each caller and each prompt has tones of its own.
#![allow(clippy::unwrap_used, missing_docs)]

mod baresip;
mod bridge;
mod ear;
mod foreign;
mod g711;
mod journey;
mod load;
mod phone;
mod room;
mod sipp;
mod tones;
