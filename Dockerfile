# One program of Segue, static and alone, in an image of its own:
#
#   docker build --build-arg PROGRAM=fetcher --tag segue/fetcher .
#
# PROGRAM is one of segue, orchestrator, fetcher, validator, parser, saver;
# compose.yaml builds them all. VERSION stands in the labels and in --version. For
# another architecture: docker buildx build --platform linux/amd64,linux/arm64 ...

ARG BUILDPLATFORM
FROM --platform=${BUILDPLATFORM:-linux/amd64} golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION=devel
# Static, so that they run on an empty image, which has no time zones either:
# timetzdata puts them in.
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -trimpath -buildvcs=false -tags timetzdata \
        -ldflags="-s -w -X segue/daemon.version=${VERSION}" -o /out/programs/ ./cmd/segue ./saga/orchestrator ./services/...
# A volume takes over the owner of the folder that it is mounted on.
RUN mkdir -p /out/writable/data /out/writable/tmp && for owner in broker postgres orchestrator fetcher \
        validator parser saver caller operator observer admin; do mkdir -p /out/writable/keys/$owner; done

FROM scratch
ARG PROGRAM=segue
ARG VERSION=devel
LABEL org.opencontainers.image.title="segue ${PROGRAM}" \
      org.opencontainers.image.description="Sagas on NATS JetStream: every run ends either completed or undone" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
# The certificate authorities whom the fetcher trusts.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/programs/${PROGRAM} /program
COPY --from=build --chown=65532:65532 /out/writable/ /
USER 65532:65532
WORKDIR /data
# SQLite puts records under way into temporary files: on the volume, not in memory.
ENV SEGUE_DATA_DIR=/data SEGUE_HTTP=:8080 SQLITE_TMPDIR=/data
# There is no shell to ask with: the program asks what listens on SEGUE_HTTP.
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s CMD ["/program", "--healthcheck"]
ENTRYPOINT ["/program"]
