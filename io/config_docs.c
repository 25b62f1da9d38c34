/* docs/config.md from the table of keys. */
#include "io/config_internal.h"

#include "io/file.h"

#include <stdlib.h>
#include <string.h>

static const char introduction[] =
    "# The campaign file\n"
    "\n"
    "This page is written from the table in `io/config_keys.c`; a test keeps the two equal. `sower init` writes a commented file "
    "with\n"
    "every key, `sower check` reads one and tells what it found.\n"
    "\n"
    "- The file is YAML (UTF-8, indented with spaces). Anchors, aliases, tags and a second document are refused.\n"
    "- A key that is left out, or is `null`, takes its default. `[]` after a key marks a list of mappings.\n"
    "- Where a list of names or numbers is expected, one value alone is a list of one. Numbers are written without quotes.\n"
    "- A file name is relative to the folder of the campaign file.\n"
    "- An unknown key, a wrong type, a value out of range or a key given twice is reported as `file:line:column` with what is "
    "allowed and the\n"
    "  nearest spelling; all problems at once, exit code 2, nothing written.\n"
    "- `--set key.path=value` replaces or adds one value from the command line and is checked the same way: `--set seed=2`,\n"
    "  `--set data.sources[0].role=reference`, `--set \"rounds.batches=[4, 4]\"`. `[n]` with n the present length adds an entry.\n";

static void append_cell(sow_text *t, const char *s)
{
    for (const char *p = s; *p; p++)
        sow_text_printf(t, *p == '|' ? "\\%c" : "%c", *p);
}

static void append_allowed(sow_text *t, const sow_i_key *key)
{
    char *allows = sow_i_key_allows(key), *aliases = key->aliases ? sow_i_words(key->aliases) : NULL;
    if (!allows || (key->aliases && !aliases))
        t->failed = 1;
    else
        append_cell(t, allows);
    if (key->unit) sow_text_printf(t, " (%s)", key->unit);
    if (aliases) sow_text_printf(t, "; also %s", aliases);
    free(allows);
    free(aliases);
}

void sow_i_docs_row(sow_text *t, const sow_i_key *key)
{
    sow_text_printf(t, "| `%s` | ", key->path);
    append_allowed(t, key);
    sow_text_append(t, " | ");
    if (key->flags & SOW_KEY_REQUIRED)
        sow_text_append(t, strchr(key->path, '.') ? "required with its group" : "required");
    else if (key->standard_is)
        append_cell(t, key->standard_is);
    else if (key->standard)
        sow_text_printf(t, "`%s`", key->standard);
    else
        sow_text_append(t, "not given");
    sow_text_append(t, " | ");
    append_cell(t, key->sentence);
    sow_text_append(t, " |\n");
}

sow_status sow_config_reference(char **out, sow_error *err)
{
    sow_text t = {0};
    sow_index n = 0;
    int in_table = 0;
    const sow_i_key *keys = sow_i_keys(&n);
    *out = NULL;
    sow_text_append(&t, introduction);
    for (sow_index i = 0; i < n; i++) {
        int top = !strchr(keys[i].path, '.'), group = keys[i].type == SOW_KEY_MAPPING || keys[i].type == SOW_KEY_LIST;
        if (keys[i].type == SOW_KEY_UNSUPPORTED) continue;
        if (top && group) {
            sow_text_printf(&t, "\n## %s\n\n%s%s\n", keys[i].path, keys[i].sentence,
                            keys[i].flags & SOW_KEY_REQUIRED ? " Required." : "");
            in_table = 0;
        }
        if (!in_table) {
            if (i == 0) sow_text_append(&t, "\n## At the top\n");
            sow_text_append(&t, "\n| key | value | default | meaning |\n|---|---|---|---|\n");
            in_table = 1;
        }
        if (!(top && group)) sow_i_docs_row(&t, &keys[i]);
    }
    if (t.failed) {
        sow_text_clear(&t);
        return SOW_ERROR(err, SOW_E_NOMEM, "out of memory writing the reference of keys");
    }
    *out = t.text;
    return SOW_OK;
}
