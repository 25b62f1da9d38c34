#include <stdio.h>

#include "cli/cli.h"
#include "core/version.h"

int cmd_version(const cli_args *args, const sow_env *env)
{
    (void)env;
    if (args->json) printf("{\"git\": \"%s\", \"version\": \"%s\"}\n", sow_git_hash(), sow_version());
    else printf("sower %s (%s)\n", sow_version(), sow_git_hash());
    return EXIT_DONE;
}
