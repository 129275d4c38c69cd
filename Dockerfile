# One image with three programs: tallyroot, and Trillian's log server and log
# signer of the version that go.mod names. Nothing else is in it but certificates;
# it runs as nobody in particular and writes only into volumes.
#
#   docker build --tag tallyroot:local .

ARG GO_VERSION=1.26.8

FROM golang:${GO_VERSION}-bookworm AS build
ENV CGO_ENABLED=0
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
# Trillian's servers are built beside our module, with the storages and elections
# of other systems left out.
RUN GOBIN=/out/bin go install -trimpath -ldflags=-s -tags=mysql,etcd "github.com/google/trillian/cmd/trillian_log_server@$(go list -m -f '{{.Version}}' github.com/google/trillian)"
RUN GOBIN=/out/bin go install -trimpath -ldflags=-s -tags=mysql,etcd "github.com/google/trillian/cmd/trillian_log_signer@$(go list -m -f '{{.Version}}' github.com/google/trillian)"
COPY . .
RUN go build -trimpath -ldflags=-s -o /out/bin/tallyroot ./cmd/tallyroot
# An empty volume takes the owner and the mode of the folder that it is mounted on.
RUN install -d -m 0700 /out/volume

FROM scratch
ARG VERSION=local
LABEL org.opencontainers.image.title="Tallyroot" \
      org.opencontainers.image.description="Supply-chain provenance that anyone can check, and Trillian's log server and log signer" \
      org.opencontainers.image.source="https://github.com/tallyroot/tallyroot" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY LICENSE /LICENSE
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=65532:65532 /out/volume /var/lib/tallyroot
COPY --from=build --chown=65532:65532 /out/volume /var/lib/last-checkpoint
COPY --from=build --chown=65532:65532 /out/volume /etc/trillian
COPY --from=build /out/bin /usr/local/bin
ENV PATH=/usr/local/bin
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --start-period=1m --start-interval=1s --interval=10s --timeout=5s CMD ["tallyroot", "health", "http://127.0.0.1:8080/healthz"]
ENTRYPOINT ["tallyroot"]
