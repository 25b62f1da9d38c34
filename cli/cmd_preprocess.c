#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/bare_file.h"
#include "cli/preprocess.h"
#include "core/memory.h"
#include "io/file.h"

/* ---- where it goes ---- */

/* NAME-prepared.h5ad in this folder. */
static char *default_out(const char *file)
{
    size_t n = strlen(file);
    while (n > 1 && file[n - 1] == '/') n--;
    size_t first = n;
    while (first > 0 && file[first - 1] != '/') first--;
    if (n - first > 5 && strncmp(file + n - 5, ".h5ad", 5) == 0) n -= 5;
    return sow_format("%.*s-prepared.h5ad", (int)(n - first), file + first);
}

static sow_status check_out(const char *out, const char *file, int force, sow_error *err)
{
    struct stat a, b;
    size_t n = strlen(out);
    if (n < 6 || strcmp(out + n - 5, ".h5ad") != 0) return SOW_ERROR(err, SOW_E_CONFIG, "--out %s: an .h5ad file is written; give a name that ends so", out);
    if (stat(out, &a) != 0) return SOW_OK;
    if (stat(file, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        return SOW_ERROR(err, SOW_E_CONFIG, "%s is the file that is read; give another name with --out", out);
    if (!force) return SOW_ERROR(err, SOW_E_CONFIG, "%s exists; give another name with --out, or --force to overwrite it", out);
    return SOW_OK;
}

/* ---- what was done ---- */

typedef struct {
    const char *file, *out;
    const sow_config *config;
    const cli_cells *cells;
    const sow_preparation *p;
    const sow_dropped *dropped;
    const sow_filtered *filtered;
} outcome;

static void print_text(const outcome *o)
{
    const sow_cells *c = &o->cells->cells;
    const sow_features *f = &o->config->features;
    printf("%s: %lld cells x %lld genes, %s\n", o->file, (long long)o->cells->n_read, (long long)sow_names_count(c->genes), c->is_log[0] ? "log1p" : "counts");
    for (sow_index i = 0; i < o->dropped->n; i++)
        printf("dropped   %lld: %s: %s\n", (long long)o->dropped->item[i].count, o->dropped->item[i].what, o->dropped->item[i].names);
    for (sow_index i = 0; i < o->filtered->n; i++)
        printf("dropped   %lld %s: %s\n", (long long)o->filtered->item[i].count, o->filtered->item[i].what, o->filtered->item[i].names);
    if (!o->cells->labelled) printf("labels    none: no perturbation and control were found or given, so that only cells and genes were filtered\n");
    printf("prepared  %lld cells x %lld genes: ", (long long)c->n, (long long)o->p->d);
    if (isnan(o->p->target_sum)) printf("log1p values as they are");
    else printf("counts scaled to %.10g%s%s", o->p->target_sum, isnan(f->target_sum) ? " (the median total)" : "", o->p->log1p ? ", log1p" : "");
    if (f->n_highly_variable > 0) printf(", highly variable genes (%s)", f->flavour == SOW_HVG_SEURAT ? "seurat" : "seurat_v3");
    printf("\nfitted on every cell that is left; a campaign fits at round 0, on controls, references and the initial cells\n%s\n", o->out);
}

static void add_dropped(json_t *list, const char *what, const char *names, sow_index count)
{
    json_array_append_new(list, json_pack("{s:s,s:s,s:I}", "what", what, "names", names, "count", (json_int_t)count));
}

static int print_json(const outcome *o)
{
    const sow_cells *c = &o->cells->cells;
    const sow_features *f = &o->config->features;
    json_t *list = json_array();
    for (sow_index i = 0; i < o->dropped->n; i++) add_dropped(list, o->dropped->item[i].what, o->dropped->item[i].names, o->dropped->item[i].count);
    for (sow_index i = 0; i < o->filtered->n; i++) add_dropped(list, o->filtered->item[i].what, o->filtered->item[i].names, o->filtered->item[i].count);
    json_t *j = json_pack("{s:s,s:s,s:I,s:I,s:s,s:b,s:I,s:I,s:o,s:b,s:I,s:s,s:s,s:o}", "file", o->file, "out", o->out, "cells", (json_int_t)o->cells->n_read, "genes",
                          (json_int_t)sow_names_count(c->genes), "values", c->is_log[0] ? "log1p" : "counts", "labelled", o->cells->labelled, "prepared_cells",
                          (json_int_t)c->n, "prepared_genes", (json_int_t)o->p->d, "target_sum", isnan(o->p->target_sum) ? json_null() : json_real(o->p->target_sum),
                          "log1p", o->p->log1p, "highly_variable", (json_int_t)f->n_highly_variable, "flavour",
                          f->flavour == SOW_HVG_SEURAT ? "seurat" : "seurat_v3", "fitted_on", "every cell that is left", "dropped", list);
    char *text = j ? json_dumps(j, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
    json_decref(j);
    if (!text) {
        fprintf(stderr, "error: out of memory\n");
        return EXIT_FAILED;
    }
    puts(text);
    free(text);
    return EXIT_DONE;
}

/* ---- the command ---- */

static sow_status prepare(cli_cells *cells, sow_preparation *p, sow_filtered *filtered, const sow_features *features, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *all = NULL;
    SOW_TRY(sow_cells_filter(&cells->cells, filtered, NULL, features, cells->perturbations, cells->contexts, env, err));
    SOW_NEW(all, cells->cells.n);
    for (sow_index i = 0; i < cells->cells.n; i++) all[i] = i;
    SOW_TRY(sow_preparation_fit(p, filtered, &cells->cells, all, cells->cells.n, features, env, err));
done:
    free(all);
    return st;
}

static sow_status read_prepare_write(const cli_args *args, const sow_config *config, const char *out, int labelled, int *code, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    cli_cells cells = {0};
    sow_dropped dropped = {0};
    sow_filtered filtered = {0};
    sow_preparation p = {0};
    const char *cache = NULL;
    SOW_TRY(cli_bare_file_cache(&cache, args, &config->sources[0], env, err));
    SOW_TRY(cli_cells_read(&cells, &dropped, config, labelled, cache, args->memory, env, err));
    SOW_TRY(prepare(&cells, &p, &filtered, &config->features, env, err));
    SOW_TRY(cli_cells_write(out, &cells, &p, &config->sources[0], env, err));
    const outcome o = {args->positional[0], out, config, &cells, &p, &dropped, &filtered};
    if (args->json) *code = print_json(&o);
    else print_text(&o);
done:
    sow_preparation_clear(&p);
    sow_filtered_clear(&filtered);
    sow_dropped_clear(&dropped);
    cli_cells_clear(&cells);
    return st;
}

static int say_failure(const sow_error *err, char *problems)
{
    if (problems && *problems) {
        fprintf(stderr, "%s%s", problems, problems[strlen(problems) - 1] == '\n' ? "" : "\n");
        return cli_exit_code(err->status);
    }
    return cli_fail_unwritten(err);
}

/* libhdf5 keeps a file that it could not close for want of disk, and crashes over it in what it does at exit: leave without. */
static void leave_without_hdf5(int code)
{
    fflush(NULL);
    _exit(code);
}

int cmd_preprocess(const cli_args *args, const sow_env *env)
{
    sow_status st = SOW_OK;
    sow_error stack = {0}, *err = &stack;
    cli_bare_file source = {0};
    char *chosen = NULL;
    const char *file = args->positional[0], *out = args->out;
    int code = EXIT_DONE;
    if (!sow_file_exists(file)) SOW_FAIL(err, SOW_E_DATA, "%s: no such file", file);
    if (!out) out = chosen = default_out(file);
    if (!out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(check_out(out, file, args->force, err));
    SOW_TRY(cli_bare_file_look(&source, args, file, "preprocess", err));
    SOW_TRY(cli_bare_file_configure(&source, args, args->context, NULL, err));
    SOW_TRY(read_prepare_write(args, source.config, out, source.labelled, &code, env, err));
done:
    if (st != SOW_OK) code = say_failure(err, source.problems);
    if (st == SOW_E_IO) leave_without_hdf5(code);
    free(chosen);
    cli_bare_file_clear(&source);
    return code;
}
