#include "io/calibration.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static void name_file(const char *ending)
{
    snprintf(path, sizeof path, "calibration-%ld%s", (long)getpid(), ending);
}

static void write_text(const char *text)
{
    FILE *f = fopen(path, "w");
    cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static sow_calibration example(void)
{
    sow_error err = {0};
    sow_calibration c = {.depth_median = 1234.5, .depth_log_sd = 0.4, .n_batches = 2, .batch_effect = 0.1, .batch_depth = 0.05, .n_controls = 99, .n_perturbations = 3,
                         .length = {.1, .2, .3, .4, .5, .6, .7, .8}, .cells = {5, 6, 7, 8, 9, 10, 11}};
    cr_assert_eq(sow_baseline_init(&c.genes, 2, &err), SOW_OK);
    cr_assert_eq(sow_names_add(c.genes.genes, "A", NULL, &err), SOW_OK);
    cr_assert_eq(sow_names_add(c.genes.genes, "B", NULL, &err), SOW_OK);
    c.genes.share[0] = 0.25;
    c.genes.share[1] = 0.5;
    c.genes.size[0] = 2;
    c.genes.size[1] = 0.125;
    return c;
}

Test(calibration, comes_back_as_it_was_written)
{
    sow_error err = {0};
    sow_calibration a = example(), b;
    name_file(".json");
    cr_assert_eq(sow_calibration_write(path, &a, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(sow_calibration_read(&b, path, &err), SOW_OK, "%s", err.message);
    cr_assert(b.genes.n == 2 && b.genes.share[1] == 0.5 && b.genes.size[1] == 0.125 && strcmp(sow_names_get(b.genes.genes, 1), "B") == 0);
    cr_assert(b.depth_median == 1234.5 && b.depth_log_sd == 0.4 && b.n_batches == 2 && b.batch_effect == 0.1 && b.batch_depth == 0.05 && b.n_controls == 99 && b.n_perturbations == 3);
    cr_assert(memcmp(a.length, b.length, sizeof a.length) == 0 && memcmp(a.cells, b.cells, sizeof a.cells) == 0);
    sow_calibration_clear(&a);
    sow_calibration_clear(&b);
    unlink(path);
}

Test(calibration, may_be_a_table_of_a_measured_baseline)
{
    sow_error err = {0};
    sow_calibration c;
    name_file(".csv");
    write_text("response_id,relative_expression,expression_size\nENSG1,0.01,2\nENSG2,0.02,3\n");
    cr_assert_eq(sow_calibration_read(&c, path, &err), SOW_OK, "%s", err.message);
    cr_assert(c.genes.n == 2 && c.depth_median == 0 && c.n_perturbations == 0);
    sow_calibration_clear(&c);
    write_text("gene,share\nA,0.1\n");
    cr_assert_eq(sow_calibration_read(&c, path, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "response_id"), "%s", err.message);
    unlink(path);
}

Test(calibration, names_what_is_wrong_with_a_file)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"{", "not JSON"},
        {"{}", "not a calibration"},
        {"{\"sower_calibration\": 1}", "'genes' is missing"},
        {"{\"sower_calibration\": 1, \"genes\": [\"A\", \"A\"], \"share\": [0.1, 0.1], \"size\": [1, 1]}", "gene A is there twice"},
        {"{\"sower_calibration\": 1, \"genes\": [\"A\"], \"share\": [0.1, 0.1], \"size\": [1]}", "'share' must be a list of 1 numbers"},
        {"{\"sower_calibration\": 1, \"genes\": [\"A\"], \"share\": [2], \"size\": [1]}", "entry 1 of 'share'"},
        {"{\"sower_calibration\": 1, \"genes\": [\"A\"], \"share\": [0.5], \"size\": [0]}", "entry 1 of 'size'"},
        {"{\"sower_calibration\": 1, \"genes\": [\"A\"], \"share\": [0.5], \"size\": [1]}", "'depth_median' is missing"},
        {"{\"sower_calibration\": 1, \"genes\": [\"A\"], \"share\": [0.5], \"size\": [1], \"depth_median\": 100, \"depth_log_sd\": 9}", "'depth_log_sd' is 9"},
    };
    sow_calibration c;
    sow_error err = {0};
    name_file(".json");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text(bad[i].text);
        cr_assert_eq(sow_calibration_read(&c, path, &err), SOW_E_DATA, "%s", bad[i].text);
        cr_assert(strstr(err.message, bad[i].says) && strstr(err.message, path), "%s", err.message);
        cr_assert_eq(c.genes.n, 0);
    }
    unlink(path);
    cr_assert_eq(sow_calibration_read(&c, path, &err), SOW_E_IO);
}
