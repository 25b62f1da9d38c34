/* Limited memory BFGS: Nocedal & Wright, Numerical Optimization, 2nd ed. 2006, algorithm 7.4 (two loops); the line search
 * doubles and bisects to the weak Wolfe conditions (Lewis & Overton 2013, algorithm 2.6). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/gp/gp_internal.h"

enum { PAIRS = 8, STEPS = 20, PATIENCE = 4 };
static const double SUFFICIENT = 1e-4, CURVATURE = 0.9, LONGEST_FIRST = 1.0;

typedef struct {
    sow_index n, used;       /* pairs kept, the oldest at 0 */
    double *s, *y, *rho;     /* [PAIRS, n] [PAIRS, n] [PAIRS] */
    double *x, *g, *direction, *trial, *trial_g;
    double f;
    sow_objective objective;
    void *user;
    sow_index evaluations;
} state;

/* direction = -H g by the two loops; H0 scaled by the newest pair, at first so that no parameter moves by more than LONGEST_FIRST. */
static void find_direction(state *z)
{
    double a[PAIRS], scale = 1;
    for (sow_index i = 0; i < z->n; i++) z->direction[i] = -z->g[i];
    for (sow_index k = z->used - 1; k >= 0; k--) {
        a[k] = z->rho[k] * sow_dot(z->n, z->s + k * z->n, z->direction);
        sow_axpy(z->n, -a[k], z->y + k * z->n, z->direction);
    }
    if (z->used > 0) {
        const double *y = z->y + (z->used - 1) * z->n;
        scale = 1.0 / (z->rho[z->used - 1] * sow_dot(z->n, y, y));
    } else {
        double most = 0;
        for (sow_index i = 0; i < z->n; i++) most = fmax(most, fabs(z->g[i]));
        if (most > LONGEST_FIRST) scale = LONGEST_FIRST / most;
    }
    for (sow_index i = 0; i < z->n; i++) z->direction[i] *= scale;
    for (sow_index k = 0; k < z->used; k++) {
        double b = z->rho[k] * sow_dot(z->n, z->y + k * z->n, z->direction);
        sow_axpy(z->n, a[k] - b, z->s + k * z->n, z->direction);
    }
}

static sow_status evaluate(state *z, const double *x, double *f, double *g, sow_error *err)
{
    sow_status st = z->objective(z->user, x, f, g, err);
    z->evaluations++;
    if (isnan(*f)) *f = INFINITY;
    return st;
}

/* f and gradient at x + step * direction, into trial and trial_g. */
static sow_status try_step(state *z, double step, double *f, sow_error *err)
{
    for (sow_index i = 0; i < z->n; i++) z->trial[i] = z->x[i] + step * z->direction[i];
    return evaluate(z, z->trial, f, z->trial_g, err);
}

/* A step with sufficient decrease and, in the first PATIENCE trials, enough curvature: doubling until bracketed, then bisection.
 * *found = 0 when none was met in STEPS trials; else the accepted point is in trial, trial_g and *f. */
static sow_status line_search(state *z, double *f, int *found, sow_error *err)
{
    sow_status st = SOW_OK;
    double low = 0, high = INFINITY, step = 1, slope = sow_dot(z->n, z->g, z->direction);
    *found = 0;
    for (int k = 0; k < STEPS && !*found; k++) {
        SOW_TRY(try_step(z, step, f, err));
        if (!(*f <= z->f + SUFFICIENT * step * slope))
            high = step;
        else if (k < PATIENCE && sow_dot(z->n, z->trial_g, z->direction) < CURVATURE * slope)
            low = step;
        else
            *found = 1;
        step = isfinite(high) ? 0.5 * (low + high) : 2 * step;
    }
    if (!*found && low > 0) { /* a gain without the curvature is still a gain */
        *found = 1;
        SOW_TRY(try_step(z, low, f, err));
    }
done:
    return st;
}

/* Keep the newest PAIRS pairs of positive curvature. */
static void remember(state *z)
{
    sow_index n = z->n;
    double sy = 0, ss = 0;
    for (sow_index i = 0; i < n; i++) {
        double s = z->trial[i] - z->x[i], y = z->trial_g[i] - z->g[i];
        sy += s * y;
        ss += s * s;
    }
    if (!(sy > 1e-10 * ss)) return;
    if (z->used == PAIRS) {
        memmove(z->s, z->s + n, (size_t)((PAIRS - 1) * n) * sizeof(double));
        memmove(z->y, z->y + n, (size_t)((PAIRS - 1) * n) * sizeof(double));
        memmove(z->rho, z->rho + 1, (PAIRS - 1) * sizeof(double));
        z->used--;
    }
    for (sow_index i = 0; i < n; i++) {
        z->s[z->used * n + i] = z->trial[i] - z->x[i];
        z->y[z->used * n + i] = z->trial_g[i] - z->g[i];
    }
    z->rho[z->used++] = 1.0 / sy;
}

/* One iteration; *gain = the decrease, 0 when there is none to be had. */
static sow_status iterate(state *z, double *gain, sow_error *err)
{
    sow_status st = SOW_OK;
    double f;
    int found;
    *gain = 0;
    find_direction(z);
    if (!(sow_dot(z->n, z->g, z->direction) < 0)) goto done;
    SOW_TRY(line_search(z, &f, &found, err));
    if (!found) {
        if (z->used == 0) goto done;
        z->used = 0; /* the memory misled: once more along the gradient */
        find_direction(z);
        SOW_TRY(line_search(z, &f, &found, err));
        if (!found) goto done;
    }
    remember(z);
    *gain = z->f - f;
    z->f = f;
    memcpy(z->x, z->trial, (size_t)z->n * sizeof(double));
    memcpy(z->g, z->trial_g, (size_t)z->n * sizeof(double));
done:
    return st;
}

sow_status sow_i_lbfgs(double *x, sow_index n, sow_objective objective, void *user, sow_index iterations, double tolerance,
                       sow_lbfgs_result *result, sow_error *err)
{
    sow_status st = SOW_OK;
    state z = {.n = n, .x = x, .objective = objective, .user = user};
    double *block = NULL;
    sow_index done_iterations = 0;
    SOW_NEW(block, n * (2 * PAIRS + 4) + PAIRS);
    z.s = block;
    z.y = z.s + PAIRS * n;
    z.g = z.y + PAIRS * n;
    z.direction = z.g + n;
    z.trial = z.direction + n;
    z.trial_g = z.trial + n;
    z.rho = z.trial_g + n;
    SOW_TRY(evaluate(&z, z.x, &z.f, z.g, err));
    if (!isfinite(z.f)) SOW_FAIL(err, SOW_E_NO_CONVERGE, "the marginal likelihood is not finite at the starting parameters");
    while (done_iterations < iterations) {
        double gain;
        SOW_TRY(iterate(&z, &gain, err));
        if (!(gain > 0)) break;
        done_iterations++;
        if (gain <= tolerance * fmax(1.0, fabs(z.f))) break;
    }
    if (result) *result = (sow_lbfgs_result){done_iterations, z.evaluations, z.f};
done:
    free(block);
    return st;
}
