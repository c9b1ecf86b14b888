#include "support/random.h"

static uint64_t rotate_left(uint64_t value, int bits) {
  return (value << bits) | (value >> (64 - bits));
}

void systole_random_seed(systole_random *random, uint64_t seed) {
  for (int i = 0; i < 4; i++) {
    seed += 0x9E3779B97F4A7C15u;
    uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    random->state[i] = z ^ (z >> 31);
  }
}

uint64_t systole_random_next(systole_random *random) {
  uint64_t *s = random->state;
  uint64_t result = rotate_left(s[1] * 5, 7) * 9;
  uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate_left(s[3], 45);
  return result;
}

uint64_t systole_random_below(systole_random *random, uint64_t bound) {
  /* Values below 2^64 mod bound are drawn again, so that every result is equally likely.
   */
  uint64_t reject = (0 - bound) % bound;
  uint64_t value;
  do {
    value = systole_random_next(random);
  } while (value < reject);
  return value % bound;
}

double systole_random_unit(systole_random *random) {
  return (double)(systole_random_next(random) >> 11) * 0x1.0p-53;
}

void systole_random_int8(systole_random *random, int8_t *out, size_t count) {
  for (size_t i = 0; i < count; i += 8) {
    uint64_t bits = systole_random_next(random);
    size_t take = count - i < 8 ? count - i : 8;
    for (size_t j = 0; j < take; j++) out[i + j] = (int8_t)(uint8_t)(bits >> (8 * j));
  }
}
