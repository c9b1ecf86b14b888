/* What the tests of the whole kernel share: its devices, its seeds, its ledger. They go
 * through the public API; card_test.c and its neighbours go through the card seam. */
#ifndef SYSTOLE_TESTS_COSIM_KERNEL_H
#define SYSTOLE_TESTS_COSIM_KERNEL_H

#include <criterion/parameterized.h>
#include <stdint.h>

#include "systole/systole.h"

/* Device options with the protocol checkers on (and the RTL's assertions, in sizes built
 * for that). */
systole_device_options kernel_options(void);

/* Opens rtl:`model`. NULL options: kernel_options(). Aborts the test on failure. */
systole_device *kernel_open(const char *model, const systole_device_options *options);

/* Parameters of a test that runs once for each of `count` models (at most 32): their
 * numbers. SYSTOLE_TEST_MODEL=16:readable leaves only that one. */
struct criterion_test_params kernel_models(const char *const *models, int count);

/* The same for a test that takes long on Dim 256, which it leaves to SYSTOLE_TEST_LONG
 * and SYSTOLE_TEST_MODEL. */
struct criterion_test_params kernel_models_to_128(const char *const *models, int count);

/* Every cycle of a run is in exactly one part of its ledger. */
uint64_t kernel_ledger_sum(const systole_stats *stats);

/* NULL when the stats of a product of M x N x K agree with each other and with the
 * formulas of systole.h, else a sentence, valid until the next call. */
const char *kernel_check_stats(const systole_stats *stats, const systole_geometry *g,
                               int64_t m, int64_t n, int64_t k);

/* NULL when both runs took the same cycles, part by part, and did the same work, else a
 * sentence, valid until the next call. */
const char *kernel_compare_stats(const systole_stats *a, const systole_stats *b);

/* Random tests run once for each seed of 1 ... `count`, or for SYSTOLE_TEST_SEED alone:
 *   for (seeds s = kernel_seeds(20); s.seed <= s.last; s.seed++) */
typedef struct seeds {
  uint64_t seed, last;
} seeds;
seeds kernel_seeds(uint64_t count);
seeds kernel_seeds_from(uint64_t first, uint64_t count);

/* 1 when SYSTOLE_TEST_LONG asks for the tests that take minutes. */
int kernel_long(void);

#endif
