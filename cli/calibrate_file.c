/* Calibrating on a file of cells that no campaign names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bare_file.h"
#include "cli/calibrate.h"
#include "cli/preprocess.h"
#include "core/memory.h"
#include "core/prepare.h"
#include "core/stats.h"
#include "io/cell_source.h"
#include "io/file.h"
#include "io/h5ad.h"

enum { LABELS_SHOWN = 6 };

/* ---- labels, for who named none that serve ---- */

/* "'A' (120 cells), 'B' (80), ... and 3 more" of a column, the most frequent first; NULL when out of memory. */
static char *counted_labels(const sow_h5ad_column *c, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *names = NULL;
    double *count = NULL;
    sow_index *order = NULL, position;
    sow_text t = {0};
    SOW_TRY(sow_names_create(&names, err));
    SOW_NEW(count, n);
    for (sow_index i = 0; i < n; i++) {
        if (!c->text[i]) continue;
        SOW_TRY(sow_names_add(names, c->text[i], &position, err));
        count[position] += 1;
    }
    const sow_index kinds = sow_names_count(names);
    SOW_NEW(order, kinds);
    SOW_TRY(sow_order_descending(order, count, NULL, kinds, err));
    for (sow_index i = 0; i < kinds && i < LABELS_SHOWN; i++)
        sow_text_printf(&t, "%s'%.40s' (%.0f%s)", i ? ", " : "", sow_names_get(names, order[i]), count[order[i]], i ? "" : " cells");
    if (kinds > LABELS_SHOWN) sow_text_printf(&t, " and %lld more", (long long)(kinds - LABELS_SHOWN));
    if (kinds == 0) sow_text_append(&t, "none");
done:
    free(count);
    free(order);
    sow_names_destroy(names);
    if (st != SOW_OK || t.failed) sow_text_clear(&t);
    return t.text;
}

static int has_label(const sow_h5ad_column *c, sow_index n, const char *label)
{
    for (sow_index i = 0; i < n; i++)
        if (c->text[i] && strcmp(c->text[i], label) == 0) return 1;
    return 0;
}

/* The columns that labels could be in: those of few texts. */
static char *text_columns(const sow_inspection *in)
{
    sow_text t = {0};
    for (sow_index i = 0; i < in->n_columns; i++) {
        const sow_inspect_column *c = &in->column[i];
        if (c->kind != SOW_COLUMN_STRING || (c->distinct > 1 && 2 * c->distinct > in->rows)) continue;
        sow_text_printf(&t, "%s'%.40s' (%lld label%s, such as '%.40s')", t.size ? ", " : "", c->name, (long long)c->distinct, c->distinct == 1 ? "" : "s", c->example);
    }
    if (!t.size) sow_text_append(&t, "none");
    if (t.failed) sow_text_clear(&t);
    return t.text;
}

static sow_status say_no_column(const cli_bare_file *f, sow_error *err)
{
    char *all = text_columns(f->found);
    sow_status st = SOW_ERROR(err, SOW_E_DATA, "%s: no column of labels looks like perturbations with controls among them; there are %s: name column and controls with --perturbation COLUMN --control LABEL, or say --unperturbed if every cell is a control", f->path,
                              all ? all : "(out of memory)");
    free(all);
    return st;
}

/* The column that is said or guessed must have the label that is said or guessed. Of a MatrixMarket folder the reader says so itself. */
static sow_status check_controls(const cli_bare_file *f, const cli_args *args, sow_error *err)
{
    sow_status st = SOW_OK;
    const char *name = args->perturbation ? args->perturbation : f->guess.perturbation_column;
    const int guessed = f->guess.perturbation_column && name && strcmp(name, f->guess.perturbation_column) == 0;
    const char *control = args->control ? args->control : guessed ? f->guess.control : NULL;
    const sow_h5ad_column *column = NULL;
    sow_h5ad *file = NULL;
    char *labels = NULL;
    if (!name) return say_no_column(f, err);
    if (f->found->kind != SOW_FILE_H5AD) {
        if (!control) SOW_FAIL(err, SOW_E_DATA, "%s: no label of column '%s' looks like controls: name them with --control LABEL (sower inspect shows the file)", f->path, name);
        return SOW_OK;
    }
    SOW_TRY(sow_h5ad_read(&file, f->path, 0, err));
    for (sow_index k = 0; k < file->n_obs_columns; k++)
        if (strcmp(file->obs[k].name, name) == 0) column = &file->obs[k];
    if (!column || !column->text || (control && has_label(column, file->n_obs, control))) goto done; /* the reader says what is wrong with a column */
    labels = counted_labels(column, file->n_obs, err);
    if (!labels) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (control) SOW_FAIL(err, SOW_E_DATA, "%s: no cell is labelled '%s' in column '%s', so there are no controls to calibrate on; its labels are %s: name the controls with --control LABEL", f->path, control, name, labels);
    SOW_FAIL(err, SOW_E_DATA, "%s: no label of column '%s' looks like controls; its labels are %s: name the controls with --control LABEL", f->path, name, labels);
done:
    free(labels);
    sow_h5ad_destroy(file);
    return st;
}

/* ---- cells ---- */

typedef struct {
    sow_cells cells;
    sow_screen *screen;
    sow_dropped dropped;
    sow_filtered filtered;
    sow_index context;
} file_cells;

static void file_cells_clear(file_cells *c)
{
    sow_cells_clear(&c->cells);
    sow_screen_destroy(c->screen);
    sow_dropped_clear(&c->dropped);
    sow_filtered_clear(&c->filtered);
}

static sow_status read_labelled(file_cells *out, sow_config *k, const char *cache, const cli_args *args, const sow_env *env, sow_error *err)
{
    k->sources[0].may_be_empty = 1; /* controls alone will do */
    return sow_cells_read(&out->cells, &out->screen, NULL, &out->dropped, k->sources, 1, cache, args->memory, env, err);
}

/* Every cell is a control. */
static sow_status read_unperturbed(file_cells *out, const sow_config *k, const char *cache, const cli_args *args, const char *name, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    cli_cells bare = {0};
    SOW_TRY(cli_cells_read(&bare, &out->dropped, k, 0, cache, args->memory, env, err));
    SOW_TRY(sow_screen_create(&out->screen, SOW_READOUT_CELLS, err));
    SOW_TRY(sow_names_add(out->screen->contexts, name, NULL, err));
    out->cells = bare.cells;
    bare.cells = (sow_cells){0};
done:
    cli_cells_clear(&bare);
    return st;
}

static sow_status read_cells(file_cells *out, const cli_bare_file *f, const cli_args *args, const char *name, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const char *cache = NULL, *only = args->context ? args->context : f->guess.first_context;
    SOW_TRY(cli_bare_file_cache(&cache, args, &f->config->sources[0], env, err));
    if (f->labelled) SOW_TRY(read_labelled(out, f->config, cache, args, env, err));
    else SOW_TRY(read_unperturbed(out, f->config, cache, args, name, env, err));
    SOW_TRY(sow_cells_filter(&out->cells, &out->filtered, NULL, &f->config->features, out->screen->perturbations, out->screen->contexts, env, err));
    out->context = only ? sow_names_find(out->screen->contexts, only) : 0;
    if (out->context < 0) out->context = 0;
done:
    return st;
}

/* ---- what is said of it ---- */

static void say_column(sow_text *t, const char *what, const char *name)
{
    if (name) sow_text_printf(t, ", %s: column %s", what, name);
}

static sow_status describe(char **out, const cli_bare_file *f, const file_cells *c, sow_error *err)
{
    const sow_source *s = &f->config->sources[0];
    sow_text t = {0};
    sow_index with_cells = 0;
    for (sow_index p = 0; p < sow_screen_n_perturbations(c->screen); p++)
        with_cells += sow_cells_of(NULL, &c->cells, p, c->context) > 0;
    sow_text_printf(&t, "%s: %lld cells x %lld genes, %s\n", f->path, (long long)c->cells.matrix[0].n_cells, (long long)c->cells.matrix[0].n_genes, c->cells.is_log[0] ? "log1p" : "counts");
    for (sow_index i = 0; i < c->dropped.n; i++)
        sow_text_printf(&t, "dropped   %lld: %s: %s\n", (long long)c->dropped.item[i].count, c->dropped.item[i].what, c->dropped.item[i].names);
    for (sow_index i = 0; i < c->filtered.n; i++)
        sow_text_printf(&t, "dropped   %lld %s: %s\n", (long long)c->filtered.item[i].count, c->filtered.item[i].what, c->filtered.item[i].names);
    sow_text_printf(&t, "taken     context %s: %lld controls", sow_names_get(c->screen->contexts, c->context), (long long)sow_cells_of(NULL, &c->cells, SOW_CONTROL, c->context));
    if (f->labelled) sow_text_printf(&t, " ('%s' of column %s), %lld perturbations", s->control, s->perturbation_column, (long long)with_cells);
    else sow_text_append(&t, ", every cell");
    if (f->labelled) say_column(&t, "batches", s->batch_column);
    if (f->labelled) say_column(&t, "replicates", s->replicate_column);
    sow_text_append(&t, "\n");
    if (t.failed) {
        sow_text_clear(&t);
        return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    }
    *out = t.text;
    return SOW_OK;
}

/* The file's name without folder and .h5ad. */
static char *name_of(const char *path)
{
    size_t n = strlen(path), first;
    while (n > 1 && path[n - 1] == '/') n--;
    for (first = n; first > 0 && path[first - 1] != '/';) first--;
    if (n - first > 5 && strncmp(path + n - 5, ".h5ad", 5) == 0) n -= 5;
    return sow_format("%.*s", (int)(n - first), path + first);
}

static sow_status check_words(const cli_args *args, sow_error *err)
{
    if (args->unperturbed && (args->perturbation || args->control || args->batch || args->context))
        return SOW_ERROR(err, SOW_E_CONFIG, "--unperturbed says that every cell is a control: give no labels with it");
    return SOW_OK;
}

static int say_failure(const sow_error *err, const char *problems)
{
    if (!problems || !*problems) return cli_fail_unwritten(err);
    fprintf(stderr, "%s%s", problems, problems[strlen(problems) - 1] == '\n' ? "" : "\n");
    return cli_exit_code(err->status);
}

/* Without labels none are guessed either. */
static void forget_labels(sow_config_guess *g)
{
    g->perturbation_column = g->control = g->context_column = g->context = g->first_context = NULL;
}

int cli_calibrate_file(const char *path, const cli_args *args, const sow_calibrate_options *options, const sow_env *env)
{
    sow_status st = SOW_OK;
    sow_error stack = {0}, *err = &stack;
    cli_bare_file f = {0};
    file_cells cells = {0};
    sow_calibrated made = {0};
    char *said = NULL, *name = name_of(path);
    int code = EXIT_DONE;
    if (!name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(check_words(args, err));
    SOW_TRY(cli_bare_file_look(&f, args, path, "calibrate", err));
    if (args->unperturbed) forget_labels(&f.guess);
    else SOW_TRY(check_controls(&f, args, err));
    if (args->context && !f.guess.context_column)
        SOW_FAIL(err, SOW_E_DATA, "%s: --context %s: no column looks like contexts (sower inspect shows them all); without --context all cells are taken", path, args->context);
    SOW_TRY(cli_bare_file_configure(&f, args, NULL, args->context ? args->context : f.guess.first_context, err));
    SOW_TRY(read_cells(&cells, &f, args, name, env, err));
    SOW_TRY(describe(&said, &f, &cells, err));
    const sow_calibrate_source of = {name, path, &cells.cells, cells.screen, cells.context};
    SOW_TRY(sow_calibrate_screen(&made, &of, options, env, err));
    cli_print_calibrated(&made, said, args->json);
done:
    if (st != SOW_OK) code = say_failure(err, f.problems);
    free(said);
    free(name);
    sow_calibrated_clear(&made);
    file_cells_clear(&cells);
    cli_bare_file_clear(&f);
    return code;
}
