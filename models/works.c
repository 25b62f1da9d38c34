#include "models/works.h"

#include "models/hypermap/share.h"

const sow_work *const *sow_model_works(sow_index *n)
{
    static const sow_work *const works[] = {&sow_i_hypermap_work};
    *n = sizeof works / sizeof *works;
    return works;
}
