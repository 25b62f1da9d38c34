/* The sweep file: read through its table, then turned into axes of named settings and their product. */
#include "io/sweep_config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/names.h"
#include "io/config_internal.h"
#include "io/file.h"
#include "io/sweep_keys.h"

enum { MOST_JOBS = 1000000 };

/* ---- names */

static void check_name(sow_i_reader *r, sow_sweep_config *c, const sow_i_node *root)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    if (!c->name) {
        const char *slash = strrchr(c->path, '/'), *base = slash ? slash + 1 : c->path, *dot = strrchr(base, '.');
        char *name = sow_i_arena_text(r->arena, base, dot && dot != base ? (size_t)(dot - base) : strlen(base));
        for (char *p = name; p && *p; p++)
            if (!strchr(allowed, *p) || (p == name && *p == '.')) *p = '-';
        r->failed |= !name;
        c->name = name;
    } else if (c->name[strspn(c->name, allowed)] || c->name[0] == '.') {
        sow_i_problem_at_path(r, root, "sweep", "sweep '%s' becomes a folder: letters, digits, - _ and dots only, no dot first", c->name);
    }
}

/* ---- seeds */

/* A number alone is how many; in a list they are the seeds themselves. */
static void check_seeds(sow_i_reader *r, sow_sweep_config *c, const sow_i_node *root)
{
    const sow_i_node *node = sow_i_node_child(root, "seeds");
    if (node && node->kind == SOW_NODE_SCALAR && c->n_seeds == 1) {
        const sow_index n = c->seeds[0];
        if (n < 1 || n > MOST_JOBS) {
            sow_i_problem_at(r, node, "seeds: a sweep has 1 to %d seeds, not %lld", MOST_JOBS, (long long)n);
            return;
        }
        c->seeds = sow_i_arena_new(r->arena, (size_t)n * sizeof *c->seeds);
        r->failed |= !c->seeds;
        c->n_seeds = c->seeds ? n : 0;
        for (sow_index i = 0; i < c->n_seeds; i++)
            c->seeds[i] = i + 1;
        return;
    }
    for (sow_index i = 0; i < c->n_seeds; i++)
        for (sow_index j = 0; j < i; j++)
            if (c->seeds[i] == c->seeds[j]) {
                sow_i_problem_at_path(r, root, "seeds", "seeds: %lld is given twice; the same campaign played again says nothing new", (long long)c->seeds[i]);
                return;
            }
}

/* ---- axes */

static sow_named_settings *new_entry(sow_i_reader *r, sow_named_settings *e, const char *name, sow_index most)
{
    e->name = name;
    e->n = 0;
    e->setting = sow_i_arena_new(r->arena, (size_t)most * sizeof *e->setting);
    if (e->setting) return e;
    r->failed = 1;
    return NULL;
}

static void add_setting(sow_i_reader *r, sow_named_settings *e, const sow_i_node *at, sow_text *text)
{
    char *kept = text->failed ? NULL : sow_i_arena_text(r->arena, text->text, text->size);
    if (kept) e->setting[e->n++] = (sow_setting){kept, at->line, at->column};
    else r->failed = 1;
    sow_text_clear(text);
}

static sow_sweep_axis *new_axis(sow_i_reader *r, sow_sweep_config *c, const char *key, sow_index n)
{
    sow_sweep_axis *a = &c->axis[c->n_axes];
    a->key = key;
    a->n = n;
    a->entry = sow_i_arena_new(r->arena, (size_t)n * sizeof *a->entry);
    if (!a->entry) r->failed = 1;
    else c->n_axes++;
    return a->entry ? a : NULL;
}

/* strategies, models: one key of the campaign. */
static void words_axis(sow_i_reader *r, sow_sweep_config *c, const sow_i_node *root, const char *key, const char *path, const char *const *word, sow_index n)
{
    sow_sweep_axis *a = n ? new_axis(r, c, key, n) : NULL;
    const sow_i_node *list = sow_i_node_child(root, key);
    for (sow_index i = 0; a && i < n; i++) {
        sow_text t = {0};
        const sow_i_node *at = list->kind == SOW_NODE_SEQUENCE ? sow_i_node_item(list, i) : list;
        sow_text_printf(&t, "%s=%s", path, word[i]);
        if (new_entry(r, &a->entry[i], word[i], 1)) add_setting(r, &a->entry[i], at, &t);
        else sow_text_clear(&t);
    }
}

static void append_names(sow_text *t, const char *const *name, sow_index n)
{
    sow_text_append(t, "[");
    for (sow_index i = 0; i < n; i++) {
        sow_text_append(t, i ? ", \"" : "\"");
        for (const char *p = name[i]; *p; p++)
            sow_text_printf(t, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
        sow_text_append(t, "\"");
    }
    sow_text_append(t, "]");
}

static void allocation_settings(sow_i_reader *r, sow_named_settings *e, const sow_sweep_allocation *a, const sow_i_node *node)
{
    const struct {
        const char *key, *path;
    } rows[] = {{"initial", "rounds.initial.size"}, {"batches", "rounds.batches"}, {"cells_per_perturbation", "design.cells_per_perturbation"}, {"reads", "design.reads_per_cell"}, {"contexts", "contexts"}};
    const int given[] = {1, 1, a->cells >= 0, isfinite(a->reads), a->n_contexts > 0};
    if (!new_entry(r, e, a->name, 5)) return;
    for (int k = 0; k < 5; k++) {
        sow_text t = {0};
        const sow_i_node *at = sow_i_node_child(node, rows[k].key);
        if (!given[k]) continue;
        sow_text_printf(&t, "%s=", rows[k].path);
        if (k == 0) sow_text_printf(&t, "%lld", (long long)a->initial);
        if (k == 1) {
            sow_text_append(&t, "[");
            for (sow_index i = 0; i < a->n_batches; i++)
                sow_text_printf(&t, "%s%lld", i ? ", " : "", (long long)a->batches[i]);
            sow_text_append(&t, "]");
        }
        if (k == 2) sow_text_printf(&t, "%lld", (long long)a->cells);
        if (k == 3) sow_text_printf(&t, "%.17g", a->reads);
        if (k == 4) append_names(&t, a->contexts, a->n_contexts);
        add_setting(r, e, at ? at : node, &t);
    }
}

static void allocations_axis(sow_i_reader *r, sow_sweep_config *c, const sow_i_node *root)
{
    sow_sweep_axis *a = c->n_allocations ? new_axis(r, c, "allocations", c->n_allocations) : NULL;
    const sow_i_node *node = a ? sow_i_node_child(root, "allocations")->first : NULL;
    for (sow_index i = 0; a && node && i < a->n; i++, node = node->next)
        allocation_settings(r, &a->entry[i], &c->allocations[i], node);
}

static void settings_axis(sow_i_reader *r, sow_sweep_config *c, const char *key, const sow_named_settings *given, sow_index n)
{
    sow_sweep_axis *a = n ? new_axis(r, c, key, n) : NULL;
    if (a) memcpy(a->entry, given, (size_t)n * sizeof *given);
}

static size_t key_length(const sow_setting *s)
{
    return strcspn(s->text, "=");
}

static int same_key(const sow_setting *a, const sow_setting *b)
{
    const size_t n = key_length(a);
    return n == key_length(b) && strncmp(a->text, b->text, n) == 0;
}

/* A name must read as one part of an arm's name; a name twice would make two arms of one name. */
static void check_entries(sow_i_reader *r, const sow_sweep_axis *a, const sow_i_node *root)
{
    for (sow_index i = 0; i < a->n; i++) {
        const char *name = a->entry[i].name;
        if (!*name || strpbrk(name, "/\",\n")) sow_i_problem_at_path(r, root, a->key, "%s: the name '%s' cannot be part of an arm's name: no slash, comma or quote", a->key, name);
        for (sow_index j = 0; j < i; j++)
            if (strcmp(a->entry[j].name, name) == 0) sow_i_problem_at_path(r, root, a->key, "%s: '%s' is given twice", a->key, name);
    }
}

/* Two axes that set one key: the later would silently win. The seed is what pairs the arms. */
static void check_conflicts(sow_i_reader *r, const sow_sweep_config *c)
{
    for (sow_index x = 0; x < c->n_axes; x++)
        for (sow_index i = 0; i < c->axis[x].n; i++)
            for (sow_index k = 0; k < c->axis[x].entry[i].n; k++) {
                const sow_setting *s = &c->axis[x].entry[i].setting[k];
                int found = 0;
                if (key_length(s) == 4 && strncmp(s->text, "seed", 4) == 0)
                    sow_i_problem_at_mark(r, s->line, s->column, "%s.%s sets seed, which `seeds` does: every arm is played with the same ones", c->axis[x].key, c->axis[x].entry[i].name);
                for (sow_index y = 0; y < x && !found; y++)
                    for (sow_index j = 0; j < c->axis[y].n && !found; j++)
                        for (sow_index l = 0; l < c->axis[y].entry[j].n && !found; l++)
                            if ((found = same_key(s, &c->axis[y].entry[j].setting[l])))
                                sow_i_problem_at_mark(r, s->line, s->column, "%s.%s sets %.*s, and so does the axis %s; leave it to one of them", c->axis[x].key, c->axis[x].entry[i].name,
                                                      (int)key_length(s), s->text, c->axis[y].key);
            }
    for (sow_index k = 0; k < c->n_set; k++)
        if (key_length(&c->set[k]) == 4 && strncmp(c->set[k].text, "seed", 4) == 0)
            sow_i_problem_at_mark(r, c->set[k].line, c->set[k].column, "set.seed: seeds of a sweep are `seeds`");
}

/* ---- arms */

static void make_arm(sow_i_reader *r, sow_sweep_config *c, sow_index number)
{
    sow_sweep_arm *arm = &c->arm[number];
    const sow_named_settings *part[SOW_SWEEP_AXES];
    sow_text name = {0};
    sow_index n = c->n_set;
    for (sow_index x = c->n_axes; x-- > 0; number /= c->axis[x].n) {
        part[x] = &c->axis[x].entry[number % c->axis[x].n];
        n += part[x]->n;
    }
    arm->setting = sow_i_arena_new(r->arena, (size_t)n * sizeof *arm->setting);
    for (sow_index k = 0; arm->setting && k < c->n_set; k++)
        arm->setting[arm->n++] = &c->set[k];
    for (sow_index x = 0; x < c->n_axes; x++) {
        sow_text_printf(&name, "%s%s", x ? "/" : "", part[x]->name);
        for (sow_index k = 0; arm->setting && k < part[x]->n; k++)
            arm->setting[arm->n++] = &part[x]->setting[k];
    }
    if (c->n_axes == 0) sow_text_append(&name, "campaign");
    arm->name = name.failed ? NULL : sow_i_arena_text(r->arena, name.text, name.size);
    r->failed |= !arm->setting || !arm->name;
    sow_text_clear(&name);
}

static void make_arms(sow_i_reader *r, sow_sweep_config *c, const sow_i_node *root)
{
    double n = 1;
    for (sow_index x = 0; x < c->n_axes; x++)
        n *= (double)c->axis[x].n;
    if (n * (double)c->n_seeds > MOST_JOBS) {
        sow_i_problem_at(r, root, "%.0f arms x %lld seeds are %.0f jobs; a sweep has at most %d", n, (long long)c->n_seeds, n * (double)c->n_seeds, MOST_JOBS);
        return;
    }
    c->arm = sow_i_arena_new(r->arena, (size_t)n * sizeof *c->arm);
    r->failed |= !c->arm;
    c->n_arms = c->arm ? (sow_index)n : 0;
    for (sow_index i = 0; i < c->n_arms && !r->failed; i++)
        make_arm(r, c, i);
}

static void check_baseline(sow_i_reader *r, sow_sweep_config *c, const sow_i_node *root)
{
    c->baseline = -1;
    const char **names = sow_i_arena_new(r->arena, (size_t)c->n_arms * sizeof *names);
    r->failed |= !names;
    if (!c->baseline_name || r->failed) return;
    for (sow_index i = 0; i < c->n_arms; i++) {
        names[i] = c->arm[i].name;
        if (strcmp(names[i], c->baseline_name) == 0) c->baseline = i;
    }
    if (c->baseline >= 0) return;
    const char *near = sow_nearest_of(names, c->n_arms, c->baseline_name);
    sow_i_problem_at_path(r, root, "baseline", "baseline '%s' is no arm%s%s%s; an arm's name joins those of its axes with '/', as in '%s'", c->baseline_name, near ? "; did you mean '" : "", near ? near : "",
                          near ? "'?" : "", c->n_arms ? names[0] : "");
}

static void check_metrics(sow_i_reader *r, const sow_sweep_config *c, const sow_i_node *root)
{
    const char *names[64];
    sow_index n = 0;
    const sow_sweep_metric *rows = sow_sweep_metrics(&n);
    for (sow_index i = 0; i < n; i++)
        names[i] = rows[i].name;
    for (sow_index i = 0; i < c->n_metrics; i++) {
        char at[40];
        snprintf(at, sizeof at, "metrics[%lld]", (long long)i);
        for (sow_index j = 0; j < i; j++)
            if (strcmp(c->metrics[i], c->metrics[j]) == 0) sow_i_problem_at_path(r, root, at, "metrics: '%s' is given twice", c->metrics[i]);
        if (sow_sweep_metric_find(c->metrics[i])) continue;
        const char *near = sow_nearest_of(names, n, c->metrics[i]);
        sow_text all = {0};
        for (sow_index k = 0; k < n; k++)
            sow_text_printf(&all, "%s%s", k ? ", " : "", names[k]);
        sow_i_problem_at_path(r, root, at, "metrics: unknown '%s'%s%s%s (allowed: %s)", c->metrics[i], near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", all.text ? all.text : "");
        sow_text_clear(&all);
    }
}

static void check_sweep(sow_i_reader *r, void *config, const sow_i_node *root)
{
    sow_sweep_config *c = config;
    check_name(r, c, root);
    check_seeds(r, c, root);
    if (c->stop.after > 0 && c->stop.every == 0) c->stop.every = c->stop.after;
    if (r->n_problems || r->failed) return; /* what follows would speak of keys that were not read */
    words_axis(r, c, root, "strategies", "acquisition.strategy", c->strategies, c->n_strategies);
    words_axis(r, c, root, "models", "model.kind", c->models, c->n_models);
    allocations_axis(r, c, root);
    settings_axis(r, c, "oracles", c->oracles, c->n_oracles);
    settings_axis(r, c, "arms", c->arms_given, c->n_arms_given);
    if (r->failed) return;
    for (sow_index x = 0; x < c->n_axes; x++)
        check_entries(r, &c->axis[x], root);
    check_conflicts(r, c);
    check_metrics(r, c, root);
    make_arms(r, c, root);
    if (!r->failed && !r->n_problems) check_baseline(r, c, root);
}

sow_status sow_sweep_config_read(sow_sweep_config **out, char **problems, const char *path, const char *const *sets, sow_index n_sets, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_sweep_config *c = NULL;
    sow_i_reader r;
    *out = NULL;
    if (problems) *problems = NULL;
    SOW_TRY(sow_i_reader_begin(&r, path, sow_i_sweep_schema(), err));
    c = sow_i_arena_new(r.arena, sizeof *c);
    if (!c) SOW_FAIL(err, SOW_E_NOMEM, "out of memory reading '%s'", path);
    c->arena = r.arena;
    c->path = r.path;
    c->folder = r.folder;
    SOW_TRY(sow_i_config_load(&r, c, check_sweep, sets, n_sets, problems, err));
    *out = c;
done:
    if (st != SOW_OK) sow_i_arena_destroy(r.arena);
    return st;
}

void sow_sweep_config_destroy(sow_sweep_config *config)
{
    if (config) sow_i_arena_destroy(config->arena); /* in which it lies */
}

sow_status sow_sweep_config_reference(char **out, sow_error *err)
{
    sow_text t = {0};
    const sow_i_schema *schema = sow_i_sweep_schema();
    *out = NULL;
    sow_text_append(&t, "| key | value | default | meaning |\n|---|---|---|---|\n");
    for (sow_index i = 0; i < schema->n; i++)
        if (!(schema->key[i].type == SOW_KEY_SETTINGS && strstr(schema->key[i].path, "[]"))) sow_i_docs_row(&t, &schema->key[i]);
    if (t.failed) {
        sow_text_clear(&t);
        return SOW_ERROR(err, SOW_E_NOMEM, "out of memory writing the reference of keys");
    }
    *out = t.text;
    return SOW_OK;
}
