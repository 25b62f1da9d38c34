/* Reading the cells of one file, and writing them prepared, block by block. */
#include "cli/preprocess.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/memory.h"
#include "io/cell_cache.h"
#include "io/cell_source.h"
#include "io/file.h"
#include "io/h5ad_cells.h"
#include "io/table.h"

enum { BLOCK_CELLS = 4096, BLOCK_VALUES = 4 << 20 };

/* ---- reading ---- */

void cli_cells_clear(cli_cells *c)
{
    sow_cells_clear(&c->cells);
    sow_names_destroy(c->perturbations);
    sow_names_destroy(c->contexts);
    memset(c, 0, sizeof *c);
}

static sow_status copy_names(sow_names **out, const sow_names *from, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_names_create(out, err));
    for (sow_index i = 0; i < sow_names_count(from); i++) SOW_TRY(sow_names_add(*out, sow_names_get(from, i), NULL, err));
done:
    return st;
}

/* A table of the matrix alone: every cell is a control of one context. */
static sow_status take_matrix(sow_cells *c, sow_cell_matrix *matrix, int is_log, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(c->matrix, 1);
    c->n_matrices = 1;
    c->matrix[0] = *matrix;
    memset(matrix, 0, sizeof *matrix);
    c->n = c->matrix[0].n_cells;
    SOW_NEW(c->is_log, 1);
    c->is_log[0] = (unsigned char)is_log;
    SOW_TRY(copy_names(&c->genes, c->matrix[0].genes, err));
    SOW_NEW(c->gene_of, 1);
    SOW_NEW(c->gene_of[0], c->matrix[0].n_genes);
    for (sow_index g = 0; g < c->matrix[0].n_genes; g++) c->gene_of[0][g] = (int32_t)g;
    SOW_NEW(c->in_matrix, c->n);
    SOW_NEW(c->row, c->n);
    SOW_NEW(c->perturbation, c->n);
    SOW_NEW(c->context, c->n);
    SOW_NEW(c->batch, c->n);
    SOW_NEW(c->guide, c->n);
    SOW_NEW(c->replicate, c->n);
    for (sow_index i = 0; i < c->n; i++) {
        c->row[i] = i;
        c->perturbation[i] = SOW_CONTROL;
        c->guide[i] = c->replicate[i] = SOW_NO_LABEL;
    }
    SOW_TRY(sow_cells_index(c, 0, 1, err));
done:
    return st;
}

static sow_status read_unlabelled(cli_cells *out, const sow_source *source, const char *cache, sow_index memory, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cell_matrix matrix = {0};
    const sow_cell_file_options options = {.path = source->file, .layer = source->layer, .gene_column = source->gene_column,
                                           .counts = source->values == SOW_VALUES_COUNTS, .memory = memory, .scratch = cache};
    SOW_TRY(sow_cell_matrix_open(&matrix, NULL, &options, cache, env, err));
    SOW_TRY(sow_names_create(&out->perturbations, err));
    SOW_TRY(sow_names_create(&out->contexts, err));
    SOW_TRY(sow_names_add(out->contexts, source->file, NULL, err));
    SOW_TRY(take_matrix(&out->cells, &matrix, source->values == SOW_VALUES_LOG1P, err));
done:
    sow_cell_matrix_clear(&matrix);
    return st;
}

sow_status cli_cells_read(cli_cells *out, sow_dropped *dropped, const sow_config *config, int labelled, const char *cache, sow_index memory, const sow_env *env,
                          sow_error *err)
{
    sow_status st = SOW_OK;
    sow_screen *screen = NULL;
    memset(out, 0, sizeof *out);
    out->labelled = labelled;
    if (labelled) {
        SOW_TRY(sow_cells_read(&out->cells, &screen, NULL, dropped, config->sources, 1, cache, memory, env, err));
        SOW_TRY(copy_names(&out->perturbations, screen->perturbations, err));
        SOW_TRY(copy_names(&out->contexts, screen->contexts, err));
    } else {
        SOW_TRY(read_unlabelled(out, &config->sources[0], cache, memory, env, err));
    }
    out->n_read = out->cells.matrix[0].n_cells;
done:
    sow_screen_destroy(screen);
    if (st != SOW_OK) cli_cells_clear(out);
    return st;
}

/* ---- labels of the cells that are left ---- */

typedef struct {
    sow_h5ad *source;     /* .h5ad: its obs */
    sow_names *barcodes;  /* MatrixMarket folder */
    char **name;          /* [n] borrowed */
    sow_h5ad_column *column; /* [n_columns]; texts are borrowed */
    sow_index n_columns;
} obs;

static void obs_clear(obs *o)
{
    for (sow_index k = 0; o->column && k < o->n_columns; k++) {
        free(o->column[k].text);
        free(o->column[k].number);
    }
    free(o->column);
    free(o->name);
    sow_names_destroy(o->barcodes);
    sow_h5ad_destroy(o->source);
}

static sow_status take_column(sow_h5ad_column *out, const sow_h5ad_column *from, const sow_cells *cells, sow_error *err)
{
    sow_status st = SOW_OK;
    out->name = from->name;
    out->kind = from->kind;
    if (from->kind == SOW_COLUMN_STRING) SOW_NEW(out->text, cells->n);
    else SOW_NEW(out->number, cells->n);
    for (sow_index i = 0; i < cells->n; i++) {
        if (out->text) out->text[i] = from->text[cells->row[i]];
        else out->number[i] = from->number[cells->row[i]];
    }
done:
    return st;
}

static sow_status obs_of_h5ad(obs *o, const char *path, const sow_cells *cells, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_h5ad_read(&o->source, path, 0, err));
    SOW_NEW(o->name, cells->n);
    for (sow_index i = 0; i < cells->n; i++) o->name[i] = o->source->obs_names[cells->row[i]];
    SOW_NEW(o->column, o->source->n_obs_columns);
    o->n_columns = o->source->n_obs_columns;
    for (sow_index k = 0; k < o->n_columns; k++) SOW_TRY(take_column(&o->column[k], &o->source->obs[k], cells, err));
done:
    return st;
}

static sow_status barcodes_of(sow_names **out, const char *folder, sow_error *err)
{
    sow_status st = SOW_OK;
    char *path = sow_path_join(folder, "barcodes.tsv.gz");
    if (path && !sow_file_exists(path)) {
        free(path);
        path = sow_path_join(folder, "barcodes.tsv");
    }
    if (!path) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_file_read_list(out, path, err));
done:
    free(path);
    return st;
}

/* A label of the table as text: NULL where a cell has none. A column that serves two purposes is written once. */
static sow_status label_column(obs *o, const char *name, const sow_names *names, const int32_t *label, const char *control, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    if (!name) return SOW_OK;
    sow_h5ad_column *c = &o->column[o->n_columns];
    for (sow_index k = 0; k < o->n_columns; k++)
        if (strcmp(o->column[k].name, name) == 0) goto done;
    SOW_NEW(c->text, n);
    o->n_columns++;
    c->name = (char *)(uintptr_t)name;
    c->kind = SOW_COLUMN_STRING;
    for (sow_index i = 0; i < n; i++) c->text[i] = (char *)(uintptr_t)(label[i] >= 0 ? sow_names_get(names, label[i]) : control);
done:
    return st;
}

static sow_status obs_of_folder(obs *o, const cli_cells *c, const sow_source *source, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_cells *cells = &c->cells;
    SOW_TRY(barcodes_of(&o->barcodes, source->file, err));
    if (sow_names_count(o->barcodes) != cells->matrix[0].n_cells)
        SOW_FAIL(err, SOW_E_DATA, "%s: %lld barcodes for %lld cells", source->file, (long long)sow_names_count(o->barcodes), (long long)cells->matrix[0].n_cells);
    SOW_NEW(o->name, cells->n);
    for (sow_index i = 0; i < cells->n; i++) o->name[i] = (char *)(uintptr_t)sow_names_get(o->barcodes, cells->row[i]);
    SOW_NEW(o->column, 5);
    if (!c->labelled) goto done;
    SOW_TRY(label_column(o, source->perturbation_column, c->perturbations, cells->perturbation, source->control, cells->n, err));
    SOW_TRY(label_column(o, source->context_column, c->contexts, cells->context, NULL, cells->n, err));
    SOW_TRY(label_column(o, source->guide_column, cells->guides, cells->guide, NULL, cells->n, err));
    SOW_TRY(label_column(o, source->replicate_column, cells->replicates, cells->replicate, NULL, cells->n, err));
    SOW_TRY(label_column(o, source->batch_column, cells->batches, cells->batch, NULL, cells->n, err));
done:
    return st;
}

static int is_folder(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* ---- writing ---- */

/* As many cells as have at most BLOCK_VALUES values, one at least. */
static sow_index block_size(const sow_cells *cells, const sow_index *cell, sow_index left)
{
    sow_index n = left < BLOCK_CELLS ? left : BLOCK_CELLS;
    while (n > 1 && sow_prepared_values_bound(cells, cell, n) > BLOCK_VALUES) n /= 2;
    return n;
}

static sow_status append_blocks(sow_h5ad_writer *w, const sow_cells *cells, const sow_preparation *p, const sow_index *all, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    int64_t *start = NULL;
    int32_t *column = NULL;
    float *value = NULL;
    sow_index room = 0, more;
    SOW_NEW(start, BLOCK_CELLS + 1);
    for (sow_index first = 0, n; first < cells->n; first += n) {
        SOW_TRY(sow_progress(env, "writing", (double)first / (double)cells->n, err));
        n = block_size(cells, all + first, cells->n - first);
        const sow_index bound = sow_prepared_values_bound(cells, all + first, n);
        more = room;
        SOW_TRY(sow_grow(&column, &more, bound, sizeof *column, err));
        SOW_TRY(sow_grow(&value, &room, bound, sizeof *value, err));
        SOW_TRY(sow_prepared_values(start, column, value, p, cells, all + first, n, env, err));
        SOW_TRY(sow_h5ad_writer_append(w, n, start, column, value, err));
    }
    SOW_TRY(sow_progress(env, "writing", 1, err));
done:
    free(start);
    free(column);
    free(value);
    return st;
}

sow_status cli_cells_write(const char *path, const cli_cells *c, const sow_preparation *p, const sow_source *source, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    obs o = {0};
    sow_h5ad_writer *w = NULL;
    sow_index *all = NULL;
    if (is_folder(source->file)) SOW_TRY(obs_of_folder(&o, c, source, err));
    else SOW_TRY(obs_of_h5ad(&o, source->file, &c->cells, err));
    SOW_NEW(all, c->cells.n);
    for (sow_index i = 0; i < c->cells.n; i++) all[i] = i;
    SOW_TRY(sow_h5ad_writer_create(&w, path, p->genes, NULL, 0, 0, err));
    SOW_TRY(append_blocks(w, &c->cells, p, all, env, err));
    st = sow_h5ad_writer_finish(w, o.name, o.column, o.n_columns, err);
    w = NULL;
done:
    sow_h5ad_writer_abandon(w);
    obs_clear(&o);
    free(all);
    return st;
}
