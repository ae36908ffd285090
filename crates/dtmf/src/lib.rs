//! Telephone digits in, conference commands out: RFC 4733 events, SIP INFO and key maps, without allocation.
#![no_std]
