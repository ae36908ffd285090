//! The whole bridge in a virtual world: a virtual clock, seeded faults, no sockets.
