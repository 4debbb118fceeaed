#!/bin/sh
# Makes the stubs of the contract, and of gRPC's health and reflection, in the folder OUT.
# usage: generate.sh SOURCES PROTO OUT, with buf and protoc-gen-es on the PATH
set -eu
sources=$1 proto=$2 out=$3
rm -rf "$out"
buf generate "$proto" --template "$sources/buf.gen.yaml" --output "$out" \
  --path "$proto/agibridge/v1/call.proto" --path "$proto/agibridge/v1/command.proto" \
  --path "$proto/agibridge/v1/manager.proto" --path "$proto/agibridge/v1/worker.proto"
buf generate "$sources/proto" --template "$sources/buf.gen.yaml" --output "$out"
