#include "idx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "number.h"
#include "story.h"

/* Grown in steps of at most this much beyond what has arrived. */
enum { Step = 1 << 20 };

static int read_error(gzFile file, const char *path, const char *where) {
  int number = Z_OK;
  const char *text = gzerror(file, &number);
  if (number == Z_ERRNO) return systole_story_errno(errno, "cannot read %s", path);
  if (number == Z_OK || number == Z_BUF_ERROR) {
    return systole_story(SYSTOLE_EXIT_USAGE, "%s ends %s: the file is truncated", path,
                         where);
  }
  return systole_story(SYSTOLE_EXIT_USAGE, "%s is damaged (%s)", path, text);
}

static uint32_t big_endian(const unsigned char *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
         (uint32_t)bytes[3];
}

int systole_idx_read(systole_images *out, const char *path, int64_t wanted) {
  int code = 0;
  uint8_t *pixels = NULL;
  unsigned char header[16];
  struct stat status;
  memset(out, 0, sizeof *out);

  if (stat(path, &status) != 0) return systole_story_errno(errno, "cannot read %s", path);
  if (S_ISDIR(status.st_mode)) {
    return systole_story(SYSTOLE_EXIT_USAGE, "%s is a folder; give an IDX image file",
                         path);
  }
  errno = 0;
  gzFile file = gzopen(path, "rb");
  if (file == NULL) {
    return systole_story_errno(errno != 0 ? errno : ENOMEM, "cannot read %s", path);
  }
  const int got = gzread(file, header, sizeof header);
  if (got >= 4 && (header[0] != 0 || header[1] != 0)) {
    code = systole_story(
        SYSTOLE_EXIT_USAGE,
        "%s is no IDX file: it begins with %02x %02x, not with two zero bytes", path,
        header[0], header[1]);
    goto done;
  }
  if (got >= 4 && (header[2] != 8 || header[3] != 3)) {
    code =
        systole_story(SYSTOLE_EXIT_USAGE,
                      "%s holds IDX type 0x%02x in %d dimension(s); images are unsigned "
                      "bytes (0x08) in 3: take the -images-idx3-ubyte file",
                      path, header[2], header[3]);
    goto done;
  }
  if (got < (int)sizeof header) {
    code = read_error(file, path, "in its header");
    goto done;
  }
  const uint64_t count = big_endian(header + 4);
  const uint64_t rows = big_endian(header + 8), cols = big_endian(header + 12);
  if (rows == 0 || cols == 0 || rows > 65536 || cols > 65536) {
    code = systole_story(SYSTOLE_EXIT_USAGE,
                         "%s promises images of %" PRIu64 " x %" PRIu64
                         " pixels; its header is wrong",
                         path, rows, cols);
    goto done;
  }
  if (count < (uint64_t)wanted) {
    code = systole_story(SYSTOLE_EXIT_USAGE,
                         "%s holds %" PRIu64 " image(s) and %" PRId64
                         " are asked for; take a smaller --batch",
                         path, count, wanted);
    goto done;
  }
  uint64_t total = 0;
  code = systole_bytes_of(&total, wanted, (int64_t)(rows * cols), 1, path);
  if (code == 0) code = systole_memory_check(total, path);
  if (code != 0) goto done;

  uint64_t filled = 0, capacity = 0;
  while (filled < total) {
    const uint64_t step = total - filled < Step ? total - filled : Step;
    if (filled + step > capacity) {
      capacity = 2 * filled + step < total ? 2 * filled + step : total;
      uint8_t *grown = realloc(pixels, capacity);
      if (grown == NULL) {
        code = systole_story_errno(ENOMEM, "cannot read %s", path);
        goto done;
      }
      pixels = grown;
    }
    const int part = gzread(file, pixels + filled, (unsigned)step);
    if (part <= 0) {
      char where[64];
      snprintf(where, sizeof where, "in image %" PRIu64 " of %" PRIu64,
               filled / (rows * cols), count);
      code = read_error(file, path, where);
      goto done;
    }
    filled += (uint64_t)part;
  }
  if ((uint64_t)wanted == count) {
    /* The file must end here; reaching its end also compares the check sum of gzip. */
    unsigned char beyond;
    int number = Z_OK;
    const int more = gzread(file, &beyond, 1);
    gzerror(file, &number);
    if (more > 0) {
      code = systole_story(SYSTOLE_EXIT_USAGE,
                           "%s goes on after the %" PRIu64
                           " images that its header promises; it is damaged",
                           path, count);
    } else if (more < 0 || number != Z_OK) {
      code = read_error(file, path, "after its last image");
    }
    if (code != 0) goto done;
  }
  out->count = wanted;
  out->rows = (int64_t)rows;
  out->cols = (int64_t)cols;
  out->pixels = pixels;
  pixels = NULL;

done:
  free(pixels);
  gzclose(file);
  return code;
}

void systole_images_free(systole_images *images) {
  free(images->pixels);
  memset(images, 0, sizeof *images);
}
