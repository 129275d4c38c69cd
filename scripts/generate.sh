#!/bin/sh
# Generates the Go code and the OpenAPI document from proto/. The same inputs
# give the same bytes: the generators' versions are fixed here, protoc's is
# checked because it stands in every generated file.
set -eu
cd "$(dirname "$0")/.."

protoc_want=3.21.12 # Debian 12: protobuf-compiler, libprotobuf-dev

need_protoc() {
	echo "generate: $1" >&2
	echo "generate: on Debian 12: apt-get install protobuf-compiler libprotobuf-dev" >&2
	exit 1
}
command -v protoc >/dev/null || need_protoc "protoc is not installed"
protoc_have=$(protoc --version | sed 's/^libprotoc //')
[ "$protoc_have" = "$protoc_want" ] || need_protoc "protoc is $protoc_have, the committed code was made with $protoc_want"

GOBIN=$PWD/build/bin
export GOBIN
mkdir -p "$GOBIN"
# Outside the module, so that the generators' own dependencies stay out of go.sum.
install() { # import path, version
	name=$(basename "$1")
	if [ "$(go version -m "$GOBIN/$name" 2>/dev/null | awk '$1 == "mod" { print $3 }')" != "$2" ]; then
		echo "generate: installing $name $2" >&2
		(cd / && go install "$1@$2")
	fi
}
install google.golang.org/protobuf/cmd/protoc-gen-go v1.36.12
install google.golang.org/grpc/cmd/protoc-gen-go-grpc v1.6.2
install github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway v2.31.0
install github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv3 v2.31.0
install github.com/grpc-ecosystem/grpc-gateway/v2/openapiv3-merge v2.31.0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
module=module=github.com/tallyroot/tallyroot
PATH=$GOBIN:$PATH protoc -Iproto -Iproto/third_party \
	--go_out=. --go_opt=$module \
	--go-grpc_out=. --go-grpc_opt=$module \
	--grpc-gateway_out=. --grpc-gateway_opt=$module \
	--openapiv3_out="$work" \
	proto/tallyroot/v1/events.proto proto/tallyroot/v1/histories.proto \
	proto/tallyroot/v1/participants.proto proto/tallyroot/v1/log.proto

made=$work/tallyroot/v1
"$GOBIN/openapiv3-merge" "$made/events.openapi.json" "$made/histories.openapi.json" \
	"$made/participants.openapi.json" "$made/log.openapi.json" >"$work/merged.json"
go run ./proto/internal/openapi <"$work/merged.json" >"$work/openapi.json"
cp "$work/openapi.json" proto/tallyroot/v1/openapi.json
