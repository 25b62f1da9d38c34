/* The program under mpirun or srun: rank 0 is the program, the others help it or are silent. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/team.h"
#include "planner/ranks.h"

int cli_mute_helper(void)
{
    if (!sow_ranks_is_helper()) return -1;
    const int nowhere = open("/dev/null", O_WRONLY), kept = dup(STDERR_FILENO);
    if (nowhere < 0) return kept;
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    close(nowhere);
    return kept;
}

int cli_code_of_rank(const cli_command *command, int code)
{
    return sow_ranks_is_helper() && !(command && command->ranks == RANKS_OWN) ? EXIT_DONE : code;
}

void cli_unmute(int kept)
{
    if (kept < 0) return;
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
}

static int run_alone(const cli_command *command, const cli_args *args, const sow_env *env)
{
    if (sow_ranks_is_helper()) return EXIT_DONE;
    if (sow_ranks_count() == 0) return command->run(args, env);
    fprintf(stderr, "error: sower %s runs as one process: start it without mpirun or srun (fit, plan, run, predict, evaluate and seeds train on ranks; simulate plays on them)\n", command->name);
    return EXIT_WRONG_INPUT;
}

static int run_led(const cli_command *command, const cli_args *args, sow_env *env, sow_team *team)
{
    const int others = team ? team->helpers : 0;
    env->team = team;
    const int code = command->run(args, env);
    env->team = NULL;
    const sow_index given = sow_ranks_end(team);
    if (others > 0 && given == 0 && code == EXIT_DONE)
        sow_log(env, SOW_LOG_WARN, "%d of %d ranks had nothing to do: what trains on ranks is model hypermap with model.hypermap.form: network or model.mode: reference, when it is not trained already (docs/ranks.md)", others, others + 1);
    return code;
}

int cli_run(const cli_command *command, const cli_args *args, sow_env *env)
{
    sow_error err = {0};
    sow_team *team = NULL;
    int helped = 0;
    if (command->ranks == RANKS_OWN || sow_ranks_count() == 1) return command->run(args, env);
    if (command->ranks == RANKS_NONE) return run_alone(command, args, env);
    const sow_status st = sow_ranks_begin(&team, &helped, env, &err);
    if (st != SOW_OK && sow_ranks_is_helper()) return EXIT_DONE;
    if (st != SOW_OK) return cli_fail(&err);
    return helped ? EXIT_DONE : run_led(command, args, env, team);
}
