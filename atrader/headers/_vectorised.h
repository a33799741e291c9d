/* Loops worth wider vectors where the processor has them. */

#ifndef ATRADER_VECTORISED_H
#define ATRADER_VECTORISED_H

#include <limits.h> /* any header of the C library tells whether it is glibc */

/* Chosen when the module is loaded; without contraction the results are the same. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define VECTORISED __attribute__((target_clones("avx2", "default")))
#else
#define VECTORISED
#endif

#endif
