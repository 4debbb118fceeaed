#!/usr/bin/env bash
# Makes the stubs of the contract in a folder, with imports that stay inside of the library's package.
set -euo pipefail

venv=$1
to=$2
proto=$(cd "$(dirname "$0")/../../../proto" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

PATH=$venv/bin:$PATH "$venv/bin/python" -m grpc_tools.protoc -I "$proto" --python_out="$work" --mypy_out=quiet:"$work" \
    "$proto"/agibridge/v1/{call,command,manager,worker}.proto
sed -i -e 's/from agibridge\.v1 import/from agibridge._proto import/' \
    -e "s/'agibridge\.v1\.\([a-z]*_pb2\)'/'agibridge._proto.\1'/" "$work"/agibridge/v1/*
printf '"""%s"""\n' "The contract's messages, made from proto/agibridge/v1 by \`make generate\`; private to this library." \
    >"$work/agibridge/v1/__init__.py"
mkdir -p "$to"
cp "$work"/agibridge/v1/* "$to"
