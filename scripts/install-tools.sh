#!/usr/bin/env bash
# Installs what the tests need and this machine lacks, and says what it
# installs. It is silent and quick when nothing is missing.
#
# Programs of Debian come through apt-get, as root or through sudo. Go programs
# are built into build/bin at the versions below, never into the user's GOBIN.
#
# With --generate it sees only to what `make generate` needs.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="$PWD/build/bin"
mkdir -p "$bin"

# Debian: a package, and the program or file that shows that it is there.
debian=(
	'protobuf-compiler protoc'
	'libprotobuf-dev /usr/include/google/protobuf/descriptor.proto'
)
if [ "${1:-}" != --generate ]; then
	debian+=(
		'chromium chromium'
		'fonts-dejavu-core /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf'
		'zbar-tools zbarimg'
		'curl curl'
		'openssl openssl'
		'python3 python3'
		'gcc gcc'
		'libc6-dev /usr/include/stdlib.h'
	)
fi

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

# Go programs: name, module path, version. A file named after the version
# beside the program says which one it is.
tool() {
	local name=$1 path=$2 version=$3
	[ -x "$bin/$name" ] && [ -e "$bin/.$name@$version" ] && return
	echo "Installing $path@$version into build/bin"
	GOBIN="$bin" GOFLAGS=-mod=mod go install "$path@$version"
	rm -f "$bin/.$name@"*
	touch "$bin/.$name@$version"
}

# The generators have the versions that the generated files name.
tool protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go v1.36.12
tool protoc-gen-go-grpc google.golang.org/grpc/cmd/protoc-gen-go-grpc v1.6.2
tool protoc-gen-grpc-gateway github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway v2.31.0
tool protoc-gen-openapiv3 github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv3 v2.31.0
if [ "${1:-}" != --generate ]; then
	tool staticcheck honnef.co/go/tools/cmd/staticcheck v0.8.2
	tool grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl v1.9.4
	tool fsck github.com/transparency-dev/tessera/cmd/fsck v1.0.4
fi
