#define _POSIX_C_SOURCE 200809L
#include "bandwidth.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pool.h"
#include "support/memory.h"
#include "x86.h"

enum {
  Step = 512,           /* bytes of one turn of the loops */
  Least = 4096,         /* bytes that a thread reads at least */
  Turns = 9,            /* of which the best counts */
  WorthTiming = 2 << 20 /* bytes of a turn: about 20 us */
};
static const uint64_t most = (uint64_t)256 << 20;

/* Reads `bytes`, a multiple of Step. What comes out keeps the compiler from leaving it.
 */
static uint64_t read_plain(const unsigned char *from, uint64_t bytes) {
  uint64_t sum[4] = {0, 0, 0, 0}, word[4];
  for (uint64_t at = 0; at < bytes; at += sizeof word) {
    memcpy(word, from + at, sizeof word);
    for (int i = 0; i < 4; i++) sum[i] ^= word[i];
  }
  return sum[0] ^ sum[1] ^ sum[2] ^ sum[3];
}

#if SYSTOLE_X86
#define READ_LOOP(NAME, TARGET, VECTOR, LOAD, XOR, ZERO)                                 \
  static __attribute__((target(TARGET))) uint64_t NAME(const unsigned char *from,        \
                                                       uint64_t bytes) {                 \
    VECTOR sum[8];                                                                       \
    uint64_t out;                                                                        \
    for (int i = 0; i < 8; i++) sum[i] = ZERO;                                           \
    for (uint64_t at = 0; at < bytes; at += 8 * sizeof(VECTOR)) {                        \
      _Pragma("GCC unroll 8") for (int i = 0; i < 8; i++) {                              \
        sum[i] = XOR(sum[i], LOAD((const void *)(from + at + i * (int)sizeof(VECTOR)))); \
      }                                                                                  \
    }                                                                                    \
    for (int i = 1; i < 8; i++) sum[0] = XOR(sum[0], sum[i]);                            \
    memcpy(&out, &sum[0], sizeof out);                                                   \
    return out;                                                                          \
  }
READ_LOOP(read_zmm, "avx512f", __m512i, _mm512_loadu_si512, _mm512_xor_si512,
          _mm512_setzero_si512())
#define LOAD_YMM(p) _mm256_loadu_si256((const __m256i *)(p))
READ_LOOP(read_ymm, "avx2", __m256i, LOAD_YMM, _mm256_xor_si256, _mm256_setzero_si256())
#endif

typedef uint64_t read_function(const unsigned char *from, uint64_t bytes);

static read_function *choose(void) {
#if SYSTOLE_X86
  if (__builtin_cpu_supports("avx512f")) return read_zmm;
  if (__builtin_cpu_supports("avx2")) return read_ymm;
#endif
  return read_plain;
}

static double thread_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

typedef struct measurement {
  const unsigned char *memory;
  uint64_t part; /* bytes of each thread */
  read_function *read;
  double *gbs; /* of each */
} measurement;

static void measure(void *user, int64_t task, int thread) {
  (void)thread;
  const measurement *m = user;
  const unsigned char *from = m->memory + (uint64_t)task * m->part;
  const uint64_t passes = 1 + WorthTiming / m->part;
  volatile uint64_t keep = m->read(from, m->part); /* into the caches */
  double best = 0;
  for (int turn = 0; turn < Turns; turn++) {
    const double start = thread_seconds();
    for (uint64_t p = 0; p < passes; p++) keep ^= m->read(from, m->part);
    const double seconds = thread_seconds() - start;
    const double gbs = 1e-9 * (double)(passes * m->part) / (seconds > 0 ? seconds : 1);
    if (gbs > best) best = gbs;
  }
  (void)keep;
  m->gbs[task] = best;
}

double systole_cpu_bandwidth_gbs(uint64_t bytes, int threads) {
  if (bytes > most) bytes = most;
  measurement m = {.read = choose()};
  m.part = bytes / (uint64_t)threads / Step * Step;
  if (m.part < Least) m.part = Least;
  double sum = 0;
  void *memory = NULL;
  systole_pool *pool = NULL;
  m.gbs = calloc((size_t)threads, sizeof *m.gbs);
  if (m.gbs != NULL &&
      systole_allocate(&memory, (uint64_t)threads, m.part, "a buffer") == SYSTOLE_OK &&
      systole_pool_create(&pool, threads) == SYSTOLE_OK) {
    /* Pages that were never written are all the same one. */
    memset(memory, 1, (size_t)threads * m.part);
    m.memory = memory;
    systole_pool_run(pool, threads, threads, measure, &m);
    for (int i = 0; i < threads; i++) sum += m.gbs[i];
  }
  systole_pool_free(pool);
  systole_release(memory);
  free(m.gbs);
  return sum;
}
