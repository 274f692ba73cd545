#!/usr/bin/env bash
# Makes images that stand in for the ones that the Dockerfile and compose.yaml
# name, for machines that reach no image registry: from Go's own toolchain and
# module cache, the nats-server module and Debian's busybox. They replace local
# images of the same names.
#
#   standins.sh GOLANG_IMAGE NATS_IMAGE
set -euo pipefail
golang=$1 nats=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "stand-ins: busybox"
(cd "$work" && apt-get download busybox-static >/dev/null && dpkg -x busybox-static_*.deb unpacked)
busybox=$work/unpacked/bin/busybox

# root NAME: a root folder with a shell and the usual commands.
root() {
	mkdir -p "$work/$1"/{bin,tmp,etc/ssl/certs}
	cp "$busybox" "$work/$1/bin/busybox"
	for name in $("$busybox" --list | grep -vx busybox); do ln -s busybox "$work/$1/bin/$name"; done
	chmod 1777 "$work/$1/tmp"
}

# The module proxy of the stand-in is a folder: the cache of this machine.
echo "stand-ins: $golang"
root golang
mkdir -p "$work/golang/usr/local" "$work/golang/proxy" "$work/golang/go"
cp -r "$(go env GOROOT)" "$work/golang/usr/local/go"
cp /etc/ssl/certs/ca-certificates.crt "$work/golang/etc/ssl/certs/"
go mod download
cp -r "$(go env GOMODCACHE)/cache/download/." "$work/golang/proxy/"
tar -C "$work/golang" -c . | docker import \
	-c 'ENV PATH=/usr/local/go/bin:/bin GOPATH=/go HOME=/tmp GOTOOLCHAIN=local GOPROXY=file:///proxy' - "$golang" >/dev/null

echo "stand-ins: $nats"
root nats
version=$(sed 's/.*:\([0-9.]*\).*/v\1/' <<<"$nats")
GOBIN="$work/nats/bin" CGO_ENABLED=0 GOFLAGS= go install "github.com/nats-io/nats-server/v2@$version"
mkdir "$work/nats/data"
tar -C "$work/nats" -c . | docker import -c 'ENV PATH=/bin' -c 'CMD ["nats-server"]' - "$nats" >/dev/null
