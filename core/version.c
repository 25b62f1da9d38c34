#include "core/version.h"

const char *sow_version(void)
{
    return SOWER_VERSION;
}

const char *sow_git_hash(void)
{
    return SOWER_GIT_HASH;
}
