/* The program: a table of commands, a table of options, exit codes, and the terminal. Results go to stdout, everything else to stderr. */
#ifndef SOWER_CLI_CLI_H
#define SOWER_CLI_CLI_H

#include <jansson.h>

#include "core/env.h"
#include "io/config.h"
#include "planner/campaign.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_WRONG_INPUT = 2, EXIT_WAITING = 3, EXIT_INTERRUPTED = 130 };

enum { MAX_SETS = 256 };

typedef struct {
    const char *positional[2];
    int n_positional;
    const char *sets[MAX_SETS]; /* --set and --seed, in order */
    int n_sets;
    const char *out, *list, *cache;
    const char *perturbation, *control, *context; /* preprocess, calibrate */
    const char *batch, *calibrate;                /* calibrate; simulate */
    int unperturbed;                              /* calibrate */
    const char *split, *models;                   /* evaluate */
    sow_index folds, draws;                       /* evaluate, seeds; 0 = not said */
    const char *seeds, *contexts, *unseen;        /* evaluate */
    int leave_context;                            /* evaluate */
    const char *strategy;                         /* seeds */
    sow_index n;                                  /* seeds; 0 = not said */
    const char *emit, *part;                      /* simulate */
    sow_index jobs;                               /* simulate; 0 = not said */
    const char *to;                               /* predict */
    sow_index cells;                              /* predict; 0 = not said */
    int all;                                      /* predict */
    struct { /* power, as said; NULL = not said */
        const char *fold, *power, *fdr, *correction, *changed, *tested, *levels, *genes, *cells, *controls, *reads, *guides, *guide_sd, *baseline, *umis, *variation, *mapping, *reliability, *round, *folder;
    } power;
    int check;                                    /* calibrate */
    sow_index memory; /* bytes; 0 = not said */
    int threads, json, quiet, verbose, complete, force, help;
    int takes_results; /* a positional that is no YAML file is the results, not the campaign */
    char *owned[MAX_SETS]; /* texts made from --seed */
    int n_owned;
    const char *argv_text; /* the whole command line */
} cli_args;

typedef struct {
    const char *name, *usage, *summary;
    const char *options; /* names of the options it takes, comma separated */
    int min_positional, max_positional;
    int lists_cells; /* --cells takes several numbers: the command reads them */
    enum { RANKS_NONE, RANKS_TRAIN, RANKS_OWN } ranks; /* under mpirun: one process only; rank 0 runs it and the others help with trainings; the command sees to it */
    const char *details; /* for --help: output and exit codes */
    int (*run)(const cli_args *args, const sow_env *env);
} cli_command;

/* options.c */
extern const cli_command *const cli_commands[];
/** 0, or EXIT_WRONG_INPUT after a message on stderr. */
int cli_parse(cli_args *args, const cli_command *command, int argc, char **argv);
void cli_args_clear(cli_args *args);
void cli_print_help(const cli_command *command);
void cli_print_overview(void);
const cli_command *cli_find_command(const char *name);

/* terminal.c */
void cli_env_init(sow_env *env, const cli_args *args);
void cli_env_clear(sow_env *env);
void cli_catch_signals(void);
int cli_interrupted(void);
/** Print err and translate its status to an exit code. */
int cli_fail(const sow_error *err);
/** The same for a command that keeps nothing of what it had done when it is interrupted. */
int cli_fail_unwritten(const sow_error *err);
int cli_exit_code(sow_status status);
/** fclose(stdout) checked: EXIT_FAILED when the last bytes could not be written. */
int cli_finish_stdout(int code);

/* ranks.c */
/** Under mpirun every rank reads the same command line; only the first one says what is wrong with it. A helper's stdout and stderr go nowhere, and what is returned brings stderr back; -1 in others, which is fine. */
int cli_mute_helper(void);
void cli_unmute(int kept);
/** A helper that ends with an error would have mpirun kill rank 0 before it has said why: rank 0's code is the program's. */
int cli_code_of_rank(const cli_command *command, int code);
/** Under mpirun: the command with helpers, or as a helper. Else the command. */
int cli_run(const cli_command *command, const cli_args *args, sow_env *env);

/* campaign_args.c */
/** The campaign file named, or campaign.yaml; the file of results of `record`, or NULL. */
const char *cli_campaign_file(const cli_args *args);
const char *cli_results_file(const cli_args *args);
/** Folder for caches of single-cell files as said, or NULL = the default of who asks. */
const char *cli_cache_folder(const cli_args *args);
/** Read the campaign file with its --set; on problems prints all of them and returns NULL. */
sow_config *cli_read_config(const cli_args *args, int *exit_code);
/** Configuration and campaign in one go; *campaign is NULL on failure and *exit_code says why. */
sow_config *cli_open(sow_campaign **campaign, const cli_args *args, sow_campaign_mode mode, const sow_env *env, int *exit_code);
/** Close both and turn `status` (with its error) into the exit code. */
int cli_close(sow_config *config, sow_campaign *campaign, sow_status status, const sow_error *err, int exit_code);
/** "round 1 is planned: ..." for plan, record and run. */
void cli_say_next(const sow_campaign *campaign, const cli_args *args);
/** What plan and run leave on stdout: the status as JSON, or where the report is (and, when asked, what comes next). */
sow_status cli_say_outcome(const sow_campaign *campaign, const cli_args *args, int with_next, sow_error *err);

/* bill_text.c */
/** Rows of a bill, of one round or (-1) all, with how their quantities came about. */
void cli_print_bill_rows(const json_t *rows, long long round);
/** What a budget is, what is left of it, and which round it cuts; nothing where there is none. */
void cli_print_budget(const json_t *bill);
/** The bill of the round that was planned last. */
sow_status cli_print_planned(const sow_campaign *campaign, sow_error *err);

/* json_text.c: fields of a JSON object; 0 or "" when absent */
long long cli_json_integer(const json_t *j, const char *key);
double cli_json_number(const json_t *j, const char *key);
const char *cli_json_text(const json_t *j, const char *key);

int cmd_init(const cli_args *args, const sow_env *env);
int cmd_calibrate(const cli_args *args, const sow_env *env);
int cmd_generate(const cli_args *args, const sow_env *env);
int cmd_check(const cli_args *args, const sow_env *env);
int cmd_plan(const cli_args *args, const sow_env *env);
int cmd_record(const cli_args *args, const sow_env *env);
int cmd_simulate(const cli_args *args, const sow_env *env);
int cmd_seeds(const cli_args *args, const sow_env *env);
int cmd_status(const cli_args *args, const sow_env *env);
int cmd_run(const cli_args *args, const sow_env *env);
int cmd_evaluate(const cli_args *args, const sow_env *env);
int cmd_power(const cli_args *args, const sow_env *env);
int cmd_predict(const cli_args *args, const sow_env *env);
int cmd_fit(const cli_args *args, const sow_env *env);
int cmd_report(const cli_args *args, const sow_env *env);
int cmd_inspect(const cli_args *args, const sow_env *env);
int cmd_preprocess(const cli_args *args, const sow_env *env);
int cmd_version(const cli_args *args, const sow_env *env);

#endif
