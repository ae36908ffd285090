//! The conference state machine: waiting, lock, roll call, mutes and the end, without I/O.
