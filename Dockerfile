# All programs of Segue in one image: /segue, /orchestrator, /fetcher, /validator,
# /parser, /saver. compose.yaml runs five of them, each as a container of its own.

FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# Static, so that they run on an empty image, which has no time zones either:
# timetzdata puts them in.
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags timetzdata -ldflags='-s -w' \
        -o /out/programs/ ./cmd/segue ./saga/orchestrator ./services/...
RUN mkdir -p /out/writable/data /out/writable/tmp

FROM scratch
# The certificate authorities whom the fetcher trusts.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/programs/ /
# A volume takes over the owner of the folder that it is mounted on.
COPY --from=build --chown=65532:65532 /out/writable/ /
USER 65532:65532
WORKDIR /data
# SQLite puts records under way into temporary files: on the volume, not in memory.
ENV SEGUE_DATA_DIR=/data SEGUE_DATABASE=sqlite:/data/segue.db SEGUE_HTTP=:8080 SQLITE_TMPDIR=/data
# There is no shell to ask with. Any of the programs asks what listens on SEGUE_HTTP.
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s CMD ["/orchestrator", "--healthcheck"]
ENTRYPOINT ["/segue"]
