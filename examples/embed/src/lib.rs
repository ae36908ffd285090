//! One short program for each library: see `src/bin`.
