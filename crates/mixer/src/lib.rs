//! The mix-minus audio core of a conference: allocation-free once built.
