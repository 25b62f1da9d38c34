/* The table itself and the options every model shares. */
#include "fixture.h"

Test(model, is_found_by_name_and_by_alias)
{
    const sow_model_class *c = NULL;
    OK(sow_model_find(&c, "gp", err));
    cr_assert_str_eq(c->name, "gp");
    OK(sow_model_find(&c, "ridge", err));
    cr_assert_str_eq(c->name, "linear");
    OK(sow_model_find(&c, "two_way", err));
    cr_assert_str_eq(c->name, "two-way");
    OK(sow_model_find(&c, "source_shift", err));
    cr_assert_str_eq(c->name, "source-shift");
}

Test(model, suggests_the_nearest_name)
{
    const sow_model_class *c = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_model_find(&c, "linaer", &err), SOW_E_CONFIG);
    cr_assert_null(c);
    cr_assert(strstr(err.message, "'linear'"), "%s", err.message);
}

static void refuses(sow_model_options o, const char *says)
{
    fixture f = fixture_make(20, 10, 0, 1, 1);
    sow_index n;
    sow_model *m = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_model_fit(&m, sow_model_classes(&n)[0], fixture_training(&f), &o, NULL, &err), SOW_E_CONFIG);
    cr_assert_null(m);
    cr_assert(strstr(err.message, says), "%s", err.message);
    fixture_clear(&f);
}

Test(model, refuses_options_out_of_range_by_name)
{
    sow_model_options o = SOW_MODEL_OPTIONS_INIT, bad = o;
    bad.neighbours = 0;
    refuses(bad, "neighbours");
    bad = o, bad.iterations = -1;
    refuses(bad, "iterations");
    bad = o, bad.components = 0;
    refuses(bad, "components");
    bad = o, bad.kernel = "rbff";
    refuses(bad, "did you mean 'rbf'");
    bad = o, bad.transfer = "mena";
    refuses(bad, "did you mean 'mean'");
}

Test(model, destroying_nothing_is_fine)
{
    sow_model_destroy(NULL);
    sow_posterior_destroy(NULL);
}

Test(model, refuses_a_response_space_of_another_size)
{
    fixture f = fixture_make(20, 10, 0, 3, 1);
    sow_index n;
    sow_model *m = NULL;
    sow_pca pca = {.dim = 4, .n_components = 1};
    fixture_training(&f)->response = &pca;
    cr_assert_eq(sow_model_fit(&m, sow_model_classes(&n)[0], &f.training, NULL, NULL, NULL), SOW_E_SHAPE);
    fixture_clear(&f);
}
