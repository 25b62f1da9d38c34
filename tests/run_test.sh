#!/bin/sh
# Runs one test executable with sanitizer reports sent to a file that must stay empty.
set -u
log=$(mktemp -d)
export ASAN_OPTIONS="log_path=$log/asan:detect_leaks=1:allocator_may_return_null=1:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="log_path=$log/ubsan:print_stacktrace=1:${UBSAN_OPTIONS:-}"
export TSAN_OPTIONS="log_path=$log/tsan:${TSAN_OPTIONS:-}"
export OPENBLAS_NUM_THREADS=1
"$@"
code=$?
if [ -n "$(ls -A "$log")" ]; then
    echo "sanitizer report:"
    cat "$log"/*
    code=1
fi
rm -rf "$log"
exit $code
