#!/usr/bin/env bash
# Makes the virtual environment $1 and installs this checkout into it, unless that was done
# with the setup.py of today.
set -euo pipefail

venv=${1:?usage: scripts/make_env.sh VENV}
cd "$(dirname "$0")/.."
stamp=$venv/.installed
wanted=$(sha256sum setup.py | cut -d' ' -f1)
if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ]; then
  touch "$stamp"
  exit 0
fi

if [ ! -x "$venv/bin/python" ]; then
  found=
  for python in python3.11 python3.10 python3.9; do
    # A pyenv shim is on the PATH even where its version is not installed.
    if "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
      found=$python
      break
    fi
  done
  if [ -z "$found" ]; then
    echo "error: found none of python3.11, python3.10, python3.9 with its venv module on the PATH." >&2
    echo "TensorFlow 2.15 and Reverb 0.14 have no wheels for other versions: install one of these" >&2
    echo "(Debian: python3.11 and python3.11-venv), then run make again." >&2
    exit 1
  fi
  echo "making $venv with $($found --version)"
  "$found" -m venv "$venv"
fi
"$venv/bin/python" -m pip install --disable-pip-version-check --quiet -e '.[dev]'
echo "$wanted" > "$stamp"
