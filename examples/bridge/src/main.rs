//! A conference bridge for telephones.
fn main() {}
