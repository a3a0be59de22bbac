//! The program: parses arguments, picks a front end, maps errors to exit codes.

fn main() {}
