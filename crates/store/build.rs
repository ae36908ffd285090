//! Cargo doesn't see by itself that a migration was added to those that the crate embeds.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
