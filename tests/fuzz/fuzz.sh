# For the run scripts of the fuzzers, to be sourced: sets root and scratch, and
# exits with 77 where there is no clang that can fuzz.
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

clang=$(command -v clang-14 || command -v clang) || exit 77
echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' >"$scratch/try.c"
"$clang" -w -fsanitize=fuzzer,address "$scratch/try.c" -o "$scratch/try" \
    2>/dev/null || exit 77

fuzz_flags="-std=c11 -D_GNU_SOURCE -I$root -g -O1 -fno-sanitize-recover=all"

# fuzz_library 'SOURCE ...' [OPTION...]: what is fuzzed, compiled once for all
# targets and by all processors. No path in it has a blank.
fuzz_library() {
    sources=$1
    shift
    mkdir "$scratch/objects"
    # An object is named by its whole path: two rooms may have a maps.c.
    # shellcheck disable=SC2016,SC2086
    printf '%s\n' $sources | xargs -P "$(nproc)" -I{} sh -c '
        source=$1 objects=$2
        shift 2
        exec "$@" -c "$source" -o "$objects/$(echo "$source" | tr / _).o"
    ' compile {} "$scratch/objects" "$clang" $fuzz_flags \
        -fsanitize=fuzzer-no-link,address,undefined "$@"
    ar rc "$scratch/library.a" "$scratch"/objects/*.o
}

# fuzz_build NAME OPTION...: $scratch/fuzz_NAME, of fuzz_NAME.c and the library,
# and the folder for its corpus
fuzz_build() {
    name=$1
    shift
    # shellcheck disable=SC2086
    "$clang" $fuzz_flags -fsanitize=fuzzer,address,undefined \
        "$(dirname "$0")/fuzz_$name.c" "$scratch/library.a" "$@" \
        -o "$scratch/fuzz_$name"
    mkdir -p "$scratch/corpus_$name"
    # What once failed, named for what it showed.
    if [ -d "$(dirname "$0")/regressions" ]; then
        find "$(dirname "$0")/regressions" -name "$name*" \
            -exec cp {} "$scratch/corpus_$name" \;
    fi
}

# fuzz_run NAME RUNS OPTION...
#
# A number of runs is the same ones each time: comparisons of addresses, which
# steer the fuzzer as all others do, would have it try other inputs wherever the
# loader puts it. Who has the time for luck gives no number.
fuzz_run() {
    name=$1
    runs=$2
    shift 2
    fixed=
    if [ "$runs" -ge 0 ] && setarch -R true 2>/dev/null; then
        fixed='setarch -R'
    fi
    # shellcheck disable=SC2086
    $fixed "$scratch/fuzz_$name" -runs="$runs" -seed=1 -timeout=60 \
        -print_final_stats=1 -verbosity=0 "$@" "$scratch/corpus_$name"
}
