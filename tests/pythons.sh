#!/bin/sh
# The tests that depend on the interpreter (segments, observables), on every Python from 3.11 on that this machine has:
# on the PATH, and where pyenv and uv keep theirs. `sh tests/pythons.sh [path of tests ...]`; fails if one version fails.
set -u
cd "$(dirname "$0")/.." || exit 2

candidates() {
    for version in 3.11 3.12 3.13 3.14 3.15; do command -v "python$version"; done
    command -v python3
    if command -v pyenv >/dev/null; then
        for python in "$(pyenv root)"/versions/*/bin/python3; do echo "$python"; done
    fi
    if command -v uv >/dev/null; then
        uv python list --only-installed --no-python-downloads 2>/dev/null | awk '{ print $2 }'
    fi
}

# The first of each version; a shim of pyenv whose version is not chosen answers nothing and is passed over.
found=$(candidates 2>/dev/null | while read -r python; do
    version=$("$python" -c 'import ensurepip, sys; print("%d.%d" % sys.version_info[:2]) if sys.version_info >= (3, 11) else None' 2>/dev/null) &&
        case $version in 3.*) echo "$version $python" ;; esac
done | sort -t. -k2,2n -k1,1 -s | awk '!seen[$1]++')

[ -n "$found" ] || { echo "No Python from 3.11 on was found: on the PATH, with pyenv, with uv."; exit 1; }
[ $# -gt 0 ] || set -- tests/runtime/test_segments.py tests/runtime/test_segments_asyncio.py tests/runtime/test_watchdog.py \
    tests/state/test_observables.py

failed=
while read -r version python; do
    room=.venv-$version
    echo "== Python $version"
    [ -x "$room/bin/python" ] || "$python" -m venv "$room" || { failed="$failed $version"; continue; }
    "$room/bin/python" -m pip install -q --disable-pip-version-check -e '.[dev]' &&
        "$room/bin/python" -m pytest -q -p no:cacheprovider "$@" || failed="$failed $version"
done <<EOF
$found
EOF

[ -z "$failed" ] || { echo "Failed on:$failed"; exit 1; }
