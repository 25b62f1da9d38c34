/* Settings inside a file: keys of the campaign with their values, turned into the text that --set takes, so that one reader checks both. */
#include "io/config_internal.h"

#include "core/memory.h"
#include "io/file.h"

#include <stdlib.h>
#include <string.h>

static void append_quoted(sow_text *t, const char *text)
{
    sow_text_append(t, "\"");
    for (const char *p = text; *p; p++) {
        const unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\') sow_text_printf(t, "\\%c", c);
        else if (c < 32) sow_text_printf(t, "\\x%02x", c);
        else sow_text_printf(t, "%c", c);
    }
    sow_text_append(t, "\"");
}

/* A value as YAML flow. Plain words stay plain, for quotes would make text of a number; those that cannot stand plain inside brackets are text anyway. */
static void append_value(sow_text *t, const sow_i_node *node, int inside)
{
    if (node->kind == SOW_NODE_SCALAR) {
        if (node->quoted || (inside && strpbrk(node->text, ",[]{}#:&*!|>'\"%@`"))) append_quoted(t, node->text);
        else sow_text_append(t, node->text);
        return;
    }
    const int list = node->kind == SOW_NODE_SEQUENCE;
    sow_text_append(t, list ? "[" : "{");
    for (const sow_i_node *c = node->first; c; c = c->next) {
        if (!list) {
            append_quoted(t, c->key);
            sow_text_append(t, ": ");
        }
        append_value(t, c, 1);
        sow_text_append(t, c->next ? ", " : "");
    }
    sow_text_append(t, list ? "]" : "}");
}

static sow_index count_leaves(const sow_i_node *node)
{
    sow_index n = 0;
    for (const sow_i_node *c = node->first; c; c = c->next)
        n += c->kind == SOW_NODE_MAPPING && c->n > 0 ? count_leaves(c) : 1;
    return n;
}

static void add_leaves(sow_i_reader *r, sow_setting *out, sow_index *n, const char *prefix, const sow_i_node *node)
{
    for (const sow_i_node *c = node->first; c && !r->failed; c = c->next) {
        sow_text t = {0};
        sow_text_printf(&t, "%s%s%s", prefix, *prefix ? "." : "", c->key);
        if (c->kind == SOW_NODE_MAPPING && c->n > 0) {
            if (!t.failed) add_leaves(r, out, n, t.text, c);
        } else {
            sow_text_append(&t, "=");
            append_value(&t, c, 0);
            char *kept = t.failed ? NULL : sow_i_arena_text(r->arena, t.text, t.size);
            if (kept) out[(*n)++] = (sow_setting){kept, c->line, c->column};
            else r->failed = 1;
        }
        if (t.failed) r->failed = 1;
        sow_text_clear(&t);
    }
}

void sow_i_settings_of(sow_i_reader *r, sow_setting **out, sow_index *n, const sow_i_node *node)
{
    const sow_index most = node->kind == SOW_NODE_MAPPING ? count_leaves(node) : 0;
    *n = 0;
    *out = most ? sow_i_arena_new(r->arena, (size_t)most * sizeof **out) : NULL;
    if (most && !*out) r->failed = 1;
    else if (most) add_leaves(r, *out, n, "", node);
}
