/* A MatrixMarket folder in the 10x layout with its table of labels. The first byte says how it is laid out and read; the rest is matrix.mtx, features.tsv,
 * barcodes.tsv and the labels, with a line "%%%" between them. A part that is not there is a file that is missing. */
#include "fuzz.h"

#include "read_cells.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum { GZIP = 1, OLD_NAMES = 2 };

static const char marker[] = "%%%\n";

static void write_gzip(const char *path, const uint8_t *bytes, size_t n)
{
    gzFile f = gzopen(path, "wb1");
    fuzz_must(f && (n == 0 || gzwrite(f, bytes, (unsigned)n) == (int)n) && gzclose(f) == Z_OK, "a gzip file to read");
}

/* The next part of the input; NULL when there is none. */
static const uint8_t *next_part(size_t *n, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *start = *at;
    size_t m = sizeof marker - 1;
    if (!start) return NULL;
    for (const uint8_t *p = start; p + m <= end; p++)
        if (memcmp(p, marker, m) == 0) {
            *n = (size_t)(p - start);
            *at = p + m;
            return start;
        }
    *n = (size_t)(end - start);
    *at = NULL;
    return start;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    unsigned how = data[0];
    const char *const names[] = {"mtx/matrix.mtx", how & OLD_NAMES ? "mtx/genes.tsv" : "mtx/features.tsv", "mtx/barcodes.tsv", "labels.csv"};
    const uint8_t *at = data + 1, *part;
    const char *labels = fuzz_path("labels.csv");
    size_t n = 0;
    fuzz_empty_folder("mtx");
    remove(labels);
    for (int i = 0; i < 4 && (part = next_part(&n, &at, data + size)); i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", names[i], how & GZIP && i < 3 ? ".gz" : "");
        if (how & GZIP && i < 3)
            write_gzip(fuzz_path(name), part, n);
        else
            fuzz_file(name, part, n);
    }
    read_cells(fuzz_path("mtx"), labels, how);
    read_cell_source(fuzz_path("mtx"), labels, how);
    return 0;
}
