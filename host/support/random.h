/* Reproducible numbers: the same seed gives the same matrices on every machine.
 * xoshiro256** seeded through splitmix64 (D. Blackman and S. Vigna, "Scrambled linear
 * pseudorandom number generators", ACM TOMS 47, 2021). */
#ifndef SYSTOLE_SUPPORT_RANDOM_H
#define SYSTOLE_SUPPORT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct systole_random {
  uint64_t state[4];
} systole_random;

void systole_random_seed(systole_random *random, uint64_t seed);

/* 64 uniform bits. */
uint64_t systole_random_next(systole_random *random);

/* Uniform in 0 ... bound - 1; bound > 0. */
uint64_t systole_random_below(systole_random *random, uint64_t bound);

/* Uniform in [0, 1). */
double systole_random_unit(systole_random *random);

/* `count` values, uniform in -128 ... 127. Eight come from each 64-bit number, the low
 * byte first, so the sequence does not depend on the machine. */
void systole_random_int8(systole_random *random, int8_t *out, size_t count);

#endif
