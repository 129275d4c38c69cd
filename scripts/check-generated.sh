#!/usr/bin/env bash
# Generates everything again and fails if that gives other files than the ones
# that stand here. The new ones are left in place, to be looked at and committed.
set -euo pipefail
cd "$(dirname "$0")/.."
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
cp -R proto "$before/proto"
scripts/generate.sh
if ! diff -r -q "$before/proto" proto; then
	echo "The generated files were not those that proto/ and the generators give; now they are. Commit them." >&2
	exit 1
fi
