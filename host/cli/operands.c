#include "operands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "npy.h"
#include "number.h"
#include "story.h"
#include "streams.h"

void systole_draw_s8(int8_t *out, uint64_t count, uint64_t seed, uint64_t stream) {
  systole_random random = systole_stream(seed, stream);
  systole_random_int8(&random, out, count);
}

void systole_draw_f32(float *out, uint64_t count, uint64_t seed, uint64_t stream) {
  systole_random random = systole_stream(seed, stream);
  for (uint64_t i = 0; i < count; i++) {
    const int64_t bits = (int64_t)(systole_random_next(&random) >> 39);
    out[i] = (float)(bits - (1 << 24)) * 0x1p-24F;
  }
}

/* Numbers of any type as float32, in a matrix of their own. */
static int to_floats(systole_matrix *matrix) {
  const size_t count = (size_t)matrix->rows * (size_t)matrix->cols;
  if (matrix->type == SYSTOLE_TYPE_F32) return 0;
  float *out = malloc(count * sizeof *out + 1);
  if (out == NULL) return systole_story_errno(ENOMEM, "cannot hold the operands");
  for (size_t i = 0; i < count; i++) {
    switch (matrix->type) {
      case SYSTOLE_TYPE_U8:
        out[i] = (float)((const uint8_t *)matrix->data)[i];
        break;
      case SYSTOLE_TYPE_S32:
        out[i] = (float)((const int32_t *)matrix->data)[i];
        break;
      default:
        out[i] = (float)((const int8_t *)matrix->data)[i];
        break;
    }
  }
  free(matrix->data);
  matrix->data = out;
  matrix->type = SYSTOLE_TYPE_F32;
  return 0;
}

/* Reads one file and brings it to int8, or to float32. */
static int load(systole_matrix *matrix, int *moved, const char *path, const char *name,
                int floats) {
  const int code = systole_npy_read(matrix, path);
  *moved = 0;
  if (code != 0) return code;
  if (floats) {
    const int failed = to_floats(matrix);
    if (failed != 0) systole_matrix_free(matrix);
    return failed;
  }
  if (matrix->type == SYSTOLE_TYPE_U8) {
    uint8_t *bytes = matrix->data;
    const size_t count = (size_t)matrix->rows * (size_t)matrix->cols;
    for (size_t i = 0; i < count; i++) bytes[i] ^= 0x80; /* u - 128 as int8 */
    *moved = 1;
  } else if (matrix->type != SYSTOLE_TYPE_S8) {
    const int refused = systole_story(
        SYSTOLE_EXIT_USAGE,
        "%s: %s holds %s and this product takes int8 or uint8; quantise it first, e.g. "
        "numpy.clip(numpy.rint(x / scale), -128, 127).astype(numpy.int8)",
        name, path, systole_type_name(matrix->type));
    systole_matrix_free(matrix);
    return refused;
  }
  return 0;
}

static int agree(int64_t *size, int64_t found, const char *option, const char *path,
                 const char *what) {
  if (*size >= 0 && *size != found) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "%s is %" PRId64 ", but %s has %" PRId64
                         " %s; leave %s out or make "
                         "them agree",
                         option, *size, path, found, what, option);
  }
  *size = found;
  return 0;
}

static int check_sizes(const systole_operands *out, int element, int no_data) {
  uint64_t a, b, c, total;
  int code = systole_bytes_of(&a, out->m, out->k, (size_t)element, "A");
  if (code == 0) code = systole_bytes_of(&b, out->k, out->n, (size_t)element, "B");
  if (code == 0) code = systole_bytes_of(&c, out->m, out->n, 4, "C");
  if (code != 0) return code;
  uint64_t mn;
  if (__builtin_mul_overflow((uint64_t)out->m, (uint64_t)out->n, &mn) ||
      __builtin_mul_overflow(mn, (uint64_t)out->k, &mn)) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "%" PRId64 " x %" PRId64 " x %" PRId64
                         " is more than 2^64 multiplications",
                         out->m, out->n, out->k);
  }
  if (no_data) return 0;
  /* The device holds its own copies, and the check a second result. */
  if (__builtin_add_overflow(a, b, &total) || __builtin_add_overflow(total, c, &total) ||
      __builtin_mul_overflow(total, 2, &total)) {
    total = UINT64_MAX;
  }
  char what[96];
  snprintf(what, sizeof what, "a product of %" PRId64 " x %" PRId64 " x %" PRId64, out->m,
           out->n, out->k);
  return systole_memory_check(total, what);
}

int systole_operands_get(systole_operands *out, const systole_operands_request *request) {
  int code = 0;
  systole_matrix a = {0}, b = {0};
  memset(out, 0, sizeof *out);
  out->m = request->m;
  out->n = request->n;
  out->k = request->k;
  if (request->a_path != NULL) {
    code = load(&a, &out->a_moved, request->a_path, "--a", request->floats);
    if (code == 0) code = agree(&out->m, a.rows, "-m", request->a_path, "rows");
    if (code == 0) code = agree(&out->k, a.cols, "-k", request->a_path, "columns");
    if (code != 0) goto done;
  }
  if (request->b_path != NULL) {
    code = load(&b, &out->b_moved, request->b_path, "--b", request->floats);
    if (code != 0) goto done;
    if (request->a_path != NULL && a.cols != b.rows) {
      code =
          systole_story(SYSTOLE_EXIT_USAGE,
                        "%s is %" PRId64 " x %" PRId64 " and %s is %" PRId64 " x %" PRId64
                        ": the columns of A must equal the rows of B (%" PRId64
                        " against "
                        "%" PRId64 ")",
                        request->a_path, a.rows, a.cols, request->b_path, b.rows, b.cols,
                        a.cols, b.rows);
      goto done;
    }
    code = agree(&out->k, b.rows, "-k", request->b_path, "rows");
    if (code == 0) code = agree(&out->n, b.cols, "-n", request->b_path, "columns");
    if (code != 0) goto done;
  }
  if (out->m < 0 || out->n < 0 || out->k < 0) {
    code = systole_story(SYSTOLE_EXIT_USAGE,
                         "%s missing: give -m, -n and -k, or --a A.npy and --b B.npy",
                         out->m < 0   ? "-m is"
                         : out->n < 0 ? "-n is"
                                      : "-k is");
    goto done;
  }
  code = check_sizes(out, request->floats ? 4 : 1, request->no_data);
  if (code != 0 || request->no_data) goto done;

  const uint64_t a_count = (uint64_t)out->m * (uint64_t)out->k;
  const uint64_t b_count = (uint64_t)out->k * (uint64_t)out->n;
  const uint64_t element = request->floats ? sizeof(float) : 1;
  void *own_a = a.data != NULL ? a.data : malloc(a_count * element + 1);
  void *own_b = b.data != NULL ? b.data : malloc(b_count * element + 1);
  if (request->floats) {
    out->a_f32 = own_a;
    out->b_f32 = own_b;
  } else {
    out->a = own_a;
    out->b = own_b;
  }
  if (own_a == NULL || own_b == NULL) {
    if (own_a == a.data) a.data = NULL; /* the operands free it */
    if (own_b == b.data) b.data = NULL;
    code = systole_story_errno(ENOMEM, "cannot hold the operands");
    goto done;
  }
  if (request->floats) {
    if (a.data == NULL) systole_draw_f32(own_a, a_count, request->seed, SYSTOLE_STREAM_A);
    if (b.data == NULL) systole_draw_f32(own_b, b_count, request->seed, SYSTOLE_STREAM_B);
  } else {
    if (a.data == NULL) systole_draw_s8(own_a, a_count, request->seed, SYSTOLE_STREAM_A);
    if (b.data == NULL) systole_draw_s8(own_b, b_count, request->seed, SYSTOLE_STREAM_B);
  }
  out->random = a.data == NULL || b.data == NULL;
  a.data = NULL;
  b.data = NULL;

done:
  systole_matrix_free(&b);
  systole_matrix_free(&a);
  if (code != 0) systole_operands_free(out);
  return code;
}

int systole_operands_correct(int32_t *c, const systole_operands *o) {
  if (!o->a_moved && !o->b_moved) return 0;
  uint32_t *col_term = calloc((size_t)o->n + 1, sizeof *col_term);
  if (col_term == NULL) return systole_story_errno(ENOMEM, "cannot correct the result");
  if (o->a_moved) {
    for (int64_t p = 0; p < o->k; p++) {
      const int8_t *row = o->b + p * o->n;
      for (int64_t j = 0; j < o->n; j++) col_term[j] += 128u * (uint32_t)row[j];
    }
  }
  for (int64_t i = 0; i < o->m; i++) {
    uint32_t row_term = o->a_moved && o->b_moved ? 16384u * (uint32_t)o->k : 0;
    if (o->b_moved) {
      for (int64_t p = 0; p < o->k; p++) row_term += 128u * (uint32_t)o->a[i * o->k + p];
    }
    int32_t *row = c + i * o->n;
    for (int64_t j = 0; j < o->n; j++) {
      row[j] = (int32_t)((uint32_t)row[j] + row_term + col_term[j]);
    }
  }
  free(col_term);
  return 0;
}

void systole_operands_free(systole_operands *operands) {
  free(operands->a);
  free(operands->b);
  free(operands->a_f32);
  free(operands->b_f32);
  operands->a = operands->b = NULL;
  operands->a_f32 = operands->b_f32 = NULL;
}
