/* make_report IN.json OUT.html: the report of a document (one with worlds: of an allocation), for looking at and for scripts/check-report. */
#include "io/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_all(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    long size = f && fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    if (size >= 0 && fseek(f, 0, SEEK_SET) == 0) text = calloc((size_t)size + 1, 1);
    if (text && fread(text, 1, (size_t)size, f) != (size_t)size) {
        free(text);
        text = NULL;
    }
    if (f) fclose(f);
    return text;
}

int main(int argc, char **argv)
{
    sow_error err = {0};
    char *json = argc == 3 ? read_all(argv[1]) : NULL;
    if (!json) {
        fprintf(stderr, "usage: make_report IN.json OUT.html\n");
        return 2;
    }
    sow_status st = strstr(json, "\"worlds\"") ? sow_report_write_allocation(argv[2], json, &err) : sow_report_write(argv[2], json, &err);
    if (st != SOW_OK) fprintf(stderr, "%s\n", err.message);
    free(json);
    return st != SOW_OK;
}
