/* The two matrices of a product: read from .npy files or drawn from a seed, and brought
 * to int8. uint8 operands are moved by 128, which the result is corrected for, exactly:
 *   (A + 128) (B + 128) = A B + 128 rowsum(A) + 128 colsum(B) + 128 128 K
 * with the terms of the operands that were moved. */
#ifndef SYSTOLE_CLI_OPERANDS_H
#define SYSTOLE_CLI_OPERANDS_H

#include <stdint.h>

typedef struct systole_operands {
  int64_t m, n, k;
  int8_t *a, *b;        /* row-major without gaps; NULL when they are floats */
  float *a_f32, *b_f32; /* likewise; NULL when they are int8 */
  int a_moved, b_moved;
  int random; /* 1: at least one of them was drawn */
} systole_operands;

typedef struct systole_operands_request {
  const char *a_path, *b_path; /* NULL: drawn */
  int64_t m, n, k;             /* -1: not given, follows from the files */
  uint64_t seed;
  int floats;  /* 1: float32, drawn from -1 ... 1 or of files of any type */
  int no_data; /* 1: the sizes alone; a and b stay NULL */
} systole_operands_request;

/* Returns 0, or an exit code with a story. Refuses what this machine's memory cannot
 * hold, results and the device's copies included. */
int systole_operands_get(systole_operands *out, const systole_operands_request *request);

/* Turns the int8 product into the product of the operands as they were given; modulo
 * 2^32. Returns an exit code. */
int systole_operands_correct(int32_t *c, const systole_operands *operands);

void systole_operands_free(systole_operands *operands);

/* Draws multiples of 2^-24 from -1 up to 1, every one equally likely. */
void systole_draw_f32(float *out, uint64_t count, uint64_t seed, uint64_t stream);

/* Draws int8 values; every value is equally likely. */
void systole_draw_s8(int8_t *out, uint64_t count, uint64_t seed, uint64_t stream);

#endif
