//! Each caller's journey from the answer to the goodbye, and the whole bridge as one machine without I/O.
