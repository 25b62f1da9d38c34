/* .h5ad files that libhdf5 can read but that hold anything (h5_program.h). The last two bytes choose a reader and its options. */
#include "fuzz.h"

#include "h5_program.h"
#include "read_h5ad.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_path("cells.h5ad");
    if (size < 2 || !h5_program_write(path, data, size - 2)) return 0;
    read_h5ad(path, data[size - 2], data[size - 1]);
    return 0;
}
