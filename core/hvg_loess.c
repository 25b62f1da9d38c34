/* Local regression in one dimension. Symbols: q = a vertex, h = distance to the k-th nearest point, w = (1 - (|x - q| / h)^3)^3, u = (x - q) / h; at q the value is
 * b0 and the slope b1 / h of the weighted least squares b0 + b1 u + b2 u^2. Between two vertices: the cubic that has both values and both slopes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/hvg.h"
#include "core/memory.h"

typedef struct {
    double x, y;
    sow_index i;
} point;

typedef struct {
    double at, value, slope;
} vertex;

typedef struct {
    sow_index n, k, cell; /* points, points of a neighbourhood, most points of a cell */
    point *p;             /* [n] by x */
    vertex *v;            /* [n_vertices] by place once all are there */
    sow_index n_vertices, capacity;
} loess;

static int by_x(const void *pa, const void *pb)
{
    const point *a = pa, *b = pb;
    if (a->x != b->x) return a->x < b->x ? -1 : 1;
    return a->i < b->i ? -1 : a->i > b->i;
}

static int by_place(const void *pa, const void *pb)
{
    const vertex *a = pa, *b = pb;
    return a->at < b->at ? -1 : a->at > b->at;
}

static sow_status add_vertex(loess *l, double at, sow_error *err)
{
    sow_status st = sow_grow(&l->v, &l->capacity, l->n_vertices + 1, sizeof *l->v, err);
    if (st == SOW_OK) l->v[l->n_vertices++].at = at;
    return st;
}

/* The last point of the lower half: the middle one, or the nearest to it that differs from the point after it. */
static sow_index middle(const loess *l, sow_index first, sow_index last)
{
    const sow_index m = (first + last + 2) / 2 - 1; /* places are counted from 1 where this comes from */
    sow_index away = 0;
    while (m + away < last && m + away >= first) {
        if (l->p[m + away].x != l->p[m + away + 1].x) return m + away;
        away = away > 0 ? -away : 1 - away;
    }
    return m;
}

/* Cut the cell of points first .. last between the vertices at low and high until every part holds few enough. */
static sow_status cut_cell(loess *l, sow_index first, sow_index last, double low, double high, sow_error *err)
{
    sow_status st = SOW_OK;
    if (last - first + 1 <= l->cell) return SOW_OK;
    const sow_index m = middle(l, first, last);
    const double at = l->p[m].x;
    if (at == low || at == high) return SOW_OK;
    SOW_TRY(add_vertex(l, at, err));
    SOW_TRY(cut_cell(l, first, m, low, at, err));
    SOW_TRY(cut_cell(l, m + 1, last, at, high, err));
done:
    return st;
}

static sow_status make_vertices(loess *l, sow_error *err)
{
    sow_status st = SOW_OK;
    const double low = l->p[0].x, high = l->p[l->n - 1].x;
    const double margin = 0.005 * fmax(high - low, 1e-10 * fmax(fabs(low), fabs(high)) + 1e-30);
    SOW_TRY(add_vertex(l, low - margin, err));
    SOW_TRY(add_vertex(l, high + margin, err));
    SOW_TRY(cut_cell(l, 0, l->n - 1, low - margin, high + margin, err));
    qsort(l->v, (size_t)l->n_vertices, sizeof *l->v, by_place);
done:
    return st;
}

/* First of the k points nearest to q, at or behind `from`. Of equally near ones the later: a run of ties must not hold the window back. */
static sow_index neighbourhood(const loess *l, double q, sow_index from)
{
    while (from + l->k < l->n && fabs(l->p[from + l->k].x - q) <= fabs(l->p[from].x - q)) from++;
    return from;
}

/* Gram-Schmidt on the columns (1, u, u^2, y) weighted, one after another; `use` of them are independent. column [4][k]. */
static int make_orthogonal(double **column, sow_index k, double r[4][4])
{
    int used = 0;
    for (int a = 0; a < 3; a++) {
        double before = 0, norm = 0;
        for (int b = 0; b < a; b++) r[b][a] = 0;
        for (sow_index i = 0; i < k; i++) before += column[a][i] * column[a][i];
        for (int b = 0; b < used; b++) {
            double dot = 0;
            for (sow_index i = 0; i < k; i++) dot += column[b][i] * column[a][i];
            for (sow_index i = 0; i < k; i++) column[a][i] -= dot * column[b][i];
            r[b][a] = dot;
        }
        for (sow_index i = 0; i < k; i++) norm += column[a][i] * column[a][i];
        if (!(sqrt(norm) > 1e-13 * sqrt(before))) break; /* u^2 is of no use without u */
        r[a][a] = sqrt(norm);
        for (sow_index i = 0; i < k; i++) column[a][i] /= r[a][a];
        used++;
    }
    return used;
}

/* Tricube weights' square roots and places u of the points around v. Points that are all equally far away count alike. */
static void weigh(double *w, double *u, double at, double *h, const point *p, sow_index k)
{
    double sum = 0;
    *h = fmax(fabs(p[0].x - at), fabs(p[k - 1].x - at));
    if (!(*h > 0)) *h = 1; /* all points are at the vertex */
    for (sow_index i = 0; i < k; i++) {
        u[i] = (p[i].x - at) / *h;
        const double a = fabs(u[i]), t = 1 - a * a * a;
        w[i] = sqrt(t > 0 ? t * t * t : 0);
        sum += w[i];
    }
    for (sow_index i = 0; !(sum > 0) && i < k; i++) w[i] = 1;
}

static void fit_vertex(vertex *v, const point *p, sow_index k, double **column)
{
    double r[4][4] = {{0}}, b[3] = {0}, h;
    weigh(column[0], column[1], v->at, &h, p, k);
    for (sow_index i = 0; i < k; i++) {
        const double w = column[0][i], u = column[1][i];
        column[1][i] = w * u;
        column[2][i] = w * u * u;
        column[3][i] = w * p[i].y;
    }
    const int used = make_orthogonal(column, k, r);
    for (int a = 0; a < used; a++) {
        double dot = 0;
        for (sow_index i = 0; i < k; i++) dot += column[a][i] * column[3][i];
        for (sow_index i = 0; i < k; i++) column[3][i] -= dot * column[a][i];
        r[a][3] = dot;
    }
    for (int a = used - 1; a >= 0; a--) {
        b[a] = r[a][3];
        for (int c = a + 1; c < used; c++) b[a] -= r[a][c] * b[c];
        b[a] /= r[a][a];
    }
    v->value = b[0];
    v->slope = b[1] / h;
}

static sow_status fit_vertices(loess *l, sow_error *err)
{
    sow_status st = SOW_OK;
    double *room = NULL, *column[4];
    sow_index from = 0;
    SOW_NEW(room, 4 * l->k);
    for (int a = 0; a < 4; a++) column[a] = room + a * l->k;
    for (sow_index i = 0; i < l->n_vertices; i++) {
        from = neighbourhood(l, l->v[i].at, from);
        fit_vertex(&l->v[i], l->p + from, l->k, column);
    }
done:
    free(room);
    return st;
}

static double blend(const vertex *low, const vertex *high, double x)
{
    const double width = high->at - low->at, h = (x - low->at) / width, left = 1 - h;
    return left * left * (1 + 2 * h) * low->value + h * h * (3 - 2 * h) * high->value + (h * left * left * low->slope - h * h * left * high->slope) * width;
}

sow_status sow_loess(double *fitted, const double *x, const double *y, sow_index n, double span, sow_error *err)
{
    sow_status st = SOW_OK;
    loess l = {.n = n};
    if (n < 1 || !(span > 0 && span <= 1)) SOW_FAIL(err, SOW_E_ARG, "local regression of %lld points with span %g", (long long)n, span);
    SOW_NEW(l.p, n);
    for (sow_index i = 0; i < n; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i])) SOW_FAIL(err, SOW_E_NONFINITE, "point %lld of a local regression is not finite", (long long)i);
        l.p[i] = (point){x[i], y[i], i};
    }
    qsort(l.p, (size_t)n, sizeof *l.p, by_x);
    l.k = (sow_index)floor((double)n * span + 1e-5);
    if (l.k < 4) l.k = n < 4 ? n : 4; /* a quadratic with nothing left over would follow every point */
    l.cell = (sow_index)floor((double)n * (span * 0.2));
    if (l.cell < 1) l.cell = 1;
    SOW_TRY(make_vertices(&l, err));
    SOW_TRY(fit_vertices(&l, err));
    for (sow_index i = 0, v = 1; i < n; i++) {
        while (v + 1 < l.n_vertices && l.p[i].x > l.v[v].at) v++;
        fitted[l.p[i].i] = blend(&l.v[v - 1], &l.v[v], l.p[i].x);
    }
done:
    free(l.p);
    free(l.v);
    return st;
}
