#include "io/cell_file_internal.h"

#include "core/memory.h"
#include "io/text_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEFAULT_MEMORY = 64 << 20, LEAST_MEMORY = 1 << 20, LEAST_BLOCK = 1 << 14, LARGEST_BLOCK = 1 << 19 };

static sow_status copy_text(char **out, const char *text, sow_error *err)
{
    if (!text) return SOW_OK;
    *out = sow_strdup(text);
    return *out ? SOW_OK : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
}

sow_status sow_cell_file_open(sow_cell_file **out, const sow_cell_file_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cell_file *f = NULL;
    struct stat info;
    *out = NULL;
    SOW_NEW(f, 1);
    SOW_TRY(copy_text(&f->path, options->path, err));
    SOW_TRY(copy_text(&f->layer, options->layer, err));
    SOW_TRY(copy_text(&f->gene_column, options->gene_column, err));
    SOW_TRY(copy_text(&f->scratch, options->scratch, err));
    f->counts = options->counts;
    f->memory = options->memory <= 0 ? DEFAULT_MEMORY : options->memory < LEAST_MEMORY ? LEAST_MEMORY : options->memory;
    if (stat(f->path, &info) != 0) SOW_FAIL(err, SOW_E_IO, "%s: cannot open: %s", f->path, strerror(errno));
    if (S_ISDIR(info.st_mode) || sow_i_has_extension(f->path, ".mtx"))
        SOW_TRY(sow_i_cell_open_mtx(f, env, err));
    else
        SOW_TRY(sow_i_cell_open_h5ad(f, err));
    *out = f;
    f = NULL;
done:
    sow_cell_file_close(f);
    return st;
}

void sow_cell_file_close(sow_cell_file *f)
{
    if (!f) return;
    if (f->backend) f->backend->close(f);
    sow_names_destroy(f->genes);
    free(f->path);
    free(f->layer);
    free(f->gene_column);
    free(f->scratch);
    free(f->where);
    free(f->start);
    free(f->kept);
    free(f);
}

sow_index sow_cell_file_n_cells(const sow_cell_file *f)
{
    return f->n_cells;
}

sow_index sow_cell_file_n_genes(const sow_cell_file *f)
{
    return f->n_genes;
}

sow_index sow_cell_file_n_values(const sow_cell_file *f)
{
    return f->n_values;
}

const sow_names *sow_cell_file_genes(const sow_cell_file *f)
{
    return f->genes;
}

const char *sow_cell_file_layout(const sow_cell_file *f)
{
    return f->backend->layout;
}

sow_status sow_cell_file_rewind(sow_cell_file *f, sow_error *err)
{
    f->at = 0;
    return f->backend->rewind(f, err);
}

sow_status sow_cell_file_next(sow_cell_block *out, sow_cell_file *f, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_raw_block raw = {0};
    *out = (sow_cell_block){.first = f->at};
    SOW_TRY(f->backend->next(&raw, f, env, err));
    if (raw.n == 0) goto done;
    SOW_TRY(sow_i_cell_check(out, f, &raw, env, err));
    f->at += raw.n;
done:
    return st;
}

/* ---- what the backends share ---- */

sow_status sow_i_cell_take_genes(sow_cell_file *f, char *const *name, sow_index n, const char *where, const char *advice, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *twice = NULL;
    char *list = NULL;
    SOW_TRY(sow_names_create(&f->genes, err));
    SOW_TRY(sow_names_create(&twice, err));
    for (sow_index i = 0; i < n; i++) {
        sow_index before = sow_names_count(f->genes);
        if (!name[i] || !*name[i]) SOW_FAIL(err, SOW_E_DATA, "%s: gene %lld has no name; %s", where, (long long)(i + 1), advice);
        SOW_TRY(sow_names_add(f->genes, name[i], NULL, err));
        if (sow_names_count(f->genes) == before) SOW_TRY(sow_names_add(twice, name[i], NULL, err));
    }
    if (sow_names_count(twice) > 0) {
        list = sow_i_quoted_names(twice, 10);
        SOW_FAIL(err, SOW_E_DATA, "%s: gene names come more than once: %s; %s", where, list ? list : "(out of memory)", advice);
    }
    f->n_genes = n;
done:
    free(list);
    sow_names_destroy(twice);
    return st;
}

sow_status sow_i_cell_size_block(sow_cell_file *f, sow_error *err)
{
    if (f->n_cells >= INT32_MAX || f->n_genes >= INT32_MAX)
        return SOW_ERROR(err, SOW_E_DATA, "%s: %lld cells and %lld genes; at most %ld of each can be read", f->where, (long long)f->n_cells,
                         (long long)f->n_genes, (long)INT32_MAX - 1);
    sow_index entries = f->memory / 64;
    f->capacity = entries < LEAST_BLOCK ? LEAST_BLOCK : entries > LARGEST_BLOCK ? LARGEST_BLOCK : entries;
    if (f->capacity < f->n_genes) f->capacity = f->n_genes; /* a whole cell always fits */
    return SOW_OK;
}
