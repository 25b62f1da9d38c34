/* The tables of commands and options, and the parser that reads both. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/memory.h"
#include "core/names.h"
#include "core/version.h"

#define CAMPAIGN_OPTIONS "set,seed,out,threads,memory,cache,json,quiet,verbose"

static const cli_command init_row = {
    .name = "init", .usage = "sower init [DATAFILE] [-o FILE] [--force]", .summary = "write a commented campaign file",
    .options = "o,force,json,quiet", .max_positional = 1, .run = cmd_init,
    .details = "With DATAFILE (CSV, TSV, .gz, .h5ad) the file is looked into and `data:` and `readout:` are filled in; without, the campaign plays against\n"
               "the built-in simulator. Writes campaign.yaml, or the file given with -o (- is stdout), never over an existing one without --force."};
static const cli_command check_row = {
    .name = "check", .usage = "sower check [CAMPAIGN.yaml] | --list keys|strategies|models|oracles", .summary = "check a campaign file and its data; write nothing",
    .options = CAMPAIGN_OPTIONS ",list", .max_positional = 1, .run = cmd_check,
    .details = "Prints what was found in the data, what will be dropped and why, the pool, how far the priors cover it, the time and memory the campaign\n"
               "will need, and its bill: rows, sum, weeks, and which round the budget cuts. Every problem of the file is reported at once as file:line:column. Single-cell files get their cache (--cache)."};
static const cli_command plan_row = {
    .name = "plan", .usage = "sower plan [CAMPAIGN.yaml]", .summary = "choose the next batch", .options = CAMPAIGN_OPTIONS, .max_positional = 1, .run = cmd_plan, .ranks = RANKS_TRAIN,
    .details = "Writes rounds/NN/batch.csv (rank,perturbation,context,score,strategy,reason,planned_cells,cost), order.csv, bill.csv\n"
               "(item,quantity,unit,price,cost,note) and plan.json, and the report, and prints the bill. Where rounds overlap (costs.weeks_between_rounds) the next is\n"
               "planned while others wait. Exit 3 when the last round still waits for its measurements, every round is done, or the budget pays for no other."};
static const cli_command record_row = {
    .name = "record", .usage = "sower record [CAMPAIGN.yaml] RESULTS [--complete]", .summary = "take the lab's results",
    .options = CAMPAIGN_OPTIONS ",complete", .min_positional = 1, .max_positional = 2, .run = cmd_record,
    .details = "RESULTS is CSV, TSV or .h5ad with the columns of the campaign's target source, or: perturbation, value, cells. A perturbation without a\n"
               "readout counts as failed and may be planned again; one that is missing is still awaited, or failed with --complete. Where rounds overlap\n"
               "each has a file of its own. Nothing is recorded\n"
               "when anything in the file is wrong, and nothing twice: the same file again gives exit 3."};
static const cli_command status_row = {
    .name = "status", .usage = "sower status [CAMPAIGN.yaml]", .summary = "say where a campaign stands", .options = CAMPAIGN_OPTIONS,
    .max_positional = 1, .run = cmd_status, .details = "--json prints one object; without it a short table."};
static const cli_command run_row = {
    .name = "run", .usage = "sower run [CAMPAIGN.yaml]", .summary = "play all rounds that can be played", .options = CAMPAIGN_OPTIONS,
    .max_positional = 1, .run = cmd_run, .ranks = RANKS_TRAIN,
    .details = "Plans, measures (replay, generative) and evaluates round after round; goes on where an interrupted run stopped. With `oracle: {kind: lab}`\n"
               "it plans one round (where rounds overlap, as many as do) and stops with exit 3. Exit 3 too when there was nothing left to do."};
static const cli_command evaluate_row = {
    .name = "evaluate", .usage = "sower evaluate [CAMPAIGN.yaml] [--split folds|outliers|folds,outliers] [--folds N] [--models NAME,...]\n"
                                 "       sower evaluate [CAMPAIGN.yaml] --leave-one-context-out [--seeds N,...] [--draws N] [--unseen N|P%] [--contexts NAME,...] [--models NAME,...]",
    .summary = "judge models on a finished screen", .options = "split,folds,leave-one-context-out,seeds,draws,unseen,contexts,models," CAMPAIGN_OPTIONS, .max_positional = 1, .run = cmd_evaluate, .ranks = RANKS_TRAIN,
    .details = "Holds out every perturbation once (folds), or those unlike the controls and all that resembles them (outliers), fits the campaign's model and every\n"
               "baseline that applies on the rest, and compares predictions with what was measured. Writes evaluate.csv\n"
               "(split,fold,perturbation,model,metric,value,cells), evaluate_summary.csv (split,model,metric,mean,sd,low,high,n: sd over folds, 95 % interval over\n"
               "perturbations) and evaluate.html, and prints their paths. Needs the finished screen of a campaign file (oracle replay or generative); a campaign\n"
               "under way is not touched. Nothing is written when it is interrupted (exit 130). --json prints the summary.\n\n"
               "With --leave-one-context-out every context (target and references alike) is new in turn: the others are known, --seeds perturbations of it, drawn at\n"
               "random, are measured, and everything else that it measured is predicted; seeds are not scored. Writes contexts.csv\n"
               "(context,draw,seeds,used,model,metric,mean,n,unseen: used where seeds were cut, n perturbations), contexts_summary.csv\n"
               "(seeds,context,model,metric,mean,low,high,n,unseen: 95 % interval over draws within contexts, n draws) and contexts.html, and prints what it comes to:\n"
               "the campaign's model against the best baseline, and when that is as good.\n"
               "With --unseen so many of the new context's perturbations, drawn anew in every draw, are taken for measured in no context at all: what the others measured of\n"
               "them is not learned from, and only they are scored (contexts_unseen.csv: context,draw,perturbation). A model tells them apart by their priors alone."};
static const cli_command seeds_row = {
    .name = "seeds", .usage = "sower seeds [CAMPAIGN.yaml] [--n N] [--strategy NAME,...] [--draws N]", .summary = "choose what to measure first in a new context",
    .options = "n,strategy,draws," CAMPAIGN_OPTIONS, .max_positional = 1, .run = cmd_seeds, .ranks = RANKS_TRAIN,
    .details = "The campaign's target is the new context; what its sources with `role: reference` measured says which perturbations to measure first, and what that\n"
               "buys: each reference in turn is taken for new, the others being known, seeds are chosen by every strategy, and the campaign's model is fitted on them\n"
               "and judged on the rest. Nothing that the target measured is looked at. Writes seeds.csv (rank,perturbation,strategy,reason,score),\n"
               "seeds_accuracy.csv (strategy,seeds,metric,mean,low,high,replays: 95 % interval over references) and seeds.html, and prints the list and the accuracy\n"
               "expected with 5, 10, 20 and 50 seeds. Without --strategy the one is taken that was best in replays, if it was clearly better than random, else random.\n"
               "With one reference there is nothing to replay: a list, and no accuracy. Nothing is written when it is interrupted (exit 130)."};
static const cli_command simulate_row = {
    .name = "simulate", .usage = "sower simulate [SWEEP.yaml] [--jobs N]\n       mpirun -n N sower simulate [SWEEP.yaml]\n       sower simulate [SWEEP.yaml] --emit slurm [--jobs TASKS]\n       sower simulate --calibrate FILE",
    .summary = "play strategies, models and allocations against each other",
    .options = "jobs,emit,part,calibrate,to,check,perturbation,control,batch,context,unperturbed,set,seed,out,threads,memory,cache,json,quiet,verbose", .max_positional = 1, .run = cmd_simulate, .ranks = RANKS_OWN,
    .details = "A sweep file (sweep.yaml where none is named) names a campaign, axes of settings (strategies, models, allocations, oracles, arms) and seeds; every arm of their product is played with every\n"
               "seed, and compared with the baseline pair by pair. Each job has a result file of its own in NAME.sweep/jobs, named by what it depends on: an interrupted or\n"
               "killed sweep goes on where it stopped, and one with an arm more plays only that. Writes summary.csv (arm,metric,statistic,value,low,high,n), curves.csv\n"
               "(arm,metric,round,perturbations,cost,weeks,value,low,high,n) and summary.json (docs/simulate.md), the same bytes for any number of workers or ranks.\n"
               "What a budget is best spent on is printed below the tables and stands in allocation.html and allocation.csv (one row an allocation, an arm or its first rounds: cost,\n"
               "weeks, quality with its interval, front, recommended); `budget: {money: N, weeks: N}` in the file, or --set budget.money=N, sets the limits.\n"
               "--set and --seed are of the sweep file: --set seeds=5, --set set.model.iterations=20; --seed N plays that seed alone. --emit slurm writes NAME.sweep/NAME.slurm for\n"
               "sbatch. Campaigns use one thread each. Exit 130 when interrupted, 1 when a job failed (the others are kept). With --calibrate no sweep is played: it is\n"
               "`sower calibrate FILE` with its options, for a simulator like your own cells."};
static const cli_command fit_row = {
    .name = "fit", .usage = "sower fit [CAMPAIGN.yaml]\n       mpirun -n N sower fit [CAMPAIGN.yaml]", .summary = "fit the campaign's model by itself", .options = CAMPAIGN_OPTIONS, .max_positional = 1, .run = cmd_fit, .ranks = RANKS_TRAIN,
    .details = "On what is measured so far. Prints what the model learned, and the file it is kept in (rounds/NN/model.h5; predict and plan use it). A training that\n"
               "is interrupted goes on where it stopped (exit 130). Exit 3 when nothing is measured yet.\n"
               "Under mpirun or srun (also plan, run, predict, evaluate and seeds) rank 0 is the program and the others help it with the training: hypermap's networks, as\n"
               "many ranks as model.hypermap.tasks (4). The model is the same, bit for bit, for any number of ranks and threads (docs/ranks.md)."};
static const cli_command predict_row = {
    .name = "predict", .usage = "sower predict [CAMPAIGN.yaml] [--to FILE] [--cells N]\n       sower predict [CAMPAIGN.yaml] --all [--to FILE]", .summary = "write what the model says of every perturbation",
    .options = "to,cells,all," CAMPAIGN_OPTIONS, .max_positional = 1, .run = cmd_predict, .ranks = RANKS_TRAIN,
    .details = "The campaign's model, on what is measured so far: an .h5ad of predicted mean changes (obs: perturbation, context, status, measured_cells; a layer\n"
               "with the measured ones, one with standard deviations where the model knows them), with --cells of as many predicted cells each, or for a readout of\n"
               "one number a CSV (perturbation,context,status,predicted,sd,sd_of_a_measurement,measured). uns['sower'] says where it comes from. Prints the path.\n"
               "Exit 3 when nothing is measured yet.\n\n"
               "With --all the whole map: every context of the screen is the target in turn, and every perturbation that is measured in some context or has a prior is\n"
               "predicted there. map.h5ad has a row for each context and perturbation (obs: perturbation, context, status, observed, measured_cells): X is what was\n"
               "observed where it was, else the prediction; the layer `predicted` has the predictions of what was observed. Beside it map.csv\n"
               "(perturbation,contexts_observed,magnitude,specificity,class,cluster,x,y) and map.html. Nothing is left of it when it is interrupted (exit 130)."};
static const cli_command power_row = {
    .name = "power", .usage = "sower power [CAMPAIGN.yaml] [--fold F] [--power P] [--cells N,...] [--baseline FILE] [--out FILE.csv]\n"
                              "       sower power CAMPAIGN.yaml --round N [--out FILE.csv]\n"
                              "       sower power --baseline FILE [--umis N --variation V --mapping M] [--reads N] [--cells N,...] [--controls N]",
    .summary = "what cells and reads can find, and what that costs",
    .options = "fold,power,fdr,correction,changed,tested,levels,genes,cells,controls,reads,guides,guide-sd,baseline,umis,variation,mapping,reliability,context,round,folder,out,set,seed,threads,memory,cache,json,quiet,verbose",
    .max_positional = 1, .lists_cells = 1, .run = cmd_power,
    .details = "From a negative-binomial model of counts: for each level of expression the power to find a fold change with the campaign's design, the smallest fold changes\n"
               "found, and the cells or reads that the wanted power takes; then the same for fewer and more cells, with their price. Means, dispersions and library sizes are\n"
               "those of the campaign's control cells, or of a measured baseline (--baseline: columns response_id, relative_expression, expression_size), where UMIs follow\n"
               "from reads. From halves of the campaign's perturbations (or --reliability): the cells that a correlation between replicates takes.\n"
               "With --round N, what the cells that came in a recorded round could show: the smallest fold change for each perturbation, and which had too few cells.\n"
               "Writes nothing but FILE.csv (cells,controls,reads_per_cell,umis_per_cell,level,genes,relative_expression,size,mean_umis,fold,power,smallest_decrease,\n"
               "smallest_increase,cells_needed,reads_needed,cost,round_cost,cost_of_cells_needed: a row for each number of cells and level; with --round: round,context,\n"
               "perturbation,cells,planned_cells,controls,level,relative_expression,size,mean_umis,fold,power,smallest_decrease,smallest_increase,too_few).\n"
               "Exit 3 with --round when the campaign was not begun."};
static const cli_command report_row = {
    .name = "report", .usage = "sower report [CAMPAIGN.yaml]", .summary = "write report.html again", .options = CAMPAIGN_OPTIONS, .max_positional = 1, .run = cmd_report, .details = "One self-contained HTML file that opens offline. Prints its path."};
static const cli_command inspect_row = {
    .name = "inspect", .usage = "sower inspect FILE", .summary = "say what a data file holds", .options = "json,quiet", .min_positional = 1,
    .max_positional = 1, .run = cmd_inspect,
    .details = "Kind, size, and every column with its type, number of distinct values and an example; which look like perturbation, control, context,\n"
               "cells and readout."};
static const cli_command preprocess_row = {
    .name = "preprocess", .usage = "sower preprocess FILE [--out FILE.h5ad] [--perturbation COLUMN --control LABEL] [--context COLUMN]", .summary = "filter, normalise and choose genes of single cells",
    .options = "out,set,seed,perturbation,control,context,threads,memory,cache,force,json,quiet,verbose", .min_positional = 1, .max_positional = 1, .run = cmd_preprocess,
    .details = "FILE is an .h5ad of single cells or a MatrixMarket folder. Columns are found as `sower inspect` finds them, or named here; --set takes the keys\n"
               "features.* and data.sources[0].* of a campaign (sower check --list keys). Prints what was dropped and why, and writes NAME-prepared.h5ad in\n"
               "this folder, or the file given with --out: the prepared values, with the cells' names and columns. Fitted on all cells; a campaign, which\n"
               "prepares cells by itself, fits at round 0. Nothing is left when it is interrupted (exit 130)."};
static const cli_command calibrate_row = {
    .name = "calibrate", .usage = "sower calibrate [CAMPAIGN.yaml] [--to FILE.json] [--check]\n"
                                  "       sower calibrate FILE.h5ad [--perturbation COLUMN --control LABEL] [--batch COLUMN] [--context NAME] [--to FILE.json] [--check]\n"
                                  "       sower calibrate FILE.h5ad --unperturbed [--to FILE.json] [--check]",
    .summary = "measure a screen, to simulate one like it", .options = "to,check,perturbation,control,batch,context,unperturbed," CAMPAIGN_OPTIONS,
    .max_positional = 1, .run = cmd_calibrate,
    .details = "From the control cells of the campaign's target context, or of a file of cells (.h5ad, MatrixMarket folder): every gene's share of UMIs and\n"
               "negative-binomial size, UMIs of a cell, what technical batches (or replicates) differ in; from its perturbed cells: how large effects are, and cells per\n"
               "perturbation. Columns of a file are found as `sower init` finds them, or named here; --set takes features.* and data.sources[0].* of a campaign. A file of\n"
               "controls alone (--unperturbed where nothing labels them) gives all but effects. Writes NAME.calibration.json in this folder, or the file given with --to:\n"
               "what oracle.baseline takes; prints what was read, its path and the `oracle:` block of a screen like this one. With --check, 20 such screens are simulated\n"
               "and measured as the real one is: FILE.check.csv (quantity,cells,real,simulated,low,high,perturbations: mean and 5-95 % range over screens) and\n"
               "FILE.check.html; the sentence printed says whether reliabilities agree to 0.1. `sower simulate --calibrate FILE` is the same."};
static const cli_command generate_row = {
    .name = "generate", .usage = "sower generate [CAMPAIGN.yaml] [--to FILE.h5ad]", .summary = "write a simulated screen of cells as a file", .options = "to,set,seed,threads,json,quiet,verbose",
    .max_positional = 1, .run = cmd_generate,
    .details = "The screen that a campaign with oracle: {kind: generative} and readout: {kind: cells} plays against, whole: NAME.screen.h5ad in this folder, or the file given\n"
               "with --to (counts, CSR; obs: perturbation with \"control\", context, batch, guide), and what is true: FILE.truth.h5ad (log fold changes; obs: perturbation, context,\n"
               "module, growth, cells; of combinations interaction, first, second, lead, strength, deviation), FILE.programs.h5ad, and FILE.guides.csv (guide,perturbation,efficiency) where there are guides. Prints their paths."};
static const cli_command version_row = {.name = "version", .usage = "sower version", .summary = "print the version", .options = "json,quiet",
                                        .run = cmd_version, .ranks = RANKS_OWN, .details = "Version, and the commit it was built from."};

const cli_command *const cli_commands[] = {&init_row, &check_row, &plan_row, &record_row, &status_row,
                                           &run_row, &simulate_row, &seeds_row, &evaluate_row, &fit_row, &predict_row, &power_row, &report_row, &inspect_row, &preprocess_row, &calibrate_row, &generate_row, &version_row, NULL};

typedef struct {
    const char *name, *argument, *help;
} option;

static const option options[] = {
    {"set", "KEY=VALUE", "override one key of the campaign file, e.g. --set acquisition.strategy=ucb; may be repeated"},
    {"seed", "N", "same as --set seed=N"},
    {"out", "PATH", "campaign folder [NAME.sower beside the YAML]; of evaluate, its own [NAME.evaluate]; of seeds [NAME.seeds]; of simulate [NAME.sweep]; of preprocess, the file [NAME-prepared.h5ad in this folder]; of power, a CSV file"},
    {"jobs", "N", "worker processes; results do not depend on it [as many as the process may use]; with --emit, tasks of the array [16]"},
    {"emit", "KIND", "write a script in place of playing: slurm"},
    {"calibrate", "FILE", "play nothing: measure a campaign or a file of cells, to simulate one like it (sower calibrate)"},
    {"part", "I/N", "play the I-th of N parts and compare nothing (what the script of --emit slurm does)"},
    {"split", "KIND", "what is held out: folds, outliers, or folds,outliers [folds]"},
    {"folds", "N", "number of folds [5]"},
    {"leave-one-context-out", NULL, "hold out contexts in place of perturbations"},
    {"seeds", "N,...", "perturbations of the new context that are measured, e.g. 20 or 5,10,20 [20]"},
    {"draws", "N", "random choices of seeds in every context [5; of sower seeds 3]"},
    {"unseen", "N|P%", "perturbations, or a share of them, that no context has measured: all that is scored [none]"},
    {"n", "N", "seeds to choose [20]"},
    {"strategy", "NAMES", "strategies to compare, or the one to choose by, e.g. kmeans [all that can choose before anything is measured]"},
    {"contexts", "NAMES", "contexts to leave out in turn, e.g. nk,b [all]"},
    {"models", "NAMES", "models to judge, e.g. gp,linear,train-mean [the campaign's and every baseline that applies]"},
    {"to", "FILE", "file to write [predictions.h5ad, predictions-cells.h5ad, predictions.csv or map.h5ad in the campaign's folder; of calibrate and generate, in this folder, NAME.calibration.json and NAME.screen.h5ad]"},
    {"check", NULL, "simulate screens with it and compare them with the real one"},
    {"all", NULL, "the whole map: every context of the screen"},
    {"cells", "N", "of predict: write N predicted cells of each perturbation in place of mean changes; of power, N,...: cells of each perturbation [a quarter to four times the design's]"},
    {"fold", "F", "fold change to be found: 0.5 is lowered to half, 2 doubled [0.5]"},
    {"power", "P", "probability wanted that it is found [0.8]"},
    {"fdr", "Q", "false-discovery rate, or with --correction bonferroni family-wise error, or with none plain level [0.05]"},
    {"correction", "HOW", "over the tested genes: bh, bonferroni or none [bh]"},
    {"changed", "SHARE", "share of the tested genes that really change: what bh goes by [0.05]"},
    {"tested", "N", "test the N most expressed genes [all of the baseline]"},
    {"levels", "N", "groups of genes of like expression [10]"},
    {"genes", "NAMES", "or these genes by themselves, e.g. GATA1,MYC"},
    {"controls", "N", "control cells that a perturbation is compared with [control_share of the first round; 1000 without a campaign]"},
    {"reads", "N", "raw reads a cell [design.reads_per_cell; 20000 without a campaign]"},
    {"guides", "N", "guides of a target [design.guides_per_target; 1 without a campaign]"},
    {"guide-sd", "S", "standard deviation of a guide's log fold change, in parts of the target's [0.3]"},
    {"baseline", "FILE", "measured baseline [estimated from control cells]"},
    {"umis", "N", "UMIs of a cell sequenced to saturation [59163 with --baseline; else UMIs are those of the control cells]"},
    {"variation", "V", "how unequally molecules are amplified, 0 to 1 [0.397]"},
    {"mapping", "M", "share of raw reads that map [0.711]"},
    {"reliability", "R@N", "correlation R between replicates of N cells, e.g. 0.6@50 [halves of the campaign's perturbations]"},
    {"round", "N", "look back at this round"},
    {"folder", "PATH", "campaign folder of --round [NAME.sower beside the YAML]"},
    {"perturbation", "COLUMN", "column of obs with each cell's perturbation [as inspect finds it]"},
    {"control", "LABEL", "what control cells are called there [as inspect finds it]"},
    {"batch", "COLUMN", "column of obs with each cell's technical batch [as inspect finds it]"},
    {"unperturbed", NULL, "every cell of the file is a control; its labels are not looked at"},
    {"context", "NAME", "of preprocess: column with each cell's context, genes are chosen in each [as inspect finds it]; of power: whose control cells [the target's]; of calibrate: whose cells [as init chooses]"},
    {"threads", "N", "worker threads; results do not depend on it [all the process may use]"},
    {"memory", "SIZE", "bytes that buffers may take when single-cell files are read, e.g. 512M or 4G [64M for each file]"},
    {"cache", "DIR", "folder for caches of single-cell files [SOWER_CACHE, or sower-cache beside the YAML or in this folder]"},
    {"json", NULL, "print JSON on stdout"},
    {"quiet", NULL, "errors only"},
    {"verbose", NULL, "say how things are done"},
    {"list", "WHAT", "list what the file may say: keys, strategies, models, oracles"},
    {"complete", NULL, "planned perturbations missing in the file have failed"},
    {"o", "FILE", "write there [campaign.yaml]; - is stdout"},
    {"force", NULL, "overwrite an existing file"},
    {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

static int takes(const cli_command *command, const char *name)
{
    if (strcmp(name, "help") == 0) return 1;
    size_t n = strlen(name);
    for (const char *p = command->options; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : "")
        if (strncmp(p, name, n) == 0 && (p[n] == ',' || p[n] == '\0')) return 1;
    return 0;
}

const cli_command *cli_find_command(const char *name)
{
    const char *names[32];
    sow_index n = 0;
    for (; cli_commands[n]; n++) {
        if (strcmp(cli_commands[n]->name, name) == 0) return cli_commands[n];
        names[n] = cli_commands[n]->name;
    }
    const char *near = sow_nearest_of(names, n, name);
    fprintf(stderr, "sower: unknown command '%s'%s%s%s (sower --help lists them)\n", name, near ? "; did you mean '" : "", near ? near : "",
            near ? "'?" : "");
    return NULL;
}

void cli_print_overview(void)
{
    printf("sower %s: plans perturbation screens round by round\n\nusage: sower COMMAND [ARGUMENTS]\n\n", sow_version());
    for (int i = 0; cli_commands[i]; i++)
        printf("  %-10s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    printf("\nsower COMMAND --help tells more. Exit codes: 0 done; 1 failed while working; 2 the input or command line is wrong;\n"
           "3 nothing to do, or waiting for the lab; 130 interrupted (the state is safe, run the command again).\n"
           "Where a campaign file is not named, it is campaign.yaml in this folder.\n");
}

void cli_print_help(const cli_command *command)
{
    printf("usage: %s\n\n%s\n\n%s\n\noptions\n", command->usage, command->summary, command->details);
    for (const option *o = options; o->name; o++) {
        if (!takes(command, o->name)) continue;
        char left[48];
        snprintf(left, sizeof left, "%s%s %s", strlen(o->name) > 1 ? "--" : "-", o->name, o->argument ? o->argument : "");
        printf("  %-23s %s\n", left, o->help);
    }
}

static const option *find_option(const cli_command *command, const char *name)
{
    const char *names[sizeof options / sizeof *options];
    sow_index n = 0;
    for (const option *o = options; o->name; o++) {
        if (!takes(command, o->name)) continue;
        if (strcmp(o->name, name) == 0) return o;
        names[n++] = o->name;
    }
    const char *near = sow_nearest_of(names, n, name);
    fprintf(stderr, "sower %s: unknown option '--%s'%s%s%s (sower %s --help)\n", command->name, name, near ? "; did you mean '--" : "",
            near ? near : "", near ? "'?" : "", command->name);
    return NULL;
}

static int add_set(cli_args *args, const char *text, int owned)
{
    if (args->n_sets >= MAX_SETS) {
        fprintf(stderr, "sower: more than %d --set options\n", MAX_SETS);
        return EXIT_WRONG_INPUT;
    }
    args->sets[args->n_sets++] = text;
    if (owned) args->owned[args->n_owned++] = (char *)(uintptr_t)text;
    return 0;
}

static int parse_threads(cli_args *args, const char *value)
{
    char *end = NULL;
    errno = 0;
    long n = strtol(value, &end, 10);
    if (errno || end == value || *end || n < 1 || n > 1024) {
        fprintf(stderr, "sower: --threads takes a number from 1 to 1024, not '%s'\n", value);
        return EXIT_WRONG_INPUT;
    }
    args->threads = (int)n;
    return 0;
}

static int parse_count(sow_index *out, const char *name, long least, const char *value)
{
    char *end = NULL;
    errno = 0;
    long n = strtol(value, &end, 10);
    if (errno || end == value || *end || n < least || n > 1000000) {
        fprintf(stderr, "sower: --%s takes a number of at least %ld, not '%s'\n", name, least, value);
        return EXIT_WRONG_INPUT;
    }
    *out = n;
    return 0;
}

/* A number with K, M, G or T behind it, in powers of 1024. */
static int parse_memory(cli_args *args, const char *value)
{
    char *end = NULL;
    errno = 0;
    double n = strtod(value, &end);
    const char *units = "KMGT", *unit = *end ? strchr(units, *end) : NULL;
    if (unit && *unit) {
        for (const char *u = units; u <= unit; u++)
            n *= 1024;
        end += end[1] == 'B' || end[1] == 'b' ? 2 : 1;
    }
    if (errno || end == value || *end || !(n >= 1 << 20) || n > 1e15) {
        fprintf(stderr, "sower: --memory takes a size of 1M or more such as 512M or 4G, not '%s'\n", value);
        return EXIT_WRONG_INPUT;
    }
    args->memory = (sow_index)n;
    return 0;
}

/* Options of power are kept as they are said. */
static int apply_power(cli_args *args, const char *name, const char *value)
{
    const struct {
        const char *name, **text;
    } all[] = {{"fold", &args->power.fold}, {"power", &args->power.power}, {"fdr", &args->power.fdr}, {"correction", &args->power.correction}, {"changed", &args->power.changed},
               {"tested", &args->power.tested}, {"levels", &args->power.levels}, {"genes", &args->power.genes}, {"controls", &args->power.controls}, {"reads", &args->power.reads},
               {"guides", &args->power.guides}, {"guide-sd", &args->power.guide_sd}, {"baseline", &args->power.baseline}, {"umis", &args->power.umis},
               {"variation", &args->power.variation}, {"mapping", &args->power.mapping}, {"reliability", &args->power.reliability}, {"round", &args->power.round}, {"folder", &args->power.folder}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(name, all[i].name) != 0) continue;
        *all[i].text = value;
        return 1;
    }
    return 0;
}

static int apply(cli_args *args, const cli_command *command, const option *o, const char *value)
{
    if (apply_power(args, o->name, value)) return 0;
    if (strcmp(o->name, "cells") == 0 && command->lists_cells) {
        args->power.cells = value;
        return 0;
    }
    if (strcmp(o->name, "set") == 0) return add_set(args, value, 0);
    if (strcmp(o->name, "seed") == 0) {
        char *text = sow_format("seed=%s", value);
        return text ? add_set(args, text, 1) : EXIT_FAILED;
    }
    if (strcmp(o->name, "threads") == 0) return parse_threads(args, value);
    if (strcmp(o->name, "memory") == 0) return parse_memory(args, value);
    if (strcmp(o->name, "folds") == 0) return parse_count(&args->folds, "folds", 2, value);
    if (strcmp(o->name, "jobs") == 0) return parse_count(&args->jobs, "jobs", 1, value);
    if (strcmp(o->name, "n") == 0) return parse_count(&args->n, "n", 1, value);
    if (strcmp(o->name, "draws") == 0) return parse_count(&args->draws, "draws", 1, value);
    if (strcmp(o->name, "cells") == 0) return parse_count(&args->cells, "cells", 1, value);
    if (strcmp(o->name, "cache") == 0) args->cache = value;
    if (strcmp(o->name, "out") == 0 || strcmp(o->name, "o") == 0) args->out = value;
    else if (strcmp(o->name, "perturbation") == 0) args->perturbation = value;
    else if (strcmp(o->name, "control") == 0) args->control = value;
    else if (strcmp(o->name, "context") == 0) args->context = value;
    else if (strcmp(o->name, "batch") == 0) args->batch = value;
    else if (strcmp(o->name, "calibrate") == 0) args->calibrate = value;
    else if (strcmp(o->name, "unperturbed") == 0) args->unperturbed = 1;
    else if (strcmp(o->name, "emit") == 0) args->emit = value;
    else if (strcmp(o->name, "part") == 0) args->part = value;
    else if (strcmp(o->name, "to") == 0) args->to = value;
    else if (strcmp(o->name, "split") == 0) args->split = value;
    else if (strcmp(o->name, "models") == 0) args->models = value;
    else if (strcmp(o->name, "strategy") == 0) args->strategy = value;
    else if (strcmp(o->name, "seeds") == 0) args->seeds = value;
    else if (strcmp(o->name, "unseen") == 0) args->unseen = value;
    else if (strcmp(o->name, "contexts") == 0) args->contexts = value;
    else if (strcmp(o->name, "leave-one-context-out") == 0) args->leave_context = 1;
    else if (strcmp(o->name, "all") == 0) args->all = 1;
    else if (strcmp(o->name, "check") == 0) args->check = 1;
    else if (strcmp(o->name, "list") == 0) args->list = value;
    else if (strcmp(o->name, "json") == 0) args->json = 1;
    else if (strcmp(o->name, "quiet") == 0) args->quiet = 1;
    else if (strcmp(o->name, "verbose") == 0) args->verbose = 1;
    else if (strcmp(o->name, "complete") == 0) args->complete = 1;
    else if (strcmp(o->name, "force") == 0) args->force = 1;
    else if (strcmp(o->name, "help") == 0) args->help = 1;
    return 0;
}

/* --name, --name=value, --name value, -o value. Returns how many words were eaten, or -1. */
static int parse_option(cli_args *args, const cli_command *command, int argc, char **argv)
{
    char name[64];
    const char *word = argv[0] + (argv[0][1] == '-' ? 2 : 1), *equals = strchr(word, '=');
    size_t n = equals ? (size_t)(equals - word) : strlen(word);
    snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), word);
    if (strcmp(name, "h") == 0) snprintf(name, sizeof name, "help");
    const option *o = find_option(command, name);
    if (!o) return -1;
    if (!o->argument) {
        if (equals) {
            fprintf(stderr, "sower %s: --%s takes no value\n", command->name, o->name);
            return -1;
        }
        return apply(args, command, o, NULL) ? -1 : 1;
    }
    if (!equals && argc < 2) {
        fprintf(stderr, "sower %s: --%s needs a value: --%s %s\n", command->name, o->name, o->name, o->argument);
        return -1;
    }
    if (apply(args, command, o, equals ? equals + 1 : argv[1])) return -1;
    return equals ? 1 : 2;
}

int cli_parse(cli_args *args, const cli_command *command, int argc, char **argv)
{
    for (int i = 0; i < argc;) {
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            int eaten = parse_option(args, command, argc - i, argv + i);
            if (eaten < 0) return EXIT_WRONG_INPUT;
            i += eaten;
            continue;
        }
        if (args->n_positional >= command->max_positional) {
            fprintf(stderr, "sower %s: unexpected '%s'; usage: %s\n", command->name, argv[i], command->usage);
            return EXIT_WRONG_INPUT;
        }
        args->positional[args->n_positional++] = argv[i++];
    }
    if (!args->help && args->n_positional < command->min_positional) {
        fprintf(stderr, "sower %s: something is missing; usage: %s\n", command->name, command->usage);
        return EXIT_WRONG_INPUT;
    }
    return 0;
}

void cli_args_clear(cli_args *args)
{
    for (int i = 0; i < args->n_owned; i++)
        free(args->owned[i]);
}
