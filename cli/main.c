/* sower: plans perturbation screens round by round. */
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "planner/ranks.h"

static char command_line[4096];

static void remember_command_line(int argc, char **argv)
{
    size_t used = 0;
    for (int i = 0; i < argc && used + 2 < sizeof command_line; i++) {
        int n = snprintf(command_line + used, sizeof command_line - used, "%s%s", i ? " " : "", argv[i]);
        if (n < 0) return;
        used += (size_t)n;
    }
}

/* With stdin, stdout or stderr closed, the next file opened would take its number and get our messages. Their places are taken here, by
 * something that cannot be written, so that a result that goes nowhere is still an error. */
static void occupy_standard_files(void)
{
    int fd;
    do fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO) close(fd);
}

/* Scoring a thousand groups of cells asks for a few megabytes a thousand times over. glibc gives each back to the kernel and takes it anew, page by page, which took a tenth of the time of scoring MORPH (sys 3.6 -> 1.2 s of 23 s). */
static void keep_what_is_freed(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 128 << 20);
#endif
}

int main(int argc, char **argv)
{
    keep_what_is_freed();
    occupy_standard_files();
    remember_command_line(argc, argv);
    const int muted = cli_mute_helper();
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        const cli_command *asked = argc > 2 ? cli_find_command(argv[2]) : NULL;
        if (asked) cli_print_help(asked);
        else if (argc <= 2) cli_print_overview();
        return cli_finish_stdout(argc < 2 || (argc > 2 && !asked) ? EXIT_WRONG_INPUT : EXIT_DONE);
    }
    const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    const cli_command *command = cli_find_command(name);
    if (!command) return cli_code_of_rank(NULL, EXIT_WRONG_INPUT);
    cli_args args = {.argv_text = command_line};
    if (sow_ranks_is_helper()) args.quiet = 1;
    int code = cli_parse(&args, command, argc - 2, argv + 2);
    if (code == 0 && args.help) {
        cli_print_help(command);
    } else if (code == 0) {
        sow_env env;
        cli_unmute(muted);
        cli_env_init(&env, &args);
        cli_catch_signals();
        code = cli_run(command, &args, &env);
        cli_env_clear(&env);
    }
    cli_args_clear(&args);
    return cli_finish_stdout(cli_code_of_rank(command, code));
}
