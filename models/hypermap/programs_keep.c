/* Programs in an archive. */
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/hypermap/programs.h"

sow_status sow_programs_save(sow_archive *a, const sow_programs *p, sow_error *err)
{
    sow_status st = SOW_OK;
    const int64_t sizes[] = {p->contexts, p->items, p->k, p->rank, p->prior_dim, p->steps};
    const double numbers[] = {p->noise, p->tau};
    SOW_TRY(sow_archive_put(a, "programs/sizes", SOW_ARCHIVE_I64, sizes, 6, 1, err));
    SOW_TRY(sow_archive_put(a, "programs/numbers", SOW_ARCHIVE_F64, numbers, 2, 1, err));
    SOW_TRY(sow_archive_put(a, "programs/activity", SOW_ARCHIVE_F64, p->activity, p->contexts, p->rank, err));
    SOW_TRY(sow_archive_put(a, "programs/loading", SOW_ARCHIVE_F64, p->loading, p->items, p->rank, err));
    SOW_TRY(sow_archive_put(a, "programs/program", SOW_ARCHIVE_F64, p->program, p->rank, p->k, err));
    SOW_TRY(sow_archive_put(a, "programs/mean", SOW_ARCHIVE_F64, p->mean, p->contexts, p->k, err));
    SOW_TRY(sow_archive_put(a, "programs/spread", SOW_ARCHIVE_F64, p->spread, p->rank, 1, err));
    SOW_TRY(sow_archive_put(a, "programs/unsure", SOW_ARCHIVE_F64, p->unsure, p->rank, p->rank, err));
    SOW_TRY(sow_archive_put(a, "programs/start", SOW_ARCHIVE_I64, p->start, p->items + 1, 1, err));
    SOW_TRY(sow_archive_put(a, "programs/of_context", SOW_ARCHIVE_I64, p->of_context, p->start[p->items], 1, err));
    if (p->prior_dim == 0) goto done;
    SOW_TRY(sow_archive_put(a, "programs/prior_mean", SOW_ARCHIVE_F64, p->prior_mean, p->prior_dim, 1, err));
    SOW_TRY(sow_archive_put(a, "programs/from_prior", SOW_ARCHIVE_F64, p->from_prior, p->prior_dim, p->rank, err));
done:
    return st;
}

static sow_status copy(double **out, const sow_archive *a, const char *name, sow_index rows, sow_index cols, sow_error *err)
{
    sow_status st = SOW_OK;
    const void *data = NULL;
    SOW_TRY(sow_archive_get(&data, a, name, SOW_ARCHIVE_F64, rows, cols, err));
    SOW_NEW(*out, rows * cols);
    memcpy(*out, data, (size_t)(rows * cols) * sizeof **out);
done:
    return st;
}

static sow_status copy_places(sow_index **out, const sow_archive *a, const char *name, sow_index n, sow_index most, sow_error *err)
{
    sow_status st = SOW_OK;
    const void *data = NULL;
    SOW_TRY(sow_archive_get(&data, a, name, SOW_ARCHIVE_I64, n, 1, err));
    SOW_NEW(*out, n);
    for (sow_index i = 0; i < n; i++) {
        const int64_t x = ((const int64_t *)data)[i];
        if (x < 0 || x > most) SOW_FAIL(err, SOW_E_DATA, "'%s' has %lld, where 0 to %lld is expected", name, (long long)x, (long long)most);
        (*out)[i] = (sow_index)x;
    }
done:
    return st;
}

static sow_status check_sizes(const int64_t *size, sow_error *err)
{
    for (int i = 0; i < 6; i++)
        if (size[i] < (i == 4 ? 0 : 1) || size[i] > INT32_MAX) return SOW_ERROR(err, SOW_E_DATA, "'programs/sizes' has %lld in place %d", (long long)size[i], i + 1);
    return SOW_OK;
}

sow_status sow_programs_load(sow_programs *out, const sow_archive *a, sow_error *err)
{
    sow_status st = SOW_OK;
    const void *sizes = NULL, *numbers = NULL;
    sow_programs p = {0};
    *out = p;
    SOW_TRY(sow_archive_get(&sizes, a, "programs/sizes", SOW_ARCHIVE_I64, 6, 1, err));
    SOW_TRY(sow_archive_get(&numbers, a, "programs/numbers", SOW_ARCHIVE_F64, 2, 1, err));
    const int64_t *n = sizes;
    SOW_TRY(check_sizes(n, err));
    p = (sow_programs){.contexts = n[0], .items = n[1], .k = n[2], .rank = n[3], .prior_dim = n[4], .steps = n[5], .noise = ((const double *)numbers)[0], .tau = ((const double *)numbers)[1]};
    SOW_TRY(copy(&p.activity, a, "programs/activity", p.contexts, p.rank, err));
    SOW_TRY(copy(&p.loading, a, "programs/loading", p.items, p.rank, err));
    SOW_TRY(copy(&p.program, a, "programs/program", p.rank, p.k, err));
    SOW_TRY(copy(&p.mean, a, "programs/mean", p.contexts, p.k, err));
    SOW_TRY(copy(&p.spread, a, "programs/spread", p.rank, 1, err));
    SOW_TRY(copy(&p.unsure, a, "programs/unsure", p.rank, p.rank, err));
    SOW_TRY(copy_places(&p.start, a, "programs/start", p.items + 1, INT32_MAX, err));
    SOW_TRY(copy_places(&p.of_context, a, "programs/of_context", p.start[p.items], p.contexts - 1, err));
    for (sow_index q = 0; q < p.items; q++)
        if (p.start[q] > p.start[q + 1]) SOW_FAIL(err, SOW_E_DATA, "'programs/start' does not ascend");
    if (p.prior_dim > 0) SOW_TRY(copy(&p.prior_mean, a, "programs/prior_mean", p.prior_dim, 1, err));
    if (p.prior_dim > 0) SOW_TRY(copy(&p.from_prior, a, "programs/from_prior", p.prior_dim, p.rank, err));
    *out = p;
    p = (sow_programs){0};
done:
    sow_programs_clear(&p);
    return st;
}
