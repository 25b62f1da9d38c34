/* What a strategy is shown of other contexts: responses of the candidates there, how sure they are, and coordinates made of them; and the campaign's own list.
 *
 * Before round 0 of a campaign on cells there is no response space yet. Seeds for a new context are chosen then, so a space is fitted for the choice alone, on the reference contexts' cells, and let go of. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/cells_internal.h"
#include "planner/choice_internal.h"

/* ---- responses ---- */

/* Rows of the reference contexts. */
typedef struct {
    sow_index n, d;
    sow_index *perturbation, *context;
    double *y;     /* [n, d] */
    double *error; /* [n] mean over genes of the squared standard error; NaN unknown */
} reference_rows;

static void rows_clear(reference_rows *r)
{
    free(r->perturbation);
    free(r->context);
    free(r->y);
    free(r->error);
}

static sow_status make_rows(reference_rows *r, sow_index most, sow_index d, sow_error *err)
{
    sow_status st = SOW_OK;
    r->d = d;
    SOW_NEW(r->perturbation, most);
    SOW_NEW(r->context, most);
    SOW_NEW(r->y, most * d);
    SOW_NEW(r->error, most);
done:
    return st;
}

/* Tables: adjusted values; nothing is known of their errors. */
static sow_status rows_of_table(reference_rows *r, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_training t = {0};
    SOW_TRY(sow_i_training_build(&t, c, c->n_rounds, err));
    SOW_TRY(make_rows(r, t.view.n - t.n_target, c->d, err));
    for (sow_index i = t.n_target; i < t.view.n; i++) {
        if (sow_i_site_of_context(c, t.context[i]) >= 0) continue;
        r->perturbation[r->n] = t.perturbation[i];
        r->context[r->n] = t.context[i];
        r->error[r->n] = NAN;
        memcpy(&r->y[r->n++ * c->d], &t.y[i * c->d], (size_t)c->d * sizeof *r->y);
    }
done:
    sow_i_training_clear(&t);
    return st;
}

sow_status sow_i_error_of_mean(double *out, double *work, const sow_campaign *c, const sow_index *cell, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    double sum = 0;
    SOW_TRY(sow_prepared_mean(work + c->d, work, &c->cells->space, &c->cells->table, cell, n, c->env, err));
    for (sow_index j = 0; j < c->d; j++) sum += work[j];
    *out = sum / ((double)c->d * (double)n);
done:
    return st;
}

/* The rows of one context against its controls [m]. */
static sow_status fill_context(reference_rows *r, sow_index context, const sow_index *control, sow_index m, double *work, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    double of_controls = 0;
    SOW_TRY(sow_i_error_of_mean(&of_controls, work, c, control, m, err));
    for (sow_index i = 0; i < r->n; i++) {
        const sow_index *cell = NULL;
        if (r->context[i] != context) continue;
        const sow_index n = sow_cells_of(&cell, &c->cells->table, r->perturbation[i], context);
        SOW_TRY(sow_i_response(&r->y[i * c->d], c, cell, n, control, m, err));
        SOW_TRY(sow_i_error_of_mean(&r->error[i], work, c, cell, n, err));
        r->error[i] += of_controls;
    }
done:
    return st;
}

/* In the order of the screen, which goes from context to context with every row; filled context by context, since its controls are read through for their means and their error. */
static sow_status rows_of_cells(reference_rows *r, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_screen *s = c->screen;
    double *work = NULL;
    SOW_TRY(make_rows(r, s->n_rows, c->d, err));
    SOW_NEW(work, 2 * c->d);
    for (sow_index i = 0; i < s->n_rows; i++) {
        if (sow_i_site_of_context(c, s->context[i]) >= 0 || sow_cells_of(NULL, &c->cells->table, s->perturbation[i], s->context[i]) == 0 || sow_cells_of(NULL, &c->cells->table, SOW_CONTROL, s->context[i]) == 0) continue;
        r->perturbation[r->n] = s->perturbation[i];
        r->context[r->n++] = s->context[i];
    }
    for (sow_index k = 0; k < sow_names_count(s->contexts); k++) {
        const sow_index *control = NULL, m = sow_cells_of(&control, &c->cells->table, SOW_CONTROL, k);
        if (sow_i_site_of_context(c, k) < 0 && m > 0) SOW_TRY(fill_context(r, k, control, m, work, c, err));
    }
done:
    free(work);
    return st;
}

/* A space of the reference contexts' cells stands in for the frozen one while they are looked at. */
static sow_status rows_before_round_0(reference_rows *r, sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_cells *x = c->cells;
    const sow_index d = c->d;
    sow_index *cell = NULL, n = 0;
    SOW_NEW(cell, x->table.n);
    for (sow_index i = 0; i < x->table.n; i++)
        if (sow_i_site_of_context(c, x->table.context[i]) < 0) cell[n++] = i;
    SOW_TRY(sow_preparation_fit(&x->space, NULL, &x->table, cell, n, &c->config->features, c->env, err));
    c->d = x->space.d;
    SOW_TRY(rows_of_cells(r, c, err));
done:
    if (st != SOW_OK) sow_error_prefix(err, "comparing the reference contexts");
    free(cell);
    for (int k = 0; k < SOW_I_CONTROL_LISTS; k++) sow_i_control_means_clear(&x->control_means[k]); /* they are of this space */
    sow_preparation_clear(&x->space);
    x->space = (sow_preparation){0};
    c->d = d;
    return st;
}

static sow_status read_rows(reference_rows *r, sow_campaign *c, sow_error *err)
{
    if (!c->cells) return rows_of_table(r, c, err);
    return c->cells->frozen ? rows_of_cells(r, c, err) : rows_before_round_0(r, c, err);
}

/* ---- by candidate ---- */

sow_status sow_i_view_deltas(sow_i_choice *x, sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    reference_rows r = {0};
    const sow_index contexts = sow_names_count(c->screen->contexts);
    sow_index *row = NULL;
    SOW_TRY(read_rows(&r, c, err));
    SOW_NEW(row, c->n * contexts); /* + 1; 0 = none */
    SOW_NEW(x->delta, x->n * contexts);
    SOW_NEW(x->delta_error, x->n * contexts);
    for (sow_index k = 0; k < r.n; k++) row[r.perturbation[k] * contexts + r.context[k]] = k + 1;
    for (sow_index i = 0; i < x->n * contexts; i++) {
        const sow_index at = row[x->candidate[i / contexts] % c->n * contexts + i % contexts];
        x->delta[i] = at ? &r.y[(at - 1) * r.d] : NULL;
        x->delta_error[i] = at ? r.error[at - 1] : (double)NAN;
    }
    x->delta_values = r.y;
    r.y = NULL;
    x->view.n_references = contexts;
    x->view.n_genes = r.d;
    x->view.delta = x->delta;
    x->view.delta_error = x->delta_error;
done:
    rows_clear(&r);
    free(row);
    return st;
}

/* ---- coordinates ---- */

/* Mean over contexts of each perturbation of the catalogue that any of them measured: mean [c->n, d], has [c->n]. */
static sow_status mean_by_perturbation(double **mean, unsigned char **has, const sow_index *perturbation, const double *y, sow_index n, sow_index d, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    double *count = NULL;
    SOW_NEW(*mean, c->n * d);
    SOW_NEW(*has, c->n);
    SOW_NEW(count, c->n);
    for (sow_index k = 0; k < n; k++) {
        const sow_index q = perturbation[k];
        count[q]++;
        (*has)[q] = 1;
        for (sow_index j = 0; j < d; j++) (*mean)[q * d + j] += y[k * d + j];
    }
    for (sow_index q = 0; q < c->n; q++)
        for (sow_index j = 0; j < d && count[q] > 1; j++) (*mean)[q * d + j] /= count[q];
done:
    free(count);
    return st;
}

static void copy_scores(double *features, unsigned char *has, const double *score, const unsigned char *known, sow_index dim, const sow_index *pair, sow_index n, sow_index catalogue)
{
    for (sow_index i = 0; i < n; i++) {
        const sow_index q = pair[i] % catalogue;
        has[i] = known[q];
        if (has[i]) memcpy(&features[i * dim], &score[q * dim], (size_t)dim * sizeof *features);
    }
}

sow_status sow_i_view_rows_space(sow_i_choice *x, const sow_campaign *c, const sow_index *perturbation, const double *y, sow_index n, sow_index d, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double *mean = NULL, *score = NULL;
    unsigned char *known = NULL;
    sow_pca pca = {0};
    SOW_TRY(mean_by_perturbation(&mean, &known, perturbation, y, n, d, c, err));
    sow_index dim = 1;
    if (d > 1) {
        SOW_TRY(sow_pca_fit(&pca, mean, c->n, d, known, c->config->model.components, env, err));
        dim = pca.n_components;
        SOW_NEW(score, c->n * dim);
        SOW_TRY(sow_pca_transform(&pca, mean, c->n, known, score, env, err));
    }
    SOW_TRY(sow_i_view_room(x, dim, err));
    copy_scores(x->features, x->has, score ? score : mean, known, dim, x->candidate, x->n, c->n);
    copy_scores(x->labelled_features, x->labelled_has, score ? score : mean, known, dim, x->labelled, x->view.n_labelled, c->n);
done:
    sow_pca_clear(&pca);
    free(mean);
    free(score);
    free(known);
    return st;
}

sow_status sow_i_view_reference_space(sow_i_choice *x, sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    reference_rows r = {0};
    SOW_TRY(read_rows(&r, c, err));
    SOW_TRY(sow_i_view_rows_space(x, c, r.perturbation, r.y, r.n, r.d, env, err));
done:
    rows_clear(&r);
    return st;
}

/* ---- the campaign's list ---- */

sow_status sow_i_view_list(sow_i_choice *x, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_config *k = c->config;
    SOW_NEW(x->listed, x->n);
    for (sow_index i = 0; i < x->n; i++) x->listed[i] = -1;
    for (sow_index l = k->acquisition.n_list; l-- > 0;) { /* the first of two places of one name counts */
        const sow_index q = sow_names_find(c->screen->perturbations, k->acquisition.list[l]);
        for (sow_index i = 0; q >= 0 && i < x->n; i++)
            if (x->candidate[i] % c->n == q) x->listed[i] = l;
    }
    x->view.listed = x->listed;
done:
    return st;
}
