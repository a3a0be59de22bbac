#!/usr/bin/env bash
# Proves at length what `cargo test --test proof` proves in short, and prints a table: half an hour.
# LARKDECK_PROOF_ONLY=PART runs what has PART in its name ("ten rough": consoles are handled roughly for ten minutes in
# a store of a million messages), LARKDECK_PROOF_SEED=N takes other instants. Network namespaces and small disks want
# root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec cargo test --locked --release --test proof -- --ignored --nocapture long
