/* A GMT file of gene sets. */
#include "fuzz.h"

#include "io/gmt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sow_error err = {0};
    sow_gmt *gmt = NULL;
    sow_status st = sow_gmt_read(&gmt, fuzz_file("sets.gmt", data, size), &err);
    fuzz_answer(st, &err);
    fuzz_must((st == SOW_OK) == (gmt != NULL), "sets exactly on success");
    if (!gmt) return 0;
    sow_index n = sow_names_count(gmt->sets);
    fuzz_must(n > 0 && gmt->start[0] == 0, "there is a set, and it begins at 0");
    for (sow_index i = 0; i < n; i++) {
        fuzz_must(gmt->start[i] <= gmt->start[i + 1], "sets follow each other");
        for (sow_index k = gmt->start[i]; k < gmt->start[i + 1]; k++)
            fuzz_must(gmt->member[k] >= 0 && gmt->member[k] < sow_names_count(gmt->members), "a member is in the list of members");
    }
    sow_gmt_destroy(gmt);
    return 0;
}
