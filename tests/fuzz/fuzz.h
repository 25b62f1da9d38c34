/* What the fuzz targets share. Each target is one file that defines LLVMFuzzerTestOneInput: libFuzzer calls it (scripts/fuzz, clang), and so does replay.c in
 * the normal tests, over the committed corpus and every input that once crashed. An input is a few kilobytes, so a target also fails when a reader
 * runs out of the memory that a small file may ask for. */
#ifndef SOWER_TESTS_FUZZ_H
#define SOWER_TESTS_FUZZ_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** This process's own folder, in memory where there is /dev/shm; removed at exit. */
const char *fuzz_folder(void);
/** Path of a file of that name in the folder; static storage, one a name, a dozen names at most. */
const char *fuzz_path(const char *name);
/** Write the file whole. */
const char *fuzz_file(const char *name, const void *bytes, size_t n);

/** An empty folder of that name in it. */
const char *fuzz_empty_folder(const char *name);

/** Stop with a message when something that always holds does not. */
void fuzz_must(int holds, const char *what);
/** What a reader may say of a file: that it is good, or in one message that it is not. Out of memory is neither. */
void fuzz_answer(sow_status st, const sow_error *err);

#endif
