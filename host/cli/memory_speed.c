#include "memory_speed.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "number.h"
#include "support/clock.h"

enum { Passes = 5, MaxThreads = 256, Lanes = 8 };
/* Four times the last-level cache, so that what is left of the last pass counts little;
 * at most 1 GiB, where large caches are shared with other machines anyway. */
static const uint64_t smallest = UINT64_C(256) << 20, largest = UINT64_C(1) << 30;

typedef struct part {
  const uint64_t *from;
  size_t count; /* a multiple of Lanes */
  uint64_t sum;
} part;

/* Sums in lanes, which compilers turn into vector loads. */
static uint64_t read_all(const uint64_t *from, size_t count) {
  uint64_t sums[Lanes] = {0}, sum = 0;
  for (size_t i = 0; i < count; i += Lanes) {
    for (size_t lane = 0; lane < Lanes; lane++) sums[lane] += from[i + lane];
  }
  for (size_t lane = 0; lane < Lanes; lane++) sum += sums[lane];
  return sum;
}

static void *reader(void *argument) {
  part *own = argument;
  own->sum = read_all(own->from, own->count);
  return NULL;
}

static uint64_t size_to_read(void) {
  const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  uint64_t bytes = cache > 0 ? 4 * (uint64_t)cache : smallest;
  if (bytes < smallest) bytes = smallest;
  if (bytes > largest) bytes = largest;
  return bytes;
}

/* Seconds of one pass; 0 when a thread cannot start. Starting them costs tens of
 * microseconds, a pass tens of milliseconds. */
static double read_once(part *parts, int threads) {
  pthread_t handles[MaxThreads];
  int running = 0;
  const double started = systole_wall_seconds();
  while (running < threads &&
         pthread_create(&handles[running], NULL, reader, &parts[running]) == 0) {
    running++;
  }
  for (int i = 0; i < running; i++) pthread_join(handles[i], NULL);
  return running == threads ? systole_wall_seconds() - started : 0;
}

double systole_memory_speed(int threads) {
  const uint64_t bytes = size_to_read();
  part parts[MaxThreads];
  double best = 0;
  if (threads < 1) threads = 1;
  if (threads > MaxThreads) threads = MaxThreads;
  if (systole_memory_available() / 2 < bytes) return 0;
  const size_t each =
      (size_t)(bytes / sizeof(uint64_t)) / (size_t)threads / Lanes * Lanes;
  uint64_t *data = malloc((size_t)bytes);
  if (data == NULL) return 0;
  memset(data, 1, (size_t)bytes); /* pages that were never written share one of zeros */
  for (int i = 0; i < threads; i++) parts[i] = (part){data + (size_t)i * each, each, 0};
  for (int pass = 0; pass < Passes; pass++) {
    const double took = read_once(parts, threads);
    if (!(took > 0)) {
      best = 0;
      break;
    }
    const double speed = (double)each * sizeof(uint64_t) * threads / took / 1e9;
    if (speed > best) best = speed;
    /* Every byte is 1: another sum means that something else was timed. */
    for (int i = 0; i < threads; i++) {
      if (parts[i].sum != each * UINT64_C(0x0101010101010101)) best = 0;
    }
  }
  free(data);
  return best;
}
