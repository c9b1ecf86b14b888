#include "product.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/random.h"

enum { kGuard = 0x5C };

static void *need(size_t bytes) {
  void *memory = malloc(bytes > 0 ? bytes : 1);
  if (memory == NULL) {
    fprintf(stderr, "the test needs %zu bytes more memory\n", bytes);
    abort();
  }
  return memory;
}

static int8_t *make_operand(systole_random *random, int64_t rows, int64_t ld,
                            systole_values values) {
  size_t count = (size_t)(rows * ld);
  int8_t *data = need(count);
  systole_random_int8(random, data, count);
  for (size_t i = 0; i < count; i++) {
    switch (values) {
      case SYSTOLE_VALUES_RANDOM:
        break;
      case SYSTOLE_VALUES_EXTREME:
        data[i] = data[i] < 0 ? -128 : 127;
        break;
      case SYSTOLE_VALUES_MIN:
        data[i] = -128;
        break;
      case SYSTOLE_VALUES_SPARSE:
        if (data[i] & 3) data[i] = 0;
        break;
    }
  }
  return data;
}

systole_product systole_product_make(int64_t m, int64_t n, int64_t k, int64_t gap,
                                     uint64_t seed, systole_values values) {
  systole_product p = {m,      n,    k,    k + gap, n + gap, n + gap, seed,
                       values, NULL, NULL, NULL,    4,       NULL};
  if (p.lda < 1) p.lda = 1;
  if (p.ldb < 1) p.ldb = 1;
  if (p.ldc < 1) p.ldc = 1;
  systole_random random;
  systole_random_seed(&random, seed);
  p.a = make_operand(&random, m, p.lda, values);
  p.b = make_operand(&random, k, p.ldb, values);
  p.c = need((size_t)(m * p.ldc) * sizeof(int32_t));
  p.expected = need((size_t)(m * n) * sizeof(int32_t));
  for (int64_t i = 0; i < m; i++) {
    int32_t *row = p.expected + i * n;
    memset(row, 0, (size_t)n * sizeof(int32_t));
    for (int64_t l = 0; l < k; l++) {
      int32_t x = p.a[i * p.lda + l];
      const int8_t *w = p.b + l * p.ldb;
      for (int64_t j = 0; j < n; j++) {
        row[j] = (int32_t)((uint32_t)row[j] + (uint32_t)(x * w[j]));
      }
    }
  }
  systole_product_reset(&p);
  return p;
}

void systole_product_free(systole_product *product) {
  free(product->a);
  free(product->b);
  free(product->c);
  free(product->expected);
}

void systole_product_reset(systole_product *product) {
  memset(product->c, kGuard, (size_t)(product->m * product->ldc * product->element));
}

/* Written as the definition reads, apart from the library's code. */
static int32_t apply(const systole_epilogue *e, int64_t j, int32_t sum) {
  int32_t x = (int32_t)((uint32_t)sum + (e->bias == NULL ? 0u : (uint32_t)e->bias[j]));
  if (e->multiplier == NULL) return x;
  int64_t v = (int64_t)x * e->multiplier[j], unit = (int64_t)1 << e->shift[j];
  int64_t low = v / unit - (v % unit < 0), rest = v - low * unit;
  if (2 * rest > unit || (2 * rest == unit && (low & 1))) low++;
  int64_t y = low + e->zero_point;
  if (y < e->clamp_low) y = e->clamp_low;
  if (y > e->clamp_high) y = e->clamp_high;
  return (int32_t)y;
}

void systole_product_epilogue(systole_product *product,
                              const systole_epilogue *epilogue) {
  for (int64_t i = 0; i < product->m; i++) {
    for (int64_t j = 0; j < product->n; j++) {
      int32_t *value = &product->expected[i * product->n + j];
      *value = apply(epilogue, j, *value);
    }
  }
  product->element = epilogue->multiplier != NULL ? 1 : 4;
  systole_product_reset(product);
}

static int32_t element(const systole_product *p, int64_t i, int64_t j) {
  int64_t at = i * p->ldc + j;
  return p->element == 1 ? ((const int8_t *)p->c)[at] : ((const int32_t *)p->c)[at];
}

const char *systole_product_check(const systole_product *p) {
  static _Thread_local char message[256];
  int32_t guard = p->element == 1 ? kGuard : (int32_t)(0x01010101u * kGuard);
  int64_t wrong = 0, first_i = 0, first_j = 0;
  for (int64_t i = 0; i < p->m; i++) {
    for (int64_t j = 0; j < p->n; j++) {
      if (element(p, i, j) == p->expected[i * p->n + j]) continue;
      if (wrong++ == 0) {
        first_i = i;
        first_j = j;
      }
    }
    for (int64_t j = p->n; j < p->ldc; j++) {
      if (element(p, i, j) == guard) continue;
      snprintf(
          message, sizeof message,
          "M=%lld N=%lld K=%lld seed=%llu: C[%lld][%lld] is beyond N and was written",
          (long long)p->m, (long long)p->n, (long long)p->k, (unsigned long long)p->seed,
          (long long)i, (long long)j);
      return message;
    }
  }
  if (wrong == 0) return NULL;
  snprintf(
      message, sizeof message,
      "M=%lld N=%lld K=%lld seed=%llu values=%d: %lld wrong, first C[%lld][%lld] = %d "
      "instead of %d",
      (long long)p->m, (long long)p->n, (long long)p->k, (unsigned long long)p->seed,
      (int)p->values, (long long)wrong, (long long)first_i, (long long)first_j,
      element(p, first_i, first_j), p->expected[first_i * p->n + first_j]);
  return message;
}
