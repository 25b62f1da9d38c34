/* How well predictive variances of responses are calibrated. The campaign has measured all its perturbations; every context is taken for new in turn, `seeds` random perturbations of it are given to the model, and all
 * others of it are predicted. Over perturbations and genes: the mean Gaussian negative log density of the measurement, the share inside the central 90 % interval, and the root mean squares of error and of the
 * predicted standard deviation, which are alike where variances are right; then the rank correlation, over perturbations, of squared error and variance.
 * usage: bench_calibration CAMPAIGN.yaml SEEDS DRAWS MODEL [KEY=VALUE ...] */
#include <stdio.h>

#include "bench/machine.h"
#include "core/rng.h"
#include "core/stats.h"
#include "planner/campaign_internal.h"

typedef struct {
    double nll, inside, error, variance, rank, numbers, fits;
} sums;

/* All rows of other contexts, `seeds` of the target; the others of it are left over. */
static sow_index choose(sow_training *t, const sow_training *all, sow_index target, sow_index seeds, uint32_t draw, sow_index *left, sow_index *perturbation, sow_index *context, double *y)
{
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, draw, (uint32_t)target);
    sow_index n = 0, *row = memory((size_t)all->n, sizeof *row);
    const size_t width = (size_t)all->n_features;
    *t = *all;
    t->n = 0;
    t->target = target;
    for (sow_index i = 0; i < all->n; i++)
        if (all->context[i] == target) row[n++] = i;
    sow_rng_permute(&rng, row, n);
    for (sow_index i = 0; i < all->n; i++) {
        int keep = all->context[i] != target;
        for (sow_index s = 0; s < seeds && s < n; s++) keep |= row[s] == i;
        if (!keep) continue;
        perturbation[t->n] = all->perturbation[i];
        context[t->n] = all->context[i];
        memcpy(y + (size_t)t->n++ * width, all->y + (size_t)i * width, width * sizeof *y);
    }
    for (sow_index i = seeds; i < n; i++) left[i - seeds] = row[i];
    t->perturbation = perturbation;
    t->context = context;
    t->y = y;
    t->cells = NULL;
    t->cells_of = NULL;
    t->response = NULL;
    free(row);
    return n > seeds ? n - seeds : 0;
}

static void judge(sums *s, const sow_model *model, const sow_training *all, const sow_index *left, sow_index n, sow_index target)
{
    sow_error err = {0};
    const sow_index d = all->n_features;
    double *mean = memory((size_t)(n * d), sizeof *mean), *var = memory((size_t)(n * d), sizeof *var), *noise = memory((size_t)(n * d), sizeof *noise), *error = memory((size_t)n, sizeof *error), *doubt = memory((size_t)n, sizeof *doubt);
    sow_index *q = memory((size_t)n, sizeof *q), *c = memory((size_t)n, sizeof *c);
    for (sow_index i = 0; i < n; i++) q[i] = all->perturbation[left[i]], c[i] = target;
    const sow_query query = {.n = n, .perturbation = q, .context = c};
    check(sow_model_predict(model, &query, mean, var, noise, NULL, &err), &err);
    for (sow_index i = 0; i < n * d; i++) {
        const double v = var[i] + noise[i], e = all->y[left[i / d] * d + i % d] - mean[i];
        s->nll += 0.5 * (log(2 * 3.14159265358979323846 * v) + e * e / v);
        s->inside += fabs(e) <= 1.6448536269514722 * sqrt(v);
        s->error += e * e;
        s->variance += v;
        s->numbers++;
        error[i / d] += e * e;
        doubt[i / d] += var[i];
    }
    double rank = 0;
    check(sow_spearman(&rank, error, doubt, n, &err), &err);
    s->rank += rank;
    s->fits++;
    free(mean), free(var), free(noise), free(error), free(doubt), free(q), free(c);
}

int main(int argc, char **argv)
{
    sow_error err = {0};
    sow_config *config = NULL;
    sow_campaign *c = NULL;
    char *problems = NULL;
    const sow_model_class *class_ = NULL;
    sums s = {0};
    if (argc < 5) return fprintf(stderr, "usage: bench_calibration CAMPAIGN.yaml SEEDS DRAWS MODEL [KEY=VALUE ...]\n"), 2;
    if (sow_config_read(&config, &problems, argv[1], (const char *const *)argv + 5, argc - 5, &err) != SOW_OK) return fprintf(stderr, "%s\n", problems ? problems : err.message), 1;
    const sow_campaign_options open = {.mode = SOW_CAMPAIGN_READ};
    check(sow_campaign_open(&c, config, &open, NULL, &err), &err);
    check(sow_i_training_ready(c, NULL, &err), &err);
    check(sow_model_find(&class_, argv[4], &err), &err);
    const sow_training *all = &c->here->training.view;
    const sow_model_options o = sow_i_model_options(c);
    sow_index *left = memory((size_t)all->n, sizeof *left), *perturbation = memory((size_t)all->n, sizeof *left), *context = memory((size_t)all->n, sizeof *left);
    double *y = memory((size_t)(all->n * all->n_features), sizeof *y);
    for (sow_index target = 0; target < all->n_contexts; target++)
        for (int draw = 0; draw < atoi(argv[3]); draw++) {
            sow_training t;
            sow_model *model = NULL;
            const sow_index n = choose(&t, all, target, atoi(argv[2]), (uint32_t)draw, left, perturbation, context, y);
            if (n == 0) continue;
            check(sow_model_fit(&model, class_, &t, &o, NULL, &err), &err);
            judge(&s, model, all, left, n, target);
            sow_model_destroy(model);
        }
    printf("%-10s %3s seeds: nll %.3f  coverage90 %.3f  error %.4f  predicted sd %.4f  rank correlation of error and variance %.3f\n", argv[4], argv[2], s.nll / s.numbers, s.inside / s.numbers, sqrt(s.error / s.numbers),
           sqrt(s.variance / s.numbers), s.rank / s.fits);
    free(left), free(perturbation), free(context), free(y);
    sow_campaign_abandon(c);
    sow_config_destroy(config);
    return 0;
}
