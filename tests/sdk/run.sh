#!/usr/bin/env bash
# Runs the official Python and Node SDKs, unchanged, against `larkdeck sim`.
# Installs them from their registries into a cache directory; needs python3, node and npm.
#   tests/sdk/run.sh [python|node]          LARKDECK_BIN: the program, else it is built
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${LARKDECK_SDK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/larkdeck-sdk}
mkdir -p "$cache"
if [ -z "${LARKDECK_BIN:-}" ]; then
  (cd "$root" && cargo build -q)
  LARKDECK_BIN=${CARGO_TARGET_DIR:-$root/target}/debug/larkdeck
fi
export LARKDECK_BIN

python_sdk() {
  [ -x "$cache/python/bin/python" ] || python3 -m venv "$cache/python"
  "$cache/python/bin/python" -c 'import lark_oapi' 2>/dev/null ||
    "$cache/python/bin/pip" install -q lark-oapi==1.7.5
  "$cache/python/bin/python" "$here/python/check.py"
  "$cache/python/bin/python" "$here/python/webhook.py"
}

node_sdk() {
  mkdir -p "$cache/node"
  [ -d "$cache/node/node_modules/@larksuiteoapi/node-sdk" ] ||
    (cd "$cache/node" && npm init -y >/dev/null && npm install --silent --no-audit --no-fund @larksuiteoapi/node-sdk@1.74.0)
  NODE_PATH="$cache/node/node_modules" node "$here/node/check.js"
  NODE_PATH="$cache/node/node_modules" node "$here/node/webhook.js"
}

case ${1:-all} in
  python) python_sdk ;;
  node) node_sdk ;;
  all) python_sdk; node_sdk ;;
  *) echo "usage: $0 [python|node]" >&2; exit 2 ;;
esac
