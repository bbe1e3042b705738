#!/usr/bin/env python3
"""The greeter in Python: a plugin of mechanism `exec` that keeps running and answers JSON-RPC 2.0, a line a message."""

import json
import sys


def answer(request):
    """What a request gets: a result, or an error."""
    if request["method"] == "describe":
        return {"result": {"name": "greeter", "version": "1.0.0"}}
    if request["method"] == "process":
        name = request["params"].get("input")
        if name is None:
            return {"error": {"code": -32602, "message": "the name is no text"}}
        return {"result": f"Hello, {name}, from Python"}
    return {"error": {"code": -32601, "message": f"no method {request['method']}"}}


if sys.argv[1:] != ["serve"]:
    sys.exit(64)
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer(request)}), flush=True)
