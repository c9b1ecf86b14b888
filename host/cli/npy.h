/* .npy files (numpy.lib.format): versions 1 to 3, two or four dimensions, little-endian
 * int8, uint8, int32 or float32, C or Fortran order. The header is never trusted: the
 * file's own size is compared before a byte is allocated. */
#ifndef SYSTOLE_CLI_NPY_H
#define SYSTOLE_CLI_NPY_H

#include <stdint.h>
#include <stdio.h>

typedef enum systole_type {
  SYSTOLE_TYPE_S8,
  SYSTOLE_TYPE_U8,
  SYSTOLE_TYPE_S32,
  SYSTOLE_TYPE_F32
} systole_type;

/* Row-major, rows x cols without gaps. data is never NULL after success, also when empty.
 */
typedef struct systole_matrix {
  systole_type type;
  int64_t rows, cols;
  void *data;
} systole_matrix;

size_t systole_type_bytes(systole_type type);
const char *systole_type_name(systole_type type); /* "int8", ... */

/* Returns 0, or an exit code with a story that names the file. The caller frees the
 * matrix. */
int systole_npy_read(systole_matrix *out, const char *path);

/* Version 1, C order. Errors of the stream are found by whoever closes it. */
void systole_npy_write(FILE *file, const systole_matrix *matrix);

enum { SystoleMaxDimensions = 4 };

/* The same with up to four dimensions, C order alone beyond two. */
typedef struct systole_tensor {
  systole_type type;
  int64_t shape[SystoleMaxDimensions];
  void *data; /* freed by free() */
} systole_tensor;

int systole_npy_read_tensor(systole_tensor *out, const char *path, int dimensions);
void systole_npy_write_tensor(FILE *file, const systole_tensor *tensor, int dimensions);

void systole_matrix_free(systole_matrix *matrix);

#endif
