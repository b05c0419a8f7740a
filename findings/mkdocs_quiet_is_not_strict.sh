#!/usr/bin/env bash
# One would guess that `mkdocs build --strict --quiet` is as strict as `mkdocs build --strict` and only prints less, which is
# why scripts of continuous integration add it. It is not: strict mode counts the warnings that are logged, and --quiet
# lets none below an error be logged. Dead links and dead anchors pass, the site is built, and the exit status is 0.
# Seen with MkDocs 1.6.1. Exits non-zero if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q mkdocs==1.6.1
mkdir docs
printf 'site_name: x\nvalidation:\n  anchors: warn\n' >mkdocs.yml
printf '# Home\n\n[a dead link](nowhere.md) and [a dead anchor](#nowhere)\n' >docs/index.md
build() {
  echo "\$ mkdocs build $*"
  rc=0
  venv/bin/mkdocs build "$@" 2>&1 || rc=$?
  echo "exit status $rc"
}
venv/bin/mkdocs --version
build --strict
strict=$rc
build --strict --quiet
[ "$strict" = 1 ] && [ "$rc" = 0 ] || { echo "this has changed"; exit 1; }
