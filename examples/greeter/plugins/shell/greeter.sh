#!/bin/sh
# The greeter as a shell script: a plugin of mechanism `exec`.
case "$1" in
    describe) printf '{"name": "greeter", "version": "1.0.0"}\n' ;;
    process) printf 'Hello, %s, from the shell' "$(cat)" ;;
    *) exit 64 ;;
esac
