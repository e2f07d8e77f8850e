#!/bin/sh
# What the given objects need from outside must be in the list, and what is in
# the list must be needed: tests/signal_symbols.sh LIST OBJECT...
set -eu

list=$1
shift
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# A symbol one object defines and another needs is no need of the whole.
nm --defined-only --extern-only -P "$@" |
    awk 'NF > 1 { print $1 }' | sort -u >"$scratch/defined"
nm --undefined-only -P "$@" |
    awk 'NF > 1 { print $1 }' | sort -u >"$scratch/undefined"
sed 's/#.*//' "$list" | awk 'NF { print $1 }' | sort >"$scratch/allowed"
comm -23 "$scratch/undefined" "$scratch/defined" >"$scratch/needed"

status=0
if [ ! -s "$scratch/defined" ]; then
    echo "signal_symbols: these objects define nothing; are they the core?"
    status=1
fi
for symbol in $(comm -23 "$scratch/needed" "$scratch/allowed"); do
    echo "signal_symbols: $symbol is needed and not allowed, by:"
    nm -A --undefined-only -P "$@" | awk -v symbol="$symbol" '
        $2 == symbol { sub(/:$/, "", $1); print "    " $1 }'
    status=1
done
for symbol in $(comm -13 "$scratch/needed" "$scratch/allowed"); do
    echo "signal_symbols: $symbol is allowed and not needed; take it out"
    status=1
done
# Thread-local storage may be allocated on first touch, in a handler.
if readelf -SW "$@" | grep -E '\.t(bss|data)' || readelf -rW "$@" |
    grep -E 'R_X86_64_(TLS|GOTTPOFF|TPOFF|DTPOFF)'; then
    echo "signal_symbols: the core uses thread-local storage"
    status=1
fi
exit $status
