/* Baselines by hand. */
#include "fixture.h"

/* Fit by name and predict `perturbation` in `context`; var may be NULL. */
static double predict_one(const char *name, const sow_training *t, sow_index perturbation, sow_index context, double *var)
{
    const sow_model_class *c = NULL;
    sow_model *m = NULL;
    sow_model_options o = SOW_MODEL_OPTIONS_INIT;
    sow_query q = {.n = 1, .perturbation = &perturbation, .context = &context};
    double mean, v, noise;
    o.neighbours = 2;
    OK(sow_model_find(&c, name, err));
    OK(sow_model_fit(&m, c, t, &o, NULL, err));
    OK(sow_model_predict(m, &q, &mean, &v, &noise, NULL, err));
    if (var) *var = v + noise;
    sow_model_destroy(m);
    return mean;
}

/* One dense prior in one dimension at 0, 1, 2, ... */
typedef struct {
    double x[8];
    unsigned char has[8];
    sow_prior prior;
    sow_prior_set set;
} line;

static void line_make(line *l)
{
    for (int i = 0; i < 8; i++) {
        l->x[i] = i;
        l->has[i] = i != 7;
    }
    l->x[7] = 0;
    l->prior = (sow_prior){.name = "line", .kind = SOW_PRIOR_DENSE, .n_items = 8, .dim = 1, .has = l->has, .x = l->x};
    l->set = (sow_prior_set){.n_items = 8, .n_priors = 1, .priors = &l->prior, .fused_dim = 1, .fused = l->x, .has_any = l->has};
}

Test(baselines, train_mean_is_the_mean_of_the_target_only)
{
    sow_index p[] = {0, 1, 2, 3}, c[] = {0, 0, 0, 1};
    double y[] = {1, 2, 6, 100}, var;
    sow_training t = {.n = 4, .n_features = 1, .n_contexts = 2, .perturbation = p, .context = c, .y = y};
    NEAR(predict_one("train-mean", &t, 7, 0, &var), 3.0, 1e-15);
    NEAR(var, 7.0 * (1 + 1.0 / 3), 1e-12);
}

Test(baselines, two_way_adds_the_shift_of_shared_perturbations)
{
    /*          context 0     context 1     context 2
     * p0       10            1             3     elsewhere 2, 10 - 2 = 8
     * p1       9             3             .     elsewhere 3,  9 - 3 = 6     shift 7
     * p2       .             4             6     elsewhere 5 -> 12
     * p3       20            .             .     not elsewhere: not in the shift; context mean 13 */
    sow_index p[] = {0, 0, 0, 1, 1, 2, 2, 3}, c[] = {0, 1, 2, 0, 1, 1, 2, 0};
    double y[] = {10, 1, 3, 9, 3, 4, 6, 20}, var;
    sow_training t = {.n = 8, .n_features = 1, .n_contexts = 3, .perturbation = p, .context = c, .y = y};
    NEAR(predict_one("two-way", &t, 2, 0, &var), 12.0, 1e-14);
    NEAR(var, 2.0 * 1.5, 1e-12); /* residuals +1 and -1 */
    NEAR(predict_one("two-way", &t, 3, 0, NULL), 13.0, 1e-14);
    NEAR(predict_one("two-way", &t, 5, 0, NULL), 13.0, 1e-14);
    /* in context 1: p0 elsewhere (10 + 3) / 2, shift from p0, p1, p2: (1 - 6.5 + 3 - 9 + 4 - 6) / 3 */
    NEAR(predict_one("two-way", &t, 3, 1, NULL), 20.0 - 13.5 / 3, 1e-13);
}

Test(baselines, two_way_alone_in_its_context_is_the_mean)
{
    sow_index p[] = {0, 1}, c[] = {0, 0};
    double y[] = {1, 3};
    sow_training t = {.n = 2, .n_features = 1, .n_contexts = 1, .perturbation = p, .context = c, .y = y};
    NEAR(predict_one("two-way", &t, 0, 0, NULL), 2.0, 1e-15);
}

Test(baselines, linear_follows_a_line_and_leaves_the_unknown_at_the_mean)
{
    line l;
    line_make(&l);
    sow_index p[] = {0, 1, 2, 3, 5}, c[5] = {0};
    double y[] = {1, 3, 5, 7, 11}, var;
    sow_training t = {.n = 5, .n_features = 1, .n_contexts = 1, .perturbation = p, .context = c, .y = y, .priors = &l.set};
    NEAR(predict_one("linear", &t, 4, 0, &var), 9.0, 0.01);
    cr_assert(var < 0.01);
    NEAR(predict_one("linear", &t, 6, 0, NULL), 13.0, 0.03);
    NEAR(predict_one("linear", &t, 7, 0, NULL), 5.4, 1e-12);
}

Test(baselines, linear_without_a_slope_has_the_leave_one_out_variance_of_a_mean)
{
    line l;
    line_make(&l);
    for (int i = 0; i < 8; i++) l.x[i] = 4; /* nothing to tell them apart */
    sow_index p[] = {0, 1, 2, 3}, c[4] = {0};
    double y[] = {1, 2, 4, 9}, var;
    sow_training t = {.n = 4, .n_features = 1, .n_contexts = 1, .perturbation = p, .context = c, .y = y, .priors = &l.set};
    NEAR(predict_one("linear", &t, 5, 0, &var), 4.0, 1e-12);
    NEAR(var, (9 + 4 + 0 + 25) / 4.0 * (4.0 / 3) * (4.0 / 3), 1e-9);
}

Test(baselines, linear_uses_target_rows_only)
{
    line l;
    line_make(&l);
    sow_index p[] = {0, 1, 2, 3, 4, 5}, c[] = {0, 0, 0, 0, 1, 1};
    double y[] = {0, 1, 2, 3, -50, -60};
    sow_training t = {.n = 6, .n_features = 1, .n_contexts = 2, .perturbation = p, .context = c, .y = y, .priors = &l.set};
    NEAR(predict_one("linear", &t, 4, 0, NULL), 4.0, 0.01);
}

Test(baselines, knn_weighs_the_nearest_by_distance)
{
    line l;
    line_make(&l);
    sow_index p[] = {0, 1, 4, 6}, c[4] = {0};
    double y[] = {0, 10, 40, 60}, var;
    sow_training t = {.n = 4, .n_features = 1, .n_contexts = 1, .perturbation = p, .context = c, .y = y, .priors = &l.set};
    NEAR(predict_one("knn", &t, 3, 0, &var), (40.0 / 1 + 10.0 / 2) / 1.5, 1e-9); /* 4 at distance 1, 1 at distance 2 */
    NEAR(predict_one("knn", &t, 4, 0, NULL), 40.0, 1e-12);                       /* sits on a measured one */
    NEAR(predict_one("knn", &t, 7, 0, NULL), 27.5, 1e-12);                       /* no prior */
    double loo[] = {(10.0 + 40 / 4.0) / 1.25, (0.0 + 40 / 3.0) / (1 + 1 / 3.0), (10 / 3.0 + 60 / 2.0) / (1 / 3.0 + 0.5), (40 / 2.0 + 10 / 5.0) / 0.7};
    double expected = 0;
    for (int i = 0; i < 4; i++) expected += (y[i] - loo[i]) * (y[i] - loo[i]) / 4;
    NEAR(var, expected, 1e-9);
}

Test(baselines, knn_takes_the_lower_perturbation_at_equal_distance)
{
    line l;
    line_make(&l);
    sow_index p[] = {5, 1, 6}, c[3] = {0};
    double y[] = {50, 10, 60};
    sow_training t = {.n = 3, .n_features = 1, .n_contexts = 1, .perturbation = p, .context = c, .y = y, .priors = &l.set};
    const sow_model_class *k = NULL;
    sow_model *m = NULL;
    sow_model_options o = SOW_MODEL_OPTIONS_INIT;
    sow_index ask = 3, zero = 0;
    sow_query q = {.n = 1, .perturbation = &ask, .context = &zero};
    double mean;
    o.neighbours = 1;
    OK(sow_model_find(&k, "knn", err));
    OK(sow_model_fit(&m, k, &t, &o, NULL, err));
    OK(sow_model_predict(m, &q, &mean, NULL, NULL, NULL, err));
    NEAR(mean, 10.0, 1e-12);
    sow_model_destroy(m);
}
