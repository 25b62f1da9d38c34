/* A file of cells without a campaign: what it seems to be, and what the command line says instead, as the only source of a configuration. */
#include "cli/bare_file.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/memory.h"
#include "io/cell_file.h"
#include "io/file.h"

/* ---- the source as keys of a campaign, so that --set, its checks and its messages are the campaign's ---- */

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
static sow_status choose_labels(sow_config_guess *g, int *labelled, const cli_args *args, const char *context_column, sow_error *err)
{
    if (context_column && !args->perturbation && !g->perturbation_column)
        return SOW_ERROR(err, SOW_E_CONFIG, "--context needs --perturbation COLUMN and --control LABEL: no column looks like perturbations");
    if (args->perturbation && !same(args->perturbation, g->perturbation_column)) g->control = NULL;
    if (args->perturbation) g->perturbation_column = args->perturbation;
    if (args->control) g->control = args->control;
    if (args->control && !g->perturbation_column)
        return SOW_ERROR(err, SOW_E_CONFIG, "--control needs --perturbation COLUMN: no column looks like perturbations");
    if (args->perturbation && !g->control)
        return SOW_ERROR(err, SOW_E_CONFIG, "--perturbation %s needs --control LABEL: the label of control cells in that column", args->perturbation);
    if (context_column) {
        g->context_column = context_column;
        g->context = NULL;
    }
    if (args->batch) g->batch_column = args->batch;
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
    static const char text[] = "sower: 1\nname: file\nrounds: {initial: {size: 1}, batches: []}\noracle: {kind: replay}\n";
    sow_status st = SOW_OK;
    const char *folder = getenv("TMPDIR");
    int fd = -1;
    char *path = sow_format("%s/sower-file-XXXXXX", folder && *folder ? folder : "/tmp");
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

static sow_status check_kind(const sow_inspection *in, const sow_config_guess *g, const cli_args *args, const char *command, sow_error *err)
{
    if (in->kind != SOW_FILE_H5AD && in->kind != SOW_FILE_MTX)
        return SOW_ERROR(err, SOW_E_DATA, "%s: this is a file of the kind %s; %s takes single cells, an .h5ad or a MatrixMarket folder", in->path,
                         sow_file_kind_name(in->kind), command);
    for (int i = 0; i < args->n_sets; i++)
        if (strncmp(args->sets[i], "data.sources[0].values=", 23) == 0) return SOW_OK;
    if (!g->values)
        return SOW_ERROR(err, SOW_E_DATA, "%s: it cannot be told whether its values are counts or log1p: say --set data.sources[0].values=counts (or log1p); sower inspect shows the file",
                         in->path);
    return SOW_OK;
}

/* ---- the whole ---- */

sow_status cli_bare_file_look(cli_bare_file *f, const cli_args *args, const char *path, const char *command, sow_error *err)
{
    sow_status st = SOW_OK;
    *f = (cli_bare_file){.path = path};
    if (!sow_file_exists(path)) SOW_FAIL(err, SOW_E_DATA, "%s: no such file", path);
    SOW_TRY(sow_inspect_file(&f->found, path, err));
    sow_inspection_guess(&f->guess, f->found);
    complete_guess(&f->guess, f->found);
    SOW_TRY(check_kind(f->found, &f->guess, args, command, err));
done:
    return st;
}

sow_status cli_bare_file_configure(cli_bare_file *f, const cli_args *args, const char *context_column, const char *only_context, sow_error *err)
{
    sow_status st = SOW_OK;
    settings own = {0};
    SOW_TRY(choose_labels(&f->guess, &f->labelled, args, context_column, err));
    describe_source(&own, &f->guess, f->path, f->labelled);
    if (f->labelled && only_context) add_text(&own, "data.sources[0].contexts", only_context);
    add_given(&own, args);
    if (own.failed) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(read_settings(&f->config, &f->problems, &own, err));
done:
    settings_clear(&own);
    return st;
}

void cli_bare_file_clear(cli_bare_file *f)
{
    free(f->problems);
    sow_config_destroy(f->config);
    sow_inspection_destroy(f->found);
    *f = (cli_bare_file){0};
}

/* ---- its cache ---- */

/* A file that is read once needs no cache, when it is small enough to be held: 8 bytes a value. */
enum { HELD_BYTES = 320 << 20 };

sow_status cli_bare_file_cache(const char **out, const cli_args *args, const sow_source *source, const sow_env *env, sow_error *err)
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
