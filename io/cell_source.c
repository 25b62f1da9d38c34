/* Single-cell sources into one table. Labels come first, since they are cheap to read and nearly all mistakes are in them; then the matrices, from their caches;
 * then the genes they share, the screen and the index. */
#include "io/cell_source.h"

#include "core/memory.h"
#include "io/cell_cache.h"
#include "io/cell_source_internal.h"
#include "io/file.h"
#include "io/text_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    sow_index perturbation, context;
} named; /* a candidate of which nothing but the name is known */

typedef struct {
    const sow_source *sources;
    sow_index n_sources;
    const sow_env *env;
    const char *joint;
    sow_cells *cells;
    sow_index cell_capacity;
    sow_i_catalogue catalogue;
    named *name;
    sow_index n_names, name_capacity;
    sow_index n_matrices, *source_of; /* [n_matrices] */
    sow_index *labelled;              /* [n_matrices] cells that the labels describe */
    sow_names *labels; /* every perturbation label met, for the nearest spelling of an absent control */
} builder;

/* What one source has shown so far: the meaning of a label is worked out once. */
typedef struct {
    sow_i_cell_labels labels;
    sow_names *text; /* perturbations as written, with their doses */
    int32_t *meaning; /* [text] position in the catalogue, or SOW_CONTROL */
    sow_index meaning_capacity;
    char *key;
    sow_index key_capacity;
    char *unnamed[SOW_I_NAMES_SHOWN];
    sow_index n_unnamed, n_kept;
} reading;

/* ---- one cell ---- */

static sow_status reserve(sow_cells *c, sow_index *capacity, sow_index need, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index k = *capacity;
    int32_t **const narrow[] = {&c->in_matrix, &c->perturbation, &c->context, &c->batch, &c->guide, &c->replicate};
    for (size_t i = 0; i < sizeof narrow / sizeof *narrow; i++, k = *capacity) SOW_TRY(sow_grow(narrow[i], &k, need, sizeof **narrow[i], err));
    SOW_TRY(sow_grow(&c->row, &k, need, sizeof *c->row, err));
    *capacity = k;
done:
    return st;
}

/* The text that decides what a cell's perturbation is; borrowed until the next call. */
static sow_status key_of(const char **out, reading *r, const char *text, const char *dose, sow_error *err)
{
    sow_status st = SOW_OK;
    *out = text;
    if (!dose || !*dose) return SOW_OK;
    size_t n = strlen(text), m = strlen(dose);
    SOW_TRY(sow_grow(&r->key, &r->key_capacity, (sow_index)(n + m + 2), 1, err));
    memcpy(r->key, text, n);
    r->key[n] = '\n';
    memcpy(r->key + n + 1, dose, m + 1);
    *out = r->key;
done:
    return st;
}

static sow_status perturbation_of(int32_t *out, builder *b, reading *r, sow_index row, const char *text, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_source *spec = r->labels.spec;
    const sow_i_frame *f = &r->labels.table.frame;
    sow_i_spelling spelling = {spec->separator, spec->control, b->joint};
    sow_perturbation detail = {0};
    char *name = NULL, buffer[40];
    const char *dose = r->labels.table.dose == -1 ? NULL : sow_i_frame_text(f, row, r->labels.table.dose, buffer), *key = NULL;
    sow_index known = sow_names_count(r->text), at = 0, position = SOW_CONTROL;
    SOW_TRY(key_of(&key, r, text, dose, err));
    SOW_TRY(sow_grow(&r->meaning, &r->meaning_capacity, known + 1, sizeof *r->meaning, err));
    SOW_TRY(sow_names_add(r->text, key, &at, err));
    if (at == known) {
        SOW_TRY(sow_i_perturbation_parse(&name, &detail, text, dose, &spelling, sow_i_frame_place(f, row).text, err));
        if (name) SOW_TRY(sow_i_catalogue_perturbation(&position, &b->catalogue, name, &detail, err));
        if (name) SOW_TRY(sow_names_add(b->labels, text, NULL, err));
        r->meaning[at] = (int32_t)position;
    }
    *out = r->meaning[at];
done:
    sow_i_perturbation_clear(&detail);
    free(name);
    return st;
}

/* Position of a label in `names`, or SOW_NO_LABEL. */
static sow_status label_of(int32_t *out, sow_names *names, const sow_i_frame *f, sow_index row, sow_index column, sow_error *err)
{
    sow_index position = SOW_NO_LABEL;
    char buffer[40];
    const char *text = column == -1 ? "" : sow_i_frame_text(f, row, column, buffer);
    sow_status st = *text ? sow_names_add(names, text, &position, err) : SOW_OK;
    *out = (int32_t)position;
    return st;
}

static const char without_batch[] = "(none)";

static sow_status add_cell(builder *b, reading *r, sow_index matrix, sow_index cell, sow_index row, int32_t perturbation, sow_index context, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cells *c = b->cells;
    const sow_i_frame *f = &r->labels.table.frame;
    sow_index i = c->n, position = 0;
    c->in_matrix[i] = (int32_t)matrix;
    c->row[i] = cell;
    c->perturbation[i] = perturbation;
    c->context[i] = (int32_t)context;
    SOW_TRY(label_of(&c->batch[i], c->batches, f, row, r->labels.batch, err));
    if (c->batch[i] == SOW_NO_LABEL) {
        SOW_TRY(sow_names_add(c->batches, without_batch, &position, err));
        c->batch[i] = (int32_t)position;
    }
    SOW_TRY(label_of(&c->guide[i], c->guides, f, row, r->labels.guide, err));
    SOW_TRY(label_of(&c->replicate[i], c->replicates, f, row, r->labels.replicate, err));
    c->n++;
    r->n_kept++;
done:
    return st;
}

static sow_status add_name(builder *b, sow_index perturbation, sow_index context, sow_error *err)
{
    sow_status st = sow_grow(&b->name, &b->name_capacity, b->n_names + 1, sizeof *b->name, err);
    if (st == SOW_OK) b->name[b->n_names++] = (named){perturbation, context};
    return st;
}

static int is_unnamed(const sow_source *spec, const char *text)
{
    return sow_i_is_missing(text) && !(spec->control && strcmp(text, spec->control) == 0);
}

/* `matrix` -1: a list of candidates. */
static sow_status read_cell(builder *b, reading *r, sow_index matrix, sow_index cell, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_cell_labels *l = &r->labels;
    const sow_i_frame *f = &l->table.frame;
    char context_buffer[40], text_buffer[40], name_buffer[40];
    sow_index row = sow_i_cell_labels_row(l, cell), position = 0;
    int32_t perturbation = SOW_CONTROL;
    if (row < 0) return SOW_OK; /* reported when the labels were opened */
    const char *context = l->table.context == -1 ? l->own_context : sow_i_frame_text(f, row, l->table.context, context_buffer);
    const char *text = sow_i_frame_text(f, row, l->table.perturbation, text_buffer);
    if (!sow_i_context_is_kept(l->spec, context)) return SOW_OK;
    if (is_unnamed(l->spec, text)) {
        if (r->n_unnamed++ < SOW_I_NAMES_SHOWN) {
            r->unnamed[r->n_unnamed - 1] = sow_strdup(sow_i_cell_labels_name(l, cell, name_buffer));
            if (!r->unnamed[r->n_unnamed - 1]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        }
        return SOW_OK;
    }
    if (!*context) SOW_FAIL(err, SOW_E_DATA, "%s: '%s' has no context (column '%s')", sow_i_frame_place(f, row).text, text, l->spec->context_column);
    SOW_TRY(perturbation_of(&perturbation, b, r, row, text, err));
    if (matrix < 0 && perturbation == SOW_CONTROL) return SOW_OK;
    SOW_TRY(sow_i_catalogue_context(&position, &b->catalogue, context, l->spec->role, f->path, err));
    st = matrix < 0 ? add_name(b, perturbation, position, err) : add_cell(b, r, matrix, cell, row, perturbation, position, err);
done:
    return st;
}

/* ---- one source ---- */

static sow_status report_unnamed(const reading *r, sow_dropped *dropped, sow_error *err)
{
    const sow_source *s = r->labels.spec;
    return sow_i_dropped_add_first(dropped, s->file, s->names_only ? "rows without a perturbation name" : "cells without a perturbation name",
                                   (const char *const *)r->unnamed, r->n_unnamed, err);
}

/* `matrix` -1: a list of candidates. */
static sow_status read_labels(builder *b, sow_index source, sow_index matrix, sow_dropped *dropped, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_source *spec = &b->sources[source];
    reading r = {0};
    SOW_TRY(sow_names_create(&r.text, err));
    SOW_TRY(sow_i_cell_labels_open(&r.labels, spec, dropped, err));
    sow_index n = r.labels.n_cells, names = b->n_names;
    if (matrix >= 0) {
        SOW_TRY(reserve(b->cells, &b->cell_capacity, b->cells->n + n, err));
        b->source_of[matrix] = source;
        b->labelled[matrix] = n;
    }
    for (sow_index i = 0; i < n; i++) SOW_TRY(read_cell(b, &r, matrix, i, err));
    if (r.n_kept == 0 && b->n_names == names && !spec->may_be_empty)
        SOW_FAIL(err, SOW_E_DATA, "%s: nothing is left of its %lld %s: %lld have no perturbation name, the others are of other contexts, unlabelled or controls",
                 spec->file, (long long)n, spec->names_only ? "rows" : "cells", (long long)r.n_unnamed);
    SOW_TRY(report_unnamed(&r, dropped, err));
done:
    sow_i_cell_labels_close(&r.labels);
    for (size_t i = 0; i < SOW_I_NAMES_SHOWN; i++) free(r.unnamed[i]);
    sow_names_destroy(r.text);
    free(r.meaning);
    free(r.key);
    return st;
}

static sow_status check_values(const builder *b, sow_error *err)
{
    const sow_source *first = NULL;
    for (sow_index k = 0; k < b->n_sources; k++) {
        const sow_source *s = &b->sources[k];
        if (s->names_only || s->values == SOW_VALUES_RESPONSE) continue; /* the latter is refused with its labels */
        if (first && first->values != s->values)
            return SOW_ERROR(err, SOW_E_DATA, "%s is declared %s but %s is declared %s (data.sources[].values); cells of one campaign must be all counts or all log1p", first->file,
                             first->values == SOW_VALUES_COUNTS ? "counts" : "log1p values", s->file,
                             s->values == SOW_VALUES_COUNTS ? "counts" : "log1p values");
        if (!first) first = s;
    }
    return SOW_OK;
}

/* ---- controls ---- */

static sow_status say_no_controls(const builder *b, sow_index context, sow_index matrix, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_source *spec = &b->sources[b->source_of[matrix]];
    const char *near = sow_names_nearest(b->labels, spec->control);
    char *all = sow_i_quoted_names(b->labels, 10);
    SOW_FAIL(err, SOW_E_DATA, "%s: no cell of the context '%s' is a control '%s'%s%s%s; perturbations are %s: name the controls (perturbation.control), or list the other contexts (contexts:)", spec->file,
             sow_names_get(b->catalogue.contexts, context), spec->control, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "",
             all ? all : "(out of memory)");
done:
    free(all);
    return st;
}

/* cells and controls are [n_batches] of one context. */
static sow_status warn_of_batches(const builder *b, sow_index context, const sow_index *cells, const sow_index *controls, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_names *batches = b->cells->batches;
    sow_names *bare = NULL;
    char *list = NULL;
    SOW_TRY(sow_names_create(&bare, err));
    for (sow_index k = 0; k < sow_names_count(batches); k++)
        if (cells[k] > 0 && controls[k] == 0) SOW_TRY(sow_names_add(bare, sow_names_get(batches, k), NULL, err));
    if (sow_names_count(bare) == 0) goto done;
    list = sow_i_quoted_names(bare, 5);
    if (!list) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    sow_log(b->env, SOW_LOG_WARN, "context '%s': no control cells in the technical batch%s %s", sow_names_get(b->catalogue.contexts, context),
            sow_names_count(bare) > 1 ? "es" : "", list);
done:
    free(list);
    sow_names_destroy(bare);
    return st;
}

/* Every context needs controls. A technical batch without its own is only said. */
static sow_status check_controls(const builder *b, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_cells *c = b->cells;
    sow_index n_contexts = sow_names_count(b->catalogue.contexts), n_batches = sow_names_count(c->batches);
    sow_index *controls = NULL, *cells = NULL, *in_context = NULL;
    SOW_NEW(controls, n_contexts * n_batches);
    SOW_NEW(cells, n_contexts * n_batches);
    SOW_NEW(in_context, n_contexts);
    for (sow_index i = 0; i < c->n; i++) {
        sow_index at = c->context[i] * n_batches + c->batch[i];
        cells[at]++;
        controls[at] += c->perturbation[i] == SOW_CONTROL;
        in_context[c->context[i]] += c->perturbation[i] == SOW_CONTROL;
    }
    for (sow_index i = 0; i < c->n; i++)
        if (in_context[c->context[i]] == 0) SOW_TRY(say_no_controls(b, c->context[i], c->in_matrix[i], err));
    for (sow_index k = 0; k < n_contexts; k++) SOW_TRY(warn_of_batches(b, k, cells + k * n_batches, controls + k * n_batches, err));
done:
    free(controls);
    free(cells);
    free(in_context);
    return st;
}

/* ---- matrices ---- */

/* An MTX folder's digest and that of its labels. */
static sow_status add_digest_of_labels(char digest[65], const char *labels, sow_error *err)
{
    char own[65], both[131];
    sow_status st = sow_file_sha256(own, labels, err);
    if (st != SOW_OK) return st;
    snprintf(both, sizeof both, "%s %s", digest, own);
    sow_sha256(digest, both, strlen(both));
    return SOW_OK;
}

static sow_status open_matrix(builder *b, sow_index matrix, char digest[65], const char *cache, sow_index memory, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_source *s = &b->sources[b->source_of[matrix]];
    sow_cell_file_options o = {.path = s->file, .layer = s->layer, .gene_column = s->gene_column, .counts = s->values == SOW_VALUES_COUNTS,
                               .memory = memory / 2, .scratch = cache}; /* the other half is for labels and what is made of the cells */
    sow_cell_matrix *m = &b->cells->matrix[matrix];
    SOW_TRY(sow_cell_matrix_open(m, digest, &o, cache, b->env, err));
    if (m->n_cells != b->labelled[matrix])
        SOW_FAIL(err, SOW_E_DATA, "%s: its matrix has %lld cells but %lld are named; the file is damaged", s->file, (long long)m->n_cells,
                 (long long)b->labelled[matrix]);
    b->cells->is_log[matrix] = s->values == SOW_VALUES_LOG1P;
    if (s->labels) SOW_TRY(add_digest_of_labels(digest, s->labels, err));
done:
    return st;
}

static sow_status open_matrices(builder *b, char (*digests)[65], const char *cache, sow_index memory, sow_error *err)
{
    sow_status st = SOW_OK;
    char unwanted[65];
    for (sow_index m = 0; m < b->n_matrices; m++) SOW_TRY(open_matrix(b, m, digests ? digests[b->source_of[m]] : unwanted, cache, memory, err));
    for (sow_index k = 0; digests && k < b->n_sources; k++)
        if (b->sources[k].names_only) SOW_TRY(sow_file_sha256(digests[k], b->sources[k].file, err));
done:
    return st;
}

/* ---- genes ---- */

static int every_matrix_has(const sow_cells *c, const char *gene)
{
    for (sow_index m = 0; m < c->n_matrices; m++)
        if (sow_names_find(c->matrix[m].genes, gene) < 0) return 0;
    return 1;
}

static int share_a_gene(const sow_cell_matrix *a, const sow_cell_matrix *b)
{
    for (sow_index j = 0; j < a->n_genes; j++)
        if (sow_names_find(b->genes, sow_names_get(a->genes, j)) >= 0) return 1;
    return 0;
}

static sow_status say_no_shared_gene(const builder *b, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_cells *c = b->cells;
    sow_index one = 0, two = c->n_matrices - 1;
    for (sow_index i = c->n_matrices - 1; i >= 0; i--)
        for (sow_index j = c->n_matrices - 1; j > i; j--)
            if (!share_a_gene(&c->matrix[i], &c->matrix[j])) {
                one = i;
                two = j;
            }
    char *first = sow_i_quoted_names(c->matrix[one].genes, 3), *second = sow_i_quoted_names(c->matrix[two].genes, 3);
    SOW_FAIL(err, SOW_E_DATA, "%s and %s leave no gene that every source has: the first has %s, the second %s; are they named by the same kind of id (gene_names)?",
             b->sources[b->source_of[one]].file, b->sources[b->source_of[two]].file, first ? first : "", second ? second : "");
done:
    free(first);
    free(second);
    return st;
}

static sow_status map_genes(sow_cells *c, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index m = 0; m < c->n_matrices; m++) {
        SOW_NEW(c->gene_of[m], c->matrix[m].n_genes);
        for (sow_index j = 0; j < c->matrix[m].n_genes; j++)
            c->gene_of[m][j] = (int32_t)sow_names_find(c->genes, sow_names_get(c->matrix[m].genes, j));
    }
done:
    return st;
}

static sow_status intersect_genes(const builder *b, sow_dropped *dropped, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cells *c = b->cells;
    sow_names *lost = NULL;
    SOW_TRY(sow_names_create(&lost, err));
    for (sow_index m = 0; m < c->n_matrices; m++)
        for (sow_index j = 0; j < c->matrix[m].n_genes; j++) {
            const char *gene = sow_names_get(c->matrix[m].genes, j);
            int shared = every_matrix_has(c, gene);
            if (!shared || m == 0) SOW_TRY(sow_names_add(shared ? c->genes : lost, gene, NULL, err));
        }
    if (c->n_matrices > 0 && sow_names_count(c->genes) == 0) SOW_TRY(say_no_shared_gene(b, err));
    SOW_TRY(sow_i_dropped_add(dropped, "data.sources", "genes not in every source", lost, sow_names_count(lost), err));
    SOW_TRY(map_genes(c, err));
done:
    sow_names_destroy(lost);
    return st;
}

/* ---- screen ---- */

static sow_status add_rows(sow_screen *screen, const builder *b, const sow_index *renames, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_cells *c = b->cells;
    sow_index n_contexts = sow_names_count(screen->contexts), pairs = sow_screen_n_perturbations(screen) * n_contexts;
    sow_index *count = NULL; /* [perturbations, contexts] cells; -1 = only named */
    const double nothing = NAN;
    SOW_NEW(count, pairs);
    for (sow_index i = 0; i < b->n_names; i++) count[renames[b->name[i].perturbation] * n_contexts + b->name[i].context] = -1;
    for (sow_index i = 0; i < c->n; i++) {
        if (c->perturbation[i] == SOW_CONTROL) continue;
        sow_index *at = &count[c->perturbation[i] * n_contexts + c->context[i]];
        *at = *at < 0 ? 1 : *at + 1;
    }
    for (sow_index at = 0; at < pairs; at++) {
        double cells = count[at] < 0 ? (double)NAN : (double)count[at];
        if (count[at] == 0) continue;
        SOW_TRY(sow_screen_add_row(screen, at / n_contexts, at % n_contexts, cells, count[at] < 0 ? 1 : cells, &nothing, NULL, NAN, err));
    }
done:
    free(count);
    return st;
}

static sow_status build_screen(sow_screen **out, builder *b, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cells *c = b->cells;
    sow_screen *screen = NULL;
    sow_index *renames = NULL;
    SOW_NEW(renames, sow_names_count(b->catalogue.perturbations));
    SOW_TRY(sow_screen_create(&screen, SOW_READOUT_CELLS, err));
    SOW_TRY(sow_i_catalogue_sort(screen, renames, &b->catalogue, err));
    for (sow_index i = 0; i < c->n; i++)
        if (c->perturbation[i] != SOW_CONTROL) c->perturbation[i] = (int32_t)renames[c->perturbation[i]];
    SOW_TRY(sow_names_add(screen->features, "response", NULL, err));
    SOW_TRY(add_rows(screen, b, renames, err));
    SOW_TRY(sow_cells_index(c, sow_screen_n_perturbations(screen), sow_names_count(screen->contexts), err));
    *out = screen;
    screen = NULL;
done:
    sow_screen_destroy(screen);
    free(renames);
    return st;
}

/* ---- all sources ---- */

static sow_status start(builder *b, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cells *c = b->cells;
    sow_index matrices = 0;
    if (b->n_sources < 1) SOW_FAIL(err, SOW_E_CONFIG, "data.sources: at least one source is needed");
    SOW_TRY(check_values(b, err));
    for (sow_index k = 0; k < b->n_sources; k++) matrices += !b->sources[k].names_only;
    b->joint = sow_i_joint(b->sources, b->n_sources);
    b->n_matrices = matrices;
    SOW_NEW(b->source_of, matrices);
    SOW_NEW(b->labelled, matrices);
    SOW_TRY(sow_names_create(&b->labels, err));
    SOW_TRY(sow_i_catalogue_create(&b->catalogue, err));
    SOW_NEW(c->matrix, matrices);
    SOW_NEW(c->is_log, matrices);
    SOW_NEW(c->gene_of, matrices);
    c->n_matrices = matrices;
    SOW_TRY(sow_names_create(&c->genes, err));
    SOW_TRY(sow_names_create(&c->batches, err));
    SOW_TRY(sow_names_create(&c->guides, err));
    SOW_TRY(sow_names_create(&c->replicates, err));
    SOW_TRY(reserve(c, &b->cell_capacity, 1, err));
done:
    return st;
}

static void finish(builder *b)
{
    sow_i_catalogue_clear(&b->catalogue);
    sow_names_destroy(b->labels);
    free(b->name);
    free(b->source_of);
    free(b->labelled);
}

sow_status sow_cells_read(sow_cells *out, sow_screen **screen, char (*digests)[65], sow_dropped *dropped, const sow_source *sources, sow_index n,
                          const char *cache, sow_index memory, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    builder b = {.sources = sources, .n_sources = n, .env = env, .cells = out};
    *screen = NULL;
    memset(out, 0, sizeof *out);
    SOW_TRY(start(&b, err));
    for (sow_index k = 0, matrix = 0; k < n; k++) {
        SOW_TRY(sow_progress(env, "reading labels", (double)k / (double)n, err));
        SOW_TRY(read_labels(&b, k, sources[k].names_only ? -1 : matrix, dropped, err));
        matrix += !sources[k].names_only;
    }
    SOW_TRY(check_controls(&b, err));
    SOW_TRY(open_matrices(&b, digests, cache, memory, err));
    SOW_TRY(intersect_genes(&b, dropped, err));
    SOW_TRY(build_screen(screen, &b, err));
done:
    finish(&b);
    if (st != SOW_OK) sow_cells_clear(out);
    return st;
}
