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

# fuzz_build NAME SOURCE_OR_OPTION...: $scratch/fuzz_NAME, of fuzz_NAME.c
fuzz_build() {
    name=$1
    shift
    "$clang" -std=c11 -D_GNU_SOURCE -I"$root" -g -O1 \
        -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
        "$(dirname "$0")/fuzz_$name.c" "$@" -o "$scratch/fuzz_$name"
    mkdir "$scratch/corpus_$name"
    # What once failed, named for what it showed.
    if [ -d "$(dirname "$0")/regressions" ]; then
        find "$(dirname "$0")/regressions" -name "$name*" \
            -exec cp {} "$scratch/corpus_$name" \;
    fi
}

# fuzz_run NAME RUNS OPTION...
fuzz_run() {
    name=$1
    runs=$2
    shift 2
    "$scratch/fuzz_$name" -runs="$runs" -seed=1 -timeout=60 \
        -print_final_stats=1 -verbosity=0 "$@" "$scratch/corpus_$name"
}
