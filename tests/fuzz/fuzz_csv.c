/* A text table: its cells as text and numbers, as a list of names, and as a source of a campaign. The first byte says how the source is described; the rest is
 * the file. */
#include "fuzz.h"

#include "io/source.h"
#include "io/table.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A cell that is read as a finite number is the number that strtod reads. */
static void check_number(const sow_table *t, sow_index row, sow_index column)
{
    sow_error err = {0};
    double x = 0;
    sow_status st = sow_table_number(&x, t, row, column, &err);
    fuzz_answer(st, &err);
    if (st != SOW_OK || !isfinite(x)) return;
    double same = strtod(sow_table_cell(t, row, column), NULL);
    fuzz_must(memcmp(&x, &same, sizeof x) == 0, "a number is read as strtod reads it");
}

static void read_table(const char *path)
{
    sow_error err = {0};
    sow_table *t = NULL;
    sow_status st = sow_table_read(&t, path, &err);
    fuzz_answer(st, &err);
    fuzz_must((st == SOW_OK) == (t != NULL), "a table exactly on success");
    if (!t) return;
    sow_index column = 0;
    size_t bytes = 0;
    fuzz_must(sow_table_n_columns(t) > 0, "a table has columns");
    for (sow_index j = 0; j < sow_table_n_columns(t); j++)
        fuzz_must(sow_table_column(&column, t, sow_table_column_name(t, j), &err) == SOW_OK && column == j, "a column is found by its name");
    for (sow_index i = 0; i < sow_table_n_rows(t); i++)
        for (sow_index j = 0; j < sow_table_n_columns(t); j++) {
            bytes += strlen(sow_table_cell(t, i, j));
            check_number(t, i, j);
        }
    if (sow_table_column(&column, t, "no such column", &err) != SOW_OK) fuzz_must(err.status == SOW_E_DATA && bytes < SIZE_MAX, "an absent column is SOW_E_DATA");
    sow_table_destroy(t);
}

static void read_list(const char *path)
{
    sow_error err = {0};
    sow_names *names = NULL;
    fuzz_answer(sow_file_read_list(&names, path, &err), &err);
    sow_names_destroy(names);
}

static void read_sources(const char *path, unsigned how)
{
    static const char *const transforms[] = {"none", "log1p", "sqrt", "rank"};
    static const char *adjust[] = {"log(cells)", "log(batch)"}, *keep[] = {"A"};
    const char *transform = transforms[how >> 6 & 3];
    sow_readout_spec readout = {.kind = how & 1 ? SOW_READOUT_PROFILE : SOW_READOUT_SCALAR, .column = "effect", .adjust_for = adjust};
    readout.transform = readout.kind == SOW_READOUT_SCALAR && strcmp(transform, "rank") == 0 ? "abs" : transform;
    readout.n_adjust = how & 2 ? 2 : 0;
    if (how & 4) readout.hit_column = "hit", readout.or_hit_column = "effect";
    sow_source source = {.file = path, .role = SOW_ROLE_TARGET, .perturbation_column = "gene", .control = "ctrl", .separator = "+",
                         .duplicates_allowed = how >> 4 & 1};
    if (how & 8) source.context_column = "context";
    if (how & 32) source.cells_column = "cells", source.dose_column = "dose", source.n_keep_contexts = how >> 3 & 1, source.keep_contexts = keep;
    sow_source two[2] = {source, source};
    two[1].context = "B", two[1].context_column = NULL, two[1].n_keep_contexts = 0, two[1].names_only = how >> 5 & 1;
    sow_error err = {0};
    sow_screen *screen = NULL;
    sow_dropped dropped = {0};
    sow_status st = sow_sources_read(&screen, &dropped, two, 1 + (how >> 4 & 1), &readout, NULL, &err);
    fuzz_answer(st, &err);
    fuzz_must((st == SOW_OK) == (screen != NULL), "a screen exactly on success");
    sow_screen_destroy(screen);
    sow_dropped_clear(&dropped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    const char *path = fuzz_file("table.csv", data + 1, size - 1);
    read_table(path);
    read_list(path);
    read_sources(path, data[0]);
    return 0;
}
