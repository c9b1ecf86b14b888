/* The self-test that a kernel passes on the machine it runs on, before it computes for
 * anyone. Its cases are those that wrong kernels are known to fail: sums of pairs that
 * leave 16 bits, sums that leave the 24 bits of a float, sums that leave 32 bits, and
 * edges of every tile. */
#include <stdlib.h>
#include <string.h>

#include "engine/epilogue.h"
#include "kernel.h"

enum { Large = 1 << 16 };

typedef enum filling { Random, Extreme, Minimum, Opposed, Odd } filling;

typedef struct shape {
  int m, n, k;
  filling fill;
} shape;

static const shape shapes[] = {
    {1, 1, 1, Random},      {5, 3, 7, Random},      {17, 37, 66, Random},
    {3, 70, 2051, Random},  {4, 33, 4096, Extreme}, /* 127 times 127 or -128 */
    {4, 33, 4096, Minimum},                         /* -128 x -128 */
    {4, 33, 4096, Opposed}, /* 127 x -128: 255 x 127 and more where one side is unsigned
                             */
    {4, 33, 4097, Odd},     /* 127 x 127: an odd sum past 2^24, which no float holds */
    {15, 16, 4, Minimum},
};

static int8_t value(filling fill, int is_a, uint32_t *state) {
  *state = *state * 1664525U + 1013904223U; /* Numerical Recipes' generator */
  const uint32_t bits = *state >> 24;
  switch (fill) {
    case Extreme:
      return is_a ? 127 : (bits & 1U) != 0 ? 127 : -128;
    case Minimum:
      return -128;
    case Opposed:
      return is_a ? 127 : -128;
    case Odd:
      return 127;
    case Random:
      break;
  }
  return (int8_t)((int32_t)bits - 128);
}

static int same(const shape *s, const int8_t *a, const int8_t *b, const int32_t *c) {
  for (int i = 0; i < s->m; i++) {
    for (int j = 0; j < s->n; j++) {
      uint32_t sum = 0;
      for (int k = 0; k < s->k; k++) sum += (uint32_t)(a[i * s->k + k] * b[k * s->n + j]);
      if ((int32_t)sum != c[i * s->n + j]) return 0;
    }
  }
  return 1;
}

static int product_exact(const systole_cpu_kernel *kernel, systole_cpu_room *room,
                         const shape *s) {
  int good = 0;
  uint32_t state = 1;
  systole_cpu_weights *weights = NULL;
  int8_t *a = malloc((size_t)s->m * (size_t)s->k);
  int8_t *b = malloc((size_t)s->k * (size_t)s->n);
  int32_t *c = malloc((size_t)s->m * (size_t)s->n * sizeof *c);
  if (a == NULL || b == NULL || c == NULL) goto done;
  for (int i = 0; i < s->m * s->k; i++) a[i] = value(s->fill, 1, &state);
  for (int i = 0; i < s->k * s->n; i++) b[i] = value(s->fill, 0, &state);
  if (kernel->prepare(&weights, room, s->n, s->k, b, s->n, NULL) != SYSTOLE_OK) goto done;
  if (kernel->gemm(weights, room, s->m, a, s->k, c, s->n) != SYSTOLE_OK) goto done;
  good = same(s, a, b, c);
done:
  if (weights != NULL) kernel->weights_free(weights);
  free(c);
  free(b);
  free(a);
  return good;
}

/* The kernel's vector form of the epilogue against one value at a time. */
static int epilogue_exact(const systole_cpu_kernel *kernel, systole_cpu_room *room) {
  enum { N = 77, K = 3 };
  int32_t bias[N], multiplier[N];
  uint8_t shift[N];
  int8_t a[K], b[K * N], out[N];
  uint32_t state = 7;
  for (int i = 0; i < K; i++) a[i] = value(Random, 1, &state);
  for (int i = 0; i < K * N; i++) b[i] = value(Random, 0, &state);
  for (int j = 0; j < N; j++) {
    state = state * 1664525U + 1013904223U;
    bias[j] = (int32_t)(state - 0x80000000U) >> (j % 24);
    multiplier[j] = (int32_t)(state >> 8) % Large * ((j & 1) != 0 ? -1 : 1);
    shift[j] = (uint8_t)(j % 48);
  }
  systole_epilogue epilogue = SYSTOLE_EPILOGUE_INIT;
  epilogue.bias = bias;
  epilogue.multiplier = multiplier;
  epilogue.shift = shift;
  epilogue.zero_point = 3;
  systole_cpu_weights *weights = NULL;
  int good = kernel->prepare(&weights, room, N, K, b, N, &epilogue) == SYSTOLE_OK &&
             kernel->gemm(weights, room, 1, a, K, out, N) == SYSTOLE_OK;
  for (int j = 0; j < N && good; j++) {
    int32_t sum = 0;
    for (int k = 0; k < K; k++) sum += a[k] * b[k * N + j];
    good = out[j] ==
           systole_epilogue_value(sum, bias[j], multiplier[j], shift[j], 3, -128, 127);
  }
  if (weights != NULL) kernel->weights_free(weights);
  return good;
}

int systole_cpu_selftest(const systole_cpu_kernel *kernel, const char **why) {
  systole_cpu_room *room = NULL;
  int good = kernel->room_create(&room, kernel, 1) == SYSTOLE_OK;
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0] && good; s++) {
    good = product_exact(kernel, room, &shapes[s]);
  }
  good = good && epilogue_exact(kernel, room);
  if (room != NULL) kernel->room_free(room);
  *why = good ? "" : "a CPU on which its self-test passes; here it computed a wrong sum";
  return good;
}
