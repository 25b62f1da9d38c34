/* The raw bytes of a .h5ad file; the last two choose a reader and its options. libhdf5 itself does not survive all of these: scripts/fuzz tells its crashes
 * from ours. */
#include "fuzz.h"

#include "read_h5ad.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    read_h5ad(fuzz_file("cells.h5ad", data, size - 2), data[size - 2], data[size - 1]);
    return 0;
}
