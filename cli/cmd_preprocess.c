#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/preprocess.h"
#include "core/memory.h"
#include "io/cell_file.h"
#include "io/file.h"

/* ---- settings: the source as keys of a campaign, so that --set, its checks and its messages are the campaign's ---- */

enum { OWN_SETS = 16 };

typedef struct {
    char *set[OWN_SETS + MAX_SETS];
    int n, failed;
} settings;

/* KEY=TEXT with the text quoted as JSON, which YAML reads too; nothing for NULL. */
static void add_text(settings *s, const char *key, const char *text)
{
    if (!text || s->failed) return;
    json_t *j = json_string(text);
    char *quoted = j ? json_dumps(j, JSON_ENCODE_ANY) : NULL;
    s->set[s->n] = quoted ? sow_format("%s=%s", key, quoted) : NULL;
    if (s->set[s->n]) s->n++;
    else s->failed = 1;
    free(quoted);
    json_decref(j);
}

/* The same for a file, whose path a campaign would read from its own folder. One that is not there keeps its name, for the message. */
static void add_file(settings *s, const char *key, const char *path)
{
    char *whole = path ? realpath(path, NULL) : NULL;
    add_text(s, key, whole ? whole : path);
    free(whole);
}

static void settings_clear(settings *s)
{
    for (int i = 0; i < s->n; i++) free(s->set[i]);
}

static int same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* What the file seems to say, and what the command line says instead. */
static sow_status choose_labels(sow_config_guess *g, int *labelled, const cli_args *args, sow_error *err)
{
    if (args->context && !args->perturbation && !g->perturbation_column)
        return SOW_ERROR(err, SOW_E_CONFIG, "--context needs --perturbation COLUMN and --control LABEL: no column looks like perturbations");
    if (args->perturbation && !same(args->perturbation, g->perturbation_column)) g->control = NULL;
    if (args->perturbation) g->perturbation_column = args->perturbation;
    if (args->control) g->control = args->control;
    if (args->control && !g->perturbation_column)
        return SOW_ERROR(err, SOW_E_CONFIG, "--control needs --perturbation COLUMN: no column looks like perturbations");
    if (args->perturbation && !g->control)
        return SOW_ERROR(err, SOW_E_CONFIG, "--perturbation %s needs --control LABEL: the label of control cells in that column", args->perturbation);
    if (args->context) {
        g->context_column = args->context;
        g->context = NULL;
    }
    *labelled = g->perturbation_column && g->control;
    return SOW_OK;
}

static void describe_source(settings *s, const sow_config_guess *g, const char *file, int labelled)
{
    add_file(s, "data.sources[0].file", file);
    add_text(s, "data.sources[0].values", g->values);
    add_text(s, "data.sources[0].layer", g->layer);
    add_text(s, "data.sources[0].gene_names", g->gene_column);
    add_file(s, "data.sources[0].labels", g->labels);
    add_text(s, "data.sources[0].perturbation.column", labelled ? g->perturbation_column : "-");
    add_text(s, "data.sources[0].perturbation.control", labelled ? g->control : "-");
    if (labelled) {
        add_text(s, "data.sources[0].perturbation.separator", g->separator);
        add_text(s, g->context_column ? "data.sources[0].context.column" : "data.sources[0].context.name", g->context_column ? g->context_column : g->context);
        add_text(s, "data.sources[0].perturbation.guide.column", g->guide_column);
        add_text(s, "data.sources[0].replicate.column", g->replicate_column);
        add_text(s, "data.sources[0].technical_batch.column", g->batch_column);
    }
    add_text(s, "readout.kind", "cells");
}

/* --set of the command line, in its order. */
static void add_given(settings *s, const cli_args *args)
{
    static const char labels[] = "data.sources[0].labels";
    const size_t n = sizeof labels - 1;
    for (int i = 0; i < args->n_sets; i++) {
        if (strncmp(args->sets[i], labels, n) == 0 && args->sets[i][n] == '=') {
            add_file(s, labels, args->sets[i] + n + 1);
            continue;
        }
        s->set[s->n] = s->failed ? NULL : sow_strdup(args->sets[i]);
        if (s->set[s->n]) s->n++;
        else s->failed = 1;
    }
}

/* A campaign file of what every campaign must say, somewhere temporary, under everything that is set. */
static sow_status read_settings(sow_config **out, char **problems, const settings *s, sow_error *err)
{
    static const char text[] = "sower: 1\nname: preprocess\nrounds: {initial: {size: 1}, batches: []}\noracle: {kind: replay}\n";
    sow_status st = SOW_OK;
    const char *folder = getenv("TMPDIR");
    int fd = -1;
    char *path = sow_format("%s/sower-preprocess-XXXXXX", folder && *folder ? folder : "/tmp");
    if (!path) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    fd = mkstemp(path);
    if (fd < 0 || write(fd, text, sizeof text - 1) != (ssize_t)sizeof text - 1)
        SOW_FAIL(err, SOW_E_IO, "%s cannot be written: %s (TMPDIR chooses another folder)", path, strerror(errno));
    SOW_TRY(sow_config_read(out, problems, path, (const char *const *)s->set, s->n, err));
done:
    if (fd >= 0) {
        close(fd);
        unlink(path);
    }
    free(path);
    return st;
}

/* A file that no campaign can be made from, for want of controls, may still be prepared. */
static void complete_guess(sow_config_guess *g, const sow_inspection *in)
{
    if (g->values || in->chosen < 0) return;
    const sow_inspect_matrix *x = &in->matrix[in->chosen];
    g->values = x->numbers == SOW_NUMBERS_COUNTS ? "counts" : "log1p";
    g->layer = same(x->name, "X") ? NULL : x->name;
    g->gene_column = in->gene_column;
    g->labels = in->labels;
    g->guide_column = in->guide_column;
    g->replicate_column = in->replicate_column;
    g->batch_column = in->batch_column;
}

static sow_status check_kind(const sow_inspection *in, const sow_config_guess *g, const cli_args *args, sow_error *err)
{
    if (in->kind != SOW_FILE_H5AD && in->kind != SOW_FILE_MTX)
        return SOW_ERROR(err, SOW_E_DATA, "%s: this is a file of the kind %s; preprocess takes single cells, an .h5ad or a MatrixMarket folder", in->path,
                         sow_file_kind_name(in->kind));
    for (int i = 0; i < args->n_sets; i++)
        if (strncmp(args->sets[i], "data.sources[0].values=", 23) == 0) return SOW_OK;
    if (!g->values)
        return SOW_ERROR(err, SOW_E_DATA, "%s: it cannot be told whether its values are counts or log1p: say --set data.sources[0].values=counts (or log1p); sower inspect shows the file",
                         in->path);
    return SOW_OK;
}

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

/* A file that is read once needs no cache, when it is small enough to be held: 8 bytes a value. */
enum { HELD_BYTES = 320 << 20 };

static sow_status choose_cache(const char **out, const cli_args *args, const sow_source *source, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cell_file *file = NULL;
    const sow_cell_file_options options = {.path = source->file, .layer = source->layer, .gene_column = source->gene_column,
                                           .counts = source->values == SOW_VALUES_COUNTS, .memory = args->memory};
    const sow_index most = args->memory ? args->memory : HELD_BYTES;
    *out = cli_cache_folder(args);
    if (*out) return SOW_OK;
    SOW_TRY(sow_cell_file_open(&file, &options, env, err));
    if (sow_cell_file_n_values(file) > most / 8) *out = "sower-cache";
done:
    sow_cell_file_close(file);
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
    SOW_TRY(choose_cache(&cache, args, &config->sources[0], env, err));
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
    sow_inspection *found = NULL;
    sow_config *config = NULL;
    sow_config_guess guess = {0};
    settings own = {0};
    char *problems = NULL, *chosen = NULL;
    const char *file = args->positional[0], *out = args->out;
    int code = EXIT_DONE, labelled = 0;
    if (!sow_file_exists(file)) SOW_FAIL(err, SOW_E_DATA, "%s: no such file", file);
    if (!out) out = chosen = default_out(file);
    if (!out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(check_out(out, file, args->force, err));
    SOW_TRY(sow_inspect_file(&found, file, err));
    sow_inspection_guess(&guess, found);
    complete_guess(&guess, found);
    SOW_TRY(check_kind(found, &guess, args, err));
    SOW_TRY(choose_labels(&guess, &labelled, args, err));
    describe_source(&own, &guess, file, labelled);
    add_given(&own, args);
    if (own.failed) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(read_settings(&config, &problems, &own, err));
    SOW_TRY(read_prepare_write(args, config, out, labelled, &code, env, err));
done:
    if (st != SOW_OK) code = say_failure(err, problems);
    if (st == SOW_E_IO) leave_without_hdf5(code);
    free(problems);
    free(chosen);
    settings_clear(&own);
    sow_config_destroy(config);
    sow_inspection_destroy(found);
    return code;
}
