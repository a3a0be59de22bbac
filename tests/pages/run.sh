#!/usr/bin/env bash
# The pages in a real headless Chromium, against `larkdeck sim`. Needs python3, chromium and chromedriver.
#   tests/pages/run.sh            pictures go to target/pages; LARKDECK_BIN: the program, else it is built
#   tests/pages/run.sh --docs     and the one of the README to docs/pages.png
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
if [ -z "${LARKDECK_BIN:-}" ]; then
  (cd "$root" && cargo build -q --locked)
  LARKDECK_BIN=$target/debug/larkdeck
fi
export LARKDECK_BIN
for program in python3 chromium chromedriver; do
  command -v "$program" >/dev/null || { echo "$program is missing: apt-get install python3 chromium chromium-driver" >&2; exit 1; }
done
PYTHONDONTWRITEBYTECODE=1 python3 "$here/check.py" "$target/pages"
if [ "${1:-}" = --docs ]; then cp "$target/pages/readme.png" "$root/docs/pages.png"; fi
