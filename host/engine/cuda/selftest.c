#include <math.h>
#include <stdlib.h>

#include "engine/format.h"
#include "product.h"
#include "support/error.h"
#include "support/memory.h"

enum { Rows = 19, Columns = 35, Deep = 2053 };

typedef enum filling { Integers, Fractions } filling;

static uint32_t next(uint32_t *state) {
  *state = *state * 1664525U + 1013904223U; /* Numerical Recipes' generator */
  return *state >> 7;
}

/* Rows x Columns sums, which the sink fills. */
typedef union sums {
  int32_t s32[Rows * Columns];
  float f32[Rows * Columns];
} sums;

static int keep(void *user, int64_t first, int64_t rows, const void *from, int64_t ld) {
  sums *to = user;
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < Columns; j++) {
      /* Four bytes either way. */
      to->s32[(first + i) * Columns + j] = ((const int32_t *)from)[i * ld + j];
    }
  }
  return 0;
}

static systole_status multiply(systole_cuda_room *room, sums *out, int k, const void *a,
                               const void *b) {
  systole_cuda_weights weights = {0};
  systole_cuda_times times = {0};
  systole_status status =
      systole_cuda_weights_make(&weights, room, Columns, k, b, Columns);
  if (status == SYSTOLE_OK) {
    status = systole_cuda_multiply(&weights, Rows, a, k, keep, out, &times);
  }
  systole_cuda_weights_free(&weights);
  return status;
}

static systole_status wrong(const systole_cuda_room *room, const char *what) {
  return systole_fail(SYSTOLE_ERR_DEVICE,
                      "%s computes %s wrongly in %s; its driver or library is not to be "
                      "trusted%s",
                      room->device.name, what, systole_format_name(room->format),
                      room->format == SYSTOLE_FORMAT_F32
                          ? " (is NVIDIA_TF32_OVERRIDE or an emulation set?)"
                          : "");
}

static systole_status test_s8(systole_cuda_room *room) {
  static const int8_t values[] = {-128, 127, -128, -127, 0, 1, 127, -1, -128, -128, 85};
  void *a_memory = NULL, *b_memory = NULL;
  sums *c = NULL;
  systole_status status =
      systole_allocate(&a_memory, Rows * Deep, 1, "the device's self-test");
  if (status == SYSTOLE_OK) {
    status = systole_allocate(&b_memory, Deep * Columns, 1, "the device's self-test");
  }
  if (status == SYSTOLE_OK) {
    status = systole_allocate((void **)&c, 1, sizeof *c, "the device's self-test");
  }
  if (status != SYSTOLE_OK) goto done;
  int8_t *a = a_memory, *b = b_memory;
  /* The first rows and columns hold the extremes alone: sums beyond 2^24, which no
   * float holds where they are odd. */
  for (int i = 0; i < Rows; i++) {
    for (int k = 0; k < Deep; k++) {
      a[i * Deep + k] = i == 0 ? -128 : i == 1 ? 127 : values[(i * 7 + k * 3) % 11];
    }
  }
  for (int k = 0; k < Deep; k++) {
    for (int j = 0; j < Columns; j++) {
      b[k * Columns + j] = j == 0 ? -128 : j == 1 ? 127 : values[(j * 5 + k * 2) % 11];
    }
  }
  status = multiply(room, c, Deep, a, b);
  for (int i = 0; i < Rows && status == SYSTOLE_OK; i++) {
    for (int j = 0; j < Columns && status == SYSTOLE_OK; j++) {
      int32_t sum = 0;
      for (int k = 0; k < Deep; k++) sum += a[i * Deep + k] * b[k * Columns + j];
      if (c->s32[i * Columns + j] != sum) status = wrong(room, "sums");
    }
  }
done:
  systole_release(c);
  systole_release(b_memory);
  systole_release(a_memory);
  return status;
}

static float draw(uint32_t *state, filling fill) {
  const float fraction = (float)((int32_t)next(state) - (1 << 24)) * 0x1p-24F;
  /* 2053 products of up to 50 x 50 stay below 2^24, which float32 holds. */
  return fill == Integers ? rintf(fraction * 50) : fraction;
}

static systole_status test_floats(systole_cuda_room *room, int depth, filling fill) {
  const systole_format format = room->format;
  uint32_t state = (uint32_t)depth;
  void *a_memory = NULL, *b_memory = NULL;
  sums *c = NULL;
  systole_status status = systole_allocate(&a_memory, (uint64_t)Rows * (uint64_t)depth,
                                           sizeof(float), "the device's self-test");
  if (status == SYSTOLE_OK) {
    status = systole_allocate(&b_memory, (uint64_t)Columns * (uint64_t)depth,
                              sizeof(float), "the device's self-test");
  }
  if (status == SYSTOLE_OK) {
    status = systole_allocate((void **)&c, 1, sizeof *c, "the device's self-test");
  }
  if (status != SYSTOLE_OK) goto done;
  float *a = a_memory, *b = b_memory;
  for (int i = 0; i < Rows * depth; i++) a[i] = draw(&state, fill);
  for (int i = 0; i < Columns * depth; i++) b[i] = draw(&state, fill);
  status = multiply(room, c, depth, a, b);
  for (int i = 0; i < Rows && status == SYSTOLE_OK; i++) {
    for (int j = 0; j < Columns && status == SYSTOLE_OK; j++) {
      double sum = 0, size = 0;
      for (int k = 0; k < depth; k++) {
        const double product = (double)systole_format_operand(format, a[i * depth + k]) *
                               (double)systole_format_operand(format, b[k * Columns + j]);
        sum += product;
        size += fabs(product);
      }
      double bound = fill == Integers ? 0 : systole_format_bound(format, depth) * size;
      /* Alone, a product of two shorter numbers is exact, and one of float32 is rounded
       * once, which tells it from TF32. */
      if (depth == 1 && format != SYSTOLE_FORMAT_TF32) bound = fabs(sum) * 0x1p-24;
      const double error = fabs((double)c->f32[i * Columns + j] - sum);
      if (!(error <= bound)) {
        status = wrong(room, depth == 1         ? "single products"
                             : fill == Integers ? "sums of integers"
                                                : "long sums");
      }
    }
  }
done:
  systole_release(c);
  systole_release(b_memory);
  systole_release(a_memory);
  return status;
}

systole_status systole_cuda_selftest(systole_cuda_room *room) {
  if (room->format == SYSTOLE_FORMAT_S8) return test_s8(room);
  systole_status status = test_floats(room, 1, Fractions);
  if (status == SYSTOLE_OK) status = test_floats(room, Deep, Integers);
  if (status == SYSTOLE_OK) status = test_floats(room, Deep, Fractions);
  return status;
}
