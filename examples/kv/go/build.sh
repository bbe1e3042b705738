#!/bin/sh
# Builds a program of this example that is written in Go:
#   go/build.sh plugins/go OUT
#   go/build.sh go/host OUT
# With Debian's golang-go, golang-github-hashicorp-go-plugin-dev and golang-google-grpc-dev: no network is asked for modules.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
debian=/usr/share/gocode
command -v go >/dev/null || { echo "there is no \`go\` on PATH; install golang-go" >&2; exit 1; }
case $2 in /*) out=$2 ;; *) out=$PWD/$2 ;; esac
[ -d $debian/src/github.com/hashicorp/go-plugin ] && [ -d $debian/src/google.golang.org/grpc ] || {
    echo "install golang-github-hashicorp-go-plugin-dev and golang-google-grpc-dev" >&2
    exit 1
}
work=$here/../../target/kv-go
mkdir -p "$work/src"
# The folder by the name that its packages import each other by.
[ -e "$work/src/kv" ] || ln -s "$here" "$work/src/kv" || [ -e "$work/src/kv" ]
export GO111MODULE=off GOFLAGS= GOPATH="$work:$debian" GOCACHE="$work/cache"
exec go build -o "$out" "kv/$1"
