//! Accounts, PINs and the guess throttle: who may open which door of a conference bridge, and when.
