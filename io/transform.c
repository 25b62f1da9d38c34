#include "io/source_internal.h"

#include "core/memory.h"
#include "core/stats.h"
#include "io/text_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const transform_names[] = {"none", "log1p", "log", "log2", "log10", "sqrt", "abs", "rank"};
enum { N_TRANSFORMS = sizeof transform_names / sizeof *transform_names };

sow_status sow_i_transform_parse(sow_i_transform *out, const char *name, sow_error *err)
{
    *out = SOW_I_NONE;
    if (!name) return SOW_OK;
    for (int i = 0; i < N_TRANSFORMS; i++)
        if (strcmp(name, transform_names[i]) == 0) {
            *out = (sow_i_transform)i;
            return SOW_OK;
        }
    const char *near = sow_nearest_of(transform_names, N_TRANSFORMS, name);
    return SOW_ERROR(err, SOW_E_CONFIG, "readout.transform: unknown transform '%s'%s%s%s allowed are none, log1p, log, log2, log10, sqrt, abs, rank",
                     name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : ";");
}

double sow_i_transform_value(sow_i_transform t, double x)
{
    switch (t) {
    case SOW_I_LOG1P: return x > -1 ? log1p(x) : (double)NAN;
    case SOW_I_LOG: return x > 0 ? log(x) : (double)NAN;
    case SOW_I_LOG2: return x > 0 ? log2(x) : (double)NAN;
    case SOW_I_LOG10: return x > 0 ? log10(x) : (double)NAN;
    case SOW_I_SQRT: return x >= 0 ? sqrt(x) : (double)NAN;
    case SOW_I_ABS: return fabs(x);
    case SOW_I_NONE:
    case SOW_I_RANK: break;
    }
    return x;
}

sow_status sow_i_rank_values(double *x, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    double *rank = NULL;
    SOW_NEW(rank, n);
    SOW_TRY(sow_ranks(rank, x, n, err));
    for (sow_index i = 0; i < n; i++) x[i] = (rank[i] - 0.5) / (double)n;
done:
    free(rank);
    return st;
}

sow_status sow_i_covariate_parse(sow_i_covariate *out, const char *text, sow_error *err)
{
    size_t n = strlen(text);
    out->is_log = n > 5 && strncmp(text, "log(", 4) == 0 && text[n - 1] == ')';
    out->column = out->is_log ? sow_strndup(text + 4, n - 5) : sow_strdup(text);
    if (!out->column) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    if (strcmp(out->column, "cells") == 0) {
        free(out->column);
        out->column = NULL;
    }
    return SOW_OK;
}
