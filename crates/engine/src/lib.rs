//! The real-time media plane: sockets, 20 ms ticks and threads around the mixer.
