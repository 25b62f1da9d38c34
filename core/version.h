/* Version of the library and the commit it was built from. */
#ifndef SOWER_CORE_VERSION_H
#define SOWER_CORE_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

const char *sow_version(void);  /* "0.1.0" */
const char *sow_git_hash(void); /* 12 hex digits, or "unknown" outside a checkout */

#ifdef __cplusplus
}
#endif
#endif
