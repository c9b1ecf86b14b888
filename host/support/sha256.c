#include "support/sha256.h"

#include <string.h>

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes
 * (FIPS 180-4, section 4.2.2). */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
    0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
    0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
    0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
    0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
    0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2};

static uint32_t rotate_right(uint32_t value, int bits) {
  return value >> bits | value << (32 - bits);
}

static uint32_t big_endian(const uint8_t *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
         (uint32_t)bytes[3];
}

static void digest_block(uint32_t state[8], const uint8_t *block) {
  uint32_t w[64], v[8];
  for (int t = 0; t < 16; t++) w[t] = big_endian(block + 4 * t);
  for (int t = 16; t < 64; t++) {
    const uint32_t s0 =
        rotate_right(w[t - 15], 7) ^ rotate_right(w[t - 15], 18) ^ w[t - 15] >> 3;
    const uint32_t s1 =
        rotate_right(w[t - 2], 17) ^ rotate_right(w[t - 2], 19) ^ w[t - 2] >> 10;
    w[t] = w[t - 16] + s0 + w[t - 7] + s1;
  }
  memcpy(v, state, sizeof v);
  for (int t = 0; t < 64; t++) {
    const uint32_t s1 =
        rotate_right(v[4], 6) ^ rotate_right(v[4], 11) ^ rotate_right(v[4], 25);
    const uint32_t s0 =
        rotate_right(v[0], 2) ^ rotate_right(v[0], 13) ^ rotate_right(v[0], 22);
    const uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
    const uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
    const uint32_t t1 = v[7] + s1 + choice + constants[t] + w[t];
    memmove(v + 1, v, 7 * sizeof v[0]);
    v[4] += t1;
    v[0] = t1 + s0 + majority;
  }
  for (int i = 0; i < 8; i++) state[i] += v[i];
}

void systole_sha256_begin(systole_sha256 *hash) {
  static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(hash->state, initial, sizeof initial);
  hash->bytes = 0;
}

void systole_sha256_add(systole_sha256 *hash, const void *data, size_t bytes) {
  const uint8_t *from = data;
  size_t used = (size_t)(hash->bytes % sizeof hash->block);
  hash->bytes += bytes;
  while (bytes > 0) {
    if (used == 0 && bytes >= sizeof hash->block) {
      digest_block(hash->state, from);
      from += sizeof hash->block;
      bytes -= sizeof hash->block;
      continue;
    }
    const size_t room = sizeof hash->block - used, take = bytes < room ? bytes : room;
    memcpy(hash->block + used, from, take);
    from += take;
    bytes -= take;
    used += take;
    if (used == sizeof hash->block) {
      digest_block(hash->state, hash->block);
      used = 0;
    }
  }
}

void systole_sha256_end(systole_sha256 *hash, uint8_t digest[SYSTOLE_SHA256_BYTES]) {
  static const uint8_t padding[64] = {0x80};
  const uint64_t bits = 8 * hash->bytes;
  const size_t used = (size_t)(hash->bytes % 64);
  uint8_t length[8];
  for (int i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> (56 - 8 * i));
  systole_sha256_add(hash, padding, used < 56 ? 56 - used : 120 - used);
  systole_sha256_add(hash, length, sizeof length);
  for (int i = 0; i < SYSTOLE_SHA256_BYTES; i++) {
    digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
  }
}

void systole_sha256_of(uint8_t digest[SYSTOLE_SHA256_BYTES], const void *data,
                       size_t bytes) {
  systole_sha256 hash;
  systole_sha256_begin(&hash);
  systole_sha256_add(&hash, data, bytes);
  systole_sha256_end(&hash, digest);
}

void systole_sha256_text(char text[SYSTOLE_SHA256_TEXT],
                         const uint8_t digest[SYSTOLE_SHA256_BYTES]) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 0; i < SYSTOLE_SHA256_BYTES; i++) {
    text[2 * i] = digits[digest[i] >> 4];
    text[2 * i + 1] = digits[digest[i] & 15];
  }
  text[2 * SYSTOLE_SHA256_BYTES] = '\0';
}
