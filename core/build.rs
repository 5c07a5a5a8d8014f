//! New migrations must reach the binary that embeds them.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
