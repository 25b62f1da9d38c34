#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "io/file.h"
#include "io/inspect.h"

static const char *const kind_names[] = {[SOW_COLUMN_STRING] = "text", [SOW_COLUMN_NUMBER] = "number", [SOW_COLUMN_BOOL] = "yes/no"};

static void print_text(const sow_inspection *in)
{
    printf("%s: %s, %lld x %lld\n%s\n", in->path, sow_file_kind_name(in->kind), (long long)in->rows, (long long)in->width, in->summary);
    if (in->n_columns > 0) printf("\n%-36s %-7s %9s %8s  %-22s %s\n", "column", "type", "distinct", "missing", "example", "looks like");
    for (sow_index i = 0; i < in->n_columns; i++) {
        const sow_inspect_column *c = &in->column[i];
        printf("%-36s %-7s %9lld %8lld  %-22.22s %s\n", c->name, kind_names[c->kind], (long long)c->distinct, (long long)c->missing, c->example, c->role);
    }
    if (in->readout_kind) printf("\nnext: sower init %s\n", in->path);
}

static json_t *text_or_null(const char *s)
{
    return s ? json_string(s) : json_null();
}

static int print_json(const sow_inspection *in)
{
    json_t *columns = json_array();
    for (sow_index i = 0; i < in->n_columns; i++) {
        const sow_inspect_column *c = &in->column[i];
        json_array_append_new(columns, json_pack("{s:o,s:s,s:I,s:I,s:o,s:s}", "name", text_or_null(c->name), "type", kind_names[c->kind], "distinct",
                                                 (json_int_t)c->distinct, "missing", (json_int_t)c->missing, "example", text_or_null(c->example),
                                                 "role", c->role));
    }
    json_t *j = json_pack("{s:o,s:s,s:I,s:I,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:I}", "file", text_or_null(in->path), "kind", sow_file_kind_name(in->kind), "rows",
                          (json_int_t)in->rows, "width", (json_int_t)in->width, "summary", in->summary, "columns", columns, "readout_kind",
                          text_or_null(in->readout_kind), "perturbation_column", text_or_null(in->perturbation_column), "control",
                          text_or_null(in->control), "readout_column", text_or_null(in->readout_column), "cells_column",
                          text_or_null(in->cells_column), "perturbations", (json_int_t)in->n_perturbations);
    char *text = j ? json_dumps(j, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
    json_decref(j);
    if (!text) {
        fprintf(stderr, "error: out of memory\n");
        return EXIT_FAILED;
    }
    puts(text);
    free(text);
    return EXIT_DONE;
}

int cmd_inspect(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    sow_inspection *in = NULL;
    int code = EXIT_DONE;
    (void)env;
    const char *file = args->positional[0];
    sow_status st = sow_file_exists(file) ? sow_inspect_file(&in, file, &err) : SOW_ERROR(&err, SOW_E_DATA, "%s: no such file", file);
    if (st != SOW_OK) return cli_fail(&err);
    if (args->json) code = print_json(in);
    else print_text(in);
    sow_inspection_destroy(in);
    return code;
}
