/* One row a key of the campaign file, and of the sweep file (sweep_config.c). The same rows parse, check, print the effective configuration, write docs/config.md and the
 * template. */
#ifndef SOWER_IO_CONFIG_KEYS_H
#define SOWER_IO_CONFIG_KEYS_H

#include "core/status.h"

typedef enum {
    SOW_KEY_MAPPING,    /* a group of keys */
    SOW_KEY_LIST,       /* a list of mappings: elements of `size` bytes, their keys' offsets are inside the element */
    SOW_KEY_INT,        /* sow_index (or uint64_t) */
    SOW_KEY_NUMBER,     /* double, NaN when not given */
    SOW_KEY_BOOL,       /* int */
    SOW_KEY_TEXT,       /* const char *, NULL when not given */
    SOW_KEY_FILE,       /* const char *, resolved against the folder of the campaign file */
    SOW_KEY_ENUM,       /* const char *, one of `allowed` or `aliases` */
    SOW_KEY_CHOICE,     /* int or C enum: position in `allowed` */
    SOW_KEY_CURRENCY,   /* char[8] */
    SOW_KEY_TEXTS,      /* const char **, count at offset_n */
    SOW_KEY_INTS,       /* sow_index *, count at offset_n */
    SOW_KEY_NAMED,      /* a mapping of names, each to a mapping of the keys below "path[]": elements of `size` bytes that begin with their name */
    SOW_KEY_SETTINGS,   /* a mapping of keys of the campaign file: sow_setting *, count at offset_n */
    SOW_KEY_UNSUPPORTED /* known to the design, refused by this version */
} sow_i_key_type;

enum {
    SOW_KEY_REQUIRED = 1 << 0,
    SOW_KEY_OPEN_MIN = 1 << 1, /* min itself is not allowed */
    SOW_KEY_OPEN_MAX = 1 << 2,
    SOW_KEY_ONE_ALONE = 1 << 3, /* LIST: one mapping may stand without the list around it */
    SOW_KEY_SOME = 1 << 4       /* a list that may not be empty */
};

typedef struct {
    const char *path; /* "data.sources[].file": [] after each list of mappings */
    sow_i_key_type type;
    unsigned flags;
    size_t offset, offset_n, size;
    double min, max;         /* INT, INTS, NUMBER */
    double none;             /* INT without `standard`: the value that means "not given" */
    const char *unit;        /* "" = none */
    const char *word;        /* INT, NUMBER: a word allowed instead of a number; stored as `none` or NaN. NULL = none */
    const char *standard;    /* default as YAML text; NULL = not given */
    const char *standard_is; /* words for a default that depends on other keys; NULL = `standard` says it */
    const char *allowed;     /* ENUM, CHOICE: "a,b,c" */
    const char *aliases;     /* other spellings, passed on as they are */
    const char *shorthand;   /* MAPPING: the key that a single value stands for */
    const char *example;     /* for the template, when there is no default */
    const char *sentence;    /* UNSUPPORTED: what it belongs to */
} sow_i_key;

/** The rows of one kind of file. */
typedef struct {
    const sow_i_key *key;
    sow_index n;
    const char *file, *is, *sample; /* "the campaign file", "a campaign file", a key that it has: "rounds" */
    const char *empty;  /* what to do about a file that is not there, or empty */
} sow_i_schema;
const sow_i_schema *sow_i_campaign_schema(void);
const sow_i_key *sow_i_schema_find(const sow_i_schema *schema, const char *path);

/** All rows of the campaign file, a group before its keys, in the order a reader meets them. */
const sow_i_key *sow_i_keys(sow_index *n);
/** Row of the campaign file by path with [] for any index, or NULL. */
const sow_i_key *sow_i_key_find(const char *path);
/** Is `key` a direct child of the group `parent` ("" = the file, "data.sources[]" = an entry)? */
int sow_i_key_is_child(const sow_i_key *key, const char *parent);
/** Last part of the path. */
const char *sow_i_key_name(const sow_i_key *key);
/** Is `word` in the comma-separated list (NULL = empty)? Position, or -1. */
sow_index sow_i_word_position(const char *list, const char *word);

/** The same, taking '_' for '-' and capitals for small letters: for keys with aliases, whose readers do so too. */
sow_index sow_i_spelling_position(const char *list, const char *word);

/* Strategies that want larger predicted values, so that the objective must say what is wanted; aliases included. */
extern const char sow_i_hit_strategies[];
/* Strategies and models that see nothing but priors. */
extern const char sow_i_prior_strategies[];
extern const char sow_i_prior_models[];

#endif
