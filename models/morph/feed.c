/* The cells that are learned from, by perturbation; rows prepared when they are needed, or kept where the screen is small. */
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/cells_advice.h"
#include "core/mmd.h"
#include "models/morph/train_internal.h"

enum { MOST_NAMED = 20, SIGMA_CELLS = 1024 };
static const sow_index default_budget = (sow_index)1 << 30; /* bytes */

void sow_i_morph_groups_forget(sow_i_morph_groups *g)
{
    free(g->rows);
    free(g->control_rows);
    g->rows = g->control_rows = NULL;
}

void sow_i_morph_groups_clear(sow_i_morph_groups *g)
{
    sow_i_morph_groups_forget(g);
    free(g->perturbation);
    free(g->start);
    free(g->cell);
    free(g->control);
    free(g->left_out);
    *g = (sow_i_morph_groups){0};
}

/* ---- which items are used ---- */

typedef struct {
    const sow_training *t;
    sow_index *row;  /* [n] items used, by perturbation */
    sow_index n;
    sow_index small; /* items with too few cells */
    sow_names *lacking; /* names without a prior row */
} selection;

static sow_index cells_in(const sow_training *t, sow_index i)
{
    return t->cells_of->start[i + 1] - t->cells_of->start[i];
}

static sow_status note_lacking(selection *s, sow_index perturbation, sow_error *err)
{
    sow_status st = SOW_OK;
    char *number = NULL;
    const char *name = s->t->catalogue ? sow_names_get(s->t->catalogue, perturbation) : NULL;
    if (!name) {
        number = sow_format("number %lld", (long long)perturbation);
        if (!number) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    }
    SOW_TRY(sow_names_add(s->lacking, name ? name : number, NULL, err));
done:
    free(number);
    return st;
}

/* Items of the target context with a prior row; an item's cells may be too few by themselves. In order of (perturbation, item). */
static sow_status select_items(selection *s, const sow_i_morph_genes *genes, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_training *t = s->t;
    sow_index *count = NULL, n_used = 0;
    SOW_NEW(count, genes->n_items + 1);
    SOW_NEW(s->row, t->n);
    for (sow_index i = 0; i < t->n; i++) {
        if (t->context[i] != t->target) continue;
        const sow_index p = t->perturbation[i];
        if (genes->first[p] < 0)
            SOW_TRY(note_lacking(s, p, err));
        else
            count[p + 1]++, n_used++;
    }
    for (sow_index p = 0; p < genes->n_items; p++) count[p + 1] += count[p];
    for (sow_index i = 0; i < t->n; i++)
        if (t->context[i] == t->target && genes->first[t->perturbation[i]] >= 0) s->row[count[t->perturbation[i]]++] = i;
    s->n = n_used;
done:
    free(count);
    return st;
}

static char *list_names(const sow_names *names)
{
    char *text = sow_strdup("");
    const sow_index n = sow_names_count(names), shown = n < MOST_NAMED ? n : MOST_NAMED;
    for (sow_index i = 0; text && i < shown; i++) {
        char *longer = sow_format("%s%s%s", text, i ? ", " : "", sow_names_get(names, i));
        free(text);
        text = longer;
    }
    if (!text || n == shown) return text;
    char *longer = sow_format("%s ... and %lld more", text, (long long)(n - shown));
    free(text);
    return longer;
}

static sow_status say_left_out(char **out, const selection *s, sow_index least, sow_error *err)
{
    sow_status st = SOW_OK;
    char *names = list_names(s->lacking), *few = NULL, *text = NULL;
    const sow_index n = sow_names_count(s->lacking);
    if (s->small > 0) few = sow_format("%lld measured perturbation%s with fewer than %lld cells", (long long)s->small, s->small == 1 ? "" : "s", (long long)least);
    if (!names || (s->small > 0 && !few)) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (n == 0 && !few) goto done;
    if (n > 0)
        text = sow_format("%lld measured perturbation%s without a prior row for each of %s genes (at most two): %s%s%s", (long long)n, n == 1 ? "" : "s", n == 1 ? "its" : "their", names,
                          few ? "; " : "", few ? few : "");
    else
        text = sow_strdup(few);
    if (!text) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    *out = text;
done:
    free(names);
    free(few);
    return st;
}

/* Groups of the selected items; those with fewer than `least` cells are left out. */
static sow_status gather(sow_i_morph_groups *g, selection *s, sow_index least, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_training *t = s->t;
    sow_index total = 0, at = 0;
    for (sow_index k = 0; k < s->n; k++) total += cells_in(t, s->row[k]);
    SOW_NEW(g->perturbation, s->n);
    SOW_NEW(g->start, s->n + 1);
    SOW_NEW(g->cell, total);
    for (sow_index k = 0, end = 0; k < s->n; k = end) {
        const sow_index p = t->perturbation[s->row[k]], first = at;
        for (end = k; end < s->n && t->perturbation[s->row[end]] == p; end++) {
            memcpy(g->cell + at, t->cells_of->cell + t->cells_of->start[s->row[end]], (size_t)cells_in(t, s->row[end]) * sizeof *g->cell);
            at += cells_in(t, s->row[end]);
        }
        if (at - first < least) {
            at = first;
            s->small++;
            continue;
        }
        g->perturbation[g->n++] = p;
        g->start[g->n] = at;
    }
done:
    return st;
}

static sow_status check_cells_of(const sow_training *t, sow_error *err)
{
    const sow_training_cells *c = t->cells_of;
    if (!c) return SOW_ERROR(err, SOW_E_UNSUPPORTED, "model morph learns from single cells; this screen's values have none behind them");
    if (c->space->d != t->n_features)
        return SOW_ERROR(err, SOW_E_SHAPE, "the cells' space has %lld genes, the values %lld", (long long)c->space->d, (long long)t->n_features);
    if (c->n_control < 2)
        return SOW_ERROR(err, SOW_E_DATA, "model morph: %lld control cell%s in the target context; at least 2 are needed (hundreds are wanted)", (long long)c->n_control,
                         c->n_control == 1 ? "" : "s");
    return SOW_OK;
}

sow_status sow_i_morph_groups_make(sow_i_morph_groups *out, const sow_training *t, const sow_i_morph_genes *genes, const sow_i_morph_settings *s, const sow_env *env,
                                   sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_morph_groups g = {0};
    selection chosen = {.t = t};
    const sow_index least = s->o.small_groups ? 2 : s->o.batch;
    *out = g;
    SOW_TRY(check_cells_of(t, err));
    g.table = t->cells_of->table;
    g.space = t->cells_of->space;
    SOW_TRY(sow_names_create(&chosen.lacking, err));
    SOW_TRY(select_items(&chosen, genes, err));
    SOW_TRY(gather(&g, &chosen, least, err));
    SOW_TRY(say_left_out(&g.left_out, &chosen, least, err));
    if (g.n == 0)
        SOW_FAIL(err, SOW_E_DATA, "model morph: nothing to learn from in the target context%s%s; it needs measured perturbations with a prior and at least %lld cells",
                 g.left_out ? ": left out are " : "", g.left_out ? g.left_out : "", (long long)least);
    g.n_control = t->cells_of->n_control;
    SOW_NEW(g.control, g.n_control);
    memcpy(g.control, t->cells_of->control, (size_t)g.n_control * sizeof *g.control);
    if (g.left_out) sow_log(env, SOW_LOG_WARN, "model morph does not learn from %s", g.left_out);
    *out = g;
    g = (sow_i_morph_groups){0};
done:
    sow_names_destroy(chosen.lacking);
    free(chosen.row);
    sow_i_morph_groups_clear(&g);
    return st;
}

void sow_i_print_groups(sow_i_print *p, const sow_i_morph_groups *g)
{
    sow_i_print_bytes(p, &g->n, sizeof g->n);
    sow_i_print_bytes(p, g->perturbation, (size_t)g->n * sizeof *g->perturbation);
    sow_i_print_bytes(p, g->start, (size_t)(g->n + 1) * sizeof *g->start);
    sow_i_print_bytes(p, g->cell, (size_t)g->start[g->n] * sizeof *g->cell);
    sow_i_print_bytes(p, g->control, (size_t)g->n_control * sizeof *g->control);
}

/* ---- rows ---- */

static sow_status keep_rows(float **out, const sow_i_morph_groups *g, const sow_index *cell, sow_index n, sow_index budget, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = g->space->d;
    if (n > budget / (sow_index)sizeof(float) / d) return SOW_OK;
    float *rows = sow_calloc(n * d, sizeof *rows);
    if (!rows) SOW_FAIL(err, SOW_E_NOMEM, "out of memory for %lld prepared cells", (long long)n);
    st = sow_prepared_rows(rows, g->space, g->table, cell, n, env, err);
    if (st == SOW_OK) *out = rows;
    if (st != SOW_OK) free(rows);
done:
    return st;
}

sow_status sow_i_morph_groups_prepare(sow_i_morph_groups *g, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index budget = env && env->memory > 0 ? env->memory / 4 : default_budget;
    if (!g->control_rows) SOW_TRY(keep_rows(&g->control_rows, g, g->control, g->n_control, budget, env, err));
    if (g->control_rows) budget -= g->n_control * g->space->d * (sow_index)sizeof(float);
    if (!g->rows) SOW_TRY(keep_rows(&g->rows, g, g->cell, g->start[g->n], budget, env, err));
done:
    return st;
}

sow_status sow_i_morph_rows(float *out, const sow_i_morph_groups *g, sow_i_side side, const sow_index *which, sow_index n, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = g->space->d, *position = side == SOW_I_CONTROLS ? g->control : g->cell;
    const float *kept = side == SOW_I_CONTROLS ? g->control_rows : g->rows;
    sow_index *cell = NULL;
    if (kept) {
        for (sow_index i = 0; i < n; i++) memcpy(out + i * d, kept + which[i] * d, (size_t)d * sizeof *out);
        return SOW_OK;
    }
    SOW_NEW(cell, n);
    for (sow_index i = 0; i < n; i++) cell[i] = position[which[i]];
    SOW_TRY(sow_prepared_rows(out, g->space, g->table, cell, n, env, err));
done:
    free(cell);
    return st;
}

void sow_i_morph_expect(const sow_i_morph_groups *g, sow_i_side side, const sow_index *which, sow_index n)
{
    const sow_index *position = side == SOW_I_CONTROLS ? g->control : g->cell;
    if (side == SOW_I_CONTROLS ? g->control_rows != NULL : g->rows != NULL) return;
    for (sow_index i = 0; i < n; i++) sow_cells_prefetch(g->table, &position[which[i]], 1);
}

sow_status sow_i_morph_sigma(double *sigma, const sow_i_morph_groups *g, const sow_i_morph_settings *s, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = g->n_control < SIGMA_CELLS ? g->n_control : SIGMA_CELLS;
    sow_index *which = NULL;
    float *rows = NULL;
    sow_rng rng = sow_rng_make(s->seed, SOW_RNG_METRIC, 0, 0);
    SOW_NEW(which, g->n_control);
    SOW_NEW(rows, n * g->space->d);
    for (sow_index i = 0; i < g->n_control; i++) which[i] = i;
    if (n < g->n_control) sow_rng_permute(&rng, which, g->n_control);
    SOW_TRY(sow_i_morph_rows(rows, g, SOW_I_CONTROLS, which, n, env, err));
    *sigma = sow_mean_squared_distance(rows, n, g->space->d);
    if (!(*sigma > 0)) *sigma = 1; /* controls that are all alike: any bandwidth tells them from others */
done:
    free(which);
    free(rows);
    return st;
}
