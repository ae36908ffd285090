//! RTP, RTCP, jitter buffer and codecs: packets in, frames out and back, without sockets.
