/* Single cells: what the matrices of a file are, from a sample of each, and what to say of the file. */
#include "io/inspect_internal.h"

#include "core/memory.h"
#include "io/cell_file.h"
#include "io/source_internal.h"
#include "io/text_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLE = 200000, HIGHEST_LOG = 20, CELLS_OF_ONE = 20 }; /* log1p of 10^8, more than any cell is scaled to */

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

static void note_value(sow_inspect_matrix *m, int *whole, double x)
{
    m->low = fmin(m->low, x);
    m->high = fmax(m->high, x);
    *whole &= x == floor(x);
    m->n_sampled++;
}

static sow_status sample(sow_inspect_matrix *m, int *whole, sow_cell_file *f, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cell_block b = {0};
    do {
        SOW_TRY(sow_cell_file_next(&b, f, NULL, err));
        const int64_t n = b.n > 0 ? b.start[b.n] : 0;
        for (int64_t k = 0; k < n && m->n_sampled < SAMPLE; k++)
            note_value(m, whole, (double)b.value[k]);
    } while (b.n > 0 && m->n_sampled < SAMPLE);
done:
    return st;
}

/* Cells of a CSC matrix come only after it was turned around, which may take long. */
static sow_status sample_columns(sow_inspect_matrix *m, int *whole, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    double *x = NULL;
    sow_index n = 0;
    SOW_TRY(sow_i_h5ad_first_values(&x, &n, path, m->name, SAMPLE, err));
    for (sow_index i = 0; i < n; i++) {
        if (!isfinite(x[i])) SOW_FAIL(err, SOW_E_DATA, "%s: %s has a value that is not finite", path, m->name);
        note_value(m, whole, x[i]);
    }
done:
    free(x);
    return st;
}

static sow_status look(sow_inspect_matrix *m, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cell_file *f = NULL;
    int whole = 1;
    const sow_cell_file_options options = {.path = path, .layer = m->name};
    SOW_TRY(sow_cell_file_open(&f, &options, NULL, err));
    m->n_cells = sow_cell_file_n_cells(f);
    m->n_genes = sow_cell_file_n_genes(f);
    m->n_stored = sow_cell_file_n_values(f);
    m->layout = sow_strdup(sow_cell_file_layout(f));
    if (!m->layout) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (strcmp(m->layout, "CSC") == 0)
        SOW_TRY(sample_columns(m, &whole, path, err));
    else
        SOW_TRY(sample(m, &whole, f, err));
    judge(m, whole);
done:
    sow_cell_file_close(f);
    return st;
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

static sow_status examine_matrices(sow_inspection *in, const sow_i_h5ad_outline *outline, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = sow_names_count(outline->layers);
    SOW_NEW(in->matrix, 2 + n);
    SOW_TRY(add_matrix(in, "X", err));
    if (outline->has_raw) SOW_TRY(add_matrix(in, "raw", err));
    for (sow_index i = 0; i < n; i++)
        SOW_TRY(add_matrix(in, sow_names_get(outline->layers, i), err));
    in->chosen = choose(in);
done:
    return st;
}

/* ---- genes ---- */

static sow_status perturbed_agents(sow_names *out, const sow_inspection *in, const sow_i_frame *f, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_spelling spelling = {in->separator, in->control, in->separator};
    const sow_index column = sow_i_frame_find(f, in->perturbation_column);
    sow_names *seen = NULL;
    SOW_TRY(sow_names_create(&seen, err));
    for (sow_index i = 0; i < f->n_rows; i++) {
        char buffer[40], *name = NULL;
        const char *text = sow_i_frame_text(f, i, column, buffer);
        sow_perturbation detail = {0};
        sow_index at = 0;
        const sow_index before = sow_names_count(seen);
        if (sow_i_is_missing(text)) continue;
        SOW_TRY(sow_names_add(seen, text, &at, err));
        if (at < before) continue;
        SOW_TRY(sow_i_perturbation_parse(&name, &detail, text, NULL, &spelling, in->path, err));
        free(name);
        for (sow_index k = 0; k < detail.n_agents && st == SOW_OK; k++)
            st = sow_names_add(out, detail.agent[k], NULL, err);
        sow_i_perturbation_clear(&detail);
        if (st != SOW_OK) goto done;
    }
done:
    sow_names_destroy(seen);
    return st;
}

/* How many of `agents` are among the names; 0 when a name comes twice, as the reader would refuse it. */
static sow_status count_named(sow_index *out, char *const *name, sow_index n, const sow_names *agents, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *seen = NULL;
    sow_index named = 0;
    *out = 0;
    SOW_TRY(sow_names_create(&seen, err));
    for (sow_index i = 0; i < n; i++) {
        if (!name[i] || !*name[i] || sow_names_find(seen, name[i]) >= 0) goto done;
        SOW_TRY(sow_names_add(seen, name[i], NULL, err));
        named += sow_names_find(agents, name[i]) >= 0;
    }
    *out = named;
done:
    sow_names_destroy(seen);
    return st;
}

static sow_status choose_gene_names(sow_inspection *in, const sow_i_frame *f, const sow_i_h5ad_outline *o, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *agents = NULL;
    sow_index best = 0, n = 0, chosen = -1;
    SOW_TRY(sow_names_create(&agents, err));
    SOW_TRY(perturbed_agents(agents, in, f, err));
    SOW_TRY(count_named(&best, f->h5ad->var_names, f->h5ad->n_vars, agents, err));
    for (sow_index i = 0; i < o->n_columns; i++) {
        if (o->var[i].kind != SOW_COLUMN_STRING) continue;
        SOW_TRY(count_named(&n, o->var[i].text, o->n_vars, agents, err));
        if (n > best) {
            best = n;
            chosen = i;
        }
    }
    if (chosen < 0) goto done;
    in->var_column[chosen].role = "gene names";
    in->gene_column = sow_strdup(o->var[chosen].name);
    if (!in->gene_column) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    sow_names_destroy(agents);
    return st;
}

static sow_status describe_genes(sow_inspection *in, const sow_i_frame *f, const sow_i_h5ad_outline *o, sow_error *err)
{
    sow_status st = SOW_OK;
    /* var as if it were the obs of a file, so that its columns are described like those */
    sow_h5ad genes = {.n_obs = o->n_vars, .n_obs_columns = o->n_columns, .obs = o->var};
    const sow_i_frame view = {.path = f->path, .h5ad = &genes, .n_rows = o->n_vars, .n_columns = o->n_columns};
    SOW_NEW(in->var_column, o->n_columns);
    for (sow_index i = 0; i < o->n_columns; i++) {
        in->n_var_columns = i + 1;
        SOW_TRY(sow_i_inspect_column(&in->var_column[i], &view, i, err));
    }
    if (in->perturbation_column && f->h5ad && o->n_vars == f->h5ad->n_vars) SOW_TRY(choose_gene_names(in, f, o, err));
done:
    return st;
}

/* A sparse matrix holds cells; so does a dense one with many rows of each perturbation, when its numbers are such. */
sow_status sow_i_inspect_are_cells(sow_inspection *in, const sow_i_frame *f, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5ad_outline outline = {0};
    const int many = in->n_perturbations > 0 && in->rows > CELLS_OF_ONE * in->n_perturbations && in->width > 1;
    in->chosen = in->target = -1;
    if (in->kind != SOW_FILE_MTX && !in->x_is_sparse && !(in->x_is_dense && many)) goto done;
    if (in->kind != SOW_FILE_MTX) SOW_TRY(sow_i_h5ad_outline_read(&outline, in->path, err));
    SOW_TRY(examine_matrices(in, &outline, err));
    in->is_cells = in->kind == SOW_FILE_MTX || in->x_is_sparse || in->chosen >= 0;
    if (in->is_cells && in->kind != SOW_FILE_MTX) SOW_TRY(describe_genes(in, f, &outline, err));
done:
    sow_i_h5ad_outline_clear(&outline);
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
