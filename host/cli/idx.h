/* IDX image files (yann.lecun.com/exdb/mnist), plain or gzip. The header is never
 * trusted: memory grows only as bytes arrive. */
#ifndef SYSTOLE_CLI_IDX_H
#define SYSTOLE_CLI_IDX_H

#include <stdint.h>

typedef struct systole_images {
  int64_t count;
  int64_t rows, cols;
  uint8_t *pixels; /* [count][rows][cols], 0 black ... 255 white */
} systole_images;

/* Reads the first `wanted` images; a file with fewer is refused. Returns 0, or an exit
 * code with a story that names the file. The caller frees the images. */
int systole_idx_read(systole_images *out, const char *path, int64_t wanted);

void systole_images_free(systole_images *images);

#endif
