//! `gregor-broker`.

fn main() {}
