#!/usr/bin/env bash
# Installs what the tests need and this machine lacks, and says what it
# installs. It is silent and quick when nothing is missing.
#
# Programs of Debian come through apt-get, as root or through sudo. Go programs
# are built into build/bin at the versions below, never into the user's GOBIN.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="$PWD/build/bin"
mkdir -p "$bin"

# Debian: a package, and the program or file that shows that it is there.
debian=(
	'protobuf-compiler protoc'
	'libprotobuf-dev /usr/include/google/protobuf/descriptor.proto'
	'chromium chromium'
	'fonts-dejavu-core /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf'
	'zbar-tools zbarimg'
	'mariadb-server-core /usr/sbin/mariadbd'
	'mariadb-client mariadb-dump'
	'nodejs node'
	'npm npm'
	'curl curl'
	'openssl openssl'
	'python3 python3'
	'gcc gcc'
	'libc6-dev /usr/include/stdlib.h'
)

missing=()
for row in "${debian[@]}"; do
	read -r package proof <<<"$row"
	case "$proof" in
	/*) [ -e "$proof" ] || missing+=("$package") ;;
	*) command -v "$proof" >/dev/null || missing+=("$package") ;;
	esac
done

if [ ${#missing[@]} -gt 0 ]; then
	if ! command -v apt-get >/dev/null; then
		echo "These are missing, and there is no apt-get to install them with: ${missing[*]}" >&2
		echo "Install them with this system's own package manager, then run make again." >&2
		exit 1
	fi
	root=()
	if [ "$(id -u)" != 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "These are missing: ${missing[*]}" >&2
			echo "Install them as root, then run make again:  apt-get install --no-install-recommends ${missing[*]}" >&2
			exit 1
		fi
		root=(sudo)
	fi
	echo "Installing from Debian's packages: ${missing[*]}"
	log="$PWD/build/apt.log"
	apt() { ${root[@]+"${root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq -y "$@" >>"$log" 2>&1; }
	: >"$log"
	if ! { apt update && apt install --no-install-recommends "${missing[@]}"; }; then
		tail -n 20 "$log" >&2
		echo "apt-get could not install: ${missing[*]} (all that it said is in build/apt.log)" >&2
		exit 1
	fi
fi

# Go programs: import path and version. They are built outside the module, so
# that their dependencies stay out of go.sum.
tool() {
	local path=$1 version=$2 name
	name=$(basename "$path")
	if [ "$(go version -m "$bin/$name" 2>/dev/null | awk '$1 == "mod" { print $3 }')" != "$version" ]; then
		echo "Installing $path@$version into build/bin"
		(cd / && GOBIN="$bin" go install "$path@$version")
	fi
}
tool honnef.co/go/tools/cmd/staticcheck v0.8.2
tool github.com/fullstorydev/grpcurl/cmd/grpcurl v1.9.4
tool github.com/transparency-dev/tessera/cmd/fsck v1.0.4
# Trillian's own servers, of the version that the module uses.
trillian=$(go list -m -f '{{.Version}}' github.com/google/trillian)
tool github.com/google/trillian/cmd/trillian_log_server "$trillian"
tool github.com/google/trillian/cmd/trillian_log_signer "$trillian"

# The libraries of the product page's verifier, as its lock file names them.
verifier=gateway/web/verifier
if [ ! "$verifier/node_modules/.package-lock.json" -nt "$verifier/package-lock.json" ]; then
	echo "Installing the libraries of $verifier"
	npm ci --prefix "$verifier" --ignore-scripts --no-audit --no-fund --silent
fi
