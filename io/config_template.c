/* The commented campaign of `sower init`, from the table of keys: what is known is filled in, the rest stands commented out with
 * its default. */
#include "io/config_internal.h"

#include "core/memory.h"
#include "io/file.h"

#include <stdlib.h>
#include <string.h>

enum {
    SENTENCE_COLUMN = 44,
    LEAST_TO_HOLD_OUT = 10,
    MOST_OF_A_ROUND = 100,
    CONTROLS_OF_A_ROUND = 40,
    MANY_GENES = 5000,
    MOST_CELLS = 300
};

typedef struct {
    sow_text text;
    const sow_config_guess *guess;
    int second; /* the entry of data.sources for the reference contexts: only what is filled in */
} writer;

/* ---- values */

static int is_plain(const char *s)
{
    static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-";
    if (!*s || *s == '-' || s[strspn(s, word)]) return 0;
    return strcmp(s, "null") != 0 && strcmp(s, "Null") != 0 && strcmp(s, "NULL") != 0;
}

/* Text as a YAML scalar, in quotes where it needs them. Caller frees. */
static char *yaml_scalar(const char *s)
{
    sow_text t = {0};
    if (!s) return NULL;
    if (is_plain(s)) return sow_strdup(s);
    sow_text_append(&t, "\"");
    for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
        if (*p == '"' || *p == '\\')
            sow_text_printf(&t, "\\%c", *p);
        else if (*p < 32)
            sow_text_printf(&t, "\\x%02x", *p);
        else
            sow_text_printf(&t, "%c", *p);
    }
    sow_text_append(&t, "\"");
    if (t.failed) sow_text_clear(&t);
    return t.text;
}

/* "[a, b]" in YAML. Caller frees. */
static char *yaml_list(const char *const *names, sow_index n)
{
    sow_text t = {0};
    sow_text_append(&t, "[");
    for (sow_index i = 0; i < n; i++) {
        char *name = yaml_scalar(names[i]);
        if (!name) t.failed = 1;
        else sow_text_printf(&t, "%s%s", i > 0 ? ", " : "", name);
        free(name);
    }
    sow_text_append(&t, "]");
    if (t.failed) sow_text_clear(&t);
    return t.text;
}

static int has_cells(const sow_config_guess *g)
{
    return g->readout_kind && strcmp(g->readout_kind, "cells") == 0;
}

typedef struct {
    sow_index initial, batch, n_batches;
} plan;

static sow_index within(sow_index x, sow_index low, sow_index high)
{
    return x < low ? low : x > high ? high : x;
}

/* A twentieth of the perturbations, at most a hundred, for each of up to four rounds that leave a fifth to evaluate on. */
static plan plan_of_rows(sow_index n)
{
    plan p = {.initial = within(n / 20, 1, MOST_OF_A_ROUND)};
    p.batch = p.initial;
    for (sow_index used = p.initial + p.batch; p.n_batches < 3 && used <= n - n / 5; used += p.batch)
        p.n_batches++;
    return p;
}

/* Screens of cells are small: most of the pool is measured. Controls are handed out once, so that few of them make for few rounds. */
static plan plan_of_cells(const sow_config_guess *g)
{
    const sow_index n = g->n_perturbations, pool = n - (n >= LEAST_TO_HOLD_OUT ? (n + 4) / 5 : 0);
    const sow_index all = within(pool * 17 / 20, 2, n < 2 ? 2 : n), rounds = within(g->n_controls / CONTROLS_OF_A_ROUND, 2, 4);
    plan p = {.batch = within(all / rounds, 1, MOST_OF_A_ROUND), .n_batches = rounds - 1};
    while (p.n_batches > 0 && all - p.n_batches * p.batch < 2)
        p.n_batches--;
    p.initial = within(all - p.n_batches * p.batch, 1, MOST_OF_A_ROUND);
    return p;
}

static plan plan_rounds(const sow_config_guess *g)
{
    return has_cells(g) ? plan_of_cells(g) : plan_of_rows(g->n_perturbations);
}

static char *batches(const sow_config_guess *g)
{
    sow_text t = {0};
    const plan p = plan_rounds(g);
    sow_text_append(&t, "[");
    for (sow_index i = 0; i < p.n_batches; i++)
        sow_text_printf(&t, "%s%lld", i > 0 ? ", " : "", (long long)p.batch);
    sow_text_append(&t, "]");
    if (t.failed) sow_text_clear(&t);
    return t.text;
}

/* What the quickstart's file says without any data. */
static const char *simulator_value(const char *path)
{
    static const char *const values[][2] = {
        {"sower", "1"},
        {"seed", "1"},
        {"model.kind", "gp"},
        {"objective.kind", "hits"},
        {"objective.top", "0.1"},
        {"acquisition.strategy", "ucb"},
        {"rounds.initial.size", "40"},
        {"rounds.initial.strategy", "random"},
        {"rounds.batches", "[40, 40, 40]"},
        {"oracle.kind", "generative"},
        {"oracle.held_out.fraction", "0.2"},
        {"design.cells_per_perturbation", "100"},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (strcmp(values[i][0], path) == 0) return values[i][1];
    return NULL;
}

static const char *guessed_text(const sow_config_guess *g, const char *path)
{
    const struct {
        const char *path, *value;
    } values[] = {
        {"data.sources[].file", g->file},
        {"data.sources[].context.name", g->context_column ? NULL
                                        : g->context      ? g->context
                                                          : "target"},
        {"data.sources[].context.column", g->context_column},
        {"data.sources[].contexts", g->first_context}, /* a campaign plans in one context */
        {"data.sources[].perturbation.column", g->perturbation_column},
        {"data.sources[].perturbation.separator", g->separator},
        {"data.sources[].perturbation.control", g->control},
        {"data.sources[].cells.column", g->cells_column},
        {"data.sources[].perturbation.guide.column", g->guide_column},
        {"data.sources[].replicate.column", g->replicate_column},
        {"data.sources[].technical_batch.column", g->batch_column},
        {"data.sources[].values", g->values},
        {"data.sources[].layer", g->layer},
        {"data.sources[].gene_names", g->gene_column},
        {"data.sources[].labels", g->labels},
        {"readout.kind", g->readout_kind},
        {"readout.column", g->readout_column},
        {"readout.transform", g->transform},
        {"oracle.kind", "replay"},
        {"rounds.initial.strategy", "random"},
        {"model.kind", "gp"},
        {"objective.kind", "learn"},
        {"acquisition.strategy", "random"},
        {"data.sources[].role", "target"},
        {"oracle.held_out.fraction", g->n_perturbations >= LEAST_TO_HOLD_OUT ? "0.2" : NULL},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (strcmp(values[i].path, path) == 0) return values[i].value;
    return NULL;
}

/* What a campaign of cells says beside its data; the rest of `features` stands with its defaults. */
static char *value_for_cells(const sow_config_guess *g, const char *path)
{
    const int counts = g->values && strcmp(g->values, "counts") == 0;
    if (strcmp(path, "features.min_cells_per_perturbation") == 0) return sow_strdup("16");
    if (strcmp(path, "features.min_cells_per_gene") == 0) return sow_strdup("3");
    if (counts && strcmp(path, "features.target_sum") == 0) return sow_strdup("median");
    if (counts && strcmp(path, "features.log1p") == 0) return sow_strdup("true");
    if (strcmp(path, "features.highly_variable") == 0) return sow_strdup(g->n_genes > MANY_GENES ? "2000" : "all");
    if (strcmp(path, "design.control_share") == 0) return sow_strdup("0.1");
    if (strcmp(path, "design.cells_per_perturbation") == 0 && g->cells_per_perturbation > 0)
        return sow_format("%lld", (long long)(g->cells_per_perturbation < MOST_CELLS ? g->cells_per_perturbation : MOST_CELLS));
    return NULL;
}

/* The value a key is filled in with, or NULL when it stays commented out. Caller frees. */
static char *filled_value(const writer *w, const sow_i_key *key)
{
    const sow_config_guess *g = w->guess;
    const char *plain = NULL;
    if (!g) {
        plain = simulator_value(key->path);
        return plain ? sow_strdup(plain) : NULL;
    }
    if (strcmp(key->path, "sower") == 0 || strcmp(key->path, "seed") == 0) return sow_strdup("1");
    if (strcmp(key->path, "rounds.initial.size") == 0) return sow_format("%lld", (long long)plan_rounds(g).initial);
    if (strcmp(key->path, "rounds.batches") == 0) return batches(g);
    if (w->second && strcmp(key->path, "data.sources[].role") == 0) return sow_strdup("reference");
    if (w->second && strcmp(key->path, "data.sources[].contexts") == 0) return yaml_list(g->reference_contexts, g->n_references);
    char *value = yaml_scalar(guessed_text(g, key->path));
    if (!value && has_cells(g)) value = value_for_cells(g, key->path);
    if (!value && strcmp(key->path, "data.sources[].perturbation.column") == 0) return sow_strdup(key->example);
    return value;
}

/* Is the key, or for a group any key below it, filled in? */
static int is_live(const writer *w, const sow_i_key *key)
{
    sow_index n = 0;
    const sow_i_key *keys = sow_i_keys(&n);
    size_t length = strlen(key->path);
    int group = key->type == SOW_KEY_MAPPING || key->type == SOW_KEY_LIST, live = 0;
    for (sow_index i = 0; i < n && !live; i++) {
        int below = strncmp(keys[i].path, key->path, length) == 0 && (keys[i].path[length] == '.' || keys[i].path[length] == '[');
        if (group ? !below : &keys[i] != key) continue;
        char *value = filled_value(w, &keys[i]);
        live = value != NULL;
        free(value);
    }
    return live;
}

/* ---- lines */

typedef struct {
    int indent;  /* spaces before the key */
    int comment; /* column of the "# ", or -1 */
    int dash;    /* the next line starts an entry of a list */
} place;

static void write_line(writer *w, place *p, const char *name, const char *value, const sow_i_key *key)
{
    sow_text *t = &w->text;
    size_t start = t->size;
    int indent = p->indent - (p->dash ? 2 : 0), outside = p->comment >= 0 ? p->comment : indent;
    sow_text_printf(t, "%*s%s%*s%s%s:%s%s", outside, "", p->comment >= 0 ? "# " : "", indent - outside, "", p->dash ? "- " : "",
                    name, value ? " " : "", value ? value : "");
    p->dash = 0;
    if (w->second) { /* explained a few lines above */
        sow_text_append(t, "\n");
        return;
    }
    int used = (int)(t->size - start);
    sow_text_printf(t, "%*s# %s", used < SENTENCE_COLUMN ? SENTENCE_COLUMN - used : 2, "", key->sentence);
    if (key->type == SOW_KEY_ENUM || key->type == SOW_KEY_CHOICE) {
        char *list = sow_i_words(key->allowed);
        sow_text_printf(t, " [%s]", list ? list : "");
        free(list);
    }
    if (key->unit) sow_text_printf(t, " [%s]", key->unit);
    sow_text_append(t, "\n");
}

static void write_group(writer *w, const char *path, place *p);

/* The only key of a group that a single value stands for ("cells: n_cells"), or NULL. */
static const sow_i_key *lone_child(const sow_i_key *group)
{
    sow_index n = 0, children = 0;
    const sow_i_key *keys = sow_i_keys(&n), *child = NULL;
    for (sow_index i = 0; i < n; i++) {
        if (!sow_i_key_is_child(&keys[i], group->path)) continue;
        child = &keys[i];
        children++;
    }
    return group->shorthand && children == 1 ? child : NULL;
}

/* What stands in a commented line: the default, or an example where the default is nothing, a list without entries or words. */
static const char *shown_value(const sow_i_key *key)
{
    if (key->standard && !key->standard_is && !(key->example && strcmp(key->standard, "[]") == 0)) return key->standard;
    return key->example ? key->example : key->standard;
}

static void write_leaf(writer *w, const sow_i_key *key, const sow_i_key *named, place p, int *dash)
{
    char *value = filled_value(w, key);
    if (!value && w->second) return;
    if (!value && p.comment < 0) p.comment = p.indent;
    write_line(w, &p, sow_i_key_name(named), value ? value : shown_value(key), key);
    *dash = p.dash;
    free(value);
}

/* The same file again, for its other contexts. */
static void write_references(writer *w, const char *path, place p)
{
    p.dash = 1;
    w->second = 1;
    write_group(w, path, &p);
    w->second = 0;
}

static void write_key(writer *w, const sow_i_key *key, place *p)
{
    const sow_i_key *lone = key->type == SOW_KEY_MAPPING ? lone_child(key) : NULL;
    int list = key->type == SOW_KEY_LIST;
    if (lone || (key->type != SOW_KEY_MAPPING && !list)) {
        write_leaf(w, lone ? lone : key, key, *p, &p->dash);
        return;
    }
    if (w->second && !is_live(w, key)) return;
    place inside = *p;
    int top = !strchr(key->path, '.');
    if (!top && inside.comment < 0 && !is_live(w, key)) inside.comment = inside.indent;
    write_line(w, &inside, sow_i_key_name(key), NULL, key);
    p->dash = 0;
    inside.indent += list ? 4 : 2;
    inside.dash = list;
    if (top && list && !is_live(w, key)) inside.comment = inside.indent - 2;
    char *path = list ? sow_format("%s[]", key->path) : sow_strdup(key->path);
    if (path)
        write_group(w, path, &inside);
    else
        w->text.failed = 1;
    if (path && w->guess && w->guess->n_references > 0 && strcmp(key->path, "data.sources") == 0) write_references(w, path, inside);
    free(path);
}

static void write_group(writer *w, const char *path, place *p)
{
    sow_index n = 0;
    const sow_i_key *keys = sow_i_keys(&n);
    for (sow_index i = 0; i < n; i++) {
        if (!sow_i_key_is_child(&keys[i], path) || keys[i].type == SOW_KEY_UNSUPPORTED) continue;
        if (!*path && (keys[i].type == SOW_KEY_MAPPING || keys[i].type == SOW_KEY_LIST)) sow_text_append(&w->text, "\n");
        write_key(w, &keys[i], p);
    }
}

sow_status sow_config_template(char **out, const sow_config_guess *guess, sow_error *err)
{
    writer w = {.guess = guess};
    place top = {.comment = -1};
    *out = NULL;
    sow_text_append(&w.text,
                    "# A sower campaign. `sower check FILE` tells what is in it, `sower plan FILE` plans the next round.\n"
                    "# Keys that are commented out stand with their default or with an example; docs/config.md has them all.\n");
    write_group(&w, "", &top);
    if (w.text.failed) {
        sow_text_clear(&w.text);
        return SOW_ERROR(err, SOW_E_NOMEM, "out of memory writing a campaign file");
    }
    *out = w.text.text;
    return SOW_OK;
}
