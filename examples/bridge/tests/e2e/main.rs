//! The built bridge, called over real SIP and RTP by telephones that we did not write. Who hears whom is measured
//! in the sound: each caller and each prompt has tones of its own.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod api;
mod baresip;
mod bookings;
mod bridge;
#[path = "../common/browser.rs"]
mod browser;
mod chromium;
#[path = "../../../client/src/main.rs"]
#[allow(dead_code, clippy::print_stdout, reason = "a program of its own")]
mod client;
mod console;
mod demo;
mod desk;
mod ear;
mod foreign;
mod g711;
mod guessing;
mod hostile;
mod inband;
mod journey;
mod lasting;
mod load;
mod mail;
mod oidc;
mod phone;
mod portal;
mod postgres;
mod quality;
mod recording;
mod refusals;
mod room;
mod sipp;
mod sound;
mod tones;
mod traces;
mod webhooks;
