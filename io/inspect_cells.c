/* Single cells: what the matrices of a file are, from a sample of each, and what to say of the file. */
#include "io/inspect_internal.h"

#include "core/memory.h"
#include "io/cell_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLE = 200000, HIGHEST_LOG = 20 }; /* log1p of 10^8, more than any cell is scaled to */

const char *sow_numbers_name(sow_inspect_numbers numbers)
{
    static const char *const name[] = {[SOW_NUMBERS_COUNTS] = "raw counts",
                                       [SOW_NUMBERS_LOG1P] = "log1p-normalised",
                                       [SOW_NUMBERS_NORMALISED] = "normalised, no logarithm",
                                       [SOW_NUMBERS_SCALED] = "scaled (some are negative)",
                                       [SOW_NUMBERS_NONE] = "nothing"};
    return name[numbers];
}

/* ---- matrices ---- */

static void judge(sow_inspect_matrix *m, int whole)
{
    m->numbers = m->n_sampled == 0 ? SOW_NUMBERS_NONE
                 : m->low < 0      ? SOW_NUMBERS_SCALED
                 : whole           ? SOW_NUMBERS_COUNTS
                 : m->high > HIGHEST_LOG ? SOW_NUMBERS_NORMALISED
                                         : SOW_NUMBERS_LOG1P;
}

static sow_status look(sow_inspect_matrix *m, const char *path, sow_error *err)
{
    judge(m, 1);
    return SOW_ERROR(err, SOW_E_UNSUPPORTED, "%s: %s is not looked into", path, m->name);
}

/* What cannot be read is described with the reason. */
static sow_status examine(sow_inspect_matrix *m, const char *path, const char *name, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_error why = {0};
    m->low = m->high = NAN;
    m->numbers = SOW_NUMBERS_NONE;
    m->name = sow_strdup(name);
    if (!m->name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    const sow_status looked = look(m, path, &why);
    if (looked == SOW_E_NOMEM) SOW_FAIL(err, looked, "%s", why.message);
    if (looked != SOW_OK) m->problem = sow_strdup(why.message);
    if (!m->layout) m->layout = sow_strdup("");
    if (!m->layout || (looked != SOW_OK && !m->problem)) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    return st;
}

/* Counts before values that somebody normalised; X before raw before layers. */
static sow_index choose(const sow_inspection *in)
{
    static const sow_inspect_numbers wanted[] = {SOW_NUMBERS_COUNTS, SOW_NUMBERS_LOG1P};
    for (size_t w = 0; w < sizeof wanted / sizeof *wanted; w++)
        for (sow_index i = 0; i < in->n_matrices; i++)
            if (in->matrix[i].numbers == wanted[w] && !in->matrix[i].problem) return i;
    return -1;
}

static sow_status add_matrix(sow_inspection *in, const char *name, sow_error *err)
{
    return examine(&in->matrix[in->n_matrices++], in->path, name, err);
}

sow_status sow_i_inspect_matrices(sow_inspection *in, const sow_i_frame *f, sow_error *err)
{
    sow_status st = SOW_OK;
    (void)f;
    SOW_NEW(in->matrix, 2);
    SOW_TRY(add_matrix(in, "X", err));
    in->chosen = choose(in);
done:
    return st;
}

/* ---- words ---- */

static char *why_no_matrix(const sow_inspection *in)
{
    const sow_inspect_matrix *x = &in->matrix[0];
    if (x->problem) return sow_format("X cannot be read: %s", x->problem);
    return sow_format("No campaign can be made from it: X is %s%s; raw counts or log1p values are needed, in X, raw or a layer.",
                      x->numbers == SOW_NUMBERS_NONE ? "without any value" : sow_numbers_name(x->numbers),
                      in->n_matrices > 1 ? ", and raw or layers are no better" : "");
}

static char *what_can_be_planned(const sow_inspection *in)
{
    const sow_inspect_context *t = in->target >= 0 ? &in->context_found[in->target] : NULL;
    if (in->chosen < 0) return why_no_matrix(in);
    if (!in->perturbation_column && in->kind == SOW_FILE_MTX)
        return sow_format("No campaign can be made from it alone: a table with the cells' labels (data.sources[].labels, first column the barcode) is needed.");
    if (!in->perturbation_column) return sow_format("No campaign can be made from it: no column looks like perturbations.");
    if (!in->control)
        return sow_format("No campaign can be made from it: no label for controls was recognised in %s; cells are compared with controls.", in->perturbation_column);
    if (!t)
        return sow_format("No campaign can be made from it: no context has 8 controls and 2 perturbations with at least %d cells.", SOW_INSPECT_ENOUGH);
    return sow_format("%lld perturbations in %s, control %s. %s has %lld of them with at least %d cells, and %lld controls.", (long long)in->n_perturbations,
                      in->perturbation_column, in->control, t->name, (long long)t->enough, SOW_INSPECT_ENOUGH, (long long)t->controls);
}

char *sow_i_summary_of_cells(const sow_inspection *in)
{
    const sow_inspect_matrix *x = in->chosen >= 0 ? &in->matrix[in->chosen] : NULL;
    char *plan = what_can_be_planned(in), *all = NULL;
    if (plan)
        all = sow_format("Single cells: %lld cells x %lld genes%s%s. %s", (long long)in->rows, (long long)in->width, x ? ", " : "",
                         x ? sow_numbers_name(x->numbers) : "", plan);
    free(plan);
    return all;
}
