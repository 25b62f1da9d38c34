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

Test(baselines, control_predicts_no_change_whatever_was_measured)
{
    sow_index p[] = {0, 1, 2, 3}, c[] = {0, 0, 0, 1};
    double y[] = {1, 2, 6, 100}, var;
    sow_training t = {.n = 4, .n_features = 1, .n_contexts = 2, .perturbation = p, .context = c, .y = y};
    NEAR(predict_one("control", &t, 0, 0, &var), 0, 0);
    NEAR(var, 41.0 / 3, 1e-12); /* about 0, not about the mean */
    NEAR(predict_one("control", &t, 7, 1, NULL), 0, 0);
}

Test(baselines, source_shift_is_the_mean_of_the_other_contexts_and_nothing_where_there_is_none)
{
    /*          context 0     context 1     context 2
     * p0       10            1             3          elsewhere 2: left 8
     * p1       9             3             .          elsewhere 3: left 6
     * p2       .             4             6          elsewhere 5
     * p3       20            .             .          not elsewhere */
    sow_index p[] = {0, 0, 0, 1, 1, 2, 2, 3}, c[] = {0, 1, 2, 0, 1, 1, 2, 0};
    double y[] = {10, 1, 3, 9, 3, 4, 6, 20}, var;
    sow_training t = {.n = 8, .n_features = 1, .n_contexts = 3, .perturbation = p, .context = c, .y = y};
    NEAR(predict_one("source-shift", &t, 2, 0, &var), 5.0, 1e-14);
    NEAR(var, (64.0 + 36) / 2, 1e-12);
    NEAR(predict_one("source-shift", &t, 0, 0, NULL), 2.0, 1e-14);
    NEAR(predict_one("source-shift", &t, 0, 1, NULL), 6.5, 1e-14);
    NEAR(predict_one("source-shift", &t, 3, 0, &var), 0, 0);
    NEAR(var, (100.0 + 81 + 400) / 3, 1e-12);
    NEAR(predict_one("source-shift", &t, 6, 0, NULL), 0, 0);
}

/* Agents A B C D at positions 0 1 2 3 alone (3: D at dose 2); 4 = A+B, 5 = A+C, 6 = A+D at dose 2, 7 = B+D at dose 1. */
typedef struct {
    char text[4][2];
    char *agent[8][2];
    double dose[8][2];
    sow_perturbation detail[8];
    sow_names *names;
} pairs;

static void pairs_make(pairs *k)
{
    static const int second[8] = {-1, -1, -1, -1, 1, 2, 3, 3}, first[8] = {0, 1, 2, 3, 0, 0, 0, 1};
    memset(k, 0, sizeof *k);
    OK(sow_names_create(&k->names, err));
    for (int i = 0; i < 4; i++) k->text[i][0] = (char)('A' + i);
    for (int i = 0; i < 8; i++) {
        char name[2] = {(char)('a' + i), 0};
        k->agent[i][0] = k->text[first[i]];
        k->dose[i][0] = first[i] == 3 ? 2 : (double)NAN;
        k->agent[i][1] = second[i] < 0 ? NULL : k->text[second[i]];
        k->dose[i][1] = i == 6 ? 2 : i == 7 ? 1 : (double)NAN;
        k->detail[i] = (sow_perturbation){second[i] < 0 ? 1 : 2, k->agent[i], k->dose[i]};
        OK(sow_names_add(k->names, name, NULL, err));
    }
}

Test(baselines, additive_adds_up_the_singles_of_the_same_context_then_of_others_then_the_mean)
{
    pairs k;
    pairs_make(&k);
    /* context 0: A 1, B 10, D(2) 1000; context 1: A 50, C 100; C is not measured in 0 */
    sow_index p[] = {0, 1, 3, 0, 2}, c[] = {0, 0, 0, 1, 1};
    double y[] = {1, 10, 1000, 50, 100}, mean = 1011.0 / 3, var;
    sow_training t = {.n = 5, .n_features = 1, .n_contexts = 2, .perturbation = p, .context = c, .y = y, .detail = k.detail, .catalogue = k.names};
    NEAR(predict_one("additive", &t, 4, 0, &var), 11, 1e-12);
    double spread = ((1 - mean) * (1 - mean) + (10 - mean) * (10 - mean) + (1000 - mean) * (1000 - mean)) / 2 * (4.0 / 3);
    NEAR(var, 2 * spread, 1e-6); /* no combination measured: the spread of a response, twice */
    NEAR(predict_one("additive", &t, 5, 0, NULL), 101, 1e-12);        /* C only elsewhere */
    NEAR(predict_one("additive", &t, 6, 0, NULL), 1001, 1e-12);       /* D at the same dose */
    NEAR(predict_one("additive", &t, 7, 0, NULL), 10 + mean, 1e-10);  /* D at another dose is measured nowhere */
    NEAR(predict_one("additive", &t, 4, 1, NULL), 60, 1e-12);         /* context 1: its own A, B from context 0 */
    NEAR(predict_one("additive", &t, 0, 0, &var), mean, 1e-10);       /* a single, even a measured one */
    NEAR(var, spread, 1e-6);
    t.detail = NULL;
    NEAR(predict_one("additive", &t, 4, 0, NULL), mean, 1e-10);
    t.detail = k.detail, t.catalogue = NULL;
    NEAR(predict_one("additive", &t, 4, 0, NULL), mean, 1e-10);
    sow_names_destroy(k.names);
}

Test(baselines, additive_learns_its_spread_from_measured_combinations)
{
    pairs k;
    pairs_make(&k);
    sow_index p[] = {0, 1, 2, 4, 5}, c[5] = {0};
    double y[] = {1, 2, 3, 3.5, 3}, var;
    sow_training t = {.n = 5, .n_features = 1, .n_contexts = 1, .perturbation = p, .context = c, .y = y, .detail = k.detail, .catalogue = k.names};
    NEAR(predict_one("additive", &t, 4, 0, &var), 3, 1e-12); /* its own row does not enter */
    NEAR(var, (0.25 + 1) / 2, 1e-12);
    sow_names_destroy(k.names);
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
