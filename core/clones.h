/* SOW_CLONES in front of a function: compiled also for wider vectors, and the widest that the CPU has is taken when the program is loaded. For loops over independent entries only, so that
 * every clone gives the same bits (contraction into fused multiply-adds is off). Empty where the compiler or a sanitizer cannot do it. */
#ifndef SOWER_CORE_CLONES_H
#define SOWER_CORE_CLONES_H

#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SOW_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define SOW_CLONES
#endif

#endif
