#include "models/stacking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

void sow_i_part_clear(sow_i_part *p)
{
    free(p->perturbation);
    free(p->context);
    free(p->y);
    free(p->cells);
    *p = (sow_i_part){0};
}

void sow_i_part_add(sow_i_part *p, const sow_training *t, sow_index i)
{
    const sow_index d = t->n_features;
    p->perturbation[p->t.n] = t->perturbation[i];
    p->context[p->t.n] = t->context[i];
    p->cells[p->t.n] = t->cells ? t->cells[i] : NAN;
    memcpy(p->y + p->t.n * d, t->y + i * d, (size_t)d * sizeof *p->y);
    p->t.n++;
}

sow_status sow_i_part_make(sow_i_part *p, const sow_training *t, const unsigned char *keep, sow_error *err)
{
    sow_status st = SOW_OK;
    *p = (sow_i_part){.t = *t};
    p->t.n = 0;
    p->t.cells_of = NULL;
    SOW_NEW(p->perturbation, t->n);
    SOW_NEW(p->context, t->n);
    SOW_NEW(p->y, t->n * t->n_features);
    SOW_NEW(p->cells, t->n);
    for (sow_index i = 0; i < t->n; i++)
        if (keep[i]) sow_i_part_add(p, t, i);
    p->t.perturbation = p->perturbation;
    p->t.context = p->context;
    p->t.y = p->y;
    p->t.cells = t->cells ? p->cells : NULL;
done:
    return st;
}

static double mean_of(const double *x, sow_index d)
{
    double sum = 0;
    for (sow_index j = 0; j < d; j++) sum += x[j];
    return sum / (double)d;
}

sow_i_products sow_i_products_of(const double *m, const double *r, const double *y, sow_index d)
{
    const double mean_m = mean_of(m, d), mean_r = mean_of(r, d), mean_y = mean_of(y, d);
    sow_i_products p = {0};
    for (sow_index j = 0; j < d; j++) {
        const double a = m[j] - mean_m, b = r[j] - mean_r, t = y[j] - mean_y;
        p.mm += a * a;
        p.mr += a * b;
        p.rr += b * b;
        p.my += a * t;
        p.ry += b * t;
        p.yy += t * t;
    }
    return p;
}

/* Correlation of w m + (1 - w) r with y. */
static double correlation_at(double w, const sow_i_products *p, double kept)
{
    const double length = w * w * kept * p->mm + 2 * w * (1 - w) * p->mr + (1 - w) * (1 - w) * p->rr;
    return length > 0 && p->yy > 0 ? (w * p->my + (1 - w) * p->ry) / sqrt(length * p->yy) : 0;
}

static double mean_correlation_at(double w, const sow_i_products *each, sow_index n, double kept)
{
    double sum = 0;
    for (sow_index g = 0; g < n; g++) sum += correlation_at(w, &each[g], kept);
    return sum / (double)n;
}

double sow_i_stack_weight(const sow_i_products *each, sow_index n, double kept)
{
    double best = 1, most = n > 0 ? mean_correlation_at(1, each, n, kept) : 1;
    for (int k = 99; k >= 0 && n > 0; k--) {
        const double c = mean_correlation_at(k / 100., each, n, kept);
        if (c > most) most = c, best = k / 100.;
    }
    return best;
}

/* Sum over items of |r_i - x e_i|, from products of r_i and e_i: distances, not squares, so that a strong item is one of many. */
static double distance_left(double x, const double *products, sow_index n)
{
    double sum = 0;
    for (sow_index i = 0; i < n; i++) sum += sqrt(fmax(products[3 * i] - 2 * x * products[3 * i + 1] + x * x * products[3 * i + 2], 0));
    return sum;
}

/* The x in [0, 1] that leaves least: golden section on a convex function. */
double sow_i_best_share(const double *products, sow_index n)
{
    const double golden = 0.6180339887498949;
    double low = 0, high = 1, a = high - golden, b = low + golden;
    double fa = distance_left(a, products, n), fb = distance_left(b, products, n);
    for (int step = 0; step < 24; step++) {
        if (fa < fb) {
            high = b, b = a, fb = fa;
            a = high - golden * (high - low);
            fa = distance_left(a, products, n);
        } else {
            low = a, a = b, fa = fb;
            b = low + golden * (high - low);
            fb = distance_left(b, products, n);
        }
    }
    return 0.5 * (low + high);
}
