#include "io/baseline.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/memory.h"
#include "scratch.h"

TestSuite(baseline, .init = scratch_create, .fini = scratch_remove);

#define HEAD "response_id,relative_expression,expression_size\n"

Test(baseline, is_read_in_the_order_of_the_file)
{
    sow_baseline b;
    sow_error err = {0};
    scratch_write("b.csv", "note,expression_size,response_id,relative_expression\nx,2.5,G2,0.25\ny,1e-2,G1,1e-7\n");
    cr_assert_eq(sow_baseline_read(&b, scratch_path("b.csv"), &err), SOW_OK, "%s", err.message);
    cr_expect(b.n == 2 && strcmp(sow_names_get(b.genes, 0), "G2") == 0 && b.share[0] == 0.25 && b.size[0] == 2.5 && b.share[1] == 1e-7 && b.size[1] == 1e-2);
    cr_expect(b.umis != b.umis && b.n_cells == 0, "a file says nothing of cells");
    sow_baseline_clear(&b);
}

Test(baseline, of_a_wrong_file_says_what_and_where)
{
    static const char *const bad[][2] = {
        {"response_id,relative_expresion,expression_size\nG1,.1,1\n", "no column 'relative_expression'"},
        {"gene,relative_expression,expression_size\nG1,.1,1\n", "no column 'response_id'"},
        {HEAD, "no genes below the header"},
        {HEAD "G1,.1,1\nG1,.1,1\n", "b.csv:3: gene G1 stands on line 2 already"},
        {HEAD ",.1,1\n", "b.csv:2: response_id is empty"},
        {HEAD "G1,0,1\n", "b.csv:2: relative_expression of G1 is '0'"},
        {HEAD "G1,1.5,1\n", "relative_expression of G1 is '1.5'"},
        {HEAD "G1,.1,-2\n", "b.csv:2: expression_size of G1 is '-2'"},
        {HEAD "G1,.1,NA\n", "expression_size of G1 is 'NA'"},
        {HEAD "G1,.1,inf\n", "expression_size of G1 is 'inf'"},
        {HEAD "G1,many,1\n", "many"},
        {HEAD "G1,.9,1\nG2,.8,1\n", "relative_expression sums to 1.7"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sow_baseline b;
        sow_error err = {0};
        scratch_write("b.csv", bad[i][0]);
        cr_expect_eq(sow_baseline_read(&b, scratch_path("b.csv"), &err), SOW_E_DATA, "%zu", i);
        cr_expect(strstr(err.message, bad[i][1]) && b.n == 0, "%zu: %s", i, err.message);
    }
}

Test(baseline, leaves_nothing_when_memory_runs_out)
{
    sow_status st = SOW_E_NOMEM;
    scratch_write("b.csv", HEAD "G1,.1,1\nG2,.2,1\n");
    for (sow_index n = 0; st != SOW_OK; n++) {
        sow_baseline b;
        sow_error err = {0};
        sow_memory_fail_after(n);
        st = sow_baseline_read(&b, scratch_path("b.csv"), &err);
        sow_memory_fail_after(-1);
        cr_expect(st == SOW_OK ? b.n == 2 : st == SOW_E_NOMEM && b.n == 0, "allocation %lld", (long long)n);
        sow_baseline_clear(&b);
    }
}
