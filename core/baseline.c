#include "core/baseline.h"

#include <math.h>
#include <stdlib.h>

#include "core/memory.h"

sow_status sow_baseline_init(sow_baseline *b, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    *b = (sow_baseline){.n = n, .umis = NAN};
    SOW_NEW(b->share, n);
    SOW_NEW(b->size, n);
    SOW_TRY(sow_names_create(&b->genes, err));
done:
    if (st != SOW_OK) sow_baseline_clear(b);
    return st;
}

void sow_baseline_clear(sow_baseline *b)
{
    sow_names_destroy(b->genes);
    free(b->share);
    free(b->size);
    *b = (sow_baseline){0};
}
