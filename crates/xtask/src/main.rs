//! Set-up, tests, prompts and the long campaigns of this workspace.
fn main() {}
