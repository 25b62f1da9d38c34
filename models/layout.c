/* A graph in two dimensions, as UMAP lays it out (McInnes, Healy & Melville 2018, sections 3.2 and 4.1).
 *
 * Nodes at distance d are as near as q = 1 / (1 + a d^2b). Epoch by epoch, with steps that shrink to nothing, an edge is drawn as often as its weight says; its ends go up the gradient of log q, and for
 * every edge drawn each of a few random nodes pushes one end up the gradient of log(1 - q). a and b are UMAP's for min_dist .1, spread 1. One after the other: a step sees what the one before did. */
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "core/rng.h"
#include "models/neighbours.h"

static const double A = 1.5769434, B = 0.8950609, MOST_STEP = 4, SPREAD = 10, FIRST_RATE = 1;
enum { EPOCHS_OF_FEW = 500, EPOCHS_OF_MANY = 200, MANY = 10000, PUSHES = 5 };

static double clipped(double x)
{
    return x > MOST_STEP ? MOST_STEP : x < -MOST_STEP ? -MOST_STEP : x;
}

/* Centred, the wider coordinate with a standard deviation of SPREAD / 4, and a little noise: nodes at one place would never part. */
static void begin(double *xy, sow_index n, sow_rng *rng)
{
    double mean[2] = {0}, square[2] = {0};
    for (sow_index i = 0; i < 2 * n; i++) mean[i % 2] += xy[i] / (double)n;
    for (sow_index i = 0; i < 2 * n; i++) square[i % 2] += (xy[i] - mean[i % 2]) * (xy[i] - mean[i % 2]) / (double)n;
    const double sd = sqrt(fmax(square[0], square[1])), scale = sd > 0 ? SPREAD / 4 / sd : 0;
    for (sow_index i = 0; i < 2 * n; i++) xy[i] = (xy[i] - mean[i % 2]) * scale + 1e-3 * sow_rng_normal(rng);
}

static void attract(double *one, double *other, double rate)
{
    const double dx = one[0] - other[0], dy = one[1] - other[1], square = dx * dx + dy * dy;
    if (!(square > 0)) return;
    const double power = pow(square, B), slope = -2 * A * B * power / square / (1 + A * power);
    const double x = rate * clipped(slope * dx), y = rate * clipped(slope * dy);
    one[0] += x, one[1] += y;
    other[0] -= x, other[1] -= y;
}

static void push(double *one, const double *other, double rate)
{
    const double dx = one[0] - other[0], dy = one[1] - other[1], square = dx * dx + dy * dy;
    if (!(square > 0)) return;
    const double slope = 2 * B / ((.001 + square) * (1 + A * pow(square, B)));
    one[0] += rate * clipped(slope * dx);
    one[1] += rate * clipped(slope * dy);
}

/* How often an edge is drawn in an epoch: its weight beside the heaviest of one of its ends, whichever is more, so that every node has an edge that is drawn each time (UMAP's local connectivity). By weight
 * alone, nodes far from all others would stay where they began. */
static sow_status find_shares(double *share, const sow_graph *g, sow_error *err)
{
    sow_status st = SOW_OK;
    double *heaviest = NULL;
    SOW_NEW(heaviest, g->n);
    for (sow_index k = 0; k < 2 * g->n_edges; k++) heaviest[g->end[k]] = fmax(heaviest[g->end[k]], g->weight[k / 2]);
    for (sow_index e = 0; e < g->n_edges; e++) share[e] = g->weight[e] / fmin(heaviest[g->end[2 * e]], heaviest[g->end[2 * e + 1]]);
done:
    free(heaviest);
    return st;
}

/* An edge gains its share every epoch, and is drawn when that has come to one. */
static void run_epoch(double *xy, const sow_graph *g, double *due, const double *share, double rate, sow_rng *rng)
{
    for (sow_index e = 0; e < g->n_edges; e++) {
        due[e] += share[e];
        if (due[e] < 1) continue;
        due[e] -= 1;
        const int turned = (int)(sow_rng_u32(rng) & 1); /* either end is the one that is pushed */
        double *one = &xy[2 * g->end[2 * e + turned]], *other = &xy[2 * g->end[2 * e + !turned]];
        attract(one, other, rate);
        for (int k = 0; k < PUSHES; k++) {
            const sow_index far = (sow_index)(((uint64_t)sow_rng_u32(rng) * (uint64_t)g->n) >> 32);
            if (&xy[2 * far] != one) push(one, &xy[2 * far], rate);
        }
    }
}

sow_status sow_graph_layout(double *xy, const sow_graph *g, uint64_t seed, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const int epochs = g->n > MANY ? EPOCHS_OF_MANY : EPOCHS_OF_FEW;
    sow_rng rng = sow_rng_make(seed, SOW_RNG_LAYOUT, 0, 0);
    double *due = NULL, *share = NULL;
    SOW_NEW(due, g->n_edges);
    SOW_NEW(share, g->n_edges);
    SOW_TRY(find_shares(share, g, err));
    begin(xy, g->n, &rng);
    for (int epoch = 0; epoch < epochs; epoch++) {
        SOW_TRY(sow_progress(env, "laying out the map", (double)epoch / epochs, err));
        run_epoch(xy, g, due, share, FIRST_RATE * (1 - (double)epoch / epochs), &rng);
    }
    SOW_TRY(sow_progress(env, "laying out the map", 1, err));
done:
    free(due);
    free(share);
    return st;
}
