#!/bin/sh
# The guest's image can be mapped anywhere by plain mmap() and started, with
# nothing to be done to it: tests/guest_image.sh IMAGE
set -eu

image=$1
status=0

# refuse WHAT COMMAND...: COMMAND must print nothing.
refuse() {
    what=$1
    shift
    found=$("$@") || true
    if [ -n "$found" ]; then
        printf 'guest_image: %s:\n%s\n' "$what" "$found"
        status=1
    fi
}

table() {
    readelf -W "$1" "$image" | grep -E "$2"
}

refuse "has relocations" table -r 'R_X86_64_'
refuse "needs a library or a loader" table -d 'NEEDED|TEXTREL|FLAGS.*STATIC_TLS'
refuse "names an interpreter" table -l 'INTERP|Requesting'
refuse "has thread-local storage" table -l ' TLS '
refuse "has code to run before its entry" table -S 'init_array|ctors|\.init '
refuse "has a segment to be written and run" table -l 'LOAD.*RWE'
refuse "calls out" nm --undefined-only "$image"

# What is refused above would also be absent from a file that is no image.
table -h 'Type: +DYN' >/dev/null || { echo "guest_image: not movable"; status=1; }
entry=$(table -h 'Entry point' | awk '{ print $NF }')
nm "$image" | awk -v entry="$entry" '
    $3 == "prof_guest_start" { found = "0x" $1 }
    END { sub(/^0x0+/, "0x", found); exit found != entry }' ||
    { echo "guest_image: does not begin at prof_guest_start"; status=1; }
exit $status
