/* A NumPy array. */
#include "fuzz.h"

#include "io/npy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sow_error err = {0};
    double *x = NULL, sum = 0;
    sow_index rows = 0, columns = 0;
    sow_status st = sow_npy_read(&x, &rows, &columns, fuzz_file("array.npy", data, size), &err);
    fuzz_answer(st, &err);
    fuzz_must((st == SOW_OK) == (x != NULL), "an array exactly on success");
    for (sow_index i = 0; x && i < rows * columns; i++) sum += x[i] > 0;
    fuzz_must(sum <= (double)size, "no more numbers than bytes");
    free(x);
    return 0;
}
