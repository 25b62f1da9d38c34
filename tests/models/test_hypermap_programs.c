/* Gene programs whose activity a context sets. */
#include "core/linalg.h"
#include "models/hypermap/programs.h"
#include "hypermap_world.h"

TestSuite(programs);

static sow_error err;
#define OK(call) cr_assert_eq((call), SOW_OK, "%s", err.message)
#define NEAR(a, b, tolerance) cr_assert_float_eq((a), (b), (tolerance), "%.10g is not near %.10g", (double)(a), (double)(b))

/* Rows of the known contexts, in genes. */
typedef struct {
    world w;
    double z[WORLD_MOST * WORLD_D];
    sow_index context[WORLD_MOST], item[WORLD_MOST];
    sow_programs_data d;
} rows;

static void rows_make(rows *x, sow_index seeds, double noise, int with_prior)
{
    world_make(&x->w, seeds, noise, with_prior);
    x->d = (sow_programs_data){.k = WORLD_D, .contexts = WORLD_CONTEXTS - 1, .items = WORLD_ITEMS, .z = x->z, .context = x->context, .item = x->item};
    for (sow_index i = 0; i < x->w.n; i++) {
        if (x->w.context[i] == 0) continue;
        memcpy(x->z + x->d.n * WORLD_D, x->w.y + i * WORLD_D, WORLD_D * sizeof(double));
        x->context[x->d.n] = x->w.context[i] - 1;
        x->item[x->d.n++] = x->w.perturbation[i];
    }
    if (with_prior) x->d.prior_dim = WORLD_PRIOR, x->d.prior = x->w.prior, x->d.has_prior = x->w.has;
}

/* x = A^-1 b by elimination with pivoting; b [n, m] becomes x. */
static void solve(double *a, double *b, int n, int m)
{
    for (int c = 0; c < n; c++) {
        int best = c;
        for (int r = c + 1; r < n; r++)
            if (fabs(a[r * n + c]) > fabs(a[best * n + c])) best = r;
        for (int j = 0; j < n; j++) { double s = a[c * n + j]; a[c * n + j] = a[best * n + j]; a[best * n + j] = s; }
        for (int j = 0; j < m; j++) { double s = b[c * m + j]; b[c * m + j] = b[best * m + j]; b[best * m + j] = s; }
        for (int r = 0; r < n; r++) {
            if (r == c) continue;
            const double f = a[r * n + c] / a[c * n + c];
            for (int j = 0; j < n; j++) a[r * n + j] -= f * a[c * n + j];
            for (int j = 0; j < m; j++) b[r * m + j] -= f * b[c * m + j];
        }
    }
    for (int r = 0; r < n; r++)
        for (int j = 0; j < m; j++) b[r * m + j] /= a[r * n + r];
}

enum { MOST_ROWS = (WORLD_CONTEXTS - 1) * WORLD_D };

/* What an item's loadings are given its rows, by conditioning the joint normal distribution of rows and loadings: mean [rank], cov [rank, rank]. */
static void naive_posterior(double *mean, double *cov, const sow_programs *p, const sow_programs_data *d, sow_index item, const double *said)
{
    static double f[MOST_ROWS * WORLD_D], joint[MOST_ROWS * MOST_ROWS], right[MOST_ROWS * (WORLD_D + 1)];
    const int rank = (int)p->rank;
    int n = 0;
    memset(joint, 0, sizeof joint);
    for (sow_index i = 0; i < d->n; i++) {
        if (d->item[i] != item) continue;
        const sow_index c = d->context[i];
        for (int g = 0; g < WORLD_D; g++, n++) {
            double rest = d->z[i * WORLD_D + g] - p->mean[c * WORLD_D + g];
            for (int r = 0; r < rank; r++) {
                f[n * rank + r] = p->activity[c * rank + r] * p->program[r * WORLD_D + g];
                rest -= f[n * rank + r] * said[r];
                right[n * (rank + 1) + r] = f[n * rank + r] * p->spread[r];
            }
            right[n * (rank + 1) + rank] = rest;
        }
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            joint[i * n + j] = i == j ? p->noise : 0;
            for (int r = 0; r < rank; r++) joint[i * n + j] += f[i * rank + r] * p->spread[r] * f[j * rank + r];
        }
    solve(joint, right, n, rank + 1);
    for (int r = 0; r < rank; r++) {
        mean[r] = said[r];
        for (int i = 0; i < n; i++) mean[r] += p->spread[r] * f[i * rank + r] * right[i * (rank + 1) + rank];
        for (int s = 0; s < rank; s++) {
            cov[r * rank + s] = r == s ? p->spread[r] : 0;
            for (int i = 0; i < n; i++) cov[r * rank + s] -= p->spread[r] * f[i * rank + r] * right[i * (rank + 1) + s];
        }
    }
}

static void said_of(double *said, const sow_programs *p, const double *prior, int has)
{
    for (sow_index r = 0; r < p->rank; r++) {
        said[r] = 0;
        for (sow_index j = 0; j < p->prior_dim && has; j++) said[r] += (prior[j] - p->prior_mean[j]) * p->from_prior[j * p->rank + r];
    }
}

Test(programs, loadings_are_what_conditioning_a_normal_distribution_says)
{
    static rows x;
    for (int with_prior = 0; with_prior < 2; with_prior++) {
        sow_programs p;
        rows_make(&x, 10, 0.4, with_prior);
        OK(sow_programs_fit(&p, &x.d, 5, 7, NULL, &err));
        cr_assert_eq(p.rank, 5);
        cr_assert_eq(p.prior_dim, with_prior ? WORLD_PRIOR : 0);
        for (sow_index q = 0; q < WORLD_ITEMS; q += 7) {
            double mean[WORLD_D], cov[WORLD_D * WORLD_D], said[WORLD_D];
            said_of(said, &p, x.w.prior + q * WORLD_PRIOR, x.w.has[q]);
            naive_posterior(mean, cov, &p, &x.d, q, said);
            for (sow_index r = 0; r < p.rank; r++) NEAR(p.loading[q * p.rank + r], mean[r], 1e-7);
        }
        sow_programs_clear(&p);
    }
}

/* The mean of the responses is off by the same in all of them, with a variance `shared`. */
static void check_activities(double shared)
{
    static rows x;
    sow_programs p;
    enum { N = 9 };
    static double b[N][WORLD_D], cov[N][WORLD_D * WORLD_D];
    double z[N * WORLD_D], a[WORLD_D], left[WORLD_D * WORLD_D] = {0}, right[WORLD_D] = {0}, said[WORLD_D] = {0}, precision[N * N], unit[N * N];
    sow_index item[N];
    rows_make(&x, N, 0.4, 0);
    OK(sow_programs_fit(&p, &x.d, 4, 7, NULL, &err));
    const int rank = (int)p.rank;
    for (sow_index i = 0; i < N; i++) {
        item[i] = i;
        naive_posterior(b[i], cov[i], &p, &x.d, i, said);
        for (int g = 0; g < WORLD_D; g++) z[i * WORLD_D + g] = x.w.y[i * WORLD_D + g] - 0.5 * sin(g); /* the new context's rows come first */
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) precision[i * N + j] = (i == j ? p.noise : 0) + shared, unit[i * N + j] = i == j;
    solve(precision, unit, N, N);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            for (int r = 0; r < rank; r++)
                for (int g = 0; g < WORLD_D; g++) {
                    right[r] += unit[i * N + j] * b[i][r] * p.program[r * WORLD_D + g] * z[j * WORLD_D + g];
                    for (int s = 0; s < rank; s++) left[r * rank + s] += unit[i * N + j] * (b[i][r] * b[j][s] + (i == j) * cov[i][r * rank + s]) * p.program[r * WORLD_D + g] * p.program[s * WORLD_D + g];
                }
    for (int r = 0; r < rank; r++) {
        double typical = 0;
        for (int c = 0; c < WORLD_CONTEXTS - 1; c++) typical += p.activity[c * rank + r] / (WORLD_CONTEXTS - 1);
        left[r * rank + r] += 1 / (p.tau * p.tau);
        right[r] += typical / (p.tau * p.tau);
    }
    double precise[WORLD_D * WORLD_D], covariance[WORLD_D * WORLD_D], expected[WORLD_D * WORLD_D];
    memcpy(precise, left, sizeof precise);
    for (int r = 0; r < rank * rank; r++) expected[r] = r % (rank + 1) == 0;
    solve(precise, expected, rank, rank);
    solve(left, right, rank, 1);
    OK(sow_programs_adapt(a, covariance, &p, z, item, N, shared, &err));
    for (int r = 0; r < rank; r++) NEAR(a[r], right[r], 1e-7);
    for (int r = 0; r < rank * rank; r++) NEAR(covariance[r], expected[r], 1e-9); /* the inverse of the precision that dense conditioning adds up */
    OK(sow_programs_adapt(a, NULL, &p, NULL, NULL, 0, shared, &err));
    for (int r = 0; r < rank; r++) NEAR(a[r], 1, 0.35); /* what is typical: scaled to 1, but for programs whose mean activity is near 0 */
    sow_programs_clear(&p);
}

Test(programs, activities_of_a_new_context_are_the_most_likely_ones)
{
    check_activities(0);
    check_activities(0.3);
}

/* L of L L' = a [n, n]. */
static void factor(double *l, const double *a, int n)
{
    memcpy(l, a, sizeof *l * (size_t)(n * n));
    OK(sow_cholesky(NULL, n, l, n, &err));
}

/* By draws: activities from N(a, cov), loadings from their posterior by dense conditioning, products of both. */
Test(programs, what_an_item_moves_varies_as_draws_of_activities_and_loadings_do)
{
    static rows x;
    sow_programs p;
    enum { DRAWS = 200000, RANK = 4 };
    rows_make(&x, 8, 0.4, 0);
    OK(sow_programs_fit(&p, &x.d, RANK, 7, NULL, &err));
    for (sow_index q = 3; q < WORLD_ITEMS; q += WORLD_ITEMS - 4) { /* the last is measured nowhere else */
        double a[RANK] = {1.2, -0.7, 0.1, 2}, spread[RANK * RANK], c[RANK * RANK], b[WORLD_D], cov[WORLD_D * WORLD_D], la[RANK * RANK], lb[RANK * RANK], sum[RANK] = {0}, square[RANK * RANK] = {0}, said[WORLD_D] = {0};
        for (int r = 0; r < RANK * RANK; r++) spread[r] = (r % (RANK + 1) == 0 ? 0.3 : 0.05);
        naive_posterior(b, cov, &p, &x.d, q, said);
        factor(la, spread, RANK);
        factor(lb, cov, RANK);
        OK(sow_programs_covariance(c, &p, a, spread, q, &err));
        sow_rng rng = sow_rng_make(5, SOW_RNG_TEST, 0, (uint32_t)q);
        for (int i = 0; i < DRAWS; i++) {
            double u[RANK], v[RANK], product[RANK];
            for (int r = 0; r < RANK; r++) u[r] = sow_rng_normal(&rng), v[r] = sow_rng_normal(&rng);
            for (int r = 0; r < RANK; r++) {
                double act = a[r], load = b[r];
                for (int s = 0; s <= r; s++) act += la[r * RANK + s] * u[s], load += lb[r * RANK + s] * v[s];
                sum[r] += (product[r] = act * load) / DRAWS;
            }
            for (int r = 0; r < RANK * RANK; r++) square[r] += product[r / RANK] * product[r % RANK] / DRAWS;
        }
        for (int r = 0; r < RANK * RANK; r++) {
            const double scale = sqrt(c[r / RANK * (RANK + 1)] * c[r % RANK * (RANK + 1)]);
            NEAR(square[r] - sum[r / RANK] * sum[r % RANK], c[r], 0.03 * scale);
        }
    }
    sow_programs_clear(&p);
}

/* Programs in the order of the world's, by the largest product of directions. */
static void match(int at[WORLD_PROGRAMS], const sow_programs *p, const world *w)
{
    for (int r = 0; r < WORLD_PROGRAMS; r++) {
        double most = 0;
        for (sow_index s = 0; s < p->rank; s++) {
            double product = 0, length = 0;
            for (int g = 0; g < WORLD_D; g++) {
                product += p->program[s * WORLD_D + g] * w->program[r][g];
                length += w->program[r][g] * w->program[r][g];
            }
            if (fabs(product) / sqrt(length) > most) most = fabs(product) / sqrt(length), at[r] = (int)s;
        }
        cr_assert_gt(most, 0.97, "program %d is found (%.3f)", r, most);
    }
}

Test(programs, finds_which_programs_a_context_scales_loses_and_flips)
{
    static rows x;
    sow_programs p;
    int at[WORLD_PROGRAMS];
    rows_make(&x, 10, 0.05, 0);
    OK(sow_programs_fit(&p, &x.d, WORLD_PROGRAMS, 60, NULL, &err));
    match(at, &p, &x.w);
    for (int r = 0; r < WORLD_PROGRAMS; r++) {
        double mean = 0;
        for (int c = 1; c < WORLD_CONTEXTS; c++) mean += x.w.activity[c][r] / (WORLD_CONTEXTS - 1);
        for (int c = 1; c < WORLD_CONTEXTS; c++) NEAR(p.activity[(c - 1) * p.rank + at[r]], x.w.activity[c][r] / mean, 0.12);
    }
    cr_assert_lt(sqrt(p.noise), 0.08);
    sow_programs_clear(&p);
}

Test(programs, priors_speak_of_what_is_measured_nowhere)
{
    static rows x;
    sow_programs p;
    double typical[WORLD_D], said[WORLD_D], r = 0;
    const sow_index q = WORLD_ITEMS - 1; /* in no known context */
    for (int informative = 0; informative < 2; informative++) {
        rows_make(&x, 10, 0.2, 1);
        sow_rng rng = sow_rng_make(5, SOW_RNG_TEST, 1, 0);
        for (int k = 0; k < WORLD_ITEMS * WORLD_PRIOR && !informative; k++) x.w.prior[k] = x.w.has[k / WORLD_PRIOR] ? sow_rng_normal(&rng) : 0;
        OK(sow_programs_fit(&p, &x.d, WORLD_PROGRAMS, 40, NULL, &err));
        cr_assert_eq(p.start[q + 1], p.start[q]);
        OK(sow_programs_adapt(typical, NULL, &p, NULL, NULL, 0, 0, &err));
        sow_programs_response(said, &p, typical, q);
        double truth[WORLD_D] = {0}, length = 0;
        for (int g = 0; g < WORLD_D; g++) {
            for (int c = 1; c < WORLD_CONTEXTS; c++) truth[g] += (x.w.truth[c][q][g] - 0.5 * sin(c * 7 + g)) / (WORLD_CONTEXTS - 1);
            length += said[g] * said[g];
        }
        r = sow_pearson(said, truth, WORLD_D);
        if (informative) cr_assert(r > 0.9 && sow_programs_knows(&p, q), "Pearson %.3f", r);
        else cr_assert_lt(sqrt(length), 1.2, "a prior that knows nothing is hardly believed: %.3f", sqrt(length));
        sow_programs_clear(&p);
    }
    rows_make(&x, 10, 0.2, 0);
    OK(sow_programs_fit(&p, &x.d, WORLD_PROGRAMS, 5, NULL, &err));
    cr_assert(!sow_programs_knows(&p, q) && sow_programs_knows(&p, 0));
    sow_programs_clear(&p);
}

Test(programs, come_back_from_an_archive_bit_for_bit_or_not_at_all)
{
    static rows x;
    sow_programs p, q;
    sow_archive a = {0};
    rows_make(&x, 10, 0.2, 1);
    OK(sow_programs_fit(&p, &x.d, 3, 4, NULL, &err));
    OK(sow_programs_save(&a, &p, &err));
    OK(sow_programs_load(&q, &a, &err));
    cr_assert(q.rank == 3 && memcmp(p.loading, q.loading, (size_t)(p.items * 3) * sizeof(double)) == 0 && memcmp(p.activity, q.activity, (size_t)(p.contexts * 3) * sizeof(double)) == 0 && p.noise == q.noise);
    sow_programs_clear(&q);
    const int64_t wrong[] = {p.contexts, p.items + 1, p.k, p.rank, p.prior_dim, p.steps};
    OK(sow_archive_put(&a, "programs/sizes", SOW_ARCHIVE_I64, wrong, 6, 1, &err));
    cr_assert_eq(sow_programs_load(&q, &a, &err), SOW_E_DATA);
    cr_assert_not_null(strstr(err.message, "programs/loading"), "%s", err.message);
    sow_programs_clear(&p);
    sow_archive_clear(&a);
}

Test(programs, need_two_responses_that_differ)
{
    static rows x;
    sow_programs p;
    rows_make(&x, 10, 0.2, 0);
    x.d.n = 1;
    cr_assert_eq(sow_programs_fit(&p, &x.d, 3, 4, NULL, &err), SOW_E_DATA);
    sow_programs_clear(&p);
    rows_make(&x, 10, 0.2, 0);
    memset(x.z, 0, sizeof x.z);
    cr_assert_eq(sow_programs_fit(&p, &x.d, 3, 4, NULL, &err), SOW_E_DATA);
    cr_assert_not_null(strstr(err.message, "the same"), "%s", err.message);
    sow_programs_clear(&p);
}

Test(programs, leak_nothing_when_memory_runs_out)
{
    static rows x;
    rows_make(&x, 10, 0.2, 1);
    for (sow_index k = 0;; k++) {
        sow_programs p;
        sow_memory_fail_after(k);
        const sow_status st = sow_programs_fit(&p, &x.d, 3, 2, NULL, &err);
        sow_memory_fail_after(-1);
        sow_programs_clear(&p);
        if (st == SOW_OK) break;
        cr_assert_eq(st, SOW_E_NOMEM, "allocation %d: %s", (int)k, err.message);
    }
}
