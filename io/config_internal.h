/* Shared by the config_*.c files: the YAML tree with its marks, the arena, the list of problems. */
#ifndef SOWER_IO_CONFIG_INTERNAL_H
#define SOWER_IO_CONFIG_INTERNAL_H

#include "io/config.h"
#include "io/config_keys.h"
#include "io/file.h"

/* ---- arena: owns everything a sow_config points to */
typedef struct {
    void **block;
    sow_index n, capacity;
    /* file paths: what the configuration holds (resolved) and what the file says */
    struct {
        const char *resolved, *written;
    } * path;
    sow_index n_paths, path_capacity;
} sow_i_arena;
SOW_MUST_CHECK sow_status sow_i_arena_create(sow_i_arena **out, sow_error *err);
void sow_i_arena_destroy(sow_i_arena *arena);
/** Zeroed bytes, freed with the arena; NULL = out of memory. */
void *sow_i_arena_new(sow_i_arena *arena, size_t bytes);
char *sow_i_arena_text(sow_i_arena *arena, const char *text, size_t n);

/* ---- YAML as a tree */
typedef enum { SOW_NODE_SCALAR, SOW_NODE_SEQUENCE, SOW_NODE_MAPPING } sow_i_node_kind;
typedef struct sow_i_node sow_i_node;
struct sow_i_node {
    sow_i_node_kind kind;
    const char *text; /* scalar */
    int quoted;
    long line, column; /* from 1; 0 = not in the file */
    const char *key;   /* as an entry of a mapping */
    long key_line, key_column;
    const char *set; /* the --set it came from, or NULL */
    sow_i_node *first, *last, *next;
    sow_index n;
};
int sow_i_node_is_null(const sow_i_node *node); /* NULL, ~, null or nothing */
sow_i_node *sow_i_node_child(const sow_i_node *node, const char *key);
sow_i_node *sow_i_node_item(const sow_i_node *node, sow_index i);
void sow_i_node_append(sow_i_node *parent, sow_i_node *child);

/* ---- reading: one file, all its problems */
typedef struct {
    char *text;
    int is_set; /* problems of --set come after the file's */
    long line, column;
    sow_index order;
} sow_i_problem;
typedef struct {
    const char *path, *folder; /* of the file, in the arena */
    const sow_i_schema *schema;
    sow_i_arena *arena;
    sow_i_problem *problem;
    sow_index n_problems, capacity;
    int failed; /* out of memory */
} sow_i_reader;
/** A problem at a value, or at the key of an entry. Long lists of words are cut by nobody: the text is as long as it needs. */
void sow_i_problem_at(sow_i_reader *r, const sow_i_node *node, const char *format, ...) SOW_PRINTF(3, 4);
void sow_i_problem_at_key(sow_i_reader *r, const sow_i_node *node, const char *format, ...) SOW_PRINTF(3, 4);
/** At the deepest node there is on the way to `path` ("constraints.quota[2].prior"). */
void sow_i_problem_at_path(sow_i_reader *r, const sow_i_node *root, const char *path, const char *format, ...) SOW_PRINTF(4, 5);
/** At a place of the file. */
void sow_i_problem_at_mark(sow_i_reader *r, long line, long column, const char *format, ...) SOW_PRINTF(4, 5);

/** The tree of a YAML text; NULL after a syntax error (reported). `set`: the --set the text belongs to, or NULL for the file. */
sow_i_node *sow_i_yaml_parse(sow_i_reader *r, const char *text, size_t n, const char *set);
/** Apply one "key.path=value" to the tree. */
void sow_i_config_set(sow_i_reader *r, sow_i_node *root, const char *set);
/** Tree to struct by the reader's schema; defaults for what is not given. Files are resolved against the reader's folder. */
void sow_i_config_fill(sow_i_reader *r, void *config, const sow_i_node *root);
/** The keys below a mapping as settings "key.path=value" in the form of --set: a mapping below it adds its keys to the path. */
void sow_i_settings_of(sow_i_reader *r, sow_setting **out, sow_index *n, const sow_i_node *node);
/** What no single row can check. */
void sow_i_config_check(sow_i_reader *r, sow_config *config, const sow_i_node *root);
/** ... about prices, times and a budget. */
void sow_i_config_check_costs(sow_i_reader *r, const sow_config *c, const sow_i_node *root);

/** Begin to read a file: a reader with an arena, which the caller owns, also after an error. Nothing is opened yet. */
SOW_MUST_CHECK sow_status sow_i_reader_begin(sow_i_reader *r, const char *path, const sow_i_schema *schema, sow_error *err);
/** The whole of reading one file, after sow_i_reader_begin. `config` (zeroed) is filled and checked; problems as sow_config_read. Clears r, but for its arena. */
SOW_MUST_CHECK sow_status sow_i_config_load(sow_i_reader *r, void *config, void (*check)(sow_i_reader *r, void *config, const sow_i_node *root), const char *const *sets, sow_index n_sets,
                                            char **problems, sow_error *err);

/** "a whole number >= 1 (perturbations)": what a row allows, in words. Caller frees; NULL = out of memory. */
char *sow_i_key_allows(const sow_i_key *key);
/** A key as a row of a Markdown table. */
void sow_i_docs_row(sow_text *t, const sow_i_key *key);
/** "a,b" as "a, b". Caller frees. */
char *sow_i_words(const char *list);

#endif
