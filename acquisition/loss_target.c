/* What loss-prediction learns: the model's losses by perturbation, in or out of sample, with or without what cell number explains. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/loss_network.h"
#include "core/memory.h"

typedef struct {
    sow_index *row_of;   /* [n_labelled] row, or -1 */
    double *cells;       /* [examples] cells behind each; NaN unknown */
    double *sum, *share; /* [rows] weighted losses and weights */
} work;

void sow_i_loss_targets_clear(sow_i_loss_targets *t)
{
    free(t->labelled);
    free(t->row_loss);
    free(t->row);
    free(t->y);
    memset(t, 0, sizeof *t);
}

static int is_held(const sow_pool_view *view, sow_index k)
{
    return view->loss_held && view->loss_held[k];
}

static double cells_of(const sow_pool_view *view, sow_index k)
{
    return view->loss_cells ? view->loss_cells[k] : NAN;
}

/* Marks in `mark` the labelled with features and a loss (held: one out of sample) and returns how many there are. */
static sow_index mark_labelled(sow_index *mark, const sow_pool_view *view, int held)
{
    sow_index n = 0;
    for (sow_index l = 0; l < view->n_labelled; l++)
        mark[l] = -1;
    for (sow_index k = 0; k < view->n_losses; k++) {
        const sow_index l = view->loss_of[k];
        if (mark[l] >= 0 || (held && !is_held(view, k)) || (view->labelled_has && !view->labelled_has[l])) continue;
        mark[l] = 0;
        n++;
    }
    return n;
}

/* Rows in the order of the labelled; held ones only where they are at least half. */
static sow_status choose_rows(sow_i_loss_targets *t, work *w, const sow_pool_view *view, const char *target, sow_error *err)
{
    sow_status st = SOW_OK;
    const int wanted = target && strcmp(target, "held") == 0;
    if (target && !wanted && strcmp(target, "all") != 0)
        SOW_FAIL(err, SOW_E_CONFIG, "acquisition.loss_target is '%s': all or held are allowed", target);
    SOW_NEW(w->row_of, view->n_labelled);
    const sow_index n_all = mark_labelled(w->row_of, view, 0), n_held = wanted ? mark_labelled(w->row_of, view, 1) : 0;
    if (n_all == 0)
        SOW_FAIL(err, SOW_E_DATA, "none of the %lld losses belongs to a perturbation with features to predict it from",
                 (long long)view->n_losses);
    t->held_only = wanted && 2 * n_held >= n_all;
    t->n_rows = t->held_only ? n_held : mark_labelled(w->row_of, view, 0);
    SOW_NEW(t->labelled, t->n_rows);
    for (sow_index l = 0, r = 0; l < view->n_labelled; l++)
        if (w->row_of[l] >= 0) {
            w->row_of[l] = r;
            t->labelled[r++] = l;
        }
done:
    return st;
}

static int is_used(const sow_i_loss_targets *t, const work *w, const sow_pool_view *view, sow_index k)
{
    return w->row_of[view->loss_of[k]] >= 0 && (!t->held_only || is_held(view, k));
}

static sow_status fill_row_losses(sow_i_loss_targets *t, work *w, const sow_pool_view *view, sow_error *err)
{
    sow_status st = SOW_OK;
    int known = 1;
    SOW_NEW(t->row_loss, t->n_rows);
    SOW_NEW(w->sum, t->n_rows);
    SOW_NEW(w->share, t->n_rows);
    for (sow_index k = 0; k < view->n_losses; k++)
        if (is_used(t, w, view, k) && isnan(cells_of(view, k))) known = 0;
    for (sow_index k = 0; k < view->n_losses; k++) {
        if (!is_used(t, w, view, k)) continue;
        const sow_index r = w->row_of[view->loss_of[k]];
        const double weight = known ? cells_of(view, k) : 1;
        w->sum[r] += weight * view->loss[k];
        w->share[r] += weight;
    }
    for (sow_index r = 0; r < t->n_rows; r++)
        t->row_loss[r] = w->sum[r] / w->share[r];
    if (!known)
        for (sow_index r = 0; r < t->n_rows; r++)
            w->share[r] = NAN;
done:
    return st;
}

static sow_status fill_examples(sow_i_loss_targets *t, work *w, const sow_pool_view *view, int each_loss, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index most = each_loss ? view->n_losses : t->n_rows;
    SOW_NEW(t->row, most);
    SOW_NEW(t->y, most);
    SOW_NEW(w->cells, most);
    for (sow_index r = 0; r < t->n_rows && !each_loss; r++) {
        t->row[r] = r;
        t->y[r] = t->row_loss[r];
        w->cells[r] = w->share[r];
        t->n++;
    }
    for (sow_index k = 0; k < view->n_losses && each_loss; k++) {
        if (!is_used(t, w, view, k)) continue;
        t->row[t->n] = w->row_of[view->loss_of[k]];
        t->y[t->n] = view->loss[k];
        w->cells[t->n++] = cells_of(view, k);
    }
done:
    return st;
}

/* y -= slope (log(cells) - mean log(cells)); an example of unknown cells stays. */
static sow_status take_away_cells(sow_i_loss_targets *t, const work *w, sow_error *err)
{
    double n = 0, mean_x = 0, mean_y = 0, xx = 0, xy = 0;
    for (sow_index i = 0; i < t->n; i++) {
        if (isnan(w->cells[i])) continue;
        n++;
        mean_x += log(w->cells[i]);
        mean_y += t->y[i];
    }
    if (n == 0)
        return SOW_ERROR(err, SOW_E_CONFIG, "acquisition.loss_cells needs the number of cells behind the losses, and none is known");
    mean_x /= n;
    mean_y /= n;
    for (sow_index i = 0; i < t->n; i++) {
        if (isnan(w->cells[i])) continue;
        const double x = log(w->cells[i]) - mean_x;
        xx += x * x;
        xy += x * (t->y[i] - mean_y);
    }
    if (!(xx > 1e-12 * n)) return SOW_OK; /* all on as many cells */
    for (sow_index i = 0; i < t->n; i++)
        if (!isnan(w->cells[i])) t->y[i] -= xy / xx * (log(w->cells[i]) - mean_x);
    return SOW_OK;
}

sow_status sow_i_loss_targets_make(sow_i_loss_targets *out, const sow_pool_view *view, const char *target, int cells, int each_loss,
                                   sow_error *err)
{
    sow_status st = SOW_OK;
    work w = {0};
    memset(out, 0, sizeof *out);
    SOW_TRY(choose_rows(out, &w, view, target, err));
    SOW_TRY(fill_row_losses(out, &w, view, err));
    SOW_TRY(fill_examples(out, &w, view, each_loss, err));
    if (cells) SOW_TRY(take_away_cells(out, &w, err));
    for (sow_index i = 1; i < out->n; i++)
        if (out->y[i] != out->y[0]) out->differ = 1;
done:
    free(w.row_of);
    free(w.cells);
    free(w.sum);
    free(w.share);
    return st;
}
